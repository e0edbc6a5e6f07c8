//! Which kind of `io::Error` an error is.

#[cfg(any(feature = "http2", feature = "tls"))]
use std::error::Error as StdError;
use std::io;

use http::StatusCode;

use super::ConnectError;

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
            Self::Resolve { .. } => ErrorKind::HostUnreachable,
            Self::Dial { source, .. } | Self::Tls { source, .. } | Self::Io { source, .. } => source.kind(),
            Self::Proxy { source, .. } => source.kind(),
            Self::Rejected { response, .. } => kind_of_status(response.status()),
            Self::Ended { .. } => ErrorKind::UnexpectedEof,
            Self::NotHttp { .. }
            | Self::Malformed { .. }
            | Self::TooLong { .. }
            | Self::Version { .. }
            | Self::Upgrade { .. }
            | Self::Connection { .. }
            | Self::Accept { .. }
            | Self::Extensions { .. }
            | Self::SubprotocolNotAsked { .. } => ErrorKind::InvalidData,
            #[cfg(feature = "http2")]
            Self::NotHttp2 { .. } | Self::NoExtendedConnect { .. } => ErrorKind::Unsupported,
            #[cfg(feature = "http2")]
            Self::Http2 { source, .. } => io_inside(source).map_or(ErrorKind::Other, io::Error::kind),
            #[cfg(feature = "http2")]
            Self::Http2NotReopened { source, .. } => source.kind(),
            #[cfg(feature = "http2")]
            Self::Http2Ended { source } => {
                let inside = source.as_deref().and_then(|error| io_inside(error));
                inside.map_or(ErrorKind::NotConnected, io::Error::kind)
            }
        }
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        io::Error::new(error.kind(), error)
    }
}

/// Which kind a refusal is, by the server or a proxy.
pub(super) fn kind_of_status(status: StatusCode) -> io::ErrorKind {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            io::ErrorKind::PermissionDenied
        }
        StatusCode::NOT_FOUND => io::ErrorKind::NotFound,
        _ => io::ErrorKind::ConnectionRefused,
    }
}

/// The error of a type that is inside another one, if there is one.
#[cfg(any(feature = "http2", feature = "tls"))]
pub(super) fn inside<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An `io::Error` passes its own place in the chain on to what is inside.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => error.source(),
        };
    }
    None
}

/// The `io::Error` at the bottom of another error, if there is one.
#[cfg(feature = "http2")]
fn io_inside<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    inside(error)
}
