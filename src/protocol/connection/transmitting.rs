//! What is to be done with the transport's write side, and what came of it.

use std::io;

use super::{Connection, Sink};
use crate::Error;

/// What the transport's write side is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what waits must leave"]
pub(crate) enum Transmit {
    /// Take what [waits](Connection::waiting).
    Send,
    /// Flush what it has taken: [`Connection::flushed`].
    Flush,
    /// Shut down: [`Connection::shut`].
    Shut,
    Nothing,
}

/// What is known of the bytes that a write has accepted, or this crate has queued, and the transport has taken: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken(u8);

impl Taken {
    /// Some of the application's frames are not flushed.
    const DATA: Self = Taken(1);
    /// Frames of this crate's own are not, with which nobody else will think of a flush.
    const CONTROL: Self = Taken(2);
    /// When the transport failed, some of the application's were waiting, here or for a flush.
    const LOST: Self = Taken(4);

    #[inline]
    pub(super) fn is_flushed(self) -> bool {
        self.0 & (Self::DATA.0 | Self::CONTROL.0) == 0
    }

    fn has_data(self) -> bool {
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

    #[inline]
    fn flush(&mut self) {
        self.0 &= Self::LOST.0;
    }
}

impl Connection {
    /// Bytes that the transport is to take: [`Self::took`], or [`Self::block`].
    #[inline]
    pub(crate) fn waiting(&self) -> Option<&[u8]> {
        // What failed has nothing that waits.
        (!self.output.is_empty()).then(|| self.output.waiting())
    }

    /// What is to be done; the shutdown only if `shut` says so.
    #[inline]
    pub(crate) fn transmit(&self, shut: bool) -> Transmit {
        if self.sink == Sink::Open {
            if !self.output.is_empty() {
                return Transmit::Send;
            }
            if !self.taken.is_flushed() {
                return Transmit::Flush;
            }
        }
        if shut && self.sink != Sink::Shut { Transmit::Shut } else { Transmit::Nothing }
    }

    /// Whether there is something to do: bytes that wait, a flush, or the transport's shutdown.
    #[inline]
    pub(crate) fn must_transmit(&self) -> bool {
        !self.output.is_empty()
            || !self.taken.is_flushed()
            //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
            //# After both sending and receiving a Close message, an endpoint considers the WebSocket connection
            //# closed and MUST close the underlying TCP connection.
            //= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.2
            //# Once an endpoint has both sent and received a Close control frame, that endpoint SHOULD _Close
            //# the WebSocket Connection_
            || (self.is_closed_both_ways() && self.sink != Sink::Shut)
    }

    /// Whether nothing waits to be sent.
    #[inline]
    pub(crate) fn has_sent_all(&self) -> bool {
        self.output.is_empty()
    }

    /// All that waits.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.output.as_slice()
    }

    #[inline]
    pub(crate) fn has_flushed_all(&self) -> bool {
        self.taken.is_flushed()
    }

    /// Whether the transport has refused what waits.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.output.is_blocked()
    }

    /// The transport takes no more for now; says whether that is news.
    pub(crate) fn block(&mut self) -> bool {
        let is_news = !self.output.is_blocked();
        self.output.block();
        is_news
    }

    /// What a write to the transport has returned, which was offered so many of the bytes that waited.
    #[inline(always)]
    pub(crate) fn took(&mut self, result: io::Result<usize>, offered: usize) -> io::Result<()> {
        let mut kind = Taken::CONTROL;
        if self.output.holds_data() {
            kind.add(Taken::DATA);
        }
        let n = self.count(result, offered, kind)?;
        self.output.advance(n);
        if self.output.is_empty() {
            self.clock.sent_all();
        }
        Ok(())
    }

    /// The same for bytes of a data frame, with nothing before them; returns how many it was.
    #[inline]
    pub(crate) fn took_frame(&mut self, result: io::Result<usize>, offered: usize) -> io::Result<usize> {
        self.count(result, offered, Taken::DATA)
    }

    #[inline(always)]
    fn count(&mut self, result: io::Result<usize>, offered: usize, kind: Taken) -> io::Result<usize> {
        match result {
            Ok(0) if offered > 0 => {
                self.fail_writing();
                Err(Error::TransportFull.into())
            }
            // A transport that claims more than it was given is not believed.
            Ok(n) => {
                self.push_ends();
                self.taken.add(kind);
                Ok(n.min(offered))
            }
            Err(error) => {
                self.fail_writing();
                Err(error)
            }
        }
    }

    /// What a flush of the transport has returned.
    #[inline]
    pub(crate) fn flushed(&mut self, result: io::Result<()>) -> io::Result<()> {
        match result {
            Ok(()) => {
                self.push_ends();
                self.taken.flush();
            }
            Err(_) => self.fail_writing(),
        }
        result
    }

    /// What the transport's shutdown has returned; `tried` if that was a read's doing, which is no reason to report an error.
    pub(crate) fn shut(&mut self, result: io::Result<()>, tried: bool) -> io::Result<()> {
        let over = self.is_closed_both_ways() || self.end.is_failed() || self.sink != Sink::Open;
        let result = result.or_else(|error| if over { forgive(error) } else { Err(error) });
        // What a read has met is met again, and reported, by the shutdown.
        if result.is_ok() || !tried {
            self.sink = Sink::Shut;
        }
        result
    }

    /// Whether bytes that a write had accepted are lost, or may be.
    pub(super) fn has_lost_data(&self) -> bool {
        self.taken.0 & Taken::LOST.0 != 0
    }

    /// The transport accepts nothing any more.
    pub(crate) fn fail_writing(&mut self) {
        self.sink = Sink::Failed;
        // What the transport has taken may be lost with it.
        if self.output.holds_data() || self.taken.has_data() {
            self.taken.add(Taken::LOST);
        }
        self.output.clear();
        self.taken.flush();
        // A Ping in there never will.
        self.clock.sent_all();
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
