//! The promises of the crate, one file for each, over hostile transports and real peers. Without the feature `fastwebsockets`, those
//! of the core.

// A test binary exports nothing, may panic, and casts small numbers.
#![allow(unreachable_pub, clippy::cast_possible_truncation, clippy::unwrap_used)]

mod support;

mod aborting;
#[cfg(feature = "fastwebsockets")]
mod adopting;
mod cancelling;
mod closing;
mod codecs;
mod conformance;
mod copying;
mod corners;
mod dropping;
mod ends;
mod errors;
mod keep_alive;
mod losing;
mod masking;
mod orders;
mod pairing;
mod parts;
#[cfg(feature = "fastwebsockets")]
mod peers;
mod properties;
mod random;
mod reading;
mod refusing;
mod rfc_examples;
mod splitting;
mod stalling;
mod strict;
mod text;
mod types;
mod typing;
mod waking;
mod writing;
