//! Which tasks the halves wait in.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use super::Side;

/// The task of each half, since a call of it was `Pending`. Also a waker, which wakes both.
///
/// A transport keeps one waker for its read side. While the writing half closes, it reads as well; so both give the
/// transport this one, and whichever of them goes away, the other is woken.
#[derive(Default)]
pub(super) struct Waiting(Mutex<[Option<Waker>; 2]>);

impl Waiting {
    /// The half waits in this task.
    pub(super) fn set(&self, side: Side, waker: &Waker) {
        let mut wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &mut wakers[side as usize];
        let is_there = place.as_ref().is_some_and(|there| there.will_wake(waker));
        let _old = if is_there { None } else { place.replace(waker.clone()) };
        // Before the old one is dropped, which may be the last that is left of its task.
        drop(wakers);
    }

    /// Wakes the half, once, if it waits.
    pub(super) fn wake(&self, side: Side) {
        let waker = self.0.lock().unwrap_or_else(PoisonError::into_inner)[side as usize].take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.as_ref().wake(Side::Reader);
        self.as_ref().wake(Side::Writer);
    }
}
