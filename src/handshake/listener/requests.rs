//! A listener that leaves each decision to others.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::handshakes::Handshakes;
use super::{Listener, MaybeTlsStream};
use crate::UpgradeRequest;

/// So many decisions wait for a database, perhaps, as handshakes do for clients.
const MAX_REQUESTS: usize = 512;

/// The requests of a [`Listener`], each of which waits to be accepted or refused: see [`Listener::requests`].
///
/// Poll it on while requests are decided on: it is this that lets refused clients read their answer. Dropping it ends the tasks that
/// watch the requests and send refusals. Requests that were handed out can still be answered then, but their time limit holds only
/// while they are polled.
#[derive(Debug)]
pub struct Requests(Listener);

impl Listener {
    /// The requests instead of the streams: what is asked for is handed out before the 101, to be decided on.
    ///
    /// Only those come out that keep the rules, and are for the [`path`](Self::path) and from an origin that is allowed. Requests
    /// that wait for a decision do not count as handshakes any more; they have a [limit](Requests::max_requests) of their own.
    /// For examples, and for what happens in the meantime, see [`UpgradeRequest`].
    ///
    /// Call it before the first [`accept`](Self::accept): handshakes that are under way are ended.
    pub fn requests(mut self) -> Requests {
        let limit = self.handshakes.limit;
        self.handshakes = Handshakes::new(limit);
        Arc::make_mut(&mut self.settings).asking = Some(self.handshakes.ask(MAX_REQUESTS));
        Requests(self)
    }
}

impl Requests {
    /// How many requests may wait for a decision at once. Default: 512; 0 counts as 1.
    ///
    /// A request counts until it is answered or dropped, also when its client has left or its time has passed: what is looked up
    /// for it may still cost something. [`UpgradeRequest::wait_for`] gives up then.
    ///
    /// At the limit, the next ones wait to be handed out, as handshakes that are under way; their time limit goes on.
    #[must_use]
    pub fn max_requests(mut self, limit: usize) -> Self {
        self.0.handshakes.deciding_limit = limit.max(1);
        self
    }

    /// The next request; `None` once the listener is [closed](Self::close) and all handshakes have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, or in one without timers.
    pub async fn next(&mut self) -> Option<UpgradeRequest<MaybeTlsStream>> {
        poll_fn(|cx| self.poll_request(cx)).await
    }

    /// As [`Listener::close`]. Requests that were handed out are not concerned; [`next`](Self::next) gives `None` only once what has
    /// been refused was told so.
    pub fn close(&mut self) {
        self.0.close();
    }

    /// The address it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<UpgradeRequest<MaybeTlsStream>>> {
        self.0.poll_take(cx, |handshakes, cx| {
            // Takes note of what has ended; nothing is accepted here without having been asked.
            let ended = handshakes.poll_next(cx);
            match handshakes.poll_request(cx) {
                Poll::Ready(request) => Poll::Ready(Some(request)),
                Poll::Pending => ended.map(|_| None),
            }
        })
    }
}

/// As [`next`](Requests::next); it ends where that gives `None`.
impl Stream for Requests {
    type Item = UpgradeRequest<MaybeTlsStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_request(cx)
    }
}
