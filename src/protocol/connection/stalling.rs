//! The calls of the writer, and the time limit of one that waits while nothing moves.

use std::time::{Duration, Instant};

use super::Connection;
use crate::Error;

/// What a call of the writer that has to wait is to do.
#[derive(Debug)]
#[must_use = "it may have waited for too long"]
pub(crate) enum Stalled {
    /// Wait, without a limit.
    Never,
    /// Wait, and ask again then.
    At(Instant),
    /// Fail: the transport counts as failed.
    Now(Error),
}

/// How late a busy runtime may poll a task whose time has come.
const LATE: Duration = Duration::from_secs(1);

impl Connection {
    /// A byte has moved, in either direction.
    #[inline]
    pub(crate) fn moved(&mut self, now: impl FnOnce() -> Instant) {
        self.clock.moved(now);
    }

    /// A write has to wait.
    pub(crate) fn write_waits(&mut self) {
        self.departure.write_is_pending();
    }

    /// A write has ended, and was accepted or not.
    pub(crate) fn write_ends(&mut self, accepted: bool) {
        self.departure.write_is_over(accepted);
        self.clock.stop_stall();
    }

    /// A call of the writer has ended.
    pub(crate) fn call_ends(&mut self) {
        self.departure.call_is_over();
        self.clock.stop_stall();
    }

    /// A flush has put everything where it belongs.
    #[inline]
    pub(crate) fn flush_succeeds(&mut self) {
        self.departure.was_flushed();
    }

    /// A call of the writer has to wait: for how long it may. Asks for the time only where there is a limit.
    pub(crate) fn call_waits(&mut self, now: impl FnOnce() -> Instant) -> Stalled {
        self.departure.call_is_pending();
        let Some(limit) = self.config.stall_limit() else { return Stalled::Never };
        let now = now();
        // A writer that waits is woken in time. So far beyond it none has waited, and this one has just begun to.
        let latest = limit.saturating_add(limit.min(LATE));
        let fresh = |since: &Instant| now.saturating_duration_since(*since) <= latest;
        let since = self.clock.still_since().filter(fresh).unwrap_or(now);
        self.clock.start_stall(since);
        match since.checked_add(limit) {
            None => Stalled::Never,
            Some(deadline) if now < deadline => Stalled::At(deadline),
            Some(_) => {
                self.call_ends();
                self.fail_writing();
                Stalled::Now(Error::StallTimedOut)
            }
        }
    }
}
