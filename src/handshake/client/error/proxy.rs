//! Why a proxy did not open the way.

use std::io;

use bytes::Bytes;
use http::Response;

use super::kind::kind_of_status;
use super::{ConnectError, text};

/// Why a proxy did not open the way to the server, in [`ConnectError::Proxy`](crate::ConnectError::Proxy).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It was not reached: its name was not resolved, nobody accepted the connection, or TLS with it failed. Its text and its source are
    /// those of the error inside, and so is the kind.
    #[error(transparent)]
    #[non_exhaustive]
    NotReached {
        /// [`ConnectError::Resolve`], [`ConnectError::Dial`] or [`ConnectError::Tls`], with the host and the port of the proxy.
        source: Box<ConnectError>,
    },
    /// It answered CONNECT with another status than a 2xx. [`PermissionDenied`](io::ErrorKind::PermissionDenied) for 403 (and 401),
    /// [`NotFound`](io::ErrorKind::NotFound) for 404, else [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
    #[error("it {}", text::of_proxy(.response))]
    #[non_exhaustive]
    Refused {
        /// Its status, its fields, and what came of the first KiB of its body within a second, chunks undone. Nothing of a body
        /// that is encoded (Content-Encoding, or a Transfer-Encoding beside chunked).
        response: Box<Response<Bytes>>,
    },
    /// It wants credentials, or others. [`PermissionDenied`](io::ErrorKind::PermissionDenied).
    #[error("it {}: {wanted}", text::credentials(*.sent))]
    #[non_exhaustive]
    Credentials {
        /// Whether some were sent.
        sent: bool,
        /// What it said: the schemes of Proxy-Authenticate, or what SOCKS5 has for it.
        wanted: String,
    },
    /// It did not get through to the server, or will not (the reply codes of RFC 1928, section 6).
    #[error("it replied {reason} (code {code})")]
    #[non_exhaustive]
    Reply {
        /// The code.
        code: u8,
        /// What it means.
        reason: &'static str,
        /// The kind that comes nearest.
        kind: io::ErrorKind,
    },
    /// What came is not the protocol of its scheme. [`InvalidData`](io::ErrorKind::InvalidData).
    #[error("it does not speak {expected}: it sent \"{received}\"{hint}")]
    #[non_exhaustive]
    NotSpoken {
        /// The protocol.
        expected: &'static str,
        /// The first bytes that came, escaped.
        received: String,
        /// What it may be, and what to try; empty where that is not known.
        hint: &'static str,
    },
    /// Its answer breaks the rules or is too long. [`InvalidData`](io::ErrorKind::InvalidData).
    #[error("its answer is malformed: {reason}")]
    #[non_exhaustive]
    Malformed {
        /// What is wrong with it, or which limit was reached.
        reason: String,
    },
    /// It ended the connection before it had answered. [`UnexpectedEof`](io::ErrorKind::UnexpectedEof).
    #[error("it ended the connection {}", text::when(*.begun))]
    #[non_exhaustive]
    Ended {
        /// Whether a part of the answer had come.
        begun: bool,
    },
    /// The connection to it failed before it had answered. The kind is the source's.
    #[error("the connection to it failed before it had answered")]
    #[non_exhaustive]
    Io {
        /// What the transport failed with.
        source: io::Error,
    },
}

impl ProxyError {
    /// The kind that a [`ConnectError::Proxy`](crate::ConnectError::Proxy) has with this inside.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::NotReached { source } => source.kind(),
            Self::Refused { response } => kind_of_status(response.status()),
            Self::Credentials { .. } => io::ErrorKind::PermissionDenied,
            Self::Reply { kind, .. } => *kind,
            Self::NotSpoken { .. } | Self::Malformed { .. } => io::ErrorKind::InvalidData,
            Self::Ended { .. } => io::ErrorKind::UnexpectedEof,
            Self::Io { source } => source.kind(),
        }
    }
}
