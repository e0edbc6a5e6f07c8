//! A transport that never serves a call at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Each kind of call is `Pending` once before it is served, and wakes at once.
///
/// Unlike [`State::hesitant`](super::transport::State::hesitant), each kind on its own, and only once until it has
/// succeeded: so a task that reads and pushes output in turn comes to rest.
pub struct Hesitant<S> {
    inner: S,
    pub on: bool,
    waited: [bool; 4],
}

impl<S: Unpin> Hesitant<S> {
    pub fn new(inner: S, on: bool) -> Self {
        Hesitant { inner, on, waited: [false; 4] }
    }

    fn call<T>(
        &mut self,
        kind: usize,
        cx: &mut Context<'_>,
        serve: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if self.on && !self.waited[kind] {
            self.waited[kind] = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let served = serve(Pin::new(&mut self.inner), cx);
        self.waited[kind] = served.is_pending();
        served
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Hesitant<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().call(0, cx, |inner, cx| inner.poll_read(cx, buf))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Hesitant<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().call(1, cx, |inner, cx| inner.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().call(1, cx, |inner, cx| inner.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().call(2, cx, |inner, cx| inner.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().call(3, cx, |inner, cx| inner.poll_shutdown(cx))
    }
}
