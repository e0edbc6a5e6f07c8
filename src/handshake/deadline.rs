//! The time limit of a handshake.

use std::future::Future;
#[cfg(feature = "listener")]
use std::io;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// A time limit, once it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) limit: Duration,
    /// `None` for no limit.
    pub(super) at: Option<Instant>,
}

impl Deadline {
    /// [`Duration::MAX`] is no limit, and so is what no clock can add. Then no timer is needed.
    pub(super) fn after(limit: Duration) -> Self {
        // A century.
        const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        Deadline { limit, at: (limit < FOREVER).then(|| Instant::now() + limit) }
    }

    /// No limit.
    #[cfg(feature = "listener")]
    pub(super) fn never() -> Self {
        Deadline::after(Duration::MAX)
    }

    /// Waits for something, or gives it up; `None` then.
    pub(super) async fn cut<F: Future>(self, work: F) -> Option<F::Output> {
        match self.at {
            Some(at) => timeout_at(at, work).await.ok(),
            None => Some(work.await),
        }
    }

    /// The error of a handshake that has missed it: how long was waited, and for what.
    #[cfg(feature = "listener")]
    pub(super) fn missed(self, what: &str) -> io::Error {
        let reason = format!("the handshake took longer than {:?}: {what}", self.limit);
        io::Error::new(io::ErrorKind::TimedOut, reason)
    }
}
