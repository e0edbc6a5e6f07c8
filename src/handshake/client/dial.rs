//! From a URI to a transport.

#[cfg(feature = "tls")]
use super::Phase;
use super::uri::Target;
use super::{Client, ConnectError, Deadline, MaybeTlsStream, tcp};

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
    let tls = target
        .secure
        .then(|| super::tls::Tls::new(client, &target.host, target.port, protocol))
        .transpose()?;
    #[cfg(not(feature = "tls"))]
    if target.secure {
        return Err(ConnectError::Unsupported { what: "wss://", needs: "the feature `tls`" });
    }
    let io = reach(client, target, deadline).await?;
    #[cfg(feature = "tls")]
    if let Some(tls) = tls {
        return deadline.keep(Phase::Tls, &target.host, target.port, tls.handshake(io)).await;
    }
    Ok(io)
}

/// Through a proxy, or straight.
async fn reach(client: &Client, target: &Target, deadline: Deadline) -> Result<MaybeTlsStream, ConnectError> {
    #[cfg(feature = "proxy")]
    if let Some(proxy) = &client.proxy
        && let Some(way) = proxy.way_to(target)?
    {
        return super::proxy::open(client, target, way, deadline).await;
    }
    tcp::connect(client, &target.host, target.port, deadline).await
}
