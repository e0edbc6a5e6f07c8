//! Output to the transport. Every poll of its write side is here, and goes through `Wakers::poll`.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::WebSocketStream;
use super::wake::Side;
use crate::Error;
use crate::buffer::Buffer;

/// The transport's write side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sink {
    #[default]
    Open,
    /// It failed: nothing more goes out.
    Failed,
    /// It has been shut down.
    Shut,
}

impl Sink {
    pub(super) fn is_open(self) -> bool {
        self == Sink::Open
    }
}

/// What the transport has taken since it was last flushed: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unflushed(u8);

impl Unflushed {
    /// The application's frames.
    const DATA: Self = Unflushed(1);
    /// Frames of this crate's own, with which nobody else will think of a flush.
    const CONTROL: Self = Unflushed(2);

    #[inline]
    pub(super) fn is_nothing(self) -> bool {
        self == Unflushed::default()
    }

    pub(super) fn has_data(self) -> bool {
        self.0 & Self::DATA.0 != 0
    }

    #[cfg(feature = "fastwebsockets")]
    pub(super) fn has_control(self) -> bool {
        self.0 & Self::CONTROL.0 != 0
    }

    #[inline]
    fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl<S> WebSocketStream<S> {
    /// Whether there is something to push: bytes that wait, a flush, or the transport's shutdown.
    #[inline]
    pub(super) fn must_push(&self) -> bool {
        !self.output.is_empty()
            || !self.unflushed.is_nothing()
            || (self.is_closed_both_ways() && self.sink != Sink::Shut)
    }

    /// Takes note that the transport accepts nothing any more.
    pub(super) fn fail_sink(&mut self) {
        self.sink = Sink::Failed;
        // What the transport has taken may be lost with it.
        self.data_lost |= self.output.holds_data() || self.unflushed.has_data();
        self.output.clear();
        self.unflushed = Unflushed::default();
        // A Ping in there never will.
        self.keep_alive.left();
    }
}

impl<S: AsyncWrite + Unpin> WebSocketStream<S> {
    /// Sends all that waits.
    pub(super) fn poll_drain(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Ends: each turn takes at least a byte.
        while !self.output.is_empty() {
            let Self { io, wakers, output, .. } = self;
            let waiting = output.waiting();
            let polled = wakers.poll(side, cx, |cx| io.as_pin().poll_write(cx, waiting));
            let length = waiting.len();
            let mut kind = Unflushed::CONTROL;
            if output.holds_data() {
                kind.add(Unflushed::DATA);
            }
            let Poll::Ready(result) = self.wrote(polled, length, kind) else {
                if side == Side::Writer && !self.output.is_blocked() {
                    // The writer may be cancelled, with a Close or half a frame in here.
                    self.wakers.share_pushing();
                }
                self.output.block();
                return Poll::Pending;
            };
            self.output.advance(result?);
            self.stall.moved();
        }
        self.keep_alive.left();
        Poll::Ready(Ok(()))
    }

    /// Writes bytes of the writer's frame, with nothing before them.
    #[inline]
    pub(super) fn poll_write_bytes(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { io, wakers, .. } = self;
        let polled = wakers.poll(Side::Writer, cx, |cx| io.as_pin().poll_write(cx, bytes));
        self.wrote(polled, bytes.len(), Unflushed::DATA)
    }

    /// The same for several slices, `length` bytes in all.
    pub(super) fn poll_write_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        length: usize,
    ) -> Poll<io::Result<usize>> {
        let Self { io, wakers, .. } = self;
        let polled = wakers.poll(Side::Writer, cx, |cx| io.as_pin().poll_write_vectored(cx, slices));
        self.wrote(polled, length, Unflushed::DATA)
    }

    /// What every write to the transport has in common, `length` bytes having been offered.
    #[inline]
    fn wrote(
        &mut self,
        polled: Poll<io::Result<usize>>,
        length: usize,
        kind: Unflushed,
    ) -> Poll<io::Result<usize>> {
        match ready!(polled) {
            Ok(0) if length > 0 => {
                self.fail_sink();
                Poll::Ready(Err(Error::TransportFull.into()))
            }
            // A transport that claims more than it was given is not believed.
            Ok(n) => {
                self.unflushed.add(kind);
                Poll::Ready(Ok(n.min(length)))
            }
            Err(error) => {
                self.fail_sink();
                Poll::Ready(Err(error))
            }
        }
    }

    /// Flushes the transport.
    #[inline(always)]
    pub(super) fn poll_flush_transport(&mut self, side: Side, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, wakers, .. } = self;
        let Poll::Ready(result) = wakers.poll(side, cx, |cx| io.as_pin().poll_flush(cx)) else {
            if side == Side::Writer && !self.unflushed.is_nothing() {
                self.wakers.share_pushing();
            }
            return Poll::Pending;
        };
        match result {
            Ok(()) => self.unflushed = Unflushed::default(),
            Err(_) => self.fail_sink(),
        }
        Poll::Ready(result)
    }

    /// Sends all that waits, flushes what has been sent, and shuts the transport down if `shut`.
    pub(super) fn poll_push(&mut self, side: Side, cx: &mut Context<'_>, shut: bool) -> Poll<io::Result<()>> {
        if self.sink == Sink::Open {
            ready!(self.poll_drain(side, cx))?;
            if !self.unflushed.is_nothing() {
                ready!(self.poll_flush_transport(side, cx))?;
            }
        }
        if shut && self.sink != Sink::Shut {
            let Self { io, wakers, .. } = self;
            let result = ready!(wakers.poll(side, cx, |cx| io.as_pin().poll_shutdown(cx)));
            let over = self.is_closed_both_ways() || self.end.is_failed() || self.sink != Sink::Open;
            let result = result.or_else(|error| if over { forgive(error) } else { Err(error) });
            // What a read has met is met again, and reported, by the shutdown.
            if result.is_ok() || side == Side::Writer {
                self.sink = Sink::Shut;
            }
            return Poll::Ready(result);
        }
        Poll::Ready(Ok(()))
    }

    /// The one push that each poll for reading makes, whatever it has read: a failure is the writer's to hear.
    pub(super) fn push_for_reader(&mut self, cx: &mut Context<'_>) {
        if !self.must_push() {
            return;
        }
        let before = self.sink;
        if let Poll::Ready(Err(error)) = self.poll_push(Side::Reader, cx, self.is_closed_both_ways()) {
            if self.sink != before
                && let Err(error) = self.excuse(error)
            {
                self.unreported.get_or_insert(error);
            }
            self.wakers.wake_writer();
        }
    }

    /// Keeps the rest of a frame that the transport has begun to take, and hands it to a parked reader.
    pub(super) fn keep(&mut self, buffer: Buffer, length: usize) {
        self.output.keep(buffer, length);
        self.wakers.hand_over();
    }
}

/// To a transport that has been closed both ways, or has failed, nothing is owed, and it may well be gone.
pub(super) fn forgive(error: io::Error) -> io::Result<()> {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    match error.kind() {
        BrokenPipe | ConnectionReset | NotConnected => Ok(()),
        _ if is_reset(&error) => Ok(()),
        _ => Err(error),
    }
}

/// Whether the transport is a stream of HTTP/2 that has been reset: hyper has no kind for that.
#[cfg(all(feature = "http2", any(feature = "upgrade", feature = "connect", feature = "listener")))]
fn is_reset(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<hyper::Error>())
}

#[cfg(not(all(feature = "http2", any(feature = "upgrade", feature = "connect", feature = "listener"))))]
fn is_reset(_: &io::Error) -> bool {
    false
}
