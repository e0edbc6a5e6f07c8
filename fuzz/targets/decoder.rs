//! Any bytes from a peer, cut anywhere, in both roles: the same payload, verdict and answers as an oracle has, and the verdicts
//! of two other implementations.

#![no_main]

use fuzz::{comparing, reading};
use kit::alloc;
use kit::input::Input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let case = reading::Case::draw(&mut Input::new(data));
    let ((), peak) = alloc::peak(|| reading::check(&case));
    // The thread's pool, what the kit keeps of each frame, which may be of two bytes; and no length that was announced.
    assert!(peak < (2 << 20) + 64 * case.wire.len(), "{peak} bytes for {}", case.wire.len());
    comparing::check(&case);
});
