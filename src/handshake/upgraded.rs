//! What hyper makes of a connection that it has upgraded, as a transport.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::WebSocketStream;

/// The stream that [`upgrade`](crate::upgrade) and the axum extractor give: a WebSocket over a connection of hyper's.
///
/// [`downcast`](WebSocketStream::downcast) turns it into a stream over the transport that hyper was given.
pub type UpgradedStream = WebSocketStream<UpgradedIo>;

/// A connection that hyper has upgraded, as the transport of an [`UpgradedStream`].
///
/// Over HTTP/1.1 it is the whole connection, over HTTP/2 one stream of it. It passes everything on to
/// [`Upgraded`], hyper's own type, which it can be made of and turned into.
///
/// # Examples
///
/// A WebSocket whose handshake the service has answered by itself:
///
/// ```no_run
/// use fastwebsockets_stream::{Config, PayloadType, Role, UpgradedIo, UpgradedStream, WebSocketStream};
///
/// # async fn doc(mut request: hyper::Request<()>) -> hyper::Result<()> {
/// let io = UpgradedIo::from(hyper::upgrade::on(&mut request).await?);
/// let config = Config::new(PayloadType::Binary);
/// let stream: UpgradedStream = WebSocketStream::from_transport(io, Role::Server, [], config);
/// # let _ = stream;
/// # Ok(())
/// # }
/// ```
pub struct UpgradedIo(TokioIo<Upgraded>);

impl UpgradedIo {
    /// hyper's own type.
    pub fn into_inner(self) -> Upgraded {
        self.0.into_inner()
    }
}

impl From<Upgraded> for UpgradedIo {
    fn from(upgraded: Upgraded) -> Self {
        UpgradedIo(TokioIo::new(upgraded))
    }
}

impl AsyncRead for UpgradedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for UpgradedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for UpgradedIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradedIo").finish_non_exhaustive()
    }
}
