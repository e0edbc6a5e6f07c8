//! The rules: what may come, what may be sent, and when it is over. Sans-IO: bytes in, bytes and events out.

pub(crate) mod closing;
pub(crate) mod connection;
pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod output;
pub(crate) mod utf8;

pub(crate) use closing::Closing;
pub(crate) use connection::Connection;
pub(crate) use decoder::{Control, Decoder, Region};
pub(crate) use encoder::Encoder;
pub(crate) use output::Output;
pub(crate) use utf8::Utf8;
