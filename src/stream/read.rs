//! `AsyncRead` and `AsyncBufRead`: the payload of data frames, as it arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::push::Sink;
use super::{End, UNKNOWN_CODE, WebSocketStream};
use crate::buffer::{Buffer, MEDIUM};
use crate::protocol::encoder::MAX_CONTROL_FRAME;
use crate::protocol::{Control, Region};
use crate::{CloseCode, CloseFrame, Error, OpCode};

/// A caller's buffer with this much room is read into directly; for less the stream reads ahead.
const DIRECT: usize = 4 * 1024;

/// How much it reads ahead, at the most.
const READ_AHEAD: usize = 16 * 1024;

/// After so many reads from the transport that bring no payload, other tasks get their turn.
pub(super) const MAX_TURNS: usize = 32;

/// Payload that was read ahead of the caller.
#[derive(Default)]
pub(super) struct Input {
    buffer: Buffer,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn new(buffer: Buffer, end: usize) -> Self {
        if end == 0 { Input::default() } else { Input { buffer, start: 0, end } }
    }

    /// Its payload at the start of a buffer, and how much that is.
    fn into_buffer(mut self) -> (Buffer, usize) {
        if self.is_empty() {
            return (Buffer::take(READ_AHEAD), 0);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.buffer, self.end - self.start)
    }

    /// This, and `later` behind it.
    pub(super) fn followed_by(self, later: Input) -> Self {
        if self.is_empty() {
            return later;
        }
        if later.is_empty() {
            return self;
        }
        let both = [self.as_slice(), later.as_slice()].concat();
        let end = both.len();
        Input::new(both.into(), end)
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Moves as much as fits.
    #[inline]
    pub(super) fn read(&mut self, buf: &mut ReadBuf<'_>) {
        let payload = self.as_slice();
        let n = payload.len().min(buf.remaining());
        buf.put_slice(&payload[..n]);
        self.consume(n);
    }

    /// The last byte taken gives the memory back.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        self.start += n.min(self.end - self.start);
        if self.is_empty() {
            *self = Input::default();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.input.is_empty() || this.must_push() {
            return this.poll_read_more(cx, buf);
        }
        this.input.read(buf);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for WebSocketStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.input.is_empty() || this.must_push() {
            ready!(this.poll_fill_more(cx))?;
        }
        Poll::Ready(Ok(this.input.as_slice()))
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        self.get_mut().input.consume(amt);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// The same as [`Self::poll_read_more`] for a look at what was read ahead.
    pub(super) fn poll_fill_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let was_blocked = self.output.is_blocked();
        let polled = self.poll_fill(cx);
        self.end_of_poll(cx, polled, was_blocked)
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
            polled = self.unasked(|stream| stream.poll_receive(cx, &mut buf));
            filled = buf.filled().len();
        }
        self.input = Input::new(buffer, filled);
        polled
    }

