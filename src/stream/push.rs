//! Output to the transport. Every poll of its write side is here, and goes through `Wakers::poll`.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::WebSocketStream;
use super::timer::now;
use super::wake::Side;
use crate::buffer::Buffer;
use crate::protocol::connection::{Stalled, Transmit};

impl<S: AsyncWrite + Unpin> WebSocketStream<S> {
    /// Sends all that waits, flushes what has been sent, and shuts the transport down if `shut`.
    pub(super) fn poll_push(&mut self, side: Side, cx: &mut Context<'_>, shut: bool) -> Poll<io::Result<()>> {
        // Ends: what was sent stays sent, there is one flush behind it, and the shutdown is the last.
        loop {
            match self.connection.transmit(shut) {
                Transmit::Send => ready!(self.poll_drain(side, cx))?,
                Transmit::Flush => ready!(self.poll_flush_transport(side, cx))?,
                Transmit::Shut => {
                    let Self { io, wakers, connection, .. } = self;
                    let result = ready!(wakers.poll(side, cx, |cx| io.as_pin().poll_shutdown(cx)));
                    return Poll::Ready(connection.shut(result, side == Side::Reader));
                }
                Transmit::Nothing => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Sends all that waits.
    pub(super) fn poll_drain(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Ends: each turn takes at least a byte.
        while let Self { io, wakers, connection, .. } = self
            && let Some(waiting) = connection.waiting()
        {
            let offered = waiting.len();
            let Poll::Ready(result) = wakers.poll(side, cx, |cx| io.as_pin().poll_write(cx, waiting)) else {
                if connection.block() && side == Side::Writer {
                    // The writer may be cancelled, with a Close or half a frame in here.
                    wakers.share_pushing();
                }
                return Poll::Pending;
            };
            connection.took(result, offered)?;
            connection.moved(now);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes bytes of the writer's frame, with nothing before them.
    #[inline]
    pub(super) fn poll_write_bytes(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { io, wakers, connection, .. } = self;
        let result = ready!(wakers.poll(Side::Writer, cx, |cx| io.as_pin().poll_write(cx, bytes)));
        Poll::Ready(connection.took_frame(result, bytes.len()))
    }

    /// The same for several slices, `length` bytes in all.
    pub(super) fn poll_write_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let Self { io, wakers, connection, .. } = self;
        let result = ready!(wakers.poll(Side::Writer, cx, |cx| io.as_pin().poll_write_vectored(cx, slices)));
        Poll::Ready(connection.took_frame(result, length))
    }

    /// Flushes the transport.
    #[inline(always)]
    pub(super) fn poll_flush_transport(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, wakers, connection, .. } = self;
        let Poll::Ready(result) = wakers.poll(side, cx, |cx| io.as_pin().poll_flush(cx)) else {
            if side == Side::Writer && !connection.has_flushed_all() {
                wakers.share_pushing();
            }
            return Poll::Pending;
        };
        Poll::Ready(connection.flushed(result))
    }

    /// The one push that each poll for reading makes, whatever it has read: a failure is the writer's to hear.
    pub(super) fn push_for_reader(&mut self, cx: &mut Context<'_>) {
        if !self.connection.must_transmit() {
            return;
        }
        let had_failed = self.connection.has_failed_writing();
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# The server MUST close the underlying TCP connection immediately;
        //= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
        //# when a server is instructed to _Close the WebSocket Connection_ it SHOULD initiate a TCP Close
        //# immediately,
        let shut = self.connection.is_closed_both_ways();
        if let Poll::Ready(Err(error)) = self.poll_push(Side::Reader, cx, shut) {
            if self.connection.has_failed_writing() != had_failed {
                self.connection.owe_unless_excused(error);
            }
            self.wakers.wake_writer();
        }
    }

    /// Ends each call of the writer: a wait that lasts too long is an error of the transport's write side.
    #[inline(never)]
    pub(super) fn end_of_call<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.connection.call_ends();
            return polled;
        }
        match self.connection.call_waits(now) {
            Stalled::Never => Poll::Pending,
            Stalled::At(deadline) => {
                if self.timers.poll_writer(cx, deadline).is_ready() {
                    self.wakers.yield_now(cx.waker());
                }
                Poll::Pending
            }
            Stalled::Now(error) => {
                // For a Ping that will not leave now; it may have waited for that.
                self.wakers.wake_reader();
                Poll::Ready(Err(error.into()))
            }
        }
    }
}

impl<S> WebSocketStream<S> {
    /// Keeps the rest of a frame that the transport has begun to take, and hands it to a parked reader.
    pub(super) fn keep(&mut self, (rest, length): (Buffer, usize)) {
        self.connection.keep(rest, length);
        self.wakers.hand_over();
    }
}
