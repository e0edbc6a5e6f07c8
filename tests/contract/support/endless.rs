//! A peer that never stops.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use fastwebsockets_stream::Role;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::wire;

/// A peer that never stops sending, and never waits: frames one behind the other, in as much room as there is.
pub struct Endless {
    frame: Vec<u8>,
    at: usize,
    /// Since the test has set it; a thousand are too many.
    pub reads: usize,
}

impl Endless {
    pub fn new(payload: usize) -> Self {
        Endless { frame: wire::data(Role::Client, &vec![7; payload]), at: 0, reads: 0 }
    }
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        assert!(self.reads < 1000, "one poll has read a thousand times");
        while buf.remaining() > 0 {
            let n = buf.remaining().min(self.frame.len() - self.at);
            buf.put_slice(&self.frame[self.at..self.at + n]);
            self.at = (self.at + n) % self.frame.len();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
