//! Buffers that are borrowed while bytes are under way, so that a stream at rest holds none.
//!
//! Each thread keeps a few of each size. They are taken and given back, never held borrowed, so streams can be
//! nested in each other; one that was taken on another thread is simply kept by the thread that drops it.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Room in every output buffer for the control frames that may queue behind its data, see `protocol::output`.
pub(crate) const HEADROOM: usize = 1024;

/// Holds a control frame or two.
pub(crate) const SMALL: usize = HEADROOM;
/// Reading ahead; a frame of 16 KiB.
pub(crate) const MEDIUM: usize = 16 * 1024 + HEADROOM;
/// A frame of 64 KiB with its header, and the headroom.
pub(crate) const LARGE: usize = 65 * 1024 + HEADROOM;
/// As much as is masked at a time.
pub(crate) const HUGE: usize = 256 * 1024 + HEADROOM;

/// Each size, and how many of it a thread keeps: 998 KiB at the most.
const CLASSES: [(usize, usize); 4] = [(SMALL, 16), (MEDIUM, 12), (LARGE, 4), (HUGE, 2)];

type Shelf = Vec<Box<[u8]>>;

thread_local! {
    static POOL: RefCell<[Shelf; CLASSES.len()]> = const { RefCell::new([const { Vec::new() }; CLASSES.len()]) };
}

/// Zeroed or used before: its bytes mean nothing until they are written. Empty, it holds no memory.
#[derive(Default)]
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    /// A buffer of at least `len` bytes: from the thread's pool up to [`HUGE`], from the allocator beyond.
    #[inline]
    pub(crate) fn take(len: usize) -> Self {
        let Some(class) = CLASSES.iter().position(|(size, _)| len <= *size) else { return Self::zeroed(len) };
        match POOL.try_with(|pool| pool.borrow_mut()[class].pop()) {
            Ok(Some(bytes)) => Buffer(bytes),
            _ => Self::zeroed(CLASSES[class].0),
        }
    }

    #[cold]
    fn zeroed(len: usize) -> Self {
        Buffer(vec![0; len].into_boxed_slice())
    }

    /// A buffer with these `len` bytes, and [`HEADROOM`] behind them. `fill` is asked for them in pieces, by their offset.
    pub(crate) fn filled(len: usize, mut fill: impl FnMut(usize, &mut [u8])) -> Self {
        let size = len + HEADROOM;
        if size <= LARGE {
            let mut buffer = Self::take(size);
            fill(0, &mut buffer[..len]);
            return buffer;
        }
        // To zero all of it first would be one more pass over memory that is in no cache.
        const PIECE: usize = 64 * 1024;
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < len {
            let at = bytes.len();
            bytes.resize(len.min(at + PIECE), 0);
            fill(at, &mut bytes[at..]);
        }
        bytes.resize(size, 0);
        Buffer::from(bytes)
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Buffer(bytes.into_boxed_slice())
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_empty() {
            self.give_back();
        }
    }
}

impl Buffer {
    fn give_back(&mut self) {
        let Some(class) = CLASSES.iter().position(|(size, _)| self.0.len() == *size) else { return };
        let bytes = std::mem::take(&mut self.0);
        // A thread that is ending has no pool any more: then the buffer is freed.
        let _ = POOL.try_with(|pool| {
            let shelf = &mut pool.borrow_mut()[class];
            if shelf.len() < CLASSES[class].1 {
                shelf.push(bytes);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pool_keeps_a_bounded_number_of_each_size() {
        for (size, kept) in CLASSES {
            drop((0..3 * kept).map(|_| Buffer::take(size)).collect::<Vec<_>>());
            let held = POOL.with(|pool| pool.borrow().iter().flatten().filter(|b| b.len() == size).count());
            assert_eq!(held, kept);
        }
    }

    #[test]
    fn buffer_beyond_the_largest_size_is_not_kept() {
        drop(Buffer::take(HUGE + 1));
        assert!(POOL.with(|pool| pool.borrow().iter().flatten().all(|b| b.len() <= HUGE)));
    }
}
