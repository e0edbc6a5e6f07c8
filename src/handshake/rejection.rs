//! Why a server refuses a handshake, and what it answers.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};
#[cfg(feature = "upgrade")]
use http_body_util::Full;
use thiserror::Error;

use super::headers::{self, VERSION};
#[cfg(feature = "listener")]
use super::http1::HeadError;

/// Why a request for a WebSocket is refused.
///
/// [`status`](Self::status) is that of the answer, whose body, as text, is what [`Display`](std::fmt::Display) says: what came,
/// and what was expected. With the feature `upgrade`, `into_response` is the answer for a service of hyper's.
///
/// After an answer over a transport that this crate reads itself ([`Listener`](crate::Listener),
/// [`Upgrader::over`](crate::Upgrader::over)), the connection ends; the answer says so (`Connection: close`), and what the
/// client has sent behind its request is discarded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Over HTTP/1.1, not GET (RFC 6455, section 4.1, item 2); over HTTP/2, not CONNECT (RFC 8441, section 4). Answer: 405.
    #[error("the method is {}; a WebSocket is asked for by {allowed}", headers::excerpt(received.as_str().as_bytes()))]
    #[non_exhaustive]
    Method {
        /// What came.
        received: Method,
        /// What was expected.
        allowed: Method,
    },
    /// HTTP/1.0 or older (item 2). Answer: 400.
    #[error("the request is {received:?}; a WebSocket needs HTTP/1.1 or later")]
    #[non_exhaustive]
    HttpVersion {
        /// What came.
        received: Version,
    },
    /// A CONNECT over HTTP/2 without `:protocol`, so for a tunnel (RFC 8441, section 4). Answer: 400.
    #[error(
        "a CONNECT without :protocol is not for a WebSocket; it must be \"websocket\", and the server must have \
         announced SETTINGS_ENABLE_CONNECT_PROTOCOL (with hyper: enable_connect_protocol())"
    )]
    MissingProtocol,
    /// A CONNECT over HTTP/2 for another protocol (RFC 9220, section 3). Answer: 501.
    #[error(":protocol is \"{received}\"; expected \"websocket\"")]
    #[non_exhaustive]
    Protocol {
        /// What came, or the beginning of it.
        received: String,
    },
    /// A field is missing (items 4, 7 and 9). Answer: 400.
    #[error("the field {name} is missing")]
    #[non_exhaustive]
    MissingHeader {
        /// Its name, in lower case.
        name: HeaderName,
    },
    /// A field that must not be repeated (section 11.3) is. Answer: 400.
    #[error("the field {name} is there more than once")]
    #[non_exhaustive]
    RepeatedHeader {
        /// Its name, in lower case.
        name: HeaderName,
    },
    /// `Host` is no host, with a port or without (RFC 9112, section 3.2). Answer: 400.
    #[error("the field host is \"{received}\"; expected a host, with a port or without")]
    #[non_exhaustive]
    Host {
        /// What came, or the beginning of it.
        received: String,
    },
    /// `Upgrade` does not contain "websocket", or `Connection` does not contain "Upgrade" (items 5 and 6). Answer: 400.
    #[error("the field {name} does not contain \"{token}\"")]
    #[non_exhaustive]
    MissingToken {
        /// Its name, in lower case.
        name: HeaderName,
        /// What it must contain.
        token: &'static str,
    },
    /// The key is not 16 bytes in base64 (item 7). Answer: 400.
    #[error("the field sec-websocket-key is \"{received}\"; expected 16 bytes in base64")]
    #[non_exhaustive]
    Key {
        /// What came, or the beginning of it.
        received: String,
    },
    /// Another version of the protocol (section 4.2.2, item 4). Answer: 426; over HTTP/2, which has none, 400.
    #[error("the field sec-websocket-version is \"{received}\"; expected \"13\"")]
    #[non_exhaustive]
    WebSocketVersion {
        /// What came, or the beginning of it.
        received: String,
        /// Whether the request came over HTTP/2.
        over_http2: bool,
    },
    /// The request announces a body, which the WebSocket's bytes could not be told from. Answer: 400.
    #[error("the request has a body; a request for a WebSocket must not")]
    Body,
    /// The origin is none of those allowed, see [`Origins`](super::Origins). Answer: 403.
    #[error("the origin \"{received}\" is not allowed")]
    #[non_exhaustive]
    Origin {
        /// What came, or the beginning of it.
        received: String,
    },
    /// There is no WebSocket at this path. Answer: 404.
    #[error("there is no WebSocket at \"{received}\"")]
    #[non_exhaustive]
    Path {
        /// What came, or the beginning of it.
        received: String,
    },
    /// What came is no HTTP/1.1, or breaks a rule of it (RFC 9112): a line that does not end with CRLF, a folded one, white
    /// space before a colon. Answer: 400.
    #[error("the request is no HTTP/1.1: {reason}")]
    #[non_exhaustive]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The target is neither a path nor a URL of `http` or `https` (RFC 9112, section 3.2). Answer: 400.
    #[error("the target is \"{received}\"; expected a path that begins with a slash")]
    #[non_exhaustive]
    Target {
        /// What came, or the beginning of it.
        received: String,
    },
    /// The target is a URL whose host is not that of `Host` (RFC 9112, section 3.2.2). Answer: 400.
    #[error("the field host is \"{host}\", and the target leads to \"{target}\"")]
    #[non_exhaustive]
    OtherHost {
        /// What `Host` says, or the beginning of it.
        host: String,
        /// Where the target leads.
        target: String,
    },
    /// The head is longer, or has more fields, than is read: 64 KiB, 256 fields. Answer: 431.
    #[error("the request is too large: {reason}")]
    #[non_exhaustive]
    TooLarge {
        /// Which limit it has reached.
        reason: String,
    },
    /// The first line is longer than is read: 16 KiB. Answer: 414.
    #[error("the request is too large: {reason}")]
    #[non_exhaustive]
    TargetTooLong {
        /// Which limit it has reached.
        reason: String,
    },
    /// The client has begun TLS, and the server does not speak it. Answer: 400.
    #[error("the client speaks TLS, and this port does not: ws:// leads here, not wss://")]
    Tls,
    /// The client has begun HTTP/2 with prior knowledge (RFC 9113, section 3.3), and the server speaks HTTP/1.1. Answer: 505.
    #[error("the client speaks HTTP/2, and this port does not; expected HTTP/1.1")]
    Http2,
    /// The server has refused the request for a reason of its own. Answer: what it has said.
    #[error("the server has refused the request with {status}")]
    #[non_exhaustive]
    Refused {
        /// The status.
        status: StatusCode,
    },
    /// The server has not decided in time, or has given up deciding. Answer: 503.
    #[error("the server did not get to decide on the request")]
    Undecided,
    /// The server was told to answer with what cannot be sent. Answer: 500.
    #[error("the server cannot answer as it was told to: {reason}")]
    #[non_exhaustive]
    Misconfigured {
        /// What is wrong.
        reason: String,
    },
    /// The request does not come from a connection that can be upgraded. Answer: 500.
    #[error("the server does not support upgrades on this connection (with hyper: with_upgrades())")]
    NotUpgradable,
}