    /// Reads and throws away what came, for a reader who will never ask again.
    pub(super) fn poll_discard_unasked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = Buffer::take(MEDIUM);
        self.unasked(|stream| stream.poll_receive(cx, &mut ReadBuf::new(&mut scratch)))
    }

    fn unasked(&mut self, poll: impl FnOnce(&mut Self) -> Poll<io::Result<()>>) -> Poll<()> {
        let departure = self.departure;
        let polled = poll(self);
        self.departure = departure;
        polled.map(|result| {
            if let (Err(met), End::Failed { error, .. }) = (result, &mut self.end) {
                error.get_or_insert(met);
            }
        })
    }

    /// A read that has more to do than to take what was read ahead.
    #[inline(never)]
    fn poll_read_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let was_blocked = self.output.is_blocked();
        let polled = if self.input.is_empty() && buf.remaining() >= DIRECT {
            self.poll_receive(cx, buf)
        } else {
            self.poll_fill(cx).map_ok(|()| self.input.read(buf))
        };
        self.end_of_poll(cx, polled, was_blocked)
    }

    /// Input first, then the one push of what waits to go out, ready or not.
    fn end_of_poll(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<()>>,
        was_blocked: bool,
    ) -> Poll<io::Result<()>> {
        let polled = if polled.is_pending() { self.poll_keep_alive(cx) } else { polled };
        // Unless a flood of Pings has made it necessary before: the transport has refused, and has this waker.
        if was_blocked || !self.output.is_blocked() {
            self.push_for_reader(cx);
        }
        if polled.is_pending() {
            self.start_keep_alive_wait(cx);
            // The transport's read side has this waker; a writer that keeps something wakes it too.
            self.wakers.park_reader(cx.waker());
        } else {
            self.wakers.unpark_reader();
        }
        polled
    }

    /// Reads ahead until there is a byte of payload, or the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.input.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut buffer = Buffer::take(READ_AHEAD);
        let mut buf = ReadBuf::new(&mut buffer[..READ_AHEAD]);
        let polled = self.poll_receive(cx, &mut buf);
        let end = buf.filled().len();
        self.input = Input::new(buffer, end);
        polled
    }

    /// Reads from the transport into `buf` and decodes there, until there is a byte of payload, or the end.
    ///
    /// Where a read has stopped behind a header on purpose, the payload is read too, as far as there is room.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let mut turns = 0;
        // Ends: each stop has filled the room of a large frame, and without payload the turns are counted.
        loop {
            let start = buf.filled().len();
            // What comes after payload, be it an error, is for the next poll.
            let is_done = start > before;
            if !self.end.is_open() {
                return if is_done { Poll::Ready(Ok(())) } else { self.poll_end(cx) };
            }
            if turns == MAX_TURNS {
                self.wakers.yield_now(cx.waker());
                return Poll::Pending;
            }
            let most = self.decoder.wants();
            // `Pending`: the transport's read side has the reader's waker.
            let Poll::Ready(result) = self.poll_transport(cx, buf, most) else {
                return if is_done { Poll::Ready(Ok(())) } else { Poll::Pending };
            };
            if let Err(error) = result {
                self.fail_read(error, false);
                continue;
            }
            let Some(received) = buf.filled_mut().get_mut(start..).filter(|received| !received.is_empty())
            else {
                self.fail_read_with(Error::Truncated);
                continue;
            };
            self.keep_alive.heard();
            self.stall.moved();
            // Then there is room again, at least that of the header.
            let is_stopped = received.len() == most;
            let payload = self.decode(received, Some(cx));
            buf.set_filled(start + payload);
            if is_stopped && payload > 0 {
                continue;
            }
            if is_done || payload > 0 {
                return Poll::Ready(Ok(()));
            }
            turns += 1;
        }
    }

    /// What a read returns that finds nothing left.
    #[cold]
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.end.take_error() {
            return Poll::Ready(Err(error));
        }
        if self.lingers && self.is_closed_both_ways() {
            ready!(self.poll_linger(cx));
        }
        self.ping_while_half_closed(cx);
        self.departure.end_was_seen();
        Poll::Ready(Ok(()))
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
                // The transport's read side has the reader's waker. What it waits for once it has been shut down is its own
                // concern; until then a clock runs, which has that waker too.
                Poll::Pending if self.sink == Sink::Shut && !self.keep_alive.lingers() => {
                    return Poll::Pending;
                }
                Poll::Pending => {
                    ready!(self.keep_alive.poll_linger(cx));
                    true
                }
            };
            if is_over {
                self.keep_alive.stop();
                self.lingers = false;
                return Poll::Ready(());
            }
        }
        self.wakers.yield_now(cx.waker());
        Poll::Pending
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

    /// Decodes bytes of the wire in place, acts on the control frames, and returns how much payload there is.
    pub(super) fn decode(&mut self, bytes: &mut [u8], mut cx: Option<&mut Context<'_>>) -> usize {
        let mut region = Region::new(bytes);
        // Also what stands before the Close, or the violation, that ends it.
        let discards = matches!(self.end, End::Discarding);
        loop {
            match self.decoder.decode(&mut region) {
                Ok(None) => break,
                Ok(Some(Control::Pong)) => {}
                Ok(Some(Control::Ping(payload))) => {
                    self.answer_ping(payload.as_slice());
                    if let Some(cx) =
                        cx.as_deref_mut().filter(|_| self.output.is_full() && !self.output.is_blocked())
                    {
                        self.push_for_reader(cx);
                    }
                }
                Ok(Some(Control::Close(frame))) => {
                    self.receive_close(frame);
                    break;
                }
                Err(error) => {
                    self.fail_read_with(error);
                    break;
                }
            }
        }
        if discards { 0 } else { region.written() }
    }

    /// > Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received a
    /// > Close frame. […] A Pong frame sent in response to a Ping frame must have identical "Application data"
    /// > (RFC 6455, sections 5.5.2 and 5.5.3)
    fn answer_ping(&mut self, payload: &[u8]) {
        let mut frame = [0; MAX_CONTROL_FRAME];
        let n = self.encoder.control(OpCode::Pong, payload, &mut frame);
        if self.sink == Sink::Open {
            self.output.push_pong(&frame[..n]);
        }
    }

    /// The peer's Close ends the reading, and is answered:
    ///
    /// > If an endpoint receives a Close frame and did not previously send a Close frame, the endpoint MUST send a
    /// > Close frame in response. (RFC 6455, section 5.5.1)
    fn receive_close(&mut self, frame: CloseFrame) {
        let repeats = self.first_code.is_some_and(|first| {
            first == UNKNOWN_CODE || frame.code.is_some_and(|code| u16::from(code) == first.get())
        });
        self.closing = self.closing.receive();
        let is_clean = matches!(frame.code, None | Some(CloseCode::NORMAL | CloseCode::AWAY))
            // What this end has said itself is no news.
            || repeats;
        self.end = if is_clean || !self.config.abnormal_close_is_error {
            End::Closed
        } else {
            End::failed(Error::ClosedAbnormally { close: frame.clone() }.into(), false)
        };
        self.peer_close = Some(frame);
        // Any other code says that the peer will not read what this end still has to say.
        if !self.waits_to_answer() {
            self.queue_answer();
        }
        self.wakers.wake_writer();
    }

    /// Ends the reading with an error of this crate, and tells the peer if there is a code for it.
    pub(super) fn fail_read_with(&mut self, error: Error) {
        self.queue_close_for(&error);
        self.fail_read(error.into(), true);
    }

    /// Ends the reading with an error; the writer looks again at where it stands.
    fn fail_read(&mut self, error: io::Error, ends_writes: bool) {
        self.end = End::failed(error, ends_writes);
        self.keep_alive.stop();
        self.wakers.wake_writer();
    }
}
