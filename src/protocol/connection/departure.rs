//! What the program knows of the end, and has done since: whether dropping the connection is an orderly end.

use super::{Connection, Sink};
use crate::protocol::Closing;

/// What the program knows of the end, and has done since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Departure {
    end: SeenEnd,
    waits: Waits,
}

/// Which call of the writer was `Pending`, and has not been `Ready` since. It may have been cancelled: that cannot be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waits {
    #[default]
    Nothing,
    Write,
    /// Flush or shutdown.
    Other,
}

/// Whether a read has returned the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SeenEnd {
    #[default]
    No,
    Yes,
    /// While a write was waiting: `tokio::io::copy` reads on while it waits to write, and meets the end there. What it still
    /// has to write then counts as written before, once it has flushed it.
    DuringWrite,
    /// And something was written since.
    Before,
}

impl Departure {
    /// A read returns the end. Only the first time counts.
    pub(super) fn end_was_seen(&mut self) {
        if self.end == SeenEnd::No {
            self.end = if self.waits == Waits::Write { SeenEnd::DuringWrite } else { SeenEnd::Yes };
        }
    }

    pub(super) fn has_seen_end(self) -> bool {
        self.end != SeenEnd::No
    }

    #[inline]
    pub(super) fn waits_for_nothing(&self) -> bool {
        self.waits == Waits::Nothing
    }

    pub(super) fn write_is_pending(&mut self) {
        self.waits = Waits::Write;
    }

    /// A call that is none of the above is pending: only the stall timeout is concerned.
    pub(super) fn call_is_pending(&mut self) {
        if self.waits == Waits::Nothing {
            self.waits = Waits::Other;
        }
    }

    pub(super) fn call_is_over(&mut self) {
        if self.waits == Waits::Other {
            self.waits = Waits::Nothing;
        }
    }

    pub(super) fn write_is_over(&mut self, accepted: bool) {
        self.waits = Waits::Nothing;
        if accepted {
            self.end = match self.end {
                SeenEnd::Yes => SeenEnd::Before,
                other => other,
            };
        }
    }

    /// Whoever was writing has panicked, so that more was to be said.
    pub(super) fn was_broken_off(&mut self) {
        if self.end == SeenEnd::Yes {
            self.end = SeenEnd::Before;
        }
    }

    /// A flush has succeeded.
    pub(super) fn was_flushed(&mut self) {
        if self.end == SeenEnd::DuringWrite && self.waits != Waits::Write {
            self.end = SeenEnd::Yes;
        }
    }

    /// Whether nothing more was to be said.
    fn is_orderly(self) -> bool {
        self.end == SeenEnd::Yes && self.waits != Waits::Write
    }
}

impl Connection {
    /// Nothing waits, and nothing has failed.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.output.is_empty()
            && self.tail.is_empty()
            && self.unreported.is_none()
            && !self.has_lost_data()
            && self.sink != Sink::Failed
    }

    /// The program goes away: answers the peer's Close, where that is an orderly end. Says whether this end has sent its Close.
    pub(crate) fn depart(&mut self) -> bool {
        if self.closing == Closing::CloseReceived && self.departure.is_orderly() {
            self.queue_answer();
        }
        self.closing.has_sent()
    }

    #[cfg(any(feature = "upgrade", feature = "connect", feature = "listener"))]
    pub(crate) fn has_sent_close(&self) -> bool {
        self.closing.has_sent()
    }

    /// Whoever was writing has panicked, so that more was to be said.
    pub(crate) fn was_broken_off(&mut self) {
        self.departure.was_broken_off();
    }
}
