//! A transport that does what the input says, call by call.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What comes after all that has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum After {
    /// More, some time.
    #[default]
    More,
    End,
    Error(ErrorKind),
}

/// What is wrong with the write side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Write(ErrorKind),
    Zero,
    Flush(ErrorKind),
    Shutdown(ErrorKind),
}

/// Both directions. Each keeps one waker, the last, and wakes it once.
#[derive(Default)]
pub struct Line {
    /// What the next calls do: 0 as usual, 1 nothing yet, else at most so many bytes less one. As usual when it is empty.
    pub steps: VecDeque<u8>,
    pub arrived: VecDeque<u8>,
    pub after: After,
    /// All that was read.
    pub read: Vec<u8>,
    /// What the reader was told.
    pub told_end: bool,
    pub told_error: Option<ErrorKind>,
    reader: Option<Waker>,
    reader_due: bool,
    /// So many bytes more are taken.
    pub window: usize,
    pub flush_blocked: bool,
    pub shut_blocked: bool,
    pub fault: Option<Fault>,
    pub vectored: bool,
    /// All that was written, and how much of it is flushed.
    pub written: Vec<u8>,
    pub flushed: usize,
    pub shut: bool,
    /// What the writer was told: by write or flush, and by shutdown.
    pub failed: Option<ErrorKind>,
    pub shut_failed: Option<ErrorKind>,
    writer: Option<Waker>,
    writer_due: bool,
}

/// What a stream gets of it.
pub struct Pipe(pub Rc<RefCell<Line>>);

impl Line {
    pub fn open() -> Rc<RefCell<Line>> {
        Rc::new(RefCell::new(Line { window: usize::MAX, ..Line::default() }))
    }

    pub fn arrive(&mut self, bytes: &[u8]) {
        self.arrived.extend(bytes);
        self.wake_reader();
    }

    pub fn end(&mut self, after: After) {
        if self.after == After::More {
            self.after = after;
        }
        self.wake_reader();
    }

    pub fn wake_reader(&mut self) {
        self.reader_due = false;
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    pub fn wake_writer(&mut self) {
        self.writer_due = false;
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    /// Wakes whoever a call has kept waiting for nothing.
    pub fn wake_due(&mut self) {
        if self.reader_due {
            self.wake_reader();
        }
        if self.writer_due {
            self.wake_writer();
        }
    }

    /// The next step: whether the call waits for nothing, and how many bytes it moves at most.
    fn step(&mut self) -> Option<usize> {
        match self.steps.pop_front() {
            None | Some(0) => Some(usize::MAX),
            Some(1) => None,
            Some(n) => Some(usize::from(n) - 1),
        }
    }

    fn wait_to_write<T>(&mut self, cx: &Context<'_>, due: bool) -> Poll<T> {
        (self.writer, self.writer_due) = (Some(cx.waker().clone()), due);
        Poll::Pending
    }

    fn fail<T>(&mut self, kind: ErrorKind) -> Poll<io::Result<T>> {
        self.failed = Some(kind);
        Poll::Ready(Err(kind.into()))
    }

    fn poll_write(&mut self, cx: &Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(!self.shut, "a write after the transport's shutdown");
        assert!(self.failed.is_none(), "a write after the transport has failed");
        let Some(most) = self.step() else { return self.wait_to_write(cx, true) };
        match self.fault {
            Some(Fault::Write(kind)) => return self.fail(kind),
            Some(Fault::Zero) if offered > 0 => {
                self.failed = Some(ErrorKind::WriteZero);
                return Poll::Ready(Ok(0));
            }
            _ => {}
        }
        let n = offered.min(most).min(self.window);
        if n == 0 && offered > 0 {
            return self.wait_to_write(cx, false);
        }
        if self.window != usize::MAX {
            self.window -= n;
        }
        let mut left = n;
        for slice in slices {
            let here = left.min(slice.len());
            self.written.extend(&slice[..here]);
            left -= here;
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        assert!(self.failed.is_none(), "a flush after the transport has failed");
        if self.step().is_none() {
            return self.wait_to_write(cx, true);
        }
        if let Some(Fault::Flush(kind)) = self.fault {
            return self.fail(kind);
        }
        if self.flush_blocked {
            return self.wait_to_write(cx, false);
        }
        self.flushed = self.written.len();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.step().is_none() {
            return self.wait_to_write(cx, true);
        }
        if let Some(Fault::Shutdown(kind) | Fault::Write(kind) | Fault::Flush(kind)) = self.fault {
            self.shut_failed = Some(kind);
            return Poll::Ready(Err(kind.into()));
        }
        if self.shut_blocked {
            return self.wait_to_write(cx, false);
        }
        (self.shut, self.flushed) = (true, self.written.len());
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let step = self.step();
        let is_empty = self.arrived.is_empty();
        if step.is_none() || (is_empty && self.after == After::More) {
            (self.reader, self.reader_due) = (Some(cx.waker().clone()), step.is_none());
            return Poll::Pending;
        }
        if is_empty {
            if let After::Error(kind) = self.after {
                self.told_error = Some(kind);
                return Poll::Ready(Err(kind.into()));
            }
            self.told_end |= buf.remaining() > 0;
            return Poll::Ready(Ok(()));
        }
        let n = self.arrived.len().min(buf.remaining()).min(step.unwrap_or(usize::MAX));
        let octets: Vec<u8> = self.arrived.drain(..n).collect();
        buf.put_slice(&octets);
        self.read.extend(octets);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.borrow_mut();
        let polled = line.poll_read(cx, buf);
        if polled.is_ready() {
            (line.reader, line.reader_due) = (None, false);
        }
        polled
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.0.borrow_mut();
        let polled = line.poll_write(cx, bufs);
        wrote(&mut line, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.borrow().vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.borrow_mut();
        let polled = line.poll_flush(cx);
        wrote(&mut line, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.borrow_mut();
        let polled = line.poll_shutdown(cx);
        wrote(&mut line, polled)
    }
}

/// Only a call that waits is owed a wake-up.
fn wrote<T>(line: &mut Line, polled: Poll<T>) -> Poll<T> {
    if polled.is_ready() {
        (line.writer, line.writer_due) = (None, false);
    }
    polled
}
