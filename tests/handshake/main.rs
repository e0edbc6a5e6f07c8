//! The opening handshake over real sockets: both ends, each against its own kind, against others, and against bad ones.

// A test binary exports nothing, may panic, and casts small numbers.
#![allow(unreachable_pub, clippy::cast_possible_truncation, clippy::unwrap_used)]

mod support;

mod axum;
mod both;
mod client;
mod deciding;
mod downcast;
mod examples;
mod extended_connect;
mod listener;
mod origins;
mod sockets;
mod upgrade;
