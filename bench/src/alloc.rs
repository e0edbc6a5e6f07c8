//! An allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

/// The system's allocator, counting each allocation and reallocation, and, where asked, bytes.
pub struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// How many allocations there have been. Exact only while a single thread runs.
pub fn count() -> u64 {
    COUNT.load(Relaxed)
}

/// Bytes are counted only in here: what they cost stays out of what is timed.
static TRACKING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// Bytes on the heap while they are counted, beyond those at its beginning. One at a time.
pub struct Tracking(());

impl Tracking {
    pub fn start() -> Self {
        LIVE.store(0, Relaxed);
        PEAK.store(0, Relaxed);
        TRACKING.store(true, Relaxed);
        Tracking(())
    }

    pub fn live(&self) -> i64 {
        LIVE.load(Relaxed)
    }

    /// The most there have been.
    pub fn peak(&self) -> i64 {
        PEAK.load(Relaxed)
    }
}

impl Drop for Tracking {
    fn drop(&mut self) {
        TRACKING.store(false, Relaxed);
    }
}

/// Not one atomic step, which would cost the peers that allocate several nanoseconds.
fn note(bytes: usize) {
    COUNT.store(COUNT.load(Relaxed).wrapping_add(1), Relaxed);
    grow(bytes);
}

fn grow(bytes: usize) {
    if TRACKING.load(Relaxed) {
        let live = LIVE.fetch_add(bytes as i64, Relaxed) + bytes as i64;
        PEAK.fetch_max(live, Relaxed);
    }
}

fn shrink(bytes: usize) {
    if TRACKING.load(Relaxed) {
        LIVE.fetch_sub(bytes as i64, Relaxed);
    }
}

// SAFETY: everything is the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        shrink(layout.size());
        note(new_size);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}
