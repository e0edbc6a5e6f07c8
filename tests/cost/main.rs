//! What the stream costs, counted.

// A test binary exports nothing, may panic, and casts small numbers.
#![allow(unreachable_pub, clippy::cast_possible_truncation, clippy::unwrap_used)]

mod bounded;
mod counting;
mod kit;
mod steady;
