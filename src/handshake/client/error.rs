//! Why a connection was not made.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::{Response, StatusCode, Version};

/// Why [`connect`](crate::connect), a [`Client`](crate::Client) or what is made of one did not get a stream.
///
/// Each says what came and what was expected. None shows a password, and [`kind`](Self::kind) is the
/// [`io::ErrorKind`] that it has as an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI is not one of a WebSocket (RFC 6455, section 3). [`InvalidInput`](io::ErrorKind::InvalidInput).
    #[error("{uri:?} is not the URI of a WebSocket: {reason}")]
    Uri {
        /// The URI, without user, password and query.
        uri: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header field that cannot be added to the request. [`InvalidInput`](io::ErrorKind::InvalidInput).
    #[error("the header field {name} cannot be added to the request: {reason}")]
    Header {
        /// Its name.
        name: HeaderName,
        /// Why not.
        reason: &'static str,
    },
    /// A subprotocol that cannot be asked for (section 4.1, item 10). [`InvalidInput`](io::ErrorKind::InvalidInput).
    ///
    /// It is not shown: some clients send a token as one.
    #[error("cannot ask for subprotocol number {number}: {reason}")]
    Subprotocol {
        /// Which, counted from 1.
        number: usize,
        /// Why not.
        reason: &'static str,
    },
    /// The proxy is not one that can be used. [`InvalidInput`](io::ErrorKind::InvalidInput).
    #[error("cannot use {proxy} as a proxy: {reason}")]
    ProxyUri {
        /// The URL, without user and password; the name of a variable where it came from the environment.
        proxy: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What is asked for was not compiled in. [`Unsupported`](io::ErrorKind::Unsupported).
    #[error("{what} needs {needs}")]
    Unsupported {
        /// What is asked for.
        what: &'static str,
        /// A feature of this crate, or a call.
        needs: &'static str,
    },
    /// The time limit has passed, see [`Client::time_limit`](crate::Client::time_limit).
    /// [`TimedOut`](io::ErrorKind::TimedOut).
    #[error("no connection within {limit:?}: still {during}")]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// What was going on then.
        during: &'static str,
    },
    /// The name was not resolved, or no address of it accepted the TCP connection. The kind is the source's.
    #[error("cannot connect to {host} port {port}: {}", causes(.source))]
    Dial {
        /// The host: the server's, or the proxy's.
        host: String,
        /// The port.
        port: u16,
        /// What the resolver or the last address tried said.
        source: io::Error,
    },
    /// The proxy did not open the way. The kind is that of the transport's failure;
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), [`PermissionDenied`](io::ErrorKind::PermissionDenied) where it
    /// wants other credentials, [`InvalidData`](io::ErrorKind::InvalidData) where it does not speak the protocol, else
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    #[error("the proxy {proxy} did not open a connection to {to}: {reason}")]
    Proxy {
        /// The proxy's URL, without user and password.
        proxy: String,
        /// Host and port behind it.
        to: String,
        /// What it answered.
        reason: String,
        /// As above.
        kind: io::ErrorKind,
    },
    /// TLS failed, mostly over the server's certificate. The kind is the source's, mostly
    /// [`InvalidData`](io::ErrorKind::InvalidData).
    #[error("no TLS with {host}: {source}")]
    Tls {
        /// The host as the certificate should name it.
        host: String,
        /// With a `rustls::Error` inside, where rustls was it.
        source: io::Error,
    },
    /// The connection ended, or what came is not HTTP. The kind is that of an [`io::Error`] inside;
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) for an end before the answer,
    /// [`InvalidData`](io::ErrorKind::InvalidData) for what cannot be parsed or is too large.
    #[error("no HTTP response from the server: {}", causes(.0))]
    Http(#[source] hyper::Error),
    /// The server answered, but with another status. [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    ///
    /// The response has its status, its headers, and up to the first KiB of its body.
    #[error("the server answered {}, expected {}{}", .0.status(), expected(.0), hint(.0))]
    Rejected(Box<Response<Bytes>>),
    /// 101 in a version of HTTP that has no upgrade. [`InvalidData`](io::ErrorKind::InvalidData), as all that follow.
    #[error("the server switched protocols in {received:?}, expected HTTP/1.1")]
    Version {
        /// The version of the response.
        received: Version,
    },
    /// Upgrade does not say websocket (section 4.1, response item 2).
    #[error("the server's Upgrade is {received:?}, expected \"websocket\"")]
    Upgrade {
        /// What it says; empty if it is missing.
        received: String,
    },
    /// Connection does not say Upgrade (section 4.1, response item 3).
    #[error("the server's Connection is {received:?}, expected \"Upgrade\"")]
    Connection {
        /// What it says; empty if it is missing.
        received: String,
    },
    /// Sec-WebSocket-Accept is not the proof that the server has read the key (section 4.1, response item 4).
    #[error("the server's Sec-WebSocket-Accept is {received:?}, expected {expected:?}")]
    Accept {
        /// What it says; empty if it is missing.
        received: String,
        /// What belongs to the key that was sent.
        expected: String,
    },
    /// The server uses an extension (section 4.1, response item 5); none is ever asked for.
    #[error("the server uses the extensions {received:?}, but none was asked for")]
    Extensions {
        /// What Sec-WebSocket-Extensions says.
        received: String,
    },
    /// The server uses a subprotocol that was not asked for, or several (section 4.1, response item 6).
    #[error(
        "the server uses the subprotocol {received:?}, expected none or one of the {asked} that were asked for"
    )]
    SubprotocolNotAsked {
        /// What Sec-WebSocket-Protocol says.
        received: String,
        /// How many were asked for.
        asked: usize,
    },
    /// The server did not agree to HTTP/2 in TLS. [`Unsupported`](io::ErrorKind::Unsupported).
    #[cfg(feature = "http2")]
    #[error("the server did not agree to HTTP/2: its ALPN is {received:?}, expected \"h2\"")]
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
    NoExtendedConnect {
        /// What came instead.
        received: &'static str,
    },
    /// The shared HTTP/2 connection has ended. The kind is that of an [`io::Error`] inside, else
    /// [`NotConnected`](io::ErrorKind::NotConnected).
    #[cfg(feature = "http2")]
    #[error("the HTTP/2 connection has ended{}", why(.0.as_deref()))]
    Http2Ended(
        /// Why, if it was not in peace.
        Option<std::sync::Arc<hyper::Error>>,
    ),
}

