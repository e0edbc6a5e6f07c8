//! Tries every input where there are few enough, against tables that are written from RFC 6455 and not from the code.
//!
//! What is too much for every run has a command of its own, see CONTRIBUTING.md. Each test prints how many cases it has tried:
//!
//!     cargo test --no-default-features --test exhaustive -- --nocapture

// A test binary exports nothing, and casts small numbers.
#![allow(unreachable_pub, clippy::cast_possible_truncation)]

mod closes;
mod headers;
mod kit;
mod lengths;
mod masking;
mod rules;
mod texts;
