//! Why a connection was not made.

mod kind;
mod make;
mod phase;
mod proxy;
mod secrets;
mod text;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{Response, Version};

pub use phase::Phase;
pub use proxy::ProxyError;
pub(super) use secrets::{hide_secrets, is_secret};
#[cfg(feature = "proxy")]
pub(super) use secrets::{is_request, without_request};

/// Why [`connect`](crate::connect), a [`Client`](crate::Client) or what is made of one did not get a stream.
///
/// Each says who (host and port), what came and what was expected, and what to try. None shows a password, a query, or the
/// value of a field that may hold a secret. What caused it is its [`source`](std::error::Error::source), whose text it does not repeat:
/// to print all of it, print the sources too (as `anyhow` does with `{:#}`). [`kind`](Self::kind) is the
/// [`io::ErrorKind`] that it has as an [`io::Error`].
///
/// The host and the port are those of the URI. Where the proxy is at fault, it is [`Proxy`](Self::Proxy), which names both; a
/// [`TimedOut`](Self::TimedOut) names whom it was that did not answer in time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI is not one of a WebSocket (RFC 6455, section 3). [`InvalidInput`](io::ErrorKind::InvalidInput).
    #[error("{uri:?} is not the URI of a WebSocket: {reason}")]
    #[non_exhaustive]
    Uri {
        /// The URI, without user, password and query.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header field that cannot be added to the request. [`InvalidInput`](io::ErrorKind::InvalidInput).
    #[error("header field number {number}{} cannot be added to the request: {reason}", text::in_brackets(.name.as_ref()))]
    #[non_exhaustive]
    Header {
        /// Which, counted from 1.
        number: usize,
        /// Its name; `None` if that is what is wrong.
        name: Option<HeaderName>,
        /// Why not.
        reason: String,
    },
    /// A subprotocol that cannot be asked for (section 4.1, item 10). [`InvalidInput`](io::ErrorKind::InvalidInput).
    ///
    /// It is not shown: some clients send a token as one.
    #[error("cannot ask for subprotocol number {number}: {reason}")]
    #[non_exhaustive]
    Subprotocol {
        /// Which, counted from 1.
        number: usize,
        /// Why not.
        reason: &'static str,
    },
    /// The proxy is not one that can be used. [`InvalidInput`](io::ErrorKind::InvalidInput).
    #[error("cannot use {proxy} as a proxy: {reason}")]
    #[non_exhaustive]
    ProxyUri {
        /// The URL, without user and password; the name of a variable where it came from the environment.
        proxy: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What is asked for was not compiled in. [`Unsupported`](io::ErrorKind::Unsupported).
    #[error("{what} needs {needs}")]
    #[non_exhaustive]
    Unsupported {
        /// What is asked for.
        what: &'static str,
        /// A feature of this crate, or a call.
        needs: &'static str,
    },
    /// The time limit has passed, see [`Client::time_limit`](crate::Client::time_limit).
    /// [`TimedOut`](io::ErrorKind::TimedOut).
    #[error("no connection to {host} port {port} within {limit:?}: still {phase}")]
    #[non_exhaustive]
    TimedOut {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The limit.
        limit: Duration,
        /// What was going on then.
        phase: Phase,
    },
    /// The name was not resolved. [`HostUnreachable`](io::ErrorKind::HostUnreachable): resolvers have no kind of their own,
    /// and `NotFound` is what a server says (404).
    #[error("the name {host} was not resolved (port {port}); is it spelled right?")]
    #[non_exhaustive]
    Resolve {
        /// The name.
        host: String,
        /// The port.
        port: u16,
        /// What the resolver said.
        source: io::Error,
    },
    /// No address accepted the TCP connection. The kind is the source's.
    #[error("cannot connect to {host} port {port}{}", text::tried(.host, .addresses))]
    #[non_exhaustive]
    Dial {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The addresses that were tried; empty where they are not known.
        addresses: Vec<SocketAddr>,
        /// What the system said of one of them.
        source: io::Error,
    },
    /// The proxy did not open the way. The kind is the source's, see [`ProxyError::kind`].
    #[error("the proxy {proxy} did not open a connection to {to}")]
    #[non_exhaustive]
    Proxy {
        /// The proxy's URL, without user and password.
        proxy: String,
        /// Host and port behind it.
        to: String,
        /// Why not.
        source: ProxyError,
    },
    /// TLS failed, mostly over the server's certificate. The kind is the source's, mostly
    /// [`InvalidData`](io::ErrorKind::InvalidData).
    ///
    /// An alert of the server's that comes after the handshake (in TLS 1.3, where it wants a certificate of the client) is this, too.
    #[error("TLS with {host} port {port} failed{}", text::of_tls(.source))]
    #[non_exhaustive]
    Tls {
        /// The host, as the certificate should name it.
        host: String,
        /// The port.
        port: u16,
        /// With a `rustls::Error` inside, where rustls was it.
        source: io::Error,
    },
    /// The server answered, but with another status than 101 (over HTTP/2, 200). [`PermissionDenied`](io::ErrorKind::PermissionDenied) for
    /// 401, 403 and 407, [`NotFound`](io::ErrorKind::NotFound) for 404, else [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    #[error("{host} port {port} {}", text::of_server(.response))]
    #[non_exhaustive]
    Rejected {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Its status, its fields, and what came of the first KiB of its body within a second, chunks undone. Nothing of a body
        /// that is encoded (Content-Encoding, or a Transfer-Encoding beside chunked).
        response: Box<Response<Bytes>>,
    },
    /// What came is not HTTP/1.1. [`InvalidData`](io::ErrorKind::InvalidData), as for all that follow but `Ended` and `Io`.
    #[error("{host} port {port} does not speak HTTP/1.1: it sent \"{received}\"{hint}")]
    #[non_exhaustive]
    NotHttp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The first bytes that came, escaped.
        received: String,
        /// What it may be, and what to try; empty where that is not known.
        hint: &'static str,
    },
    /// HTTP/1.1, but with what RFC 9112 forbids.
    #[error("{host} port {port} sent an answer that is malformed: {reason}")]
    #[non_exhaustive]
    Malformed {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What is wrong with it.
        reason: String,
    },
    /// The answer is larger than any server's should be.
    #[error("{host} port {port} sent an answer of more than {limit} {what}")]
    #[non_exhaustive]
    TooLong {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The limit.
        limit: usize,
        /// What is limited.
        what: &'static str,
    },
    /// The connection ended before the answer. [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    #[error("{host} port {port} ended the connection {}", text::when(*.begun))]
    #[non_exhaustive]
    Ended {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Whether a part of the answer had come.
        begun: bool,
    },
    /// The connection failed before the answer. The kind is the source's.
    #[error("the connection to {host} port {port} failed before the server had answered")]
    #[non_exhaustive]
    Io {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the transport failed with.
        source: io::Error,
    },
    /// 101 in a version of HTTP that has no upgrade.
    #[error("{host} port {port} switched protocols in {received:?}, expected HTTP/1.1")]
    #[non_exhaustive]
    Version {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// The version of the response.
        received: Version,
    },
    /// Upgrade does not say websocket (section 4.1, response item 2).
    #[error("{host} port {port} switched protocols with Upgrade {received:?}, expected \"websocket\"")]
    #[non_exhaustive]
    Upgrade {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What it says; empty if it is missing.
        received: String,
    },
    /// Connection does not say Upgrade (section 4.1, response item 3).
    #[error("{host} port {port} switched protocols with Connection {received:?}, expected \"Upgrade\"")]
    #[non_exhaustive]
    Connection {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What it says; empty if it is missing.
        received: String,
    },
    /// Sec-WebSocket-Accept is not the proof that the server has read the key (section 4.1, response item 4).
    #[error(
        "{host} port {port} switched protocols with Sec-WebSocket-Accept {received:?}, expected {expected:?}; \
         is something in between answering from a cache?"
    )]
    #[non_exhaustive]
    Accept {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What it says; empty if it is missing.
        received: String,
        /// What belongs to the key that was sent.
        expected: String,
    },
    /// The server uses an extension (section 4.1, response item 5); none is ever asked for.
    #[error("{host} port {port} uses the extensions {received:?}, but none was asked for")]
    #[non_exhaustive]
    Extensions {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What Sec-WebSocket-Extensions says.
        received: String,
    },
    /// The server uses a subprotocol that was not asked for, or several (section 4.1, response item 6).
    #[error(
        "{host} port {port} uses the subprotocol {received:?}, expected none or one of the {asked} that were asked for"
    )]
    #[non_exhaustive]
    SubprotocolNotAsked {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What Sec-WebSocket-Protocol says.
        received: String,
        /// How many were asked for.
        asked: usize,
    },
    /// The server did not agree to HTTP/2 in TLS. [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(feature = "http2")]
    #[error("the server did not agree to HTTP/2: its ALPN is {received:?}, expected \"h2\"")]
    #[non_exhaustive]
    NotHttp2 {
        /// What it agreed to; empty if to nothing.
        received: String,
    },
    /// The server's HTTP/2 has no WebSockets (RFC 8441, section 3). [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(feature = "http2")]
    #[error(
        "the server has not enabled extended CONNECT: {received}, expected SETTINGS_ENABLE_CONNECT_PROTOCOL \
         (RFC 8441; in hyper, enable_connect_protocol())"
    )]
    #[non_exhaustive]
    NoExtendedConnect {
        /// What came instead.
        received: &'static str,
    },
    /// HTTP/2 failed. The kind is that of an [`io::Error`] inside, else [`Other`](io::ErrorKind::Other).
    #[cfg(feature = "http2")]
    #[error("HTTP/2 with {host} port {port} failed")]
    #[non_exhaustive]
    Http2 {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What hyper said.
        source: hyper::Error,
    },
    /// The shared HTTP/2 connection has ended. The kind is that of an [`io::Error`] inside, else
    /// [`NotConnected`](io::ErrorKind::NotConnected).
    #[cfg(feature = "http2")]
    #[error("the HTTP/2 connection has ended; a server that speaks only HTTP/1.1 ends it at once")]
    #[non_exhaustive]
    Http2Ended {
        /// Why, if it was not in peace.
        source: Option<std::sync::Arc<hyper::Error>>,
    },
    /// The shared HTTP/2 connection has ended, and opening another one has failed. The kind is the source's.
    #[cfg(feature = "http2")]
    #[error("the HTTP/2 connection to {host} port {port} has ended, and it could not be opened again")]
    #[non_exhaustive]
    Http2NotReopened {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Why not. All who have waited for this attempt have the same.
        source: std::sync::Arc<ConnectError>,
    },
}

#[cfg(test)]
mod tests;
