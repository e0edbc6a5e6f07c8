//! `Sync` for what is only `Send`.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

/// Lends what is inside only to whoever has it alone, so nothing is ever locked. The type of a stream must not lose its
/// `Sync` by a feature: hyper's `Upgraded` has none.
pub(super) struct Exclusive<T>(Mutex<T>);

impl<T> Exclusive<T> {
    pub(super) fn new(inner: T) -> Self {
        Exclusive(Mutex::new(inner))
    }

    pub(super) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Unpin> Exclusive<T> {
    pub(super) fn pinned(&mut self) -> Pin<&mut T> {
        Pin::new(self.0.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}
