//! `AsyncRead` and `AsyncBufRead`: the payload of data frames, as it arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fastwebsockets::{CloseCode, OpCode};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::push::Sink;
use super::{End, WebSocketStream};
use crate::buffer::Buffer;
use crate::frame::close::ClosePayload;
use crate::protocol::encoder::MAX_CONTROL_FRAME;
use crate::protocol::{Control, Region};
use crate::{CloseFrame, Error};

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

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Moves as much as fits.
    #[inline]
    fn read(&mut self, buf: &mut ReadBuf<'_>) {
        let payload = self.as_slice();
        let n = payload.len().min(buf.remaining());
        buf.put_slice(&payload[..n]);
        self.consume(n);
    }

    /// The last byte taken gives the memory back.
    #[inline]
    fn consume(&mut self, n: usize) {
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
            let was_blocked = this.output.is_blocked();
            let polled = this.poll_fill(cx);
            ready!(this.end_of_poll(cx, polled, was_blocked))?;
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
            if !matches!(self.end, End::Open) {
                let error = if is_done { None } else { self.end.take_error() };
                return Poll::Ready(error.map_or(Ok(()), Err));
            }
            if turns == MAX_TURNS {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let most = self.decoder.wants();
            // `Pending`: the transport's read side has the reader's waker.
            let Poll::Ready(result) = self.poll_transport(cx, buf, most) else {
                return if is_done { Poll::Ready(Ok(())) } else { Poll::Pending };
            };
            if let Err(error) = result {
                self.fail_read(error, None, false);
                continue;
            }
            let Some(received) = buf.filled_mut().get_mut(start..).filter(|received| !received.is_empty())
            else {
                self.fail_read_with(Error::Truncated);
                continue;
            };
            self.keep_alive.heard();
            // Then there is room again, at least that of the header.
            let is_stopped = received.len() == most;
            let payload = self.decode(received, Some(cx));
            buf.set_filled(start + payload);
            if is_stopped {
                continue;
            }
            if is_done || payload > 0 {
                return Poll::Ready(Ok(()));
            }
            turns += 1;
        }
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
        let io = Pin::new(&mut self.io);
        if most >= buf.initialized().len() - buf.filled().len() {
            return io.poll_read(cx, buf);
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(io.poll_read(cx, &mut part))?;
        let n = part.filled().len();
        buf.advance(n);
        Poll::Ready(Ok(()))
    }

    /// Decodes bytes of the wire in place, acts on the control frames, and returns how much payload there is.
    pub(super) fn decode(&mut self, bytes: &mut [u8], mut cx: Option<&mut Context<'_>>) -> usize {
        let mut region = Region::new(bytes);
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
        region.written()
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
        self.closing = self.closing.receive();
        let abnormal = !matches!(frame.code, None | Some(CloseCode::Normal | CloseCode::Away));
        self.end = if abnormal && self.config.abnormal_close_is_error {
            End::failed(Error::ClosedAbnormally(frame.clone()).into(), false)
        } else {
            End::Closed
        };
        self.peer_close = Some(frame);
        if !self.config.half_close {
            self.queue_answer();
        }
        self.keep_alive.stop();
        self.wakers.wake_writer();
    }

    /// Ends the reading with an error of this crate, and tells the peer if there is a code for it.
    pub(super) fn fail_read_with(&mut self, error: Error) {
        let code = error.close_code();
        self.fail_read(error.into(), code, true);
    }

    /// Ends the reading with an error; the writer looks again at where it stands.
    fn fail_read(&mut self, error: io::Error, code: Option<CloseCode>, ends_writes: bool) {
        self.end = End::failed(error, ends_writes);
        if let Some(code) = code {
            self.queue_close(ClosePayload::bare(Some(code)));
        }
        self.keep_alive.stop();
        self.wakers.wake_writer();
    }
}
