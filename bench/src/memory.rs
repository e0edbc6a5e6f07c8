//! A transport without a kernel: bytes come from memory for ever, and vanish in a counter.

use std::hint::black_box;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The prepared bytes are at least this long, so that no peer reads all of them at a time.
const LEAST: usize = 256 * 1024;

/// No read brings more, as none does from a socket: a peer with a large buffer would read for many rounds in one.
const MOST: usize = 256 * 1024;

/// Whose frames the prepared bytes hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Client,
    Server,
    /// Payload without frames.
    Bare,
}

/// The transport. Nothing is ever pending.
#[derive(Clone)]
pub struct Memory {
    source: Arc<[u8]>,
    at: usize,
    written: u64,
}

impl Memory {
    /// A transport that repeats a frame with this payload.
    pub fn new(payload: &[u8], wire: Wire) -> Self {
        let mut source = Vec::new();
        while source.len() < LEAST {
            push_frame(payload, wire, &mut source);
        }
        Memory { source: source.into(), at: 0, written: 0 }
    }
}

/// The same bytes wherever they are read or written: what a payload byte at `at` is.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

fn push_frame(payload: &[u8], wire: Wire, out: &mut Vec<u8>) {
    if wire == Wire::Bare {
        out.extend_from_slice(payload);
        return;
    }
    let mask = if wire == Wire::Client { 0x80 } else { 0 };
    out.push(0x82);
    match payload.len() {
        len @ 0..=125 => out.push(mask | len as u8),
        len @ 126..=0xffff => {
            out.push(mask | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(mask | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if wire == Wire::Server {
        out.extend_from_slice(payload);
        return;
    }
    // A key of its own for each frame.
    let key = (out.len() as u32).wrapping_mul(0x9e37_79b9).to_be_bytes();
    out.extend_from_slice(&key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key));
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut left = buf.remaining().min(MOST);
        while left > 0 {
            let rest = &this.source[this.at..];
            let n = rest.len().min(left);
            left -= n;
            buf.put_slice(&rest[..n]);
            this.at += n;
            if this.at == this.source.len() {
                this.at = 0;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // To the compiler the bytes have been read.
        black_box(buf.as_ptr());
        self.written += buf.len() as u64;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        black_box(bufs.as_ptr());
        let n = bufs.iter().map(|buf| buf.len()).sum();
        self.written += n as u64;
        Poll::Ready(Ok(n))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
