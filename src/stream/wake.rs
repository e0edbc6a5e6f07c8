//! Who is woken when the transport can be written to again.
//!
//! A transport keeps one waker for its write side, the last. But two tasks may wait for it: the *writer* (in
//! `poll_write`, `poll_flush`, `poll_shutdown`) and the *reader*, whose polls push out what is waiting. So every
//! poll of the write side goes through [`Wakers::poll`], which knows who else waits, and hands the transport a
//! waker that wakes both.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// On whose behalf the transport's write side is polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Reader,
    Writer,
}

/// The tasks that wait.
#[derive(Default)]
pub(super) struct Wakers {
    /// The reader, since its last poll was `Pending`, or since it waits for the write side.
    reader: Option<Waker>,
    /// The reader waits for the write side.
    reader_pushes: bool,
    /// The writer, since it waits for the write side.
    writer: Option<Waker>,
    /// What the transport gets once two tasks have waited at a time.
    both: Option<Arc<Both>>,
    /// Nobody is woken before [`Self::take_due`]: the stream is behind a lock.
    defers: bool,
    /// Who is to be woken then: a set.
    due: u8,
}

const READER_DUE: u8 = 1;
const WRITER_DUE: u8 = 2;
/// Whoever polls wants to be polled again.
const AGAIN: u8 = 4;

impl Wakers {
    /// Polls the transport's write side for `side`.
    ///
    /// `Pending`: whoever waits now is woken by the transport. `Ready`: something has moved, so the other side is
    /// woken, for it may have waited for just that.
    #[inline(always)]
    pub(super) fn poll<T>(
        &mut self,
        side: Side,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let other = match side {
            Side::Reader => self.writer.as_ref().filter(|_| self.due & WRITER_DUE == 0),
            Side::Writer => self.reader.as_ref().filter(|_| self.reader_pushes),
        };
        let polled = match other {
            Some(other) if !other.will_wake(cx.waker()) => {
                let both = self.both.get_or_insert_default();
                both.set([other.clone(), cx.waker().clone()]);
                poll(&mut Context::from_waker(&Waker::from(both.clone())))
            }
            _ => poll(cx),
        };
        match (side, polled.is_ready()) {
            (Side::Reader, false) => {
                self.reader_pushes = true;
                self.park_reader(cx.waker());
            }
            (Side::Writer, false) => remember(&mut self.writer, cx.waker()),
            (Side::Reader, true) => {
                self.reader_pushes = false;
                self.wake_writer();
            }
            (Side::Writer, true) => {
                self.writer = None;
                if self.reader_pushes {
                    self.wake_reader();
                }
            }
        }
        polled
    }

    /// The reader's poll ends with `Pending`.
    ///
    /// One that is due keeps its place, and asks again when it has been woken. Whoever else may come here until then is a
    /// writing half that closes: nobody but it would have to wake it.
    #[inline]
    pub(super) fn park_reader(&mut self, waker: &Waker) {
        if self.due & READER_DUE == 0 {
            remember(&mut self.reader, waker);
        }
    }

    /// The poll ends with `Pending` because other tasks are to have their turn.
    pub(super) fn yield_now(&mut self, waker: &Waker) {
        if self.defers {
            self.due |= AGAIN;
        } else {
            waker.wake_by_ref();
        }
    }

    /// The reader's poll ends with a result.
    #[inline]
    pub(super) fn unpark_reader(&mut self) {
        if !self.reader_pushes {
            self.reader = None;
        }
    }

    /// The writer has kept something and does not wait for it: the reader, if it is parked, takes over.
    pub(super) fn hand_over(&mut self) {
        self.writer = None;
        self.wake_reader();
    }

    /// The writer waits, but may be cancelled: the reader, if it is parked, pushes too.
    pub(super) fn share_pushing(&mut self) {
        if !self.reader_pushes {
            self.wake_reader();
        }
    }

    /// Wakes the reader, once, if it is parked.
    pub(super) fn wake_reader(&mut self) {
        self.reader_pushes = false;
        if self.defers {
            self.due |= if self.reader.is_some() { READER_DUE } else { 0 };
        } else if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    /// Wakes the writer, once, if it waits.
    #[inline]
    pub(super) fn wake_writer(&mut self) {
        if self.writer.is_some() {
            self.wake_waiting_writer();
        }
    }

    fn wake_waiting_writer(&mut self) {
        if self.defers {
            self.due |= WRITER_DUE;
        } else if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    /// Whether those who are to be woken wait until [`Self::take_due`].
    pub(super) fn defer(&mut self, defers: bool) {
        self.defers = defers;
    }

    #[inline]
    pub(super) fn has_due(&self) -> bool {
        self.due != 0
    }

    /// Who is to be woken, once nothing is locked.
    pub(super) fn take_due(&mut self) -> Due {
        let reader = self.reader.take_if(|_| self.due & READER_DUE != 0);
        let writer = self.writer.take_if(|_| self.due & WRITER_DUE != 0);
        let again = self.due & AGAIN != 0;
        self.due = 0;
        Due { tasks: [reader, writer], again }
    }
}

/// Tasks that are to be woken.
#[must_use = "they wait for ever"]
pub(super) struct Due {
    tasks: [Option<Waker>; 2],
    again: bool,
}

impl Due {
    /// Wakes them, and the one that has polled, where it wants to be polled again.
    pub(super) fn wake(self, polled: &Waker) {
        self.tasks.into_iter().flatten().for_each(Waker::wake);
        if self.again {
            polled.wake_by_ref();
        }
    }
}

fn remember(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        // Clones only a waker of another task.
        Some(slot) => slot.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}

/// Wakes two tasks, once for each time it was set.
#[derive(Default)]
struct Both(Mutex<Option<[Waker; 2]>>);

impl Both {
    fn set(&self, wakers: [Waker; 2]) {
        // The old ones are dropped unlocked: it may be the last that is left of their tasks.
        let _old = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(wakers);
    }
}

impl Wake for Both {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakers = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}
