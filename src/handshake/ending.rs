//! The end of a transport whose WebSocket has been dropped.
//!
//! hyper resets a stream of HTTP/2 that is dropped before both ends have ended it, and a reset overtakes what is on the way:
//! HTTP/2 implementations, proxies above all, throw it away. So END_STREAM goes first, both ways.
//!
//! A socket that is closed while something lies unread, or still comes, is reset too, and what it has not yet sent is lost.
//! With TCP alone a peer's end is a FIN, which does no harm; here it is a Close, which is bytes. So that is read first. A
//! Close of this end's that a full socket did not take leaves the same way.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::WebSocketStream;
#[cfg(all(feature = "http2", any(feature = "upgrade", feature = "connect")))]
use crate::stream::Departed;

/// How much is discarded in one read.
const ROOM: usize = 4 * 1024;

/// So much of what still comes is discarded. A peer that goes on sending is reset, as it is by TCP.
const MAX_DISCARDED: usize = 256 * 1024;

/// After so many reads other tasks get their turn.
const MAX_TURNS: usize = 32;

/// Ends the transport of a stream of HTTP/2 whose WebSocket was dropped, in a task of this runtime unless it has ended
/// already; for the limit at most. `kept` is dropped with it.
#[cfg(all(feature = "http2", any(feature = "upgrade", feature = "connect")))]
pub(super) fn hand_over<S, T>(departed: Departed<S>, kept: T, runtime: &Handle)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: Send + 'static,
{
    finish(Ending::new(departed.transport, departed.unsent), departed.limit, kept, runtime);
}

/// What dropping a stream over a socket does: the same, unless there is nothing left to wait for, no runtime, or no limit.
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.1.1
//# An endpoint SHOULD use a method that cleanly closes the TCP connection, as well as the TLS session, if
//# applicable, discarding any trailing bytes that may have been received.
pub(super) fn linger<S>(stream: &mut WebSocketStream<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Some(departed) = stream.depart_from_transport()
        && departed.limit != Duration::MAX // Nobody is left who could give it up.
        && let Ok(runtime) = Handle::try_current()
    {
        let mut ending = Ending::new(departed.transport, departed.unsent);
        ending.is_at_end = departed.peer_has_closed;
        finish(ending, departed.limit, (), &runtime);
    }
}

fn finish<S, T>(mut ending: Ending<S>, limit: Duration, kept: T, runtime: &Handle)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: Send + 'static,
{
    if Pin::new(&mut ending).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        runtime.spawn(async move {
            if limit == Duration::MAX {
                ending.await;
            } else {
                let _ = timeout(limit, ending).await;
            }
            drop(kept);
        });
    }
}

/// Sends what is left and ends the sending (END_STREAM, FIN); meanwhile discards what comes until the peer ends, too.
///
/// Both at once: a peer that is not read may not read either.
struct Ending<S> {
    transport: S,
    unsent: Vec<u8>,
    is_shut: bool,
    is_at_end: bool,
    /// How much is discarded yet.
    left: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Ending<S> {
    fn new(transport: S, unsent: Vec<u8>) -> Self {
        Ending { transport, unsent, is_shut: false, is_at_end: false, left: MAX_DISCARDED }
    }

    fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Ends: each turn takes at least a byte.
        while !self.unsent.is_empty() {
            let n = ready!(Pin::new(&mut self.transport).poll_write(cx, &self.unsent))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..n);
        }
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut room = [0; ROOM];
        for _ in 0..MAX_TURNS {
            let mut buf = ReadBuf::new(&mut room);
            let result = ready!(Pin::new(&mut self.transport).poll_read(cx, &mut buf));
            let n = buf.filled().len();
            if result.is_err() || n == 0 {
                return Poll::Ready(());
            }
            if n > self.left {
                self.is_shut = true;
                return Poll::Ready(());
            }
            self.left -= n;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Ending<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // A stream that can be written no more is one that has been reset, which the reading shows, too.
        this.is_shut = this.is_shut || this.poll_shut(cx).is_ready();
        this.is_at_end = this.is_at_end || this.poll_end(cx).is_ready();
        if this.is_shut && this.is_at_end { Poll::Ready(()) } else { Poll::Pending }
    }
}
