//! A transport over which a head of HTTP comes that never ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gives `begin`, then `each` for ever, in pieces; takes everything.
pub struct Endless<'a> {
    begin: &'a [u8],
    each: &'a [u8],
    at: usize,
    piece: usize,
    pub given: usize,
    pub reads: usize,
}

impl<'a> Endless<'a> {
    pub fn new(begin: &'a [u8], each: &'a [u8], piece: usize) -> Self {
        Endless { begin, each, at: 0, piece, given: 0, reads: 0 }
    }
}

impl AsyncRead for Endless<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.reads += 1;
        let mut room = buf.remaining().min(this.piece);
        while room > 0 {
            let source = if this.begin.is_empty() { &this.each[this.at..] } else { this.begin };
            let n = source.len().min(room);
            buf.put_slice(&source[..n]);
            if this.begin.is_empty() {
                this.at = (this.at + n) % this.each.len();
            } else {
                this.begin = &this.begin[n..];
            }
            this.given += n;
            room -= n;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Without a limit of time, so that only what was read can end it.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime of one thread").block_on(future)
}

/// The most that is read of a head, and behind it in the same read.
pub const HEAD: usize = (64 << 10) + (4 << 10);

/// What reading one may take at a time: the bytes, twice while they are moved, and what is made of them.
pub const HEAP: isize = 400 << 10;
