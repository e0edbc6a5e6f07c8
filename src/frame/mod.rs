//! The wire: what RFC 6455 section 5 says a frame looks like. Sans-IO, no state beyond a frame.

pub(crate) mod close;
pub(crate) mod close_code;
#[cfg(feature = "fastwebsockets")]
mod conversions;
pub(crate) mod header;
pub(crate) mod mask;
pub(crate) mod opcode;
pub(crate) mod role;

pub(crate) use header::Header;
pub(crate) use mask::Key;
