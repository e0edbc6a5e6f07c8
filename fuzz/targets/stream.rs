//! One stream, whole or in halves, over a transport whose every call takes its result from the input, with a user who acts from
//! it too, and a peer who sends what it likes.

#![no_main]

use fuzz::hostile;
use kit::input::Input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::check(&mut Input::new(data)));
