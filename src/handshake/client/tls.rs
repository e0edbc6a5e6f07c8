//! TLS by rustls, around a transport that is there.

#[cfg(feature = "platform-roots")]
mod platform;

use std::io;
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsConnector, TlsStream};
use tracing::{debug, field};

use super::{Client, ConnectError, MaybeTlsStream};
use crate::handshake::headers::excerpt;
use crate::handshake::transport::TLS_BUFFER;
#[cfg(feature = "platform-roots")]
use platform::config as platform;

/// Everything but the transport.
pub(super) struct Tls<'a> {
    connector: TlsConnector,
    host: &'a str,
    port: u16,
    name: ServerName<'static>,
}

impl<'a> Tls<'a> {
    /// `host` is what the certificate must name, `protocol` the one of ALPN (RFC 7301).
    pub(super) fn new(
        client: &Client,
        host: &'a str,
        port: u16,
        protocol: &[u8],
    ) -> Result<Self, ConnectError> {
        let given = match &client.tls {
            Some(config) => config.clone(),
            None => platform(host, port)?,
        };
        let mut config = ClientConfig::clone(&given);
        config.alpn_protocols = vec![protocol.to_vec()];
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# Clients MUST use the Server Name Indication extension
        let name = ServerName::try_from(host.to_owned()).map_err(|error| ConnectError::Tls {
            host: host.to_owned(),
            port,
            source: io::Error::new(io::ErrorKind::InvalidInput, error),
        })?;
        Ok(Tls { connector: TlsConnector::from(Arc::new(config)), host, port, name })
    }

    pub(super) async fn handshake(self, io: MaybeTlsStream) -> Result<MaybeTlsStream, ConnectError> {
        let connecting = self.connector.connect_with(self.name, io, |tls| tls.set_buffer_limit(TLS_BUFFER));
        match connecting.await {
            Ok(tls) => {
                let session = tls.get_ref().1;
                debug!(
                    host = self.host,
                    version = session.protocol_version().map(field::debug),
                    alpn = session.alpn_protocol().map(excerpt),
                    "TLS is established"
                );
                //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
                //# all further communication on this channel MUST run through the encrypted tunnel
                Ok(MaybeTlsStream::Tls(Box::new(TlsStream::Client(tls))))
            }
            //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
            //# If this fails (e.g., the server's certificate could not be verified), then the client MUST _Fail
            //# the WebSocket Connection_
            Err(source) => Err(ConnectError::Tls { host: self.host.to_owned(), port: self.port, source }),
        }
    }
}

#[cfg(not(feature = "platform-roots"))]
fn platform(_: &str, _: u16) -> Result<Arc<ClientConfig>, ConnectError> {
    let needs = "a configuration (`Client::tls`) or the feature `platform-roots`";
    Err(ConnectError::Unsupported { what: "wss://", needs })
}
