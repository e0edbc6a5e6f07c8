//! The half that writes.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Left, OwnedReadHalf, ReuniteError, Shared};
use crate::stream::WebSocketStream;
use crate::stream::close::{Unread, within};
use crate::stream::wake::Side;
use crate::{CloseCode, CloseFrame, Role};

/// The half of a [`WebSocketStream`] that writes, made by [`into_split`](WebSocketStream::into_split).
///
/// [`AsyncWrite`] is that of the stream: one frame for each write, its errors and its cancel safety. What the transport does
/// not take at once is also pushed out by the reading half, while that reads.
///
/// # Dropping it
///
/// Dropping this half ends its direction, as for tokio's
/// [`OwnedWriteHalf`](https://docs.rs/tokio/latest/tokio/net/tcp/struct.OwnedWriteHalf.html): what is kept, then a Close
/// with code 1000 (the answer, where the peer has closed; 1007 inside a code point of a Text stream). The reading half sends
/// it: at once if it waits in a read, else with its next one. Where a read has returned the end already, dropping this half
/// sends it, as far as that goes without waiting. During a panic the code is 1011, and only a read sends it: where none follows,
/// nothing is sent, and the peer sees a truncation.
///
/// Where the reading half was dropped before it had seen the end, both are gone now, and nothing is sent.
///
/// A drop cannot report an error or wait: to know that all has left, shut down first. Since the peer takes the end of a task
/// that was aborted for an orderly one, say the length, or end with a mark of your own, where that matters.
/// [`forget`](Self::forget) drops the half without ending its direction.
pub struct OwnedWriteHalf<S> {
    shared: Arc<Shared<S>>,
    is_forgotten: bool,
}

impl<S> OwnedWriteHalf<S> {
    pub(super) fn new(shared: Arc<Shared<S>>) -> Self {
        OwnedWriteHalf { shared, is_forgotten: false }
    }

    pub(in crate::stream) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }

    /// Drops the half without ending its direction: no Close is sent for it. The reading half goes on to answer Pings, and
    /// pushes out what is kept; where a read has returned the end already, that leaves now, as far as it goes without waiting.
    pub fn forget(self) {
        let shared = &*self.shared;
        if shared.must_push.load(Relaxed) {
            shared.left.store(Left::KEPT, SeqCst);
            shared.do_what_is_left();
            // It may wait, and nothing else would make it push.
            shared.waiting.wake(Side::Reader);
        }
        self.leave_quietly();
    }

    pub(super) fn leave_quietly(mut self) {
        self.is_forgotten = true;
    }

    /// Makes one stream of the two halves again, see [`OwnedReadHalf::reunite`].
    ///
    /// # Errors
    ///
    /// Both halves, where they are of two streams.
    pub fn reunite(self, read: OwnedReadHalf<S>) -> Result<WebSocketStream<S>, ReuniteError<S>> {
        super::reunite(read, self)
    }

    /// Whether the peer's Close has been read, see [`OwnedReadHalf::is_closed`].
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

