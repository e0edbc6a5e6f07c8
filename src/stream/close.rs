//! The closing handshake (RFC 6455, section 7.1) in one call.

use std::future::{Future, poll_fn};
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocketStream;
use super::input::Input;
use super::wake::Side;
use crate::{CloseCode, CloseFrame};

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Performs the closing handshake (RFC 6455, section 7.1.2) and returns the peer's Close.
    ///
    /// On the wire: what is kept, then a Close with `code` and `reason`, all of it flushed. Everything that has not been
    /// read yet is discarded, and so is what the peer still sends, until its Close comes, or until the transport ends
    /// (`None`). Then the transport is shut down. If this end has sent its Close before, by a shutdown or in answer to the
    /// peer's, none is sent: the rest is the same. If the peer's Close has come and waits for its answer
    /// ([`Config::half_close`](crate::Config::half_close)), this is the answer.
    ///
    /// 1000 and 1001 are a clean end for a peer of this crate; with any other code its reads fail.
    ///
    /// To keep what the peer still sends, shut down instead, and read to the end. A stream in two halves is closed by
    /// [`OwnedWriteHalf::close`](crate::OwnedWriteHalf::close); after [`tokio::io::split`], put the halves together again
    /// first (`unsplit`).
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: `code` may not be sent, or `reason` is longer than 123 bytes. Nothing was sent.
    /// - `TimedOut`: it took longer than [`Config::close_timeout`](crate::Config::close_timeout). The transport has
    ///   been shut down. The error says whether all that was written had left.
    /// - `InvalidData`: the peer broke the protocol, or a Text stream was closed inside a code point.
    /// - What the transport failed with, if it lost bytes that had been written, or this Close. Then the peer is not waited
    ///   for. (One that a write has reported before is no reason: what has arrived, and the peer's Close, may still be there.)
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is safe, and calling again goes on, with a new time limit. Once it has been polled the stream
    /// delivers no more data: reads discard what comes, too, and return 0 bytes when the peer's Close has come.
    ///
    /// # Panics
    ///
    /// On a runtime without a timer, unless the limit is [`Duration::MAX`], or there is [no clock](crate#where-it-runs).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use fastwebsockets_stream::{CloseCode, Config, PayloadType, Role, WebSocketStream};
    ///
    /// let (a, b) = tokio::io::duplex(1024);
    /// let mut a = WebSocketStream::from_transport(a, Role::Client, [], Config::new(PayloadType::Binary));
    /// let mut b = WebSocketStream::from_transport(b, Role::Server, [], Config::new(PayloadType::Binary));
    ///
    /// let (close, other) = tokio::join!(a.close(CloseCode::AWAY, "bye"), b.close(CloseCode::NORMAL, ""));
    /// assert_eq!(close?.unwrap().code, Some(CloseCode::NORMAL));
    /// assert_eq!(other?.unwrap().reason, "bye");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> io::Result<Option<CloseFrame>> {
        let limit = self.start_close(code.into(), reason)?;
        self.discard();
        match within(limit, poll_fn(|cx| self.poll_close(cx, Unread::Discarded))).await {
            Some(result) => result,
            None => poll_fn(|cx| Poll::Ready(self.give_up(cx))).await,
        }
    }

    /// Queues the Close, and says how long the whole of it may take.
    pub(super) fn start_close(&mut self, code: CloseCode, reason: &str) -> io::Result<Duration> {
        self.connection.close(code, reason)?;
        Ok(self.connection.config().close_limit())
    }

    /// Throws away what was read ahead; what comes from now on is thrown away as it comes.
    pub(super) fn discard(&mut self) {
        self.input = Input::default();
        self.connection.discard();
    }

    /// Reader and writer in one: pushes, reads, and shuts the transport when nothing more can come.
    pub(super) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        unread: Unread,
    ) -> Poll<io::Result<Option<CloseFrame>>> {
        self.push_for_close(cx);
        // Ends: a turn ends the reading or waits, or has kept a byte, for which there is room in the read-ahead.
        while self.connection.is_reading() {
            if self.poll_receive_for_close(cx, unread).is_pending() {
                if !self.connection.owes_error() {
                    return Poll::Pending;
                }
                // The Close has not left, and so there is no answer to wait for.
                break;
            }
        }
        // What is left, and then the transport, also if that has failed.
        for shut in [false, true] {
            if let Err(error) = ready!(self.poll_push(Side::Writer, cx, shut)) {
                self.connection.owe(error);
            }
        }
        if self.lingers && self.connection.is_closed_both_ways() {
            ready!(self.poll_linger(cx));
        }
        self.connection.tell_owed()?;
        self.connection.end_text()?;
        Poll::Ready(self.connection.how_it_ended(unread == Unread::Discarded))
    }

    /// A transport that takes nothing any more is shut down, so that the peer sees that this is the end.
    fn push_for_close(&mut self, cx: &mut Context<'_>) {
        let shut = self.connection.has_failed_writing();
        if let Poll::Ready(Err(error)) = self.poll_push(Side::Writer, cx, shut) {
            self.connection.owe(error);
        }
    }

    /// Reads once.
    fn poll_receive_for_close(&mut self, cx: &mut Context<'_>, unread: Unread) -> Poll<()> {
        let polled = match unread {
            Unread::Discarded => self.poll_discard_unasked(cx),
            Unread::Kept => self.poll_fill_unasked(cx),
        };
        // Answers to Pings, or to the Close.
        self.push_for_close(cx);
        polled
    }

    /// Out of time: the transport is shut down as far as it goes at once.
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>) -> io::Result<Option<CloseFrame>> {
        let result = self.connection.give_up_closing();
        if result.is_err() {
            self.wakers.wake_writer();
            let _ = self.poll_push(Side::Writer, cx, true);
        }
        result
    }
}

/// What becomes of the payload that comes while a stream is being closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    Discarded,
    /// For a reader of its own: as much of it as is read ahead.
    Kept,
}

/// What a future gives within the limit; [`Duration::MAX`] is none.
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    if limit == Duration::MAX { Some(future.await) } else { tokio::time::timeout(limit, future).await.ok() }
}
