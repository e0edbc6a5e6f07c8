//! The closing handshake (RFC 6455, section 7.1): what is queued when, and the whole of it in one call.

use std::future::{Future, poll_fn};
use std::io;
use std::num::NonZeroU16;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use super::push::Sink;
use super::read::{Input, MAX_TURNS};
use super::wake::Side;
use super::{End, WebSocketStream};
use crate::frame::close::ClosePayload;
use crate::frame::header::MAX_CONTROL_PAYLOAD;
use crate::protocol::Closing;
use crate::protocol::encoder::MAX_CONTROL_FRAME;
use crate::{CloseCode, CloseFrame, Error, OpCode};

impl<S> WebSocketStream<S> {
    /// Queues this end's Close, once.
    pub(super) fn queue_close(&mut self, payload: ClosePayload<'_>) {
        if self.closing.has_sent() {
            return;
        }
        // One that cannot leave has not been said.
        if !self.closing.has_received() && self.sink == Sink::Open {
            self.first_code = payload.code().and_then(NonZeroU16::new);
        }
        self.closing = self.closing.send();
        self.keep_alive.stop();
        if self.sink == Sink::Open {
            let mut body = [0; MAX_CONTROL_PAYLOAD];
            let n = payload.encode(&mut body);
            let mut frame = [0; MAX_CONTROL_FRAME];
            let n = self.encoder.control(OpCode::Close, &body[..n], &mut frame);
            self.output.push_control(&frame[..n]);
        }
    }

    /// Queues the Close that a broken rule makes this end send, with the rule as its reason.
    pub(super) fn queue_close_for(&mut self, error: &Error) {
        if let Some(code) = error.close_code() {
            self.queue_close(ClosePayload::cut(code, &error.to_string()));
        }
    }

    /// Answers the peer's Close.
    ///
    /// > When sending a Close frame in response, the endpoint typically echos the status code it received. (RFC 6455,
    /// > section 5.5.1)
    pub(super) fn queue_answer(&mut self) {
        let code = self.peer_close.as_ref().and_then(|frame| frame.code);
        self.queue_close(ClosePayload::bare(code));
    }

    /// The Close that a shutdown owes: the answer that half-close held back, or one of its own.
    pub(super) fn queue_last_close(&mut self) {
        if !self.tail.is_empty() {
            self.queue_close_for(&Error::WriteIncompleteUtf8);
        } else if self.closing == Closing::CloseReceived {
            self.queue_answer();
        } else {
            self.queue_close(ClosePayload::bare(Some(CloseCode::NORMAL)));
        }
    }

    /// Whether the answer to the peer's Close waits until this end has nothing more to say.
    pub(super) fn waits_to_answer(&self) -> bool {
        self.config.half_close && self.peer_reads_on()
    }

    /// Whether the peer's Close ends only its own direction.
    pub(super) fn peer_reads_on(&self) -> bool {
        matches!(self.peer_close, Some(CloseFrame { code: None | Some(CloseCode::NORMAL), .. }))
    }

    /// Both ends have said that they are done.
    pub(super) fn is_closed_both_ways(&self) -> bool {
        self.closing == Closing::Closed
    }
}

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
        let payload = ClosePayload::checked(code, reason)?;
        if self.tail.is_empty() {
            self.queue_close(payload);
        }
        self.queue_last_close();
        Ok(self.config.close_limit())
    }

    /// Throws away what was read ahead; what comes from now on is thrown away as it comes.
    pub(super) fn discard(&mut self) {
        self.input = Input::default();
        if matches!(self.end, End::Open) {
            self.end = End::Discarding;
        }
    }

    /// Reader and writer in one: pushes, reads, and shuts the transport when nothing more can come.
    pub(super) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        unread: Unread,
    ) -> Poll<io::Result<Option<CloseFrame>>> {
        self.push_for_close(cx);
        for turn in 0.. {
            if !self.end.is_open() {
                break;
            }
            if turn == MAX_TURNS {
                // A peer that never stops sending must not keep the time limit from being seen.
                self.wakers.yield_now(cx.waker());
                return Poll::Pending;
            }
            if self.poll_receive_for_close(cx, unread).is_pending() {
                if self.unreported.is_none() {
                    return Poll::Pending;
                }
                // The Close has not left, and so there is no answer to wait for.
                break;
            }
        }
        // What is left, and then the transport, also if that has failed.
        for shut in [false, true] {
            if let Err(error) = ready!(self.poll_push(Side::Writer, cx, shut)) {
                self.unreported.get_or_insert(error);
            }
        }
        if self.lingers && self.is_closed_both_ways() {
            ready!(self.poll_linger(cx));
        }
        if let Some(error) = self.unreported.take() {
            self.excuse(error)?;
        }
        if !std::mem::take(&mut self.tail).is_empty() {
            return Poll::Ready(Err(Error::WriteIncompleteUtf8.into()));
        }
        Poll::Ready(self.how_it_ended(unread))
    }

    /// A transport that takes nothing any more is shut down at once, so that the peer sees that this is the end.
    fn push_for_close(&mut self, cx: &mut Context<'_>) {
        for _ in 0..2 {
            if let Poll::Ready(Err(error)) = self.poll_push(Side::Writer, cx, self.sink == Sink::Failed) {
                self.unreported.get_or_insert(error);
            }
            if self.sink != Sink::Failed {
                return;
            }
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

    fn how_it_ended(&mut self, unread: Unread) -> io::Result<Option<CloseFrame>> {
        if self.closing.has_received() {
            return Ok(self.peer_close.clone());
        }
        let error = match unread {
            Unread::Discarded => self.end.take_error(),
            Unread::Kept => self.end.copy_error(),
        };
        match error {
            Some(error) if !is_end_of_transport(error.kind()) => Err(error),
            _ => Ok(None),
        }
    }

    /// Out of time: the stream has failed, and the transport is shut down as far as it goes at once.
    ///
    /// Unless only the transport's own end is missing, which is not waited for any longer.
    pub(super) fn give_up(&mut self, cx: &mut Context<'_>) -> io::Result<Option<CloseFrame>> {
        if self.is_closed_both_ways() && self.sink == Sink::Shut && self.unreported.is_none() {
            return Ok(self.peer_close.clone());
        }
        self.fail_sink();
        let error = Error::CloseTimedOut { all_sent: !self.data_lost && self.tail.is_empty() };
        if self.end.is_open() {
            self.fail_read_with(error.clone());
        }
        let _ = self.poll_push(Side::Writer, cx, true);
        Err(error.into())
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

/// Errors by which a transport says that the peer is gone.
fn is_end_of_transport(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}
