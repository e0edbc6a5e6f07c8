//! Any bytes in place of a request or of an answer: what is taken, hyper takes alike; what is in doubt is refused.

#![no_main]

use fuzz::handshake;
use kit::input::Input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| handshake::check(&mut Input::new(data)));
