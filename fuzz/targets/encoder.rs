//! Any writes over a transport that takes what it likes: every frame legal and what was written, and a second stream reads it back.

#![no_main]

use fuzz::writing;
use kit::alloc;
use kit::input::Input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let ((), peak) = alloc::peak(|| writing::check(&mut Input::new(data)));
    // What is offered is bounded, and kept some times over by whoever checks it.
    assert!(peak < 16 << 20, "{peak} bytes");
});
