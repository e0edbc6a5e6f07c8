//! A transport as plain state. Like a `TcpStream` it keeps the last waker of each direction, and no other.

use std::collections::VecDeque;
use std::hash::Hash;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::explore::History;

/// What transports differ in, within what `AsyncRead` and `AsyncWrite` allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// A `Ready` drops the waker that an earlier `Pending` has left.
    pub forgets: bool,
}

/// One direction's waker, and whether it is to be woken.
#[derive(Default)]
struct Waiter {
    waker: Option<Waker>,
    due: bool,
}

impl Waiter {
    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn wake(&mut self) -> Option<Waker> {
        self.due = false;
        self.waker.take()
    }
}

pub struct State {
    habits: Habits,
    pub input: VecDeque<u8>,
    pub input_end: Option<InputEnd>,
    /// Most bytes for one read.
    pub read_chunk: usize,
    /// So many bytes are taken.
    pub room: usize,
    pub write_fails: Option<ErrorKind>,
    pub flush_blocked: bool,
    pub shut_blocked: bool,
    pub written: Vec<u8>,
    pub flushed: usize,
    pub is_shut: bool,
    /// All that a stream has seen, see `World::key`.
    pub history: History,
    reader: Waiter,
    writer: Waiter,
}

#[derive(Clone, Copy, Debug)]
pub enum InputEnd {
    Eof,
    Error(ErrorKind),
}

/// The environment's end.
#[derive(Clone)]
pub struct Control(Arc<Mutex<State>>);

/// The stream's end.
pub struct Link(Arc<Mutex<State>>);

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    In,
    Out,
}

impl Control {
    pub fn new(habits: Habits, room: usize) -> (Control, Link) {
        let state = Arc::new(Mutex::new(State {
            habits,
            input: VecDeque::new(),
            input_end: None,
            read_chunk: usize::MAX,
            room,
            write_fails: None,
            flush_blocked: false,
            shut_blocked: false,
            written: Vec::new(),
            flushed: 0,
            is_shut: false,
            history: History::default(),
            reader: Waiter::default(),
            writer: Waiter::default(),
        }));
        (Control(state.clone()), Link(state))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A direction has become ready. To wake whoever waits for it is another event: in between, it can be polled.
    pub fn ready(&self, way: Way) {
        let mut state = self.state();
        let waiter = state.waiter(way);
        waiter.due = waiter.waker.is_some();
    }

    pub fn is_due(&self, way: Way) -> bool {
        self.state().waiter(way).due
    }

    /// Wakes the waker that is left, if there is one.
    pub fn wake(&self, way: Way) {
        let waker = self.state().waiter(way).wake();
        if let Some(waker) = waker {
            self.state().history.add(&("wakes", way));
            waker.wake();
        }
    }
}

impl State {
    pub fn is_flushed(&self) -> bool {
        self.flushed == self.written.len()
    }

    /// Whether a byte would be taken, and whether a flush would wait.
    pub fn lets_pass(&self) -> (bool, bool) {
        (self.room > 0, self.flush_blocked)
    }

    fn waiter(&mut self, way: Way) -> &mut Waiter {
        match way {
            Way::In => &mut self.reader,
            Way::Out => &mut self.writer,
        }
    }

    /// A call is served.
    fn served(&mut self, way: Way) {
        if self.habits.forgets {
            *self.waiter(way) = Waiter::default();
        }
    }

    /// A call returns.
    fn seen<T: Hash>(&mut self, way: Way, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match &polled {
            Poll::Pending => self.history.add(&(way, 0)),
            Poll::Ready(Ok(n)) => self.history.add(&(way, 1, n)),
            Poll::Ready(Err(_)) => self.history.add(&(way, 2)),
        }
        polled
    }

    /// What the environment can tell of the wakers that are left here.
    pub fn wakers(&self) -> [bool; 4] {
        let [reader, writer] = [&self.reader, &self.writer];
        [reader.waker.is_some(), reader.due, writer.waker.is_some(), writer.due]
    }

    fn poll_write(&mut self, cx: &Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(kind) = self.write_fails {
            self.served(Way::Out);
            return Poll::Ready(Err(kind.into()));
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let n = offered.min(self.room);
        if n == 0 && offered > 0 {
            return self.writer.wait(cx);
        }
        self.room -= if self.room == usize::MAX { 0 } else { n };
        let bytes = slices.iter().flat_map(|slice| slice.iter());
        self.written.extend(bytes.take(n));
        self.served(Way::Out);
        Poll::Ready(Ok(n))
    }
}

impl State {
    fn poll_read(&mut self, cx: &Context<'_>, room: usize) -> Poll<io::Result<Vec<u8>>> {
        let n = self.input.len().min(room).min(self.read_chunk);
        if n == 0 {
            return match self.input_end {
                None => self.reader.wait(cx),
                Some(InputEnd::Eof) => Poll::Ready(Ok(Vec::new())),
                Some(InputEnd::Error(kind)) => Poll::Ready(Err(kind.into())),
            };
        }
        self.served(Way::In);
        Poll::Ready(Ok(self.input.drain(..n).collect()))
    }

    fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if let Some(kind) = self.write_fails {
            self.served(Way::Out);
            return Poll::Ready(Err(kind.into()));
        }
        if self.flush_blocked && !self.is_flushed() {
            return self.writer.wait(cx);
        }
        self.flushed = self.written.len();
        self.served(Way::Out);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if let Some(kind) = self.write_fails {
            self.served(Way::Out);
            return Poll::Ready(Err(kind.into()));
        }
        if self.shut_blocked {
            return self.writer.wait(cx);
        }
        self.is_shut = true;
        self.served(Way::Out);
        Poll::Ready(Ok(()))
    }
}

impl Link {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state();
        let polled = state.poll_read(cx, buf.remaining());
        state.seen(Way::In, polled).map_ok(|bytes| buf.put_slice(&bytes))
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let state = &mut *self.state();
        let polled = state.poll_write(cx, bufs);
        state.seen(Way::Out, polled)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state();
        let polled = state.poll_flush(cx);
        state.seen(Way::Out, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.state();
        let polled = state.poll_shutdown(cx);
        state.seen(Way::Out, polled)
    }
}
