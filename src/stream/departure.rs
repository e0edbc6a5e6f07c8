//! Dropping a stream.
//!
//! It sends nothing, so that whatever was cut off looks cut off. Except where the program has read to the end and has
//! nothing more to say: for a `TcpStream` that is an orderly end, and so it is here.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
#[cfg(any(feature = "upgrade", feature = "connect", feature = "listener"))]
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::WebSocketStream;
use super::push::Sink;
use super::wake::Side;
use crate::buffer::{Buffer, MEDIUM};
use crate::protocol::Closing;

/// So many reads of [`MEDIUM`] bytes discard what a peer may have sent behind its Close: about a megabyte.
const MAX_DISCARDED: usize = 64;

thread_local! {
    static UNDER_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Whether a stream is being dropped on this thread. Then nobody waits, and no timer is needed: the stream may be the transport of
/// the one that is dropped, perhaps outside of any runtime.
pub(super) fn is_under_way() -> bool {
    UNDER_WAY.get()
}

/// While it lives, a stream is being dropped.
struct UnderWay {
    /// Of another one.
    before: bool,
}

impl UnderWay {
    fn begin() -> Self {
        UnderWay { before: UNDER_WAY.replace(true) }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.set(self.before);
    }
}

/// What the program knows of the end, and has done since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Departure {
    end: SeenEnd,
    waits: Waits,
}

/// Which call of the writer was `Pending`, and has not been `Ready` since. It may have been cancelled: that cannot be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waits {
    #[default]
    Nothing,
    Write,
    /// Flush or shutdown.
    Other,
}

/// Whether a read has returned the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SeenEnd {
    #[default]
    No,
    Yes,
    /// While a write was waiting: `tokio::io::copy` reads on while it waits to write, and meets the end there. What it still
    /// has to write then counts as written before, once it has flushed it.
    DuringWrite,
    /// And something was written since.
    Before,
}

impl Departure {
    /// A read returns the end. Only the first time counts.
    pub(super) fn end_was_seen(&mut self) {
        if self.end == SeenEnd::No {
            self.end = if self.waits == Waits::Write { SeenEnd::DuringWrite } else { SeenEnd::Yes };
        }
    }

    pub(super) fn has_seen_end(self) -> bool {
        self.end != SeenEnd::No
    }

    #[inline]
    pub(super) fn waits_for_nothing(&self) -> bool {
        self.waits == Waits::Nothing
    }

    pub(super) fn write_is_pending(&mut self) {
        self.waits = Waits::Write;
    }

    /// A call that is none of the above is pending: only the stall timeout is concerned.
    pub(super) fn call_is_pending(&mut self) {
        if self.waits == Waits::Nothing {
            self.waits = Waits::Other;
        }
    }

    pub(super) fn call_is_over(&mut self) {
        if self.waits == Waits::Other {
            self.waits = Waits::Nothing;
        }
    }

    pub(super) fn write_is_over(&mut self, accepted: bool) {
        self.waits = Waits::Nothing;
        if accepted {
            self.end = match self.end {
                SeenEnd::Yes => SeenEnd::Before,
                other => other,
            };
        }
    }

    /// Whoever was writing has panicked, so that more was to be said.
    pub(super) fn was_broken_off(&mut self) {
        if self.end == SeenEnd::Yes {
            self.end = SeenEnd::Before;
        }
    }

    /// A flush has succeeded.
    pub(super) fn was_flushed(&mut self) {
        if self.end == SeenEnd::DuringWrite && self.waits != Waits::Write {
            self.end = SeenEnd::Yes;
        }
    }

    /// Whether nothing more was to be said.
    fn is_orderly(self) -> bool {
        self.end == SeenEnd::Yes && self.waits != Waits::Write
    }
}

/// What a stream leaves behind.
#[cfg(any(feature = "upgrade", feature = "connect", feature = "listener"))]
pub(crate) struct Departed<S> {
    pub(crate) transport: S,
    pub(crate) unsent: Vec<u8>,
    /// Nothing that counts can come any more.
    pub(crate) peer_has_closed: bool,
    /// See [`Config::close_timeout`](crate::Config::close_timeout).
    pub(crate) limit: Duration,
}

impl<S> WebSocketStream<S> {
    /// Nothing waits, and nothing has failed.
    fn is_at_rest(&self) -> bool {
        self.output.is_empty()
            && self.tail.is_empty()
            && self.unreported.is_none()
            && !self.data_lost
            && self.sink != Sink::Failed
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// What dropping a stream does: answers the peer's Close where that is an orderly end; and after that, or after a
    /// shutdown, discards what lies unread, because a socket that is closed with bytes unread is reset, which can destroy
    /// what is on its way to the peer.
    ///
    /// As far as it goes without waiting.
    pub(super) fn depart(&mut self) {
        if !self.is_at_rest() {
            return;
        }
        if self.closing == Closing::CloseReceived && self.departure.is_orderly() {
            self.queue_answer();
        }
        if !self.closing.has_sent() {
            return;
        }
        let _under_way = UnderWay::begin();
        // Nobody is left to be woken. Without tokio's budget: a task that has used it up would end in another way.
        let mut goodbye = pin!(tokio::task::unconstrained(poll_fn(|cx| {
            // Whatever came of it: a reset could destroy what is on its way already.
            let _ = self.poll_push(Side::Writer, cx, self.is_closed_both_ways());
            self.discard_unread(cx);
            Poll::Ready(())
        })));
        let _ = goodbye.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    /// What dropping the writing half does where nobody reads any more: what is queued leaves, as far as that goes without
    /// waiting.
    pub(super) fn push_in_passing(&mut self) {
        let _under_way = UnderWay::begin();
        let mut goodbye = pin!(tokio::task::unconstrained(poll_fn(|cx| {
            // Nobody is left to hear of it.
            self.push_for_reader(cx);
            Poll::Ready(())
        })));
        let _ = goodbye.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    /// For a transport whose end takes time: what dropping the stream does, and whether its end after both Closes waits
    /// for the transport's.
    pub(crate) fn with_departure(mut self, depart: fn(&mut Self), lingers: bool) -> Self {
        self.depart = depart;
        self.lingers = lingers;
        self
    }

    /// The same as [`Self::depart`]; and where this end's Close is out, or about to be, the transport, which has yet to be
    /// given what is left of that, shut down, and read to its end.
    #[cfg(any(feature = "upgrade", feature = "connect", feature = "listener"))]
    pub(crate) fn depart_from_transport(&mut self) -> Option<Departed<S>> {
        if !self.is_at_rest() {
            return None;
        }
        self.depart();
        if !self.closing.has_sent() || self.sink == Sink::Failed {
            return None;
        }
        let unsent = self.output.as_slice().to_vec();
        let (peer_has_closed, limit) = (self.closing.has_received(), self.config.close_limit());
        Some(Departed { transport: self.io.take(), unsent, peer_has_closed, limit })
    }

    fn discard_unread(&mut self, cx: &mut Context<'_>) {
        let mut scratch = Buffer::take(MEDIUM);
        for _ in 0..MAX_DISCARDED {
            let mut buf = ReadBuf::new(&mut scratch);
            let polled = self.io.as_pin().poll_read(cx, &mut buf);
            if !matches!(polled, Poll::Ready(Ok(()))) || buf.filled().is_empty() {
                return;
            }
        }
    }
}

impl<S> Drop for WebSocketStream<S> {
    fn drop(&mut self) {
        if !self.io.is_taken() && !std::thread::panicking() {
            (self.depart)(self);
        }
    }
}
