//! What has been done, and what was wrong with it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::ask::{KINDS, Kind};

/// Counts of one end.
#[derive(Default)]
pub struct Tally {
    /// Conversations that ended as they should, by their kind.
    done: [AtomicU64; KINDS.len()],
    /// Those that the peer left before it had said what it wants.
    pub cut: AtomicU64,
    /// Bytes that were received and compared.
    pub bytes: AtomicU64,
    /// Connections that are open.
    pub open: AtomicU64,
    /// The most there have been.
    pub most: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

/// More of them tell nothing new.
const WRONGS: usize = 20;

impl Tally {
    pub fn done(&self, kind: Kind) {
        self.done[kind as usize].fetch_add(1, Relaxed);
    }

    pub fn wrong(&self, what: String) {
        let mut wrong = self.wrong.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if wrong.len() < WRONGS {
            wrong.push(what);
        }
    }

    pub fn wrongs(&self) -> Vec<String> {
        self.wrong.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// In the order of [`KINDS`].
    pub fn counts(&self) -> [u64; KINDS.len()] {
        std::array::from_fn(|kind| self.done[kind].load(Relaxed))
    }

    pub fn opened(&self) -> Opened<'_> {
        let open = self.open.fetch_add(1, Relaxed) + 1;
        self.most.fetch_max(open, Relaxed);
        Opened(self)
    }
}

/// A connection that is open.
pub struct Opened<'a>(&'a Tally);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// Descriptors that this process has open; `None` where it cannot know.
pub fn descriptors() -> Option<usize> {
    // One of them is that of the listing.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() - 1)
}
