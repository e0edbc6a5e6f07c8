//! From a host and a port to a transport.

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::Instant;
use tower_service::Service;

use super::uri::{Target, http_uri};
use super::{Client, ConnectError, Deadline, MaybeTlsStream, error};

/// Opens the transport that a URI asks for; over TLS, with this as the one protocol of ALPN.
#[cfg_attr(not(feature = "tls"), expect(unused_variables))]
pub(super) async fn dial(
    client: &Client,
    target: &Target,
    protocol: &[u8],
    deadline: Deadline,
) -> Result<MaybeTlsStream, ConnectError> {
    // What is missing shows before anything is dialled.
    #[cfg(feature = "tls")]
    let tls = target.secure.then(|| super::tls::Tls::new(client, &target.host, protocol)).transpose()?;
    #[cfg(not(feature = "tls"))]
    if target.secure {
        return Err(ConnectError::Unsupported { what: "wss://", needs: "the feature `tls`" });
    }
    let io = reach(client, target, deadline).await?;
    #[cfg(feature = "tls")]
    if let Some(tls) = tls {
        return deadline.keep("in the TLS handshake with the server", tls.handshake(io)).await;
    }
    Ok(io)
}

/// Through a proxy, or straight.
#[cfg_attr(not(feature = "proxy"), expect(unused_variables))]
async fn reach(client: &Client, target: &Target, deadline: Deadline) -> Result<MaybeTlsStream, ConnectError> {
    #[cfg(feature = "proxy")]
    if let Some(proxy) = &client.proxy
        && let Some(way) = proxy.way_to(target)?
    {
        return super::proxy::open(client, target, &way, deadline).await;
    }
    tcp(&target.host, target.port, deadline).await
}

/// Resolves and connects; hyper-util races both address families (RFC 8305).
pub(super) async fn tcp(host: &str, port: u16, deadline: Deadline) -> Result<MaybeTlsStream, ConnectError> {
    let failed = |source| ConnectError::Dial { host: host.to_owned(), port, source };
    let mut connector = HttpConnector::new();
    // A frame per write meets Nagle's algorithm and delayed acknowledgement otherwise.
    connector.set_nodelay(true);
    // hyper-util divides it among the addresses of a family: one that drops SYNs must not use up the time of the next.
    // A second more than there is, so that with one address it is the limit that ends it, and says so.
    connector.set_connect_timeout(
        deadline.at.map(|at| at.saturating_duration_since(Instant::now()) + Duration::from_secs(1)),
    );
    let connecting = async {
        let uri = http_uri("http", host, port).ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let connected = match poll_fn(|cx| connector.poll_ready(cx)).await {
            Ok(()) => connector.call(uri).await,
            Err(error) => Err(error),
        };
        connected.map_err(|error| {
            let kind = error::io_inside(&error).map_or(io::ErrorKind::Other, io::Error::kind);
            failed(io::Error::new(kind, error))
        })
    };
    let connected = deadline.keep("resolving the name and connecting", connecting).await?;
    Ok(MaybeTlsStream::Tcp(connected.into_inner()))
}
