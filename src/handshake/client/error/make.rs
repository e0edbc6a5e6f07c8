//! From what happened to the error that says it.

use std::io;

use bytes::Bytes;
use http::Response;
use http::header::LOCATION;

use super::super::super::headers::excerpt;
use super::super::super::http1::{HeadError, MAX_FIELDS, MAX_HEAD, MAX_INTERIM, MAX_LINE, Unread};
use super::super::Deadline;
use super::super::http1::Unanswered;
use super::super::uri::Target;
use super::secrets::{is_request, without_request};
use super::{ConnectError, Phase, hide_secrets, text};

impl ConnectError {
    /// The time limit has passed, on the way to this server.
    pub(in crate::handshake::client) fn timed_out(target: &Target, deadline: Deadline, phase: Phase) -> Self {
        let (host, port) = target.who();
        Self::TimedOut { host, port, limit: deadline.limit, phase }
    }

    /// A status other than the expected one. What is secret in the response stays out of `Debug`.
    pub(in crate::handshake::client) fn rejected(target: &Target, mut response: Response<Bytes>) -> Self {
        hide_secrets(response.headers_mut());
        // A token may be in the query of where it leads.
        if let Some(location) = response.headers_mut().get_mut(LOCATION) {
            location.set_sensitive(true);
        }
        if text::encoding(&response).is_some() {
            *response.body_mut() = Bytes::new();
        }
        let (host, port) = target.who();
        Self::Rejected { host, port, response: Box::new(response) }
    }

    /// There was no answer, or none of HTTP/1.1, which begins so.
    pub(in crate::handshake::client) fn unanswered(target: &Target, why: Unanswered, start: &[u8]) -> Self {
        let (host, port) = target.who();
        let too_long = |host, limit, what| Self::TooLong { host, port, limit, what };
        match why {
            Unanswered::Interim => too_long(host, MAX_INTERIM, "interim answers (1xx) before it"),
            Unanswered::Unread(Unread::Ended { begun }) => Self::Ended { host, port, begun },
            // TLS that ends without saying so.
            Unanswered::Unread(Unread::Failed(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Ended { host, port, begun: !start.is_empty() }
            }
            Unanswered::Unread(Unread::Failed(error)) => Self::failed(target, error),
            Unanswered::Unread(Unread::Head(error)) => match error {
                HeadError::TooLong => too_long(host, MAX_HEAD, "bytes in its head"),
                HeadError::LineTooLong => too_long(host, MAX_LINE, "bytes in its first line"),
                HeadError::TooManyFields => too_long(host, MAX_FIELDS, "header fields"),
                HeadError::Malformed { reason } => Self::Malformed { host, port, reason },
                HeadError::Tls | HeadError::Http2 | HeadError::NotHttp { .. } => {
                    let hint = hint(&error, start, target.secure);
                    Self::NotHttp { host, port, received: excerpt(without_request(start)), hint }
                }
            },
        }
    }

    /// The transport has failed, before there was an answer. TLS fails through it, too.
    pub(in crate::handshake::client) fn failed(target: &Target, source: io::Error) -> Self {
        let (host, port) = target.who();
        #[cfg(feature = "tls")]
        if super::kind::inside::<tokio_rustls::rustls::Error>(&source).is_some() {
            return Self::Tls { host, port, source };
        }
        Self::Io { host, port, source }
    }
}

/// What it may be, and what to try.
fn hint(error: &HeadError, start: &[u8], is_secure: bool) -> &'static str {
    match error {
        HeadError::Tls if is_secure => ", which is TLS inside of TLS",
        HeadError::Tls => ", which is TLS; try wss://",
        HeadError::Http2 => ", which is HTTP/2; try Client::http2 (with the feature `http2`)",
        _ if is_request(start) => {
            ", which is what was sent to it: it sends everything back; is the port right?"
        }
        _ if start.starts_with(b"SSH-") => ", which is SSH; is the port right?",
        _ if start.starts_with(b"220") => ", as servers of mail and FTP do; is the port right?",
        _ if start.starts_with(b"* OK") || start.starts_with(b"+OK") => {
            ", as servers of mail do; is the port right?"
        }
        _ if start.starts_with(b"HTTP/") => ", which is another version of HTTP",
        _ => "; is the port right?",
    }
}
