//! `AsyncRead` and `AsyncBufRead`: the payload of data frames, as it arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;

use super::input::{Input, READ_AHEAD};
use super::timer::now;
use super::{WebSocketStream, departure};
use crate::buffer::{Buffer, MEDIUM};
use crate::protocol::Region;
use crate::protocol::connection::Received;

/// A caller's buffer with this much room is read into directly; for less the stream reads ahead.
const DIRECT: usize = 4 * 1024;

/// After so many reads from the transport that bring no payload, other tasks get their turn.
const MAX_TURNS: usize = 32;

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.input.is_empty() || this.connection.must_transmit() {
            return this.poll_read_more(cx, buf);
        }
        this.input.read(buf);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for WebSocketStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.input.is_empty() || this.connection.must_transmit() {
            ready!(this.poll_fill_more(cx))?;
        }
        Poll::Ready(Ok(this.input.as_slice()))
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        self.get_mut().input.consume(amt);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// A read that has more to do than to take what was read ahead.
    #[inline(never)]
    fn poll_read_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let was_blocked = self.connection.is_blocked();
        let before = buf.filled().len();
        let polled = if self.input.is_empty() && buf.remaining() >= DIRECT {
            self.poll_receive(cx, buf)
        } else {
            self.poll_fill(cx).map(|()| self.input.read(buf))
        };
        let polled = match polled {
            Poll::Ready(()) if buf.filled().len() == before => self.poll_tell_end(cx),
            polled => polled.map(Ok),
        };
        self.end_of_poll(cx, polled, was_blocked)
    }

    /// The same for a look at what was read ahead.
    pub(super) fn poll_fill_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let was_blocked = self.connection.is_blocked();
        let polled = match self.poll_fill(cx) {
            Poll::Ready(()) if self.input.is_empty() => self.poll_tell_end(cx),
            polled => polled.map(Ok),
        };
        self.end_of_poll(cx, polled, was_blocked)
    }

    /// Input first, then the one push of what waits to go out, ready or not.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2
    //# It SHOULD respond with Pong frame as soon as is practical.
    fn end_of_poll(
        &mut self,
        cx: &mut Context<'_>,
        mut polled: Poll<io::Result<()>>,
        was_blocked: bool,
    ) -> Poll<io::Result<()>> {
        let watched = (polled.is_pending() && self.connection.watches_silence()).then(now);
        if let Some(now) = watched {
            self.connection.silence(now);
            if !self.connection.is_reading() {
                self.wakers.wake_writer();
                polled = Poll::Ready(self.connection.tell_end());
            }
        }
        // Unless a flood of Pings has made it necessary before: the transport has refused, and has this waker.
        if was_blocked || !self.connection.is_blocked() {
            self.push_for_reader(cx);
        }
        let stalls = if self.connection.watches_push() { self.watch_push(polled.is_pending()) } else { None };
        if polled.is_ready() {
            self.wakers.unpark_reader();
            return polled;
        }
        if let Some(now) = watched {
            self.connection.pushed(now);
        }
        let silence = watched.and_then(|_| self.connection.silence_deadline());
        if let Some(deadline) = silence.into_iter().chain(stalls).min()
            // The timer has the waker, too. If it is over by now, the next poll will see it.
            && self.timers.poll_reader(cx, deadline).is_ready()
        {
            self.wakers.yield_now(cx.waker());
        }
        // The transport's read side has this waker; a writer that keeps something wakes it too.
        self.wakers.park_reader(cx.waker());
        Poll::Pending
    }

    /// Until when a read may wait while something that has yet to leave does not.
    #[cold]
    fn watch_push(&mut self, waits: bool) -> Option<Instant> {
        if !waits {
            self.connection.push_ends();
            return None;
        }
        let deadline = self.connection.push_waits(now);
        if !self.connection.is_writing() {
            self.wakers.wake_writer();
        }
        deadline
    }

    /// Reads ahead until there is a byte of payload, or the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.input.is_empty() {
            return Poll::Ready(());
        }
        let mut buffer = Buffer::take(READ_AHEAD);
        let mut buf = ReadBuf::new(&mut buffer[..READ_AHEAD]);
        let polled = self.poll_receive(cx, &mut buf);
        let end = buf.filled().len();
        self.input = Input::new(buffer, end);
        polled
    }

    /// Reads ahead for a reader who does not ask just now, and who has yet to be told how it ended; behind what has been
    /// read ahead so far.
    ///
    /// `Pending`, with nobody to wake: there is no more room. It goes on when the reader has taken something.
    pub(super) fn poll_fill_unasked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (mut buffer, end) = std::mem::take(&mut self.input).into_buffer();
        let mut polled = Poll::Pending;
        let mut filled = end;
        let room = buffer.len().min(READ_AHEAD);
        if end < room {
            let mut buf = ReadBuf::new(&mut buffer[..room]);
            buf.set_filled(end);
            polled = self.poll_receive(cx, &mut buf);
            filled = buf.filled().len();
        }
        self.input = Input::new(buffer, filled);
        polled
    }

    /// Reads and throws away what came, for a reader who will never ask again.
    pub(super) fn poll_discard_unasked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = Buffer::take(MEDIUM);
        self.poll_receive(cx, &mut ReadBuf::new(&mut scratch))
    }

    /// Reads from the transport into `buf` and decodes there, until there is a byte of payload, or the reading has ended.
    ///
    /// Where a read has stopped behind a header on purpose, the payload is read too, as far as there is room.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<()> {
        let before = buf.filled().len();
        let mut turns = 0;
        // Ends: each stop has filled the room of a large frame, and without payload the turns are counted.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.7
        //# An endpoint MUST NOT continue to attempt to process data (including a responding Close frame) from
        //# the remote endpoint
        while self.connection.is_reading() {
            let start = buf.filled().len();
            // What comes after payload, be it an error, is for the next poll.
            let is_done = start > before;
            if turns == MAX_TURNS {
                self.wakers.yield_now(cx.waker());
                return Poll::Pending;
            }
            let most = self.connection.wants();
            // `Pending`: the transport's read side has the reader's waker.
            let Poll::Ready(result) = self.poll_transport(cx, buf, most) else {
                return if is_done { Poll::Ready(()) } else { Poll::Pending };
            };
            let received = buf.filled_mut().get_mut(start..).unwrap_or_default();
            // Then there is room again, at least that of the header.
            let is_stopped = received.len() == most;
            let payload = match result {
                Ok(()) if !received.is_empty() => self.receive(cx, received),
                Ok(()) => {
                    self.connection.receive_end();
                    0
                }
                Err(error) => {
                    self.connection.fail_receiving(error);
                    0
                }
            };
            if !self.connection.is_reading() {
                // It is refused now, or has something to report.
                self.wakers.wake_writer();
            }
            buf.set_filled(start + payload);
            if is_stopped && payload > 0 {
                continue;
            }
            if is_done || payload > 0 {
                break;
            }
            turns += 1;
        }
        Poll::Ready(())
    }

    /// Decodes bytes of the wire in place; returns how much payload there is.
    #[inline]
    fn receive(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> usize {
        self.connection.heard();
        self.connection.moved(now);
        // Also what stands before the Close, or the violation, that ends it.
        let discards = self.connection.is_discarding();
        let mut region = Region::new(bytes);
        while self.connection.receive(&mut region) == Received::Part {
            self.push_for_reader(cx);
        }
        if discards { 0 } else { region.written() }
    }

    /// What a read returns that finds nothing left.
    #[cold]
    fn poll_tell_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.ends_cleanly() {
            if self.lingers && self.connection.is_closed_both_ways() {
                ready!(self.poll_linger(cx));
            }
            self.ping_by_the_way(cx);
        }
        if self.connection.silence_deadline().is_none() {
            self.timers.stop_reader();
        }
        Poll::Ready(self.connection.tell_end())
    }

    /// Waits until the transport has ended too, after both Closes.
    pub(super) fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // This end's own end first: the peer's may come in answer to it.
        self.push_for_reader(cx);
        let mut scratch = Buffer::take(MEDIUM);
        for _ in 0..MAX_TURNS {
            let mut buf = ReadBuf::new(&mut scratch);
            let is_over = match self.io.as_pin().poll_read(cx, &mut buf) {
                Poll::Ready(result) => result.is_err() || buf.filled().is_empty(),
                // The transport's read side has the reader's waker, and so has the clock.
                Poll::Pending => {
                    ready!(self.poll_linger_over(cx));
                    true
                }
            };
            if is_over {
                self.lingers = false;
                return Poll::Ready(());
            }
        }
        self.wakers.yield_now(cx.waker());
        Poll::Pending
    }

    /// Waits for as long as a stream may linger, from the first call on. Outside of a runtime, and while a stream is being
    /// dropped, there is no waiting.
    fn poll_linger_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if departure::is_under_way() || Handle::try_current().is_err() {
            return Poll::Ready(());
        }
        let deadline = self.connection.linger(now());
        self.timers.poll_reader(cx, deadline)
    }

    /// Reads once, at most so many bytes if the caller's buffer has been written to before: to do that for it would cost
    /// as much as it saves.
    #[inline]
    fn poll_transport(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<io::Result<()>> {
        let mut io = self.io.as_pin();
        if most >= buf.initialized().len() - buf.filled().len() {
            return io.poll_read(cx, buf);
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(io.as_mut().poll_read(cx, &mut part))?;
        let n = part.filled().len();
        buf.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S> WebSocketStream<S> {
    /// A Ping that is due leaves with whatever polls the stream, where no read waits any more.
    #[inline]
    pub(super) fn ping_by_the_way(&mut self, cx: &mut Context<'_>) {
        if self.connection.pings_by_the_way() {
            self.ping_if_due(cx);
        }
    }

    #[cold]
    fn ping_if_due(&mut self, cx: &mut Context<'_>) {
        self.connection.ping_by_the_way(now());
        if let Some(deadline) = self.connection.silence_deadline() {
            // Whoever polls now sees to the next one.
            let _ = self.timers.poll_reader(cx, deadline);
        }
    }
}
