//! TLS by rustls, around a transport that is there.

use std::io;
use std::sync::Arc;

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsConnector, TlsStream};

use super::{Client, ConnectError, MaybeTlsStream};
use crate::handshake::transport::TLS_BUFFER;

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
            Ok(tls) => Ok(MaybeTlsStream::Tls(Box::new(TlsStream::Client(tls)))),
            Err(source) => Err(ConnectError::Tls { host: self.host.to_owned(), port: self.port, source }),
        }
    }
}

/// What the platform trusts, loaded once.
#[cfg(feature = "platform-roots")]
fn platform(host: &str, port: u16) -> Result<Arc<ClientConfig>, ConnectError> {
    use std::sync::OnceLock;

    use rustls_platform_verifier::BuilderVerifierExt;
    use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
    use tokio_rustls::rustls::{self, ConfigBuilder};

    fn load() -> Result<ClientConfig, rustls::Error> {
        // Not `ClientConfig::builder`, which panics where there is no default or more than one to choose from.
        let provider = CryptoProvider::get_default().cloned();
        let provider = provider.unwrap_or_else(|| Arc::new(ring::default_provider()));
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(ConfigBuilder::with_platform_verifier)
            .map(|builder| builder.with_no_client_auth())
    }

    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let failed = |error| ConnectError::Tls { host: host.to_owned(), port, source: io::Error::other(error) };
    let config = Arc::new(load().map_err(failed)?);
    Ok(CONFIG.get_or_init(|| config).clone())
}

#[cfg(not(feature = "platform-roots"))]
fn platform(_: &str, _: u16) -> Result<Arc<ClientConfig>, ConnectError> {
    let needs = "a configuration (`Client::tls`) or the feature `platform-roots`";
    Err(ConnectError::Unsupported { what: "wss://", needs })
}
