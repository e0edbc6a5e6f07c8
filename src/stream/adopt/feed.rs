//! What stands in the place of the transport while fastwebsockets is asked for what it has read ahead.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frame::header;

/// The room in the buffer of a `WebSocket` that has read nothing. One that has read may have as much left, see
/// `Recovery::is_fresh`.
const FRESH_BUFFER: usize = 8192;

/// What a [`Source`] gives.
///
/// First a pad of 0x7e: as the first octet of a frame it is an error, as the second it says that 16 bits of length
/// follow, and within a length it makes the shortest form right. To a buffer that seems fresh, 0x08: as the first octet of a
/// frame that is an error too, but one after which the buffer can be asked for more; the rest holds alike. Then zeros: one at a time for as long as a header may
/// be incomplete, and in bulk afterwards, because they can be counted if they were too many.
#[derive(Default)]
pub(super) struct Feed {
    fed: Cell<usize>,
    next: Cell<Next>,
    /// Nothing has been recovered yet.
    is_first: Cell<bool>,
    /// How much was asked for when no pad had been given, and last.
    first_room: Cell<usize>,
    pub(super) last_room: Cell<usize>,
}

#[derive(Clone, Copy, Default)]
enum Next {
    #[default]
    Nothing,
    Pad,
    Zeros(usize),
    Header,
}

const PAD: u8 = 0x7e;
const FRESH_PAD: u8 = 0x08;
pub(super) const BULK: usize = 4096;

/// Of a frame with 10,000 bytes, more than a fresh buffer has room for.
const LARGE_HEADER: [u8; 4] = [0x02, 0x7e, 0x27, 0x10];

/// A buffer that has never been shared doubles, less the two pads and this header.
pub(super) const GROWN_FRESH_BUFFER: usize = 2 * FRESH_BUFFER - 2 - LARGE_HEADER.len();

impl Feed {
    pub(super) fn restart(&self, is_first: bool) {
        self.is_first.set(is_first);
        self.fed.set(0);
    }

    pub(super) fn give(&self) {
        self.next.set(match self.fed() {
            0 => Next::Pad,
            1..header::MAX_LEN => Next::Zeros(1),
            _ => Next::Zeros(BULK),
        });
    }

    pub(super) fn give_header(&self) {
        self.next.set(Next::Header);
    }

    pub(super) fn seems_fresh(&self) -> bool {
        self.is_first.get() && self.first_room.get() == FRESH_BUFFER
    }

    pub(super) fn give_one(&self) {
        self.next.set(Next::Zeros(1));
    }

    pub(super) fn fed(&self) -> usize {
        self.fed.get()
    }

    pub(super) fn set_fed(&self, fed: usize) {
        self.fed.set(fed);
    }
}

/// Stands where fastwebsockets expects the transport's reading half.
pub(super) struct Source<'a>(pub(super) &'a Feed);

impl AsyncRead for Source<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.last_room.set(buf.remaining());
        if self.0.fed() == 0 {
            self.0.first_room.set(buf.remaining());
        }
        let n = match self.0.next.take() {
            // Nobody waits for a wake-up: the future is polled again by hand, or dropped.
            Next::Nothing => return Poll::Pending,
            Next::Pad => {
                buf.put_slice(&[if self.0.seems_fresh() { FRESH_PAD } else { PAD }]);
                1
            }
            Next::Header => {
                buf.put_slice(&LARGE_HEADER);
                LARGE_HEADER.len()
            }
            Next::Zeros(most) => {
                let n = most.min(buf.remaining());
                buf.initialize_unfilled_to(n).fill(0);
                buf.advance(n);
                n
            }
        };
        self.0.fed.set(self.0.fed.get() + n);
        Poll::Ready(Ok(()))
    }
}

/// Stands where fastwebsockets expects the transport's writing half, and keeps the second octet.
pub(super) struct Probe<'a>(pub(super) &'a Cell<u8>);

impl AsyncWrite for Probe<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.set(buf.get(1).copied().unwrap_or(0));
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
