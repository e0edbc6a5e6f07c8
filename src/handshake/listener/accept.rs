//! The loop: finished handshakes out, new connections in.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::sleep;

use super::handshakes::Handshakes;
use super::{Accepted, Listener};

/// What most servers wait when the system refuses to accept.
const PAUSE: Duration = Duration::from_secs(1);

impl Listener {
    /// The next stream whose handshake is done; `None` once the listener is [closed](Self::close) and all handshakes have
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing: handshakes go on, and the next call gives what is done.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, or in one without timers.
    pub async fn accept(&mut self) -> Option<Accepted> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Like [`accept`](Self::accept), for a poll function.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Accepted>> {
        self.poll_take(cx, Handshakes::poll_next)
    }

    /// What `take` gives of the handshakes, while new ones begin. `take` gives `None` when none is under way.
    ///
    /// `Pending`: woken by what wakes `take`, by a handshake that ends, by a connection unless one already waits for room, by the time at which room is made
    /// for that one, by the end of a pause, and by the signal.
    pub(super) fn poll_take<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl Fn(&mut Handshakes, &mut Context<'_>) -> Poll<Option<T>>,
    ) -> Poll<Option<T>> {
        if let Some(signal) = &mut self.shutdown
            && signal.as_mut().poll(cx).is_ready()
        {
            self.close();
        }
        loop {
            // Each turn begins a handshake, up to their limit, and tokio's budget bounds those that end at once.
            match take(&mut self.handshakes, cx) {
                Poll::Ready(Some(taken)) => return Poll::Ready(Some(taken)),
                Poll::Ready(None) if self.tcp.is_none() => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => {}
            }
            ready!(self.poll_begin(cx));
        }
    }

    /// Begins the handshake of the next connection. At the limit that one is accepted all the same, because nothing else tells
    /// that somebody waits; those behind it wait in the backlog.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(tcp) = &self.tcp else {
            return Poll::Pending; // A handshake that ends wakes.
        };
        let (tcp, peer_addr) = match self.next.take() {
            Some(next) => next,
            None => {
                if let Some(pause) = &mut self.pause {
                    ready!(pause.as_mut().poll(cx));
                    self.pause = None;
                }
                match ready!(tcp.poll_accept(cx)) {
                    Ok(next) => next,
                    Err(error) => {
                        self.not_accepted(&error);
                        return Poll::Ready(());
                    }
                }
            }
        };
        if self.handshakes.poll_room(cx).is_pending() {
            self.next = Some((tcp, peer_addr));
            return Poll::Pending;
        }
        // Without timers this panics here, where it is seen, and not in the task.
        drop(sleep(PAUSE));
        self.handshakes.begin(self.settings.clone().run(tcp, peer_addr), peer_addr);
        Poll::Ready(())
    }

    fn not_accepted(&mut self, error: &io::Error) {
        if is_of_the_connection(error) {
            tracing::info!(%error, "a connection ended before it was accepted");
        } else {
            tracing::warn!(%error, "cannot accept; trying again in a second");
            self.pause = Some(Box::pin(sleep(PAUSE)));
        }
    }
}

/// Whether it was only this connection that could not be accepted, so that the next one may.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// As [`accept`](Listener::accept); it ends where that gives `None`.
impl Stream for Listener {
    type Item = Accepted;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Accepted>> {
        self.poll_accept(cx)
    }
}
