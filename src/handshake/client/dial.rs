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
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# If the connection could not be opened, either because a direct connection failed or because any proxy
    //# used returned an error, then the client MUST _Fail the WebSocket Connection_
    let io = reach(client, target, deadline).await?;
    #[cfg(feature = "tls")]
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# If /secure/ is true, the client MUST perform a TLS handshake over the connection after opening the
    //# connection and before sending the handshake data [RFC2818].
    if let Some(tls) = tls {
        return deadline.keep(Phase::Tls, &target.host, target.port, tls.handshake(io)).await;
    }
    Ok(io)
}

/// Through a proxy, or straight.
async fn reach(client: &Client, target: &Target, deadline: Deadline) -> Result<MaybeTlsStream, ConnectError> {
    #[cfg(feature = "proxy")]
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# the client SHOULD connect to that proxy and ask it to open a TCP connection
    if let Some(proxy) = &client.proxy
        && let Some(way) = proxy.way_to(target)?
    {
        return super::proxy::open(client, target, way, deadline).await;
    }
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# a direct TCP connection SHOULD be opened
    tcp::connect(client, &target.host, target.port, deadline).await
}
