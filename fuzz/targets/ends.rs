//! Two of our ends against each other over a transport that does its worst, held against the whole contract after each poll.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ends::check(data));
