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
use super::wake::Side;
use crate::buffer::{Buffer, MEDIUM};

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

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// What dropping a stream does: answers the peer's Close where that is an orderly end; and after that, or after a
    /// shutdown, discards what lies unread, because a socket that is closed with bytes unread is reset, which can destroy
    /// what is on its way to the peer.
    ///
    /// As far as it goes without waiting.
    pub(super) fn depart(&mut self) {
        if !self.connection.is_at_rest() || !self.connection.depart() {
            return;
        }
        let _under_way = UnderWay::begin();
        // Nobody is left to be woken. Without tokio's budget: a task that has used it up would end in another way.
        let mut goodbye = pin!(tokio::task::unconstrained(poll_fn(|cx| {
            // Whatever came of it: a reset could destroy what is on its way already.
            let _ = self.poll_push(Side::Writer, cx, self.connection.is_closed_both_ways());
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
        if !self.connection.is_at_rest() {
            return None;
        }
        self.depart();
        if !self.connection.has_sent_close() || self.connection.has_failed_writing() {
            return None;
        }
        let unsent = self.connection.unsent().to_vec();
        let (peer_has_closed, limit) = (self.connection.is_closed(), self.connection.config().close_limit());
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

    use super::*;
    use crate::{Config, PayloadType, Role};

    type Stream = WebSocketStream<DuplexStream>;

    fn read(stream: &mut Stream) -> Poll<usize> {
        let mut bytes = [0; 8];
        let mut buf = ReadBuf::new(&mut bytes);
        let polled = std::pin::Pin::new(stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut buf);
        polled.map(|result| result.map(|()| buf.filled().len()).expect("it is an orderly end"))
    }

    /// A stream whose end waits for that of its transport, and has both Closes; and the transport's other end.
    fn closed() -> (Stream, DuplexStream) {
        let (near, far) = duplex(64);
        let close = [0x88, 0x02, 0x03, 0xe8];
        let stream = Stream::from_transport(near, Role::Client, close, Config::new(PayloadType::Binary));
        let mut stream = stream.with_departure(Stream::depart, true);
        assert_eq!(read(&mut stream), Poll::Ready(0));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(matches!(std::pin::Pin::new(&mut stream).poll_shutdown(cx), Poll::Ready(Ok(()))));
        (stream, far)
    }

    #[test]
    fn end_does_not_wait_for_the_transport_outside_of_a_runtime() {
        let (mut stream, _far) = closed();
        assert_eq!(read(&mut stream), Poll::Ready(0));
    }

    #[tokio::test(start_paused = true)]
    async fn end_waits_for_the_transport_two_seconds_at_most() {
        let (mut stream, far) = closed();
        assert_eq!(read(&mut stream), Poll::Pending);
        drop(far);
        assert_eq!(read(&mut stream), Poll::Ready(0));

        let (mut stream, _far) = closed();
        assert_eq!(read(&mut stream), Poll::Pending);
        tokio::time::advance(Duration::from_millis(1990)).await;
        assert_eq!(read(&mut stream), Poll::Pending);
        tokio::time::advance(Duration::from_millis(20)).await;
        assert_eq!(read(&mut stream), Poll::Ready(0));
        assert_eq!(read(&mut stream), Poll::Ready(0));
    }
}
