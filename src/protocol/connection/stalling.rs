//! The calls of the writer, and the time limit of whoever waits for the transport's write side while nothing moves.

use std::time::{Duration, Instant};

use super::Connection;
use super::clock::Waiter;
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
        self.clock.stop_stall(Waiter::Writer);
    }

    /// A call of the writer has ended.
    pub(crate) fn call_ends(&mut self) {
        self.departure.call_is_over();
        self.clock.stop_stall(Waiter::Writer);
    }

    /// A flush has put everything where it belongs.
    #[inline]
    pub(crate) fn flush_succeeds(&mut self) {
        self.departure.was_flushed();
    }

    /// A call of the writer has to wait: for how long it may. Asks for the time only where there is a limit.
    pub(crate) fn call_waits(&mut self, now: impl FnOnce() -> Instant) -> Stalled {
        self.departure.call_is_pending();
        let stalled = self.wait(Waiter::Writer, now);
        if matches!(stalled, Stalled::Now(_)) {
            self.call_ends();
        }
        stalled
    }

    /// Whether a read that waits is to be told of here.
    #[inline]
    pub(crate) fn watches_push(&self) -> bool {
        self.config.stall_limit().is_some()
    }

    /// A read waits, and has pushed: for how long what has not left may wait with it. If that is over, the writer is to hear of it.
    pub(crate) fn push_waits(&mut self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        if !self.is_reading() || !self.is_writing() || !self.must_transmit() {
            self.push_ends();
            return None;
        }
        match self.wait(Waiter::Reader, now) {
            Stalled::Never => None,
            Stalled::At(deadline) => Some(deadline),
            Stalled::Now(error) => {
                self.push_ends();
                self.owe(error.into());
                None
            }
        }
    }

    /// No read waits, or nothing waits with it; or something has just left, so that the wait begins anew with the next poll.
    #[inline]
    pub(crate) fn push_ends(&mut self) {
        self.clock.stop_stall(Waiter::Reader);
    }

    fn wait(&mut self, who: Waiter, now: impl FnOnce() -> Instant) -> Stalled {
        let Some(limit) = self.config.stall_limit() else { return Stalled::Never };
        let now = now();
        // Who waits is woken in time. So far beyond it nobody has waited, and this one has just begun to.
        let latest = limit.saturating_add(limit.min(LATE));
        let fresh = |since: &Instant| now.saturating_duration_since(*since) <= latest;
        let since = self.clock.still_since(who).filter(fresh).unwrap_or(now);
        self.clock.start_stall(who, since);
        match since.checked_add(limit) {
            None => Stalled::Never,
            Some(deadline) if now < deadline => Stalled::At(deadline),
            Some(_) => {
                self.fail_writing();
                Stalled::Now(Error::StallTimedOut)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, PayloadType, Role};

    #[test]
    fn stall_of_a_read_is_over_with_the_reading_whatever_has_yet_to_leave() {
        let limit = Duration::from_secs(60);
        let now = Instant::now();
        let config = Config::new(PayloadType::Binary).stall_timeout(limit);
        let mut connection = Connection::new(Role::Client, config);
        assert_eq!(connection.push_waits(|| now), None, "nothing has to leave");
        connection.shut_down();
        assert_eq!(connection.push_waits(|| now), Some(now + limit));
        connection.receive_end();
        assert!(connection.must_transmit());
        assert_eq!(
            connection.push_waits(|| now + limit),
            None,
            "what the end waits for has a time of its own"
        );
        assert!(connection.is_writing());
    }
}
