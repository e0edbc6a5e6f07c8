//! HTTP/1.1 (RFC 9112), as far as a handshake needs it: one head, and what of a body helps to understand a refusal.
//!
//! ```text
//! scan.rs     bytes as they come ──▶ where the head ends, or why it is none
//! head.rs     a whole head ──▶ `http`'s types, by httparse
//! encode.rs   `http`'s types ──▶ bytes
//! body.rs     the beginning of a body, chunks undone
//! drive.rs    the only part with a transport: a head in, bytes out
//! ```
//!
//! The client, the `CONNECT` of a proxy and the server share it, and so its limits.

mod body;
mod drive;
mod encode;
mod head;
mod scan;

#[cfg(feature = "connect")]
pub(super) use body::Excerpt;
#[cfg(feature = "connect")]
pub(super) use drive::read_excerpt;
pub(super) use drive::{Received, Unread, send};
#[cfg(feature = "connect")]
pub(super) use encode::encode_request;
#[cfg(feature = "listener")]
pub(super) use encode::{encode_answer, encode_refusal};
#[cfg(feature = "connect")]
pub(super) use head::Reason;
pub(super) use scan::HeadError;

/// The most octets of a head. Servers and browsers draw the line at 8 to 64 KiB; cookies alone come to 20 KiB.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// The most octets of its first line, which is mostly the path and its query. Browsers and servers take 8 KiB and more.
pub(super) const MAX_LINE: usize = 16 * 1024;

/// The most fields of a head.
pub(super) const MAX_FIELDS: usize = 256;

/// The most interim answers (1xx) before the final one.
#[cfg(feature = "connect")]
pub(super) const MAX_INTERIM: usize = 16;
