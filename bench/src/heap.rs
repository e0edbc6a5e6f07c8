//! How much of the heap a stream takes.

use std::sync::Barrier;
use std::thread;

use crate::alloc::Tracking;

/// Bytes.
#[derive(Clone, Copy)]
pub struct Heap {
    /// The most there were under way, pools of the thread included.
    pub peak: i64,
    /// What one more stream holds after the same, when it does nothing.
    pub at_rest: i64,
}

/// Does the same with two streams, one after the other, in a thread of their own: whatever a thread keeps is new
/// with the first, and there with the second.
pub fn of<I: Send, B: FnMut(u64) -> f64>(inputs: [I; 2], frames: u64, make: impl Fn(I) -> B + Sync) -> Heap {
    let ready = Barrier::new(2);
    thread::scope(|scope| {
        let measuring = scope.spawn(|| {
            let [first, second] = inputs;
            // From here on, nobody else allocates.
            ready.wait();
            let tracking = Tracking::start();
            let mut first = make(first);
            first(frames);
            let (peak, before) = (tracking.peak(), tracking.live());
            let mut second = make(second);
            second(frames);
            Heap { peak, at_rest: tracking.live() - before }
        });
        ready.wait();
        measuring.join().expect("no peer panics")
    })
}
