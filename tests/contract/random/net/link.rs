//! An end's transport, as its stream sees it.

use std::fmt::{Debug, Display};
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Dice, Fate, Link, Net, Pipe};

const NAMES: [char; 2] = ['A', 'B'];

impl Net {
    pub fn new(pipes: [Pipe; 2], seed: u64, resets: bool, trace: bool) -> Self {
        Net { pipes, dice: Dice::new(seed), resets, trace: trace.then(Vec::new) }
    }

    pub fn log(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    /// A poll of an end's stream begins.
    pub fn start_poll(&mut self, end: usize) {
        self.pipes[end].refused = false;
    }

    /// Whether this poll is `Pending` for no reason.
    fn hesitates(&mut self, pipe: usize) -> bool {
        let hesitant = self.pipes[pipe].traits.hesitant;
        hesitant > 0 && self.dice.one_in(hesitant)
    }

    /// How much of what could be moved is moved.
    fn nibble(&mut self, pipe: usize, n: usize) -> usize {
        if n > 1 && self.pipes[pipe].traits.nibbles && self.dice.one_in(2) {
            1 + self.dice.below(n)
        } else {
            n
        }
    }

    fn poll_write(&mut self, end: usize, cx: &mut Context<'_>, slices: &[&[u8]]) -> Poll<io::Result<usize>> {
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let hesitates = self.hesitates(end);
        let pipe = &mut self.pipes[end];
        if pipe.shut {
            pipe.wrote_after_shut = true;
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if hesitates {
            return pipe.wait_to_write(cx, true);
        }
        match pipe.fate {
            Some(Fate::Write(kind)) => return pipe.write_error(kind),
            Some(Fate::WriteZero) => {
                pipe.write_failed = Some(ErrorKind::WriteZero);
                return Poll::Ready(Ok(0));
            }
            _ if pipe.gone_noticed => return pipe.write_error(ErrorKind::ConnectionReset),
            _ => {}
        }
        let room = match pipe.traits.buffered {
            None => pipe.window,
            Some(size) => {
                if pipe.hold.len() >= size {
                    pipe.pass_held();
                }
                size.saturating_sub(pipe.hold.len())
            }
        };
        if room.min(offered) == 0 && offered > 0 {
            return pipe.wait_to_write(cx, false);
        }
        let n = self.nibble(end, room.min(offered));
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter()).take(n).copied().collect();
        let pipe = &mut self.pipes[end];
        pipe.sent.push(&bytes);
        if pipe.traits.buffered.is_some() {
            pipe.hold.extend(bytes);
        } else {
            pipe.window -= if pipe.window == usize::MAX { 0 } else { n };
            pipe.pass(bytes);
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(&mut self, end: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let hesitates = self.hesitates(end);
        let pipe = &mut self.pipes[end];
        if hesitates {
            return pipe.wait_to_write(cx, true);
        }
        match pipe.fate {
            Some(Fate::Flush(kind)) => return pipe.write_error(kind),
            Some(Fate::Write(kind)) if !pipe.hold.is_empty() => return pipe.write_error(kind),
            Some(Fate::WriteZero) if !pipe.hold.is_empty() => return pipe.write_error(ErrorKind::WriteZero),
            _ if pipe.gone_noticed && !pipe.hold.is_empty() => {
                return pipe.write_error(ErrorKind::ConnectionReset);
            }
            _ => {}
        }
        if !pipe.flush_blocked {
            pipe.pass_held();
        }
        if pipe.flush_blocked || !pipe.hold.is_empty() {
            return pipe.wait_to_write(cx, false);
        }
        pipe.flushed = pipe.sent.bytes;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, end: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let hesitates = self.hesitates(end);
        let pipe = &mut self.pipes[end];
        pipe.shut_polled = true;
        if pipe.shut {
            return Poll::Ready(Ok(()));
        }
        if hesitates {
            return pipe.wait_to_write(cx, true);
        }
        let error = match pipe.fate {
            Some(Fate::Shutdown(kind) | Fate::Write(kind) | Fate::Flush(kind)) => Some(kind),
            Some(Fate::WriteZero) => Some(ErrorKind::WriteZero),
            _ if pipe.gone_noticed => Some(ErrorKind::NotConnected),
            _ => None,
        };
        if let Some(kind) = error {
            // The peer sees the end all the same.
            (pipe.ended, pipe.shut_failed) = (true, Some(kind));
            return Poll::Ready(Err(kind.into()));
        }
        pipe.pass_held();
        if pipe.shut_blocked || !pipe.hold.is_empty() {
            return pipe.wait_to_write(cx, false);
        }
        (pipe.shut, pipe.ended, pipe.flushed) = (true, true, pipe.sent.bytes);
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, end: usize, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let hesitates = self.hesitates(1 - end);
        let pipe = &mut self.pipes[1 - end];
        if hesitates || !pipe.is_readable() {
            pipe.reader_due = pipe.is_readable();
            pipe.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if pipe.arrived.is_empty() {
            return match pipe.fate {
                Some(Fate::Read(kind) | Fate::Reset(kind)) => {
                    pipe.read_failed = Some(kind);
                    Poll::Ready(Err(kind.into()))
                }
                _ => {
                    pipe.read_ended |= buf.remaining() > 0;
                    Poll::Ready(Ok(()))
                }
            };
        }
        let n = pipe.arrived.len().min(buf.remaining());
        let n = self.nibble(1 - end, n);
        let pipe = &mut self.pipes[1 - end];
        let bytes: Vec<u8> = pipe.arrived.drain(..n).collect();
        pipe.got.push(&bytes);
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }

    /// An end's transport is dropped.
    fn leave(&mut self, end: usize) {
        let unread = !self.pipes[1 - end].flight.is_empty() || !self.pipes[1 - end].arrived.is_empty();
        let pipe = &mut self.pipes[1 - end];
        (pipe.reader_gone, pipe.reader) = (true, None);
        let pipe = &mut self.pipes[end];
        (pipe.ended, pipe.writer) = (true, None);
        pipe.hold.clear();
        if unread && self.resets && pipe.fate.is_none() {
            pipe.kill(Fate::Reset(ErrorKind::ConnectionReset));
        }
    }

    /// The same on the write side.
    fn wrote<T: Debug>(&mut self, end: usize, call: impl Display, polled: Poll<T>) -> Poll<T> {
        if polled.is_ready() {
            self.pipes[end].forget_writer();
        }
        self.told(end, call, polled)
    }

    /// What a call has come to. Only the last call's waker is owed anything, and that only if the call was `Pending`.
    fn told<T: Debug>(&mut self, end: usize, call: impl Display, polled: Poll<T>) -> Poll<T> {
        self.log(|| {
            let said = match &polled {
                Poll::Pending => "Pending".to_owned(),
                Poll::Ready(value) => format!("{value:?}"),
            };
            format!("        {}'s transport: {call}: {said}", NAMES[end])
        });
        polled
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (mut net, before) = (self.net.borrow_mut(), buf.filled().len());
        let polled = net.poll_read(self.end, cx, buf).map_ok(|()| buf.filled().len() - before);
        if polled.is_ready() {
            net.pipes[1 - self.end].forget_reader();
        }
        let n = ready!(net.told(self.end, "read", polled));
        Poll::Ready(n.map(|_| ()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut net = self.net.borrow_mut();
        let polled = net.poll_write(self.end, cx, &[buf]);
        net.wrote(self.end, format_args!("write {}", buf.len()), polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut net = self.net.borrow_mut();
        let slices: Vec<&[u8]> = bufs.iter().map(|slice| &**slice).collect();
        let polled = net.poll_write(self.end, cx, &slices);
        net.wrote(self.end, "write slices", polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.net.borrow().pipes[self.end].traits.vectored
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut net = self.net.borrow_mut();
        let polled = net.poll_flush(self.end, cx);
        net.wrote(self.end, "flush", polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut net = self.net.borrow_mut();
        let polled = net.poll_shutdown(self.end, cx);
        net.wrote(self.end, "shutdown", polled)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.net.borrow_mut().leave(self.end);
    }
}
