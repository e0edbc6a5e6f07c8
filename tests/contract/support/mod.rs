//! The kit: a wire format of its own, a transport that does what it is told, and real connections.
#![allow(dead_code)]

pub mod broken;
pub mod conformance;
pub mod endless;
pub mod hesitant;
pub mod net;
pub mod reader;
pub mod script;
pub mod talk;
pub mod transport;
pub mod wire;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use fastwebsockets_stream::{Config, Error, PayloadType, Role, WebSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use transport::{Mock, Transport};

pub fn binary() -> Config {
    Config::new(PayloadType::Binary)
}

pub fn text() -> Config {
    Config::new(PayloadType::Text)
}

/// Both roles: what holds for one is shown for the other.
pub const ROLES: [Role; 2] = [Role::Client, Role::Server];

pub fn name(role: Role) -> &'static str {
    if role == Role::Client { "client" } else { "server" }
}

/// A stream over a transport that the test controls.
pub fn stream(role: Role, config: Config) -> (WebSocketStream<Transport>, Mock) {
    let (mock, transport) = Mock::new();
    (WebSocketStream::from_transport(transport, role, [], config), mock)
}

/// Two streams over an in-memory pipe of this capacity: client and server.
pub fn pair(
    capacity: usize,
    config: Config,
) -> (WebSocketStream<tokio::io::DuplexStream>, WebSocketStream<tokio::io::DuplexStream>) {
    let (a, b) = tokio::io::duplex(capacity);
    (
        WebSocketStream::from_transport(a, Role::Client, [], config.clone()),
        WebSocketStream::from_transport(b, Role::Server, [], config),
    )
}

/// The crate's own error inside an I/O error.
pub fn rule(error: &io::Error) -> &Error {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("{error:?} has no rule inside"))
}

/// The reason of the Close that a broken rule makes a stream send: its sentence, as far as it fits.
pub fn sentence(rule: &Error) -> String {
    let mut sentence = rule.to_string();
    while sentence.len() > 123 {
        sentence.pop();
    }
    sentence
}

/// A task of which the test sees how often it was woken, and polls it when it likes.
#[derive(Default)]
pub struct Task(Arc<Count>, Option<Waker>);

/// One that has a waker of the test's own.
impl From<Waker> for Task {
    fn from(waker: Waker) -> Self {
        Task(Arc::default(), Some(waker))
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Task {
    pub fn waker(&self) -> Waker {
        self.1.clone().unwrap_or_else(|| self.0.clone().into())
    }

    /// How often the task was woken since this was last asked.
    pub fn wakes(&self) -> usize {
        self.0.0.swap(0, Ordering::SeqCst)
    }

    pub fn run<T>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        poll(&mut Context::from_waker(&self.waker()))
    }

    /// Polls a read into a buffer of `room` bytes.
    pub fn read<R: AsyncRead + Unpin>(&self, stream: &mut R, room: usize) -> Poll<io::Result<Vec<u8>>> {
        let mut bytes = vec![0; room];
        let mut buf = ReadBuf::new(&mut bytes);
        self.run(|cx| Pin::new(stream).poll_read(cx, &mut buf)).map_ok(|()| buf.filled().to_vec())
    }

    pub fn write<W: AsyncWrite + Unpin>(&self, stream: &mut W, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.run(|cx| Pin::new(stream).poll_write(cx, bytes))
    }

    pub fn write_vectored<W: AsyncWrite + Unpin>(
        &self,
        stream: &mut W,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.run(|cx| Pin::new(stream).poll_write_vectored(cx, slices))
    }

    pub fn flush<W: AsyncWrite + Unpin>(&self, stream: &mut W) -> Poll<io::Result<()>> {
        self.run(|cx| Pin::new(stream).poll_flush(cx))
    }

    pub fn shutdown<W: AsyncWrite + Unpin>(&self, stream: &mut W) -> Poll<io::Result<()>> {
        self.run(|cx| Pin::new(stream).poll_shutdown(cx))
    }
}

/// The value of a poll that must be ready.
#[track_caller]
pub fn ready<T>(polled: Poll<T>) -> T {
    match polled {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("pending, expected ready"),
    }
}

/// The value of a poll that must be ready and successful.
#[track_caller]
pub fn ok<T>(polled: Poll<io::Result<T>>) -> T {
    match ready(polled) {
        Ok(value) => value,
        Err(error) => panic!("failed: {error:?}"),
    }
}

/// The error of a poll that must have failed.
#[track_caller]
pub fn err<T>(polled: Poll<io::Result<T>>) -> io::Error {
    match ready(polled) {
        Ok(_) => panic!("succeeded, expected an error"),
        Err(error) => error,
    }
}

/// Reads to the end with buffers of `room` bytes: what came, and how it ended.
pub fn read_all<R: AsyncRead + Unpin>(stream: &mut R, room: usize) -> (Vec<u8>, io::Result<()>) {
    let (task, mut all) = (Task::default(), Vec::new());
    loop {
        match task.read(stream, room) {
            Poll::Ready(Ok(bytes)) if bytes.is_empty() => return (all, Ok(())),
            Poll::Ready(Ok(bytes)) => all.extend(bytes),
            Poll::Ready(Err(error)) => return (all, Err(error)),
            Poll::Pending => {
                assert!(task.wakes() > 0, "a read waits for something that the test does not give")
            }
        }
    }
}

/// Bytes that differ everywhere.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}
