//! What is waited for, and since when.

use std::time::{Duration, Instant};

/// What the silence is waited for.
///
/// ```text
///          a read waits            interval over           the transport took the Ping
///   Heard ───────────────▶ Listening ───────────▶ Pinging ───────────────────────────▶ Sent
///     ▲                                                                                 │ flushed
///     │ any byte, in any state                      TimedOut ◀─────────────── Waiting ◀─┘
///     └───────────                                           interval over
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Heard,
    Listening,
    Pinging,
    Sent,
    Waiting,
    /// Both Closes are there, and the transport has yet to end.
    Lingering,
}

/// The times of a connection; without a limit that needs one, nothing but a null pointer.
#[derive(Default)]
pub(super) struct Clock(Option<Box<Times>>);

#[derive(Default)]
struct Times {
    /// Of the silence, see [`Config::keep_alive`](crate::Config::keep_alive).
    phase: Phase,
    /// When the phase ends, if time ends it.
    deadline: Option<Instant>,
    /// Since when nothing has moved while the writer waits, see [`Config::stall_timeout`](crate::Config::stall_timeout).
    still_since: Option<Instant>,
}

/// What stands for an interval that no clock can hold.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

impl Clock {
    /// Bytes have come from the peer.
    #[inline]
    pub(super) fn heard(&mut self) {
        if let Some(times) = &mut self.0 {
            times.phase = Phase::Heard;
        }
    }

    /// All that was queued has left, or never will.
    #[inline]
    pub(super) fn sent_all(&mut self) {
        if let Some(times) = self.0.as_mut().filter(|times| times.phase == Phase::Pinging) {
            times.phase = Phase::Sent;
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.0.as_ref().map_or(Phase::Heard, |times| times.phase)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.as_ref()?.deadline
    }

    /// A phase begins that time ends.
    pub(super) fn start(&mut self, phase: Phase, now: Instant, interval: Duration) {
        let times = self.0.get_or_insert_default();
        times.phase = phase;
        times.deadline = Some(now.checked_add(interval).unwrap_or(now + FAR));
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        if let Some(times) = &mut self.0 {
            times.phase = phase;
        }
    }

    /// A Close or an error: the silence is not waited for any more.
    pub(super) fn stop_silence(&mut self) {
        self.enter(Phase::Heard);
    }

    /// How long ago the phase should have ended.
    pub(super) fn missed_by(&self, now: Instant) -> Duration {
        self.deadline().map_or(Duration::ZERO, |deadline| now.saturating_duration_since(deadline))
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| now >= deadline)
    }

    /// A byte has moved.
    #[inline]
    pub(super) fn moved(&mut self, now: impl FnOnce() -> Instant) {
        if let Some(since) = self.0.as_mut().and_then(|times| times.still_since.as_mut()) {
            *since = now();
        }
    }

    pub(super) fn still_since(&self) -> Option<Instant> {
        self.0.as_ref()?.still_since
    }

    /// The writer waits, and nothing has moved since then.
    pub(super) fn start_stall(&mut self, since: Instant) {
        self.0.get_or_insert_default().still_since = Some(since);
    }

    /// The writer does not wait.
    #[inline]
    pub(super) fn stop_stall(&mut self) {
        if let Some(times) = &mut self.0 {
            times.still_since = None;
        }
    }
}