impl<S: AsyncRead + AsyncWrite + Unpin> OwnedWriteHalf<S> {
    /// Performs the closing handshake (RFC 6455, section 7.1.2) and returns the peer's Close, as
    /// [`WebSocketStream::close`] does, with one difference: what the peer still sends is not discarded, but is for the
    /// reading half.
    ///
    /// So let the reading half read on, up to the end, in its task. If it does not, this call reads ahead for it, 16 KiB at
    /// the most, which is enough for a peer that has little left to say: then the Close is found, and the data waits for
    /// the reading half. Once that has been dropped, data is discarded.
    ///
    /// # Errors
    ///
    /// Those of [`WebSocketStream::close`]. `TimedOut` also if the reading half has kept the peer's Close from being seen. An error
    /// of the transport is the reading half's, with its source; this call has its kind and its text.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is safe, and calling again goes on, with a new time limit.
    ///
    /// # Panics
    ///
    /// On a runtime without a timer, unless the limit is [`Duration::MAX`](std::time::Duration::MAX).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let (near, far) = tokio::io::duplex(1024);
    /// let config = Config::new(PayloadType::Binary);
    /// let near = WebSocketStream::from_transport(near, Role::Client, [], config.clone());
    /// let mut far = WebSocketStream::from_transport(far, Role::Server, [], config);
    /// far.write_all(b"last words").await?;
    /// tokio::spawn(async move { far.close(1000, "so long").await });
    ///
    /// let (mut reader, mut writer) = near.into_split();
    /// let reading = tokio::spawn(async move {
    ///     let mut words = String::new();
    ///     reader.read_to_string(&mut words).await.map(|_| words)
    /// });
    /// let close = writer.close(1000, "bye").await?;
    /// assert_eq!(close.unwrap().reason, "so long");
    /// assert_eq!(reading.await??, "last words");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> io::Result<Option<CloseFrame>> {
        let limit = {
            let mut stream = self.shared.lock();
            let limit = stream.start_close(code.into(), reason)?;
            self.shared.closes.store(true, Relaxed);
            // The transport has its waker, and will have one of both.
            stream.wakers.wake_reader();
            self.shared.must_push.store(true, Relaxed);
            self.shared.unlock(stream, Waker::noop());
            limit
        };
        match within(limit, poll_fn(|cx| self.poll_close(cx))).await {
            Some(result) => result,
            None => poll_fn(|cx| Poll::Ready(self.give_up(cx))).await,
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<CloseFrame>>> {
        let shared = &*self.shared;
        let mut stream = shared.lock();
        shared.waiting.set(Side::Writer, cx.waker());
        let unread = if shared.reader_is_gone.load(SeqCst) {
            stream.discard();
            Unread::Discarded
        } else {
            Unread::Kept
        };
        let before = (stream.input.len(), stream.connection.is_reading());
        // Also where it waits for its own output: then the reading half is woken now and then for nothing.
        let polled = stream.poll_close(&mut Context::from_waker(&shared.waker()), unread);
        let has_moved = before != (stream.input.len(), stream.connection.is_reading());
        shared.unlock(stream, cx.waker());
        if has_moved {
            shared.waiting.wake(Side::Reader);
        }
        polled
    }

    fn give_up(&mut self, cx: &mut Context<'_>) -> io::Result<Option<CloseFrame>> {
        let mut stream = self.shared.lock();
        let result = stream.give_up(cx);
        self.shared.unlock(stream, cx.waker());
        self.shared.waiting.wake(Side::Reader);
        result
    }

    /// Has the stream do something; and reads, where nobody else does.
    #[inline]
    fn poll_stream<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut WebSocketStream<S>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let shared = &*self.shared;
        let mut stream = shared.lock();
        let is_alone = shared.reader_is_gone.load(Relaxed);
        if is_alone {
            stream.read_for_nobody(cx);
        }
        let polled = poll(Pin::new(&mut *stream), cx);
        shared.must_push.store(true, Relaxed);
        shared.unlock(stream, cx.waker());
        if polled.is_pending() {
            self.wait(cx, is_alone);
        }
        polled
    }

    /// The transport has this task's waker; and the reading half, when it is dropped, wakes it. That may just have been.
    #[cold]
    fn wait(&self, cx: &mut Context<'_>, was_alone: bool) {
        self.shared.waiting.set(Side::Writer, cx.waker());
        if self.shared.reader_is_gone.load(SeqCst) != was_alone {
            cx.waker().wake_by_ref();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Answers Pings, notices the end, and throws away what comes.
    #[cold]
    #[inline(never)]
    fn read_for_nobody(&mut self, cx: &mut Context<'_>) {
        self.discard();
        if self.connection.is_reading() {
            // `Pending`: the transport's read side has the writer's waker, which also counts where the writer waits.
            let _ = self.poll_discard_unasked(cx);
        }
        self.push_for_reader(cx);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for OwnedWriteHalf<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_stream(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_stream(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_stream(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_stream(cx, |stream, cx| stream.poll_shutdown(cx))
    }
}

impl<S> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if self.is_forgotten {
            return;
        }
        let shared = &*self.shared;
        let panics = std::thread::panicking();
        shared.left.store(if panics { Left::PANIC } else { Left::CLOSE }, SeqCst);
        shared.must_push.store(true, Relaxed);
        shared.do_what_is_left();
        shared.waiting.wake(Side::Reader);
    }
}

impl<S> fmt::Debug for OwnedWriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt("OwnedWriteHalf", f)
    }
}
