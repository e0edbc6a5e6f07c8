//! A transport that does what the test tells it, and nothing by itself.
//!
//! Like a socket it keeps one waker for each direction, the last, and drops it once it was used. Unlike a socket it
//! wakes only when told to.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a call that cannot be served returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Pending,
    Error(io::ErrorKind),
    /// 0 bytes: the end of the input, or a full output.
    Zero,
}

/// The state that the test sees and sets. The defaults: input ends `Pending`, output takes everything, flush and
/// shutdown are ready.
pub struct State {
    pub input: VecDeque<u8>,
    /// Once the input is used up.
    pub input_end: Answer,
    /// Most bytes for one read.
    pub read_chunk: usize,

    pub written: Vec<u8>,
    /// Bytes that are still taken; then `output_end`.
    pub room: usize,
    pub output_end: Answer,
    /// Most bytes for one write.
    pub write_chunk: usize,
    pub vectored: bool,
    /// The length of each write that was taken.
    pub writes: Vec<usize>,

    /// `None`: ready.
    pub flush: Option<Answer>,
    /// How much had been written when it was last flushed.
    pub flushed: usize,
    pub shutdown: Option<Answer>,
    pub is_shut: bool,

    /// Each call is `Pending` once before it is served, and wakes at once.
    pub hesitant: bool,
    hesitated: bool,

    /// Calls of each kind, whatever they returned.
    pub reads: usize,
    pub write_calls: usize,
    pub flushes: usize,
    pub shutdowns: usize,
    /// The call with this number, counted over all kinds, and every one after it fails with this.
    pub fail_at: Option<(usize, io::ErrorKind)>,
    pub calls: usize,

    read_waker: Option<Waker>,
    write_waker: Option<Waker>,
}

/// The test's end.
#[derive(Clone)]
pub struct Mock(Arc<Mutex<State>>);

/// The stream's end.
pub struct Transport(Arc<Mutex<State>>);

impl Mock {
    pub fn new() -> (Mock, Transport) {
        let state = Arc::new(Mutex::new(State {
            input: VecDeque::new(),
            input_end: Answer::Pending,
            read_chunk: usize::MAX,
            written: Vec::new(),
            room: usize::MAX,
            output_end: Answer::Pending,
            write_chunk: usize::MAX,
            vectored: true,
            writes: Vec::new(),
            flush: None,
            flushed: 0,
            shutdown: None,
            is_shut: false,
            hesitant: false,
            hesitated: false,
            reads: 0,
            write_calls: 0,
            flushes: 0,
            shutdowns: 0,
            fail_at: None,
            calls: 0,
            read_waker: None,
            write_waker: None,
        }));
        (Mock(state.clone()), Transport(state))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Bytes from the peer. Wakes nobody.
    pub fn feed(&self, bytes: &[u8]) {
        self.state().input.extend(bytes);
    }

    /// Whether something was written, and all of it flushed.
    pub fn is_flushed(&self) -> bool {
        let state = self.state();
        state.flushed > 0 && state.flushed == state.written.len()
    }

    /// What was written so far, taken out.
    pub fn take_written(&self) -> Vec<u8> {
        let mut state = self.state();
        state.flushed = state.flushed.saturating_sub(state.written.len());
        std::mem::take(&mut state.written)
    }

    /// Takes so many bytes more, then is `Pending`.
    pub fn set_room(&self, room: usize) {
        self.state().room = room;
    }

    /// Wakes the task whose waker the read side kept; false if there is none.
    pub fn wake_reader(&self) -> bool {
        let waker = self.state().read_waker.take();
        waker.map(Waker::wake).is_some()
    }

    /// Wakes the task whose waker the write side kept; false if there is none.
    pub fn wake_writer(&self) -> bool {
        let waker = self.state().write_waker.take();
        waker.map(Waker::wake).is_some()
    }
}

impl State {
    /// Counts a call; `Pending` or an error if that is due.
    fn enter(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.calls += 1;
        if let Some((at, kind)) = self.fail_at
            && self.calls > at
        {
            return Poll::Ready(Err(kind.into()));
        }
        if self.hesitant {
            self.hesitated = !self.hesitated;
            if self.hesitated {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, cx: &mut Context<'_>, slices: &[&[u8]]) -> Poll<io::Result<usize>> {
        self.write_calls += 1;
        std::task::ready!(self.enter(cx))?;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let n = offered.min(self.room).min(self.write_chunk);
        if n == 0 && offered > 0 {
            return match self.output_end {
                Answer::Pending => {
                    self.write_waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                Answer::Error(kind) => Poll::Ready(Err(kind.into())),
                Answer::Zero => Poll::Ready(Ok(0)),
            };
        }
        self.room -= if self.room == usize::MAX { 0 } else { n };
        let mut left = n;
        for slice in slices {
            let slice = &slice[..left.min(slice.len())];
            self.written.extend_from_slice(slice);
            left -= slice.len();
        }
        self.writes.push(n);
        Poll::Ready(Ok(n))
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.0.lock().unwrap();
        state.reads += 1;
        std::task::ready!(state.enter(cx))?;
        let n = state.input.len().min(buf.remaining()).min(state.read_chunk);
        if n == 0 {
            return match state.input_end {
                Answer::Pending => {
                    state.read_waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                Answer::Error(kind) => Poll::Ready(Err(kind.into())),
                Answer::Zero => Poll::Ready(Ok(())),
            };
        }
        let bytes: Vec<u8> = state.input.drain(..n).collect();
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().write(cx, &[buf])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let slices: Vec<&[u8]> = bufs.iter().map(|slice| &**slice).collect();
        self.0.lock().unwrap().write(cx, &slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().unwrap().vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.0.lock().unwrap();
        state.flushes += 1;
        std::task::ready!(state.enter(cx))?;
        match state.flush {
            Some(Answer::Error(kind)) => return Poll::Ready(Err(kind.into())),
            Some(_) => {
                state.write_waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            None => state.flushed = state.written.len(),
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let state = &mut *self.0.lock().unwrap();
        state.shutdowns += 1;
        std::task::ready!(state.enter(cx))?;
        match state.shutdown {
            Some(Answer::Error(kind)) => return Poll::Ready(Err(kind.into())),
            Some(_) => {
                state.write_waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            None => state.is_shut = true,
        }
        Poll::Ready(Ok(()))
    }
}
