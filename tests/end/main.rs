//! Programs written as for a `TcpStream`, with all defaults: how they end here, and how over TCP.
//!
//! A program is two functions, one for each end. Each test runs one over a `TcpStream` first, then over each link of
//! this crate, and compares: everything delivered, a clean end where TCP has one, an error where something was cut.

// A test binary exports nothing, may panic, and casts small numbers.
#![allow(unreachable_pub, clippy::cast_possible_truncation, clippy::unwrap_used)]

mod programs;
mod support;

mod cutting;
mod echoing;
mod foreign;
mod layers;
mod leaving;
mod proxying;
mod requesting;
mod stopping;
