//! A transport in memory that counts how often it is asked, gives its bytes in pieces, ends, or takes nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The calls that moved bytes, each of which would be a system call, and the bytes.
#[derive(Default)]
pub struct Counts {
    pub reads: AtomicU64,
    pub read: AtomicU64,
    pub writes: AtomicU64,
    pub written: AtomicU64,
    pub flushes: AtomicU64,
}

impl Counts {
    pub fn reset(&self) {
        for counter in [&self.reads, &self.read, &self.writes, &self.written, &self.flushes] {
            counter.store(0, Relaxed);
        }
    }

    fn add(counter: &AtomicU64, n: usize) {
        // A single thread uses it.
        counter.store(counter.load(Relaxed) + n as u64, Relaxed);
    }
}

/// The transport. What it has not to give, or does not take, is pending for ever.
#[derive(Clone)]
pub struct Script {
    source: Arc<[u8]>,
    at: usize,
    left: u64,
    chunk: usize,
    takes: bool,
    counts: Arc<Counts>,
}

impl Script {
    /// Repeats these bytes for ever.
    pub fn new(source: &[u8]) -> Self {
        // Many, so that a copy is one and not a loop.
        let times = (64 * 1024 / source.len().max(1)).max(1);
        let source = source.repeat(times).into();
        Script { source, at: 0, left: u64::MAX, chunk: usize::MAX, takes: true, counts: Arc::default() }
    }

    /// Ends after so many bytes.
    pub fn ending_after(mut self, bytes: u64) -> Self {
        self.left = bytes;
        self
    }

    /// Gives at most so many bytes in a read.
    pub fn in_pieces(mut self, chunk: usize) -> Self {
        self.chunk = chunk;
        self
    }

    /// Takes no byte that is written.
    pub fn blocked(mut self) -> Self {
        self.takes = false;
        self
    }

    /// Bytes that it has to give from the start to the end.
    pub fn length(&self) -> u64 {
        self.left
    }

    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// The same from the start, with counters of its own.
    pub fn fresh(&self) -> Self {
        Script { counts: Arc::default(), ..self.clone() }
    }

    fn take(&self, n: usize) -> Poll<io::Result<usize>> {
        if !self.takes {
            return Poll::Pending;
        }
        Counts::add(&self.counts.writes, 1);
        Counts::add(&self.counts.written, n);
        Poll::Ready(Ok(n))
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = usize::try_from(this.left).unwrap_or(usize::MAX);
        let mut n = buf.remaining().min(this.chunk).min(left);
        if n == 0 {
            return Poll::Pending;
        }
        this.left -= if this.left == u64::MAX { 0 } else { n as u64 };
        Counts::add(&this.counts.reads, 1);
        Counts::add(&this.counts.read, n);
        while n > 0 {
            let rest = &this.source[this.at..];
            let part = rest.len().min(n);
            buf.put_slice(&rest[..part]);
            n -= part;
            this.at = (this.at + part) % this.source.len();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.take(buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.take(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Counts::add(&self.counts.flushes, 1);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A frame of a client, or of a server, which announces `length` bytes of payload and has these.
pub fn frame(opcode: u8, masked: bool, length: u64, payload: &[u8]) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut out = vec![0x80 | opcode];
    match length {
        0..=125 => out.push(mask | length as u8),
        126..=0xffff => {
            out.push(mask | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(mask | 127);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    if masked {
        let key = 0x9e37_79b9_u32.to_be_bytes();
        out.extend_from_slice(&key);
        out.extend(payload.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key));
    } else {
        out.extend_from_slice(payload);
    }
    out
}

/// One read, by a waker that does nothing.
pub fn poll_read(reader: &mut (impl AsyncRead + Unpin), buf: &mut [u8]) -> Poll<io::Result<usize>> {
    let mut buf = ReadBuf::new(buf);
    let polled = Pin::new(reader).poll_read(&mut Context::from_waker(Waker::noop()), &mut buf);
    polled.map_ok(|()| buf.filled().len())
}

/// One write that is taken whole.
pub fn write(writer: &mut (impl AsyncWrite + Unpin), payload: &[u8]) {
    let polled = Pin::new(writer).poll_write(&mut Context::from_waker(Waker::noop()), payload);
    assert!(matches!(polled, Poll::Ready(Ok(n)) if n == payload.len()), "a write is taken whole: {polled:?}");
}

pub fn flush(writer: &mut (impl AsyncWrite + Unpin)) {
    let polled = Pin::new(writer).poll_flush(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Ok(()))), "memory has nothing to flush: {polled:?}");
}