impl Rejection {
    /// The status of the answer.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
    //# the server MUST stop processing the client's handshake and return an HTTP response with an appropriate
    //# error code (such as 400 Bad Request).
    //= https://www.rfc-editor.org/rfc/rfc6455#section-10.7
    //# the server SHOULD return an appropriate HTTP [RFC2616] status code.
    pub fn status(&self) -> StatusCode {
        match self {
            Rejection::HttpVersion { .. }
            | Rejection::MissingProtocol
            | Rejection::MissingHeader { .. }
            | Rejection::RepeatedHeader { .. }
            | Rejection::Host { .. }
            | Rejection::MissingToken { .. }
            | Rejection::Key { .. }
            | Rejection::WebSocketVersion { over_http2: true, .. }
            | Rejection::Malformed { .. }
            | Rejection::Target { .. }
            | Rejection::OtherHost { .. }
            | Rejection::Tls
            | Rejection::Body => StatusCode::BAD_REQUEST,
            //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
            //# it MUST return an appropriate HTTP error code (e.g., 403 Forbidden)
            //= https://www.rfc-editor.org/rfc/rfc6455#section-10.2
            //# it SHOULD respond to the WebSocket handshake with a reply containing HTTP 403 Forbidden status
            //# code.
            Rejection::Origin { .. } => StatusCode::FORBIDDEN,
            //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
            //# If the requested service is not available, the server MUST send an appropriate HTTP error code
            //# (such as 404 Not Found)
            Rejection::Path { .. } => StatusCode::NOT_FOUND,
            Rejection::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Rejection::WebSocketVersion { over_http2: false, .. } => StatusCode::UPGRADE_REQUIRED,
            Rejection::Misconfigured { .. } | Rejection::NotUpgradable => StatusCode::INTERNAL_SERVER_ERROR,
            Rejection::Protocol { .. } => StatusCode::NOT_IMPLEMENTED,
            Rejection::TooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Rejection::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Rejection::Http2 => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Rejection::Refused { status } => *status,
            Rejection::Undecided => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The answer: the status, the fields that belong to it, and a line of text that says why.
    ///
    /// A handler of axum's returns the rejection itself: it is a response (`IntoResponse`).
    #[cfg(feature = "upgrade")]
    pub fn into_response(self) -> Response<Full<Bytes>> {
        self.to_response().map(Full::new)
    }

    pub(super) fn to_response(&self) -> Response<Bytes> {
        let text = match self {
            // > The HEAD method is identical to GET except that the server MUST NOT send content in the response. (RFC 9110,
            // > section 9.3.2)
            Rejection::Method { received: Method::HEAD, .. } => Bytes::new(),
            _ => Bytes::from(format!("{self}\n")),
        };
        let mut response = Response::new(text);
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self {
            Rejection::Method { allowed, .. } => {
                let allow = if *allowed == Method::CONNECT { "CONNECT" } else { "GET" };
                headers.insert(header::ALLOW, HeaderValue::from_static(allow));
            }
            Rejection::WebSocketVersion { over_http2, .. } => {
                //= https://www.rfc-editor.org/rfc/rfc6455#section-4.4
                //# it MUST respond with a |Sec-WebSocket-Version| header field (or multiple
                //# |Sec-WebSocket-Version| header fields) containing all versions it is willing to use.
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
                if !over_http2 {
                    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
                }
            }
            Rejection::MissingHeader { name } if *name == header::SEC_WEBSOCKET_VERSION => {
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            _ => {}
        }
        response
    }
}

#[cfg(feature = "listener")]
impl From<HeadError> for Rejection {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::TooLong | HeadError::TooManyFields => {
                Rejection::TooLarge { reason: error.to_string() }
            }
            HeadError::LineTooLong => Rejection::TargetTooLong { reason: error.to_string() },
            HeadError::Tls => Rejection::Tls,
            HeadError::Http2 => Rejection::Http2,
            HeadError::NotHttp { received } => Rejection::Malformed {
                reason: format!("\"{received}\"; expected a first line such as \"GET /path HTTP/1.1\""),
            },
            HeadError::Malformed { reason } => Rejection::Malformed { reason },
        }
    }
}
