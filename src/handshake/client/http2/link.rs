//! One HTTP/2 connection, and what asking for a WebSocket on it comes to.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::sync::PoisonError;

use bytes::Bytes;
use h2::Reason;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::super::uri::Target;
use super::ConnectError;
use super::driver::{self, Gate, Settings, Started};

/// A connection that takes requests until it ends.
#[derive(Clone, Debug)]
pub(super) struct Link {
    requests: SendRequest<Empty<Bytes>>,
    gate: Gate,
    settings: watch::Receiver<Settings>,
    addresses: Option<Addresses>,
}

/// The two ends of the socket, where that is this crate's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

/// Why there was no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) error: ConnectError,
    /// Whether the request was surely not processed, so that it can be sent again.
    pub(super) unprocessed: bool,
}

impl Link {
    /// In a runtime, a task of which drives the connection.
    pub(super) async fn start<S>(io: S, addresses: Option<Addresses>) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Started { requests, gate, settings } = driver::start(io).await?;
        Ok(Link { requests, gate, settings, addresses })
    }

    pub(super) fn addresses(&self) -> Option<Addresses> {
        self.addresses
    }

    /// Whether it takes no more requests. Its streams may go on.
    pub(super) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Waits until it is known whether the server takes WebSockets.
    pub(super) async fn settled(&self) -> Result<(), Unanswered> {
        let mut settings = self.settings.clone();
        let known = settings.wait_for(|settings| !matches!(settings, Settings::Awaited)).await;
        match known.as_deref() {
            Ok(Settings::Refused) => {
                let received = "its SETTINGS are without it";
                Err(Unanswered { error: ConnectError::NoExtendedConnect { received }, unprocessed: false })
            }
            Ok(Settings::Awaited | Settings::Allowed) => Ok(()),
            // One that has ended before it began would do so again: perhaps it was no HTTP/2.
            Ok(Settings::Ended { began, .. }) => Err(Unanswered { error: self.ended(), unprocessed: *began }),
            Err(_) => Err(Unanswered { error: self.ended(), unprocessed: false }),
        }
    }

    /// Sends a request, and waits for the answer.
    pub(super) async fn ask(
        &self,
        request: Request<Empty<Bytes>>,
        target: &Target,
    ) -> Result<Response<Incoming>, Unanswered> {
        let answer = {
            let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            // It is in the queue when this returns, or comes back.
            self.requests.clone().try_send_request(request)
        };
        answer.await.map_err(|mut failure| {
            let was_not_sent = failure.take_message().is_some();
            let source = failure.into_error();
            let unprocessed = was_not_sent || is_unprocessed(&source);
            let error = if source.is_closed() || source.is_canceled() || source.is_user() {
                self.ended()
            } else {
                let (host, port) = target.who();
                ConnectError::Http2 { host, port, source }
            };
            Unanswered { error, unprocessed }
        })
    }

    /// Why it takes no more requests.
    pub(super) fn ended(&self) -> ConnectError {
        match &*self.settings.borrow() {
            Settings::Ended { error, .. } => ConnectError::Http2Ended { source: error.clone() },
            _ => ConnectError::Http2Ended { source: None },
        }
    }
}

/// Whether the server says that it has not processed a request.
///
/// > Requests that have not been processed are guaranteed to be safe to retry […]: the GOAWAY frame indicates the highest
/// > stream number that might have been processed. […] The REFUSED_STREAM error code can be included in a RST_STREAM frame to
/// > indicate that the stream is being closed prior to any processing having occurred. (RFC 9113, section 8.7)
///
/// By a GOAWAY h2 fails the streams above that number alone.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let Some(error) = error.source().and_then(|source| source.downcast_ref::<h2::Error>()) else {
        return false;
    };
    error.is_remote()
        && (error.is_go_away() || error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM))
}
