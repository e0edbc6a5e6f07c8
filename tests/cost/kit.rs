//! A stream over memory that allocates nothing by itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A transport that allocates nothing: input comes from a slice, output is counted and forgotten.
pub struct Memory<'a> {
    pub input: &'a [u8],
    pub chunk: usize,
    /// Bytes that are still taken.
    pub room: usize,
    pub written: usize,
}

impl<'a> Memory<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Memory { input, chunk: usize::MAX, room: usize::MAX, written: 0 }
    }
}

impl AsyncRead for Memory<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = self.input.len().min(buf.remaining()).min(self.chunk);
        if n == 0 {
            return Poll::Pending;
        }
        let (now, later) = self.input.split_at(n);
        self.input = later;
        buf.put_slice(now);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let n = buf.len().min(self.room);
        if n == 0 && !buf.is_empty() {
            return Poll::Pending;
        }
        self.room -= n;
        self.written += n;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

pub type Stream<'a> = WebSocketStream<Memory<'a>>;

pub const ROLES: [Role; 2] = [Role::Client, Role::Server];

pub fn stream<'a>(role: Role, config: &Config, input: &'a [u8]) -> Stream<'a> {
    WebSocketStream::from_transport(Memory::new(input), role, [], config.clone())
}

pub fn configs() -> [Config; 3] {
    let binary = Config::new(PayloadType::Binary);
    [binary.clone(), binary.write_buffer(8192), Config::new(PayloadType::Text)]
}

/// The peer's frames for `role`; the key is of zeros, which masks nothing.
pub fn frame(role: Role, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let (mask, key): (u8, &[u8]) = if role == Role::Server { (0x80, &[0; 4]) } else { (0, &[]) };
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        n @ 0..126 => out.push(mask | n as u8),
        n @ 126..65536 => {
            out.push(mask | 126);
            out.extend((n as u16).to_be_bytes());
        }
        n => {
            out.push(mask | 127);
            out.extend((n as u64).to_be_bytes());
        }
    }
    [&out, key, payload].concat()
}

pub fn read(stream: &mut Stream<'_>, bytes: &mut [u8]) -> Poll<io::Result<usize>> {
    let mut buf = ReadBuf::new(bytes);
    let cx = &mut Context::from_waker(Waker::noop());
    Pin::new(stream).poll_read(cx, &mut buf).map_ok(|()| buf.filled().len())
}

pub fn write(stream: &mut Stream<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
    Pin::new(stream).poll_write(&mut Context::from_waker(Waker::noop()), bytes)
}

pub fn flush(stream: &mut Stream<'_>) -> Poll<io::Result<()>> {
    Pin::new(stream).poll_flush(&mut Context::from_waker(Waker::noop()))
}

/// Reads until nothing is left; how many bytes, and in how many reads.
pub fn drain(stream: &mut Stream<'_>, bytes: &mut [u8]) -> (usize, usize) {
    let (mut total, mut reads) = (0, 0);
    loop {
        match read(stream, bytes) {
            Poll::Ready(Ok(n)) => (total, reads) = (total + n, reads + 1),
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending if stream.get_ref().input.is_empty() => return (total, reads),
            Poll::Pending => {}
        }
    }
}

/// Whether it was woken.
#[derive(Default)]
pub struct Flag(pub std::sync::atomic::AtomicBool);

impl Wake for Flag {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}
