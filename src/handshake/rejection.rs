//! Why a server refuses a handshake, and what it answers.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};
use http_body_util::Full;
use thiserror::Error;

use super::headers::VERSION;

/// Why a request for a WebSocket is refused.
///
/// [`status`](Self::status) and [`into_response`](Self::into_response) are the answer; its body, as text, is what
/// [`Display`](std::fmt::Display) says: what came, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Over HTTP/1.1, not GET (RFC 6455, section 4.1, item 2); over HTTP/2, not CONNECT (RFC 8441, section 4). Answer: 405.
    #[error("the method is {received}; a WebSocket is asked for by {allowed}")]
    Method {
        /// What came.
        received: Method,
        /// What was expected.
        allowed: Method,
    },
    /// HTTP/1.0 or older (item 2). Answer: 400.
    #[error("the request is {received:?}; a WebSocket needs HTTP/1.1 or later")]
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
    Protocol {
        /// What came, or the beginning of it.
        received: String,
    },
    /// A field is missing (items 4, 7 and 9). Answer: 400.
    #[error("the field {name} is missing")]
    MissingHeader {
        /// Its name, in lower case.
        name: HeaderName,
    },
    /// A field that must not be repeated (section 11.3) is. Answer: 400.
    #[error("the field {name} is there more than once")]
    RepeatedHeader {
        /// Its name, in lower case.
        name: HeaderName,
    },
    /// `Host` is no host, with a port or without (RFC 9112, section 3.2). Answer: 400.
    #[error("the field host is \"{received}\"; expected a host, with a port or without")]
    Host {
        /// What came, or the beginning of it.
        received: String,
    },
    /// `Upgrade` does not contain "websocket", or `Connection` does not contain "Upgrade" (items 5 and 6). Answer: 400.
    #[error("the field {name} does not contain \"{token}\"")]
    MissingToken {
        /// Its name, in lower case.
        name: HeaderName,
        /// What it must contain.
        token: &'static str,
    },
    /// The key is not 16 bytes in base64 (item 7). Answer: 400.
    #[error("the field sec-websocket-key is \"{received}\"; expected 16 bytes in base64")]
    Key {
        /// What came, or the beginning of it.
        received: String,
    },
    /// Another version of the protocol (section 4.2.2, item 4). Answer: 426; over HTTP/2, which has none, 400.
    #[error("the field sec-websocket-version is \"{received}\"; expected \"13\"")]
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
    Origin {
        /// What came, or the beginning of it.
        received: String,
    },
    /// There is no WebSocket at this path. Answer: 404.
    #[error("there is no WebSocket at \"{received}\"")]
    Path {
        /// What came, or the beginning of it.
        received: String,
    },
    /// The server was told to answer with what cannot be sent. Answer: 500.
    #[error("the server cannot answer as it was told to: {reason}")]
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
            | Rejection::Body => StatusCode::BAD_REQUEST,
            Rejection::Origin { .. } => StatusCode::FORBIDDEN,
            Rejection::Path { .. } => StatusCode::NOT_FOUND,
            Rejection::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Rejection::WebSocketVersion { over_http2: false, .. } => StatusCode::UPGRADE_REQUIRED,
            Rejection::Misconfigured { .. } | Rejection::NotUpgradable => StatusCode::INTERNAL_SERVER_ERROR,
            Rejection::Protocol { .. } => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// The answer: the status, the fields that belong to it, and a line of text that says why.
    pub fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self {
            Rejection::Method { allowed, .. } => {
                let allow = if allowed == Method::CONNECT { "CONNECT" } else { "GET" };
                headers.insert(header::ALLOW, HeaderValue::from_static(allow));
            }
            Rejection::WebSocketVersion { over_http2, .. } => {
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
                if !over_http2 {
                    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
                }
            }
            Rejection::MissingHeader { name } if name == header::SEC_WEBSOCKET_VERSION => {
                headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            _ => {}
        }
        response
    }
}
