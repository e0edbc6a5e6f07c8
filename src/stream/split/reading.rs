//! The half that reads.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::{Left, OwnedWriteHalf, ReuniteError, Shared};
use crate::stream::WebSocketStream;
use crate::stream::input::Input;
use crate::stream::wake::Side;
use crate::{CloseFrame, Role};

/// The half of a [`WebSocketStream`] that reads, made by [`into_split`](WebSocketStream::into_split).
///
/// [`AsyncRead`] and [`AsyncBufRead`] are those of the stream: what they return, how they end, their errors and their
/// cancel safety. Reading also answers Pings and the peer's Close, and pushes out what the writing half has left waiting.
///
/// # Dropping it
///
/// Nothing is sent, and the writing half goes on. From then on its calls (write, flush, shutdown, close) also read:
/// they answer Pings, notice the peer's Close, and throw the peer's data away, because nobody can get it any more. A
/// writing half that is not used answers nothing, and has no [`keep_alive`](crate::Config::keep_alive).
///
/// To keep the peer's data back instead, as TCP does when nobody reads, keep the half and do not read.
pub struct OwnedReadHalf<S> {
    shared: Arc<Shared<S>>,
    /// Payload that was read ahead. The stream has it only while this half polls it.
    input: Input,
}

impl<S> OwnedReadHalf<S> {
    pub(super) fn new(shared: Arc<Shared<S>>, input: Input) -> Self {
        OwnedReadHalf { shared, input }
    }

    pub(in crate::stream) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }

    pub(super) fn take_input(&mut self) -> Input {
        std::mem::take(&mut self.input)
    }

    /// Makes one stream of the two halves again, in whatever state it is. Nothing is sent, and nothing is lost.
    ///
    /// # Errors
    ///
    /// Both halves, where they are of two streams.
    ///
    /// # Examples
    ///
    /// ```
    /// use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
    ///
    /// let stream = || {
    ///     let (transport, _) = tokio::io::duplex(64);
    ///     WebSocketStream::from_transport(transport, Role::Client, [], Config::new(PayloadType::Binary))
    /// };
    /// let (reader, writer) = stream().into_split();
    /// let (_, other) = stream().into_split();
    ///
    /// let error = reader.reunite(other).unwrap_err();
    /// assert!(error.0.reunite(writer).is_ok());
    /// ```
    pub fn reunite(self, write: OwnedWriteHalf<S>) -> Result<WebSocketStream<S>, ReuniteError<S>> {
        super::reunite(self, write)
    }

    /// Whether the peer's Close has been read. Payload that came before it may still be waiting to be read.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// The peer's Close, once it has been read.
    pub fn peer_close(&self) -> Option<CloseFrame> {
        self.shared.peer_close()
    }

    /// Which end of the connection this is.
    pub fn role(&self) -> Role {
        self.shared.role()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> OwnedReadHalf<S> {
    /// Has the stream do something, with what was read ahead.
    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut WebSocketStream<S>, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        let shared = &*self.shared;
        let mut stream = shared.lock();
        shared.queue_what_is_left(&mut stream);
        // What the other half has read ahead, if it has, is behind this.
        let is_first = !self.input.is_empty();
        if is_first {
            std::mem::swap(&mut self.input, &mut stream.input);
        }
        let is_shared = shared.closes.load(Relaxed);
        let polled = if is_shared {
            shared.waiting.set(Side::Reader, cx.waker());
            poll(&mut stream, &mut Context::from_waker(&shared.waker()))
        } else {
            poll(&mut stream, cx)
        };
        if is_first {
            std::mem::swap(&mut self.input, &mut stream.input);
        } else {
            self.input = std::mem::take(&mut stream.input);
        }
        let is_over = polled.is_ready() && stream.connection.has_told_end();
        shared.must_push.store(stream.connection.must_transmit(), Relaxed);
        let has_moved =
            polled.is_ready() || !stream.connection.is_reading() || !stream.connection.is_writing();
        shared.unlock(stream, cx.waker());
        if is_shared && has_moved {
            shared.waiting.wake(Side::Writer);
        }
        if polled.is_pending() || is_over {
            self.leave(cx, is_over);
        }
        polled
    }

    /// No poll may follow: from now on the writing half, when it is dropped, wakes this one, or does by itself what is left.
    /// It may just have been dropped.
    fn leave(&self, cx: &mut Context<'_>, is_over: bool) {
        let shared = &*self.shared;
        if is_over {
            shared.has_ended.store(true, SeqCst);
            shared.do_what_is_left();
        } else {
            shared.waiting.set(Side::Reader, cx.waker());
            if shared.left.load(SeqCst) != Left::NOTHING {
                cx.waker().wake_by_ref();
            }
        }
    }

    /// Whether the stream must be asked.
    #[inline]
    fn must_poll(&self) -> bool {
        self.input.is_empty() || self.shared.must_push.load(Relaxed)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for OwnedReadHalf<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.must_poll() {
            return this.poll_stream(cx, |stream, cx| Pin::new(stream).poll_read(cx, buf));
        }
        this.input.read(buf);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for OwnedReadHalf<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.must_poll() {
            ready!(this.poll_stream(cx, WebSocketStream::poll_fill_more))?;
        }
        Poll::Ready(Ok(this.input.as_slice()))
    }

    fn consume(self: Pin<&mut Self>, amt: usize) {
        self.get_mut().input.consume(amt);
    }
}

impl<S> Drop for OwnedReadHalf<S> {
    fn drop(&mut self) {
        self.shared.reader_is_gone.store(true, SeqCst);
        // It may wait for what this half would have read.
        self.shared.waiting.wake(Side::Writer);
    }
}

impl<S> fmt::Debug for OwnedReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt("OwnedReadHalf", f)
    }
}
