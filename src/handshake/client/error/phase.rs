//! What was going on when the time was over.

use std::fmt;

/// What a connection was waiting for when its time limit passed, in [`ConnectError::TimedOut`](crate::ConnectError::TimedOut).
///
/// What it says as text is what was going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The resolver: addresses for a name.
    Resolve,
    /// TCP: an address that accepts the connection.
    Connect,
    /// TLS, with the server or with a proxy.
    Tls,
    /// The proxy's answer.
    Proxy,
    /// The server's answer to the request for a WebSocket.
    Upgrade,
    /// The start of an HTTP/2 connection, up to the server's SETTINGS.
    Http2,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Resolve => "resolving the name",
            Phase::Connect => "connecting",
            Phase::Tls => "in the TLS handshake",
            Phase::Proxy => "waiting for the proxy's answer",
            Phase::Upgrade => "waiting for the server's answer to the upgrade request",
            Phase::Http2 => "starting an HTTP/2 connection, up to the server's SETTINGS",
        })
    }
}
