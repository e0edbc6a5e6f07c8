//! Peers that mean harm: what each can make this end hold and do, counted. SECURITY.md has the table.
//!
//! Related tests: `cost::bounded` (announced lengths, Pings that nobody takes), `closing::calling` (peers that
//! never answer a Close), `stalling` (peers that never read), `handshake::listener` (`limits`, `crowds`).
//!
//!     cargo test --no-default-features --features connect,listener --test abuse -- --nocapture

// A test binary exports nothing, and casts small numbers.
#![allow(unreachable_pub, dead_code, clippy::cast_possible_truncation, clippy::unwrap_used)]

#[path = "../cost/counting.rs"]
mod counting;
#[path = "../cost/kit.rs"]
mod kit;

#[cfg(feature = "connect")]
mod answers;
mod closes;
mod floods;
#[cfg(all(unix, feature = "listener"))]
mod half_open;
#[cfg(any(feature = "connect", feature = "listener"))]
mod heads;
#[cfg(feature = "listener")]
mod requests;
mod unread;