impl ConnectError {
    /// The kind that this has as an [`io::Error`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use fastwebsockets_stream::{Config, PayloadType, connect};
    ///
    /// let error = connect("http://example.com", Config::new(PayloadType::Binary)).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    /// # }
    /// ```
    pub fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind;
        match self {
            Self::Uri { .. } | Self::Header { .. } | Self::Subprotocol { .. } | Self::ProxyUri { .. } => {
                ErrorKind::InvalidInput
            }
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::TimedOut { .. } => ErrorKind::TimedOut,
            Self::Dial { source, .. } | Self::Tls { source, .. } => source.kind(),
            Self::Proxy { kind, .. } => *kind,
            Self::Http(error) => kind_of_http(error),
            Self::Rejected(_) => ErrorKind::ConnectionRefused,
            Self::Version { .. }
            | Self::Upgrade { .. }
            | Self::Connection { .. }
            | Self::Accept { .. }
            | Self::Extensions { .. }
            | Self::SubprotocolNotAsked { .. } => ErrorKind::InvalidData,
            #[cfg(feature = "http2")]
            Self::NotHttp2 { .. } | Self::NoExtendedConnect { .. } => ErrorKind::Unsupported,
            #[cfg(feature = "http2")]
            Self::Http2Ended(error) => {
                let inside = error.as_deref().and_then(|error| io_inside(error));
                inside.map_or(ErrorKind::NotConnected, io::Error::kind)
            }
        }
    }

    /// A status other than the expected one. What is secret in the response stays out of `Debug`.
    pub(super) fn rejected(mut response: Response<Bytes>) -> Self {
        hide_secrets(response.headers_mut());
        Self::Rejected(Box::new(response))
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        io::Error::new(error.kind(), error)
    }
}

/// Keeps what is secret out of `Debug`.
pub(super) fn hide_secrets(fields: &mut HeaderMap) {
    for (name, value) in fields.iter_mut() {
        if is_secret(name) {
            value.set_sensitive(true);
        }
    }
}

/// Whether the values of a field are nobody's business.
pub(super) fn is_secret(name: &HeaderName) -> bool {
    let secrets = [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, header::SET_COOKIE];
    secrets.contains(name)
}

/// The `io::Error` at the bottom of another error, if there is one.
pub(super) fn io_inside<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        next = error.source();
    }
    None
}

fn kind_of_http(error: &hyper::Error) -> io::ErrorKind {
    if let Some(inside) = io_inside(error) {
        inside.kind()
    } else if error.is_incomplete_message() {
        io::ErrorKind::UnexpectedEof
    } else if error.is_parse() {
        io::ErrorKind::InvalidData
    } else if error.is_closed() || error.is_canceled() {
        io::ErrorKind::ConnectionAborted
    } else {
        io::ErrorKind::Other
    }
}

#[cfg(feature = "http2")]
fn why(error: Option<&hyper::Error>) -> String {
    error.map_or_else(String::new, |error| {
        format!(": {} (a server that speaks only HTTP/1.1 ends it at once)", causes(error))
    })
}

/// hyper's errors say the reason only in their sources.
fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = text + ": " + &error.to_string();
        next = error.source();
    }
    text
}

fn expected<B>(response: &Response<B>) -> StatusCode {
    match response.version() {
        // RFC 8441, section 5.
        Version::HTTP_2 => StatusCode::OK,
        _ => StatusCode::SWITCHING_PROTOCOLS,
    }
}

fn hint<B>(response: &Response<B>) -> &'static str {
    if response.status().is_redirection() { "; redirections are not followed" } else { "" }
}
