//! The time limit of a write, flush or shutdown that waits while nothing moves.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::{WebSocketStream, departure};
use crate::Error;

/// The state of [`Config::stall_timeout`](crate::Config::stall_timeout); without it, nothing but a null pointer.
#[derive(Default)]
pub(super) struct Stall(Option<Box<Wait>>);

struct Wait {
    timer: Pin<Box<Sleep>>,
    /// Since when nothing has moved, while the writer waits: since a call of it was `Pending`, until one is not.
    since: Option<Instant>,
}

/// How late a busy runtime may poll a task whose time has come.
const LATE: Duration = Duration::from_secs(1);

impl Stall {
    /// A byte has moved, in either direction.
    #[inline]
    pub(super) fn moved(&mut self) {
        if let Some(since) = self.0.as_mut().and_then(|wait| wait.since.as_mut()) {
            *since = Instant::now();
        }
    }

    /// The writer's call has ended.
    #[inline]
    pub(super) fn stop(&mut self) {
        if let Some(wait) = &mut self.0 {
            wait.since = None;
        }
    }

    /// Whether the writer has waited too long. `Pending`: the timer has its waker.
    fn poll_over(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let now = Instant::now();
        if departure::is_under_way() {
            return Poll::Pending;
        }
        let wait = self.0.get_or_insert_with(|| {
            Box::new(Wait { timer: Box::pin(tokio::time::sleep(limit)), since: None })
        });
        // A writer that waits is woken in time. So far beyond it none has waited, and this one has just begun to.
        let latest = limit.saturating_add(limit.min(LATE));
        let fresh = |since: &Instant| now.saturating_duration_since(*since) <= latest;
        let since = wait.since.filter(fresh).unwrap_or(now);
        wait.since = Some(since);
        let deadline = since.checked_add(limit);
        if let Some(deadline) = deadline.filter(|deadline| *deadline != wait.timer.deadline()) {
            wait.timer.as_mut().reset(deadline);
        }
        wait.timer.as_mut().poll(cx)
    }
}

impl<S> WebSocketStream<S> {
    /// Ends each call of the writer: a wait that lasts too long is an error of the transport's write side.
    #[inline(never)]
    pub(super) fn end_of_call<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.departure.call_is_over();
            self.stall.stop();
            return polled;
        }
        self.departure.call_is_pending();
        let Some(limit) = self.config.stall_limit() else { return Poll::Pending };
        std::task::ready!(self.stall.poll_over(cx, limit));
        self.departure.call_is_over();
        self.stall.stop();
        self.fail_sink();
        // For a Ping that will not leave now; it may have waited for that.
        self.wakers.wake_reader();
        Poll::Ready(Err(Error::StallTimedOut.into()))
    }
}
