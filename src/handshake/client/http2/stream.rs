//! The transport of a WebSocket over HTTP/2.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

use super::exclusive::Exclusive;
use super::link::Addresses;
use crate::handshake::ending;
use crate::stream::Departed;
use crate::{Config, Role, WebSocketStream};

/// How long a read waits for the server's end once this end has ended. A server that keeps to RFC 6455, section 7.1.1, ends
/// first; this is for those that do not.
const FOR_THE_END: Duration = Duration::from_secs(2);

/// One stream of an HTTP/2 connection, as the transport of a [`WebSocketStream`]. [`Http2::connect`](super::Http2::connect)
/// makes it.
///
/// Once it has been shut down, which a `WebSocketStream` does after both Closes, a read waits for the server's END_STREAM
/// for 2 s at most, and is then at its end.
///
/// Dropping it resets the stream, unless both ends have ended it before. A `WebSocketStream` whose Close has been sent
/// hands it over to the connection instead, see [`Http2::wait_idle`](super::Http2::wait_idle).
pub struct Http2Stream {
    io: Exclusive<TokioIo<Upgraded>>,
    is_write_vectored: bool,
    addresses: Option<Addresses>,
    connection: Connection,
    /// Until both ends have ended.
    counted: Option<Counted>,
    /// How long to wait for the server's end; this end has ended.
    limit: Option<Pin<Box<Sleep>>>,
    /// Met by a flush, for the next write or shutdown.
    failed: Option<io::Error>,
}

/// What a stream knows of its connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// What drives the connection.
    pub(super) runtime: Handle,
    /// How many streams there are.
    pub(super) streams: watch::Sender<usize>,
}

impl Connection {
    /// On the runtime that this is called in.
    pub(super) fn new() -> Self {
        Connection { runtime: Handle::current(), streams: watch::Sender::new(0) }
    }

    /// Counts one stream more.
    pub(super) fn count(&self) -> Counted {
        self.streams.send_modify(|streams| *streams += 1);
        Counted(self.streams.clone())
    }
}

/// One of the connection's streams.
pub(super) struct Counted(watch::Sender<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|streams| *streams -= 1);
    }
}

impl Http2Stream {
    /// The WebSocket over a stream of HTTP/2 that the server has accepted.
    pub(super) fn open(
        io: Upgraded,
        addresses: Option<Addresses>,
        connection: Connection,
        counted: Counted,
        config: Config,
    ) -> WebSocketStream<Self> {
        let io = TokioIo::new(io);
        let transport = Http2Stream {
            is_write_vectored: io.is_write_vectored(),
            io: Exclusive::new(io),
            addresses,
            connection,
            counted: Some(counted),
            limit: None,
            failed: None,
        };
        WebSocketStream::from_transport(transport, Role::Client, [], config).with_departure(depart, true)
    }
}

impl Http2Stream {
    /// The other end of the connection's socket: the server, or the proxy in between.
    ///
    /// # Errors
    ///
    /// `Unsupported` over a transport of the caller's ([`Client::http2_over`](crate::Client::http2_over)), and where the
    /// connection had been reset when it was made.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.addresses().map(|addresses| addresses.peer)
    }

    /// This end of the connection's socket.
    ///
    /// # Errors
    ///
    /// As for [`peer_addr`](Self::peer_addr).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.addresses().map(|addresses| addresses.local)
    }

    fn addresses(&self) -> io::Result<Addresses> {
        let unknown = "the addresses of this HTTP/2 connection are not known";
        self.addresses.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, unknown))
    }

    fn take_error(&mut self) -> io::Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

/// What dropping the WebSocket does.
fn depart(stream: &mut WebSocketStream<Http2Stream>) {
    if let Some(departed) = stream.depart_from_transport() {
        leave(departed, Some);
    }
}

/// Hands what is left of a WebSocket over to the connection, if this is what it was on.
pub(in crate::handshake::client) fn leave<S>(
    departed: Departed<S>,
    inside: impl FnOnce(S) -> Option<Http2Stream>,
) {
    let Departed { transport, unsent, peer_has_closed, limit } = departed;
    let Some(Http2Stream { io, connection, counted, .. }) = inside(transport) else { return };
    let departed = Departed { transport: io.into_inner(), unsent, peer_has_closed, limit };
    ending::hand_over(departed, counted, &connection.runtime);
}

/// A stream of an HTTP/2 connection.
impl WebSocketStream<Http2Stream> {
    /// The other end of the connection's socket, see [`Http2Stream::peer_addr`].
    ///
    /// # Errors
    ///
    /// The same.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }

    /// This end of the connection's socket, see [`Http2Stream::local_addr`].
    ///
    /// # Errors
    ///
    /// The same.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().local_addr()
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        let polled = self.io.pinned().poll_read(cx, buf);
        let Some(limit) = &mut self.limit else { return polled };
        let polled = if polled.is_pending() { limit.as_mut().poll(cx).map(Ok) } else { polled };
        // The server's end, a reset, or no more waiting for them.
        if polled.is_ready() && buf.remaining() == room && room > 0 {
            self.counted = None;
        }
        polled
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.take_error()?;
        self.io.pinned().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.take_error()?;
        self.io.pinned().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.is_write_vectored
    }

    /// hyper's flush fails where the stream has been reset, whether or not something had been left to flush. A server, or a
    /// proxy before it, may well reset a stream that it has read to the end (RFC 9113, section 8.1). So that is for the next
    /// write to tell, as it is with a socket.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Err(error) = ready!(self.io.pinned().poll_flush(cx)) {
            self.failed = Some(error);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.limit.is_none() {
            // Whoever polls this may have no runtime, or one without a timer.
            let limit = {
                let _context = self.connection.runtime.enter();
                Box::pin(sleep(FOR_THE_END))
            };
            self.limit = Some(limit);
        }
        self.take_error()?;
        self.io.pinned().poll_shutdown(cx)
    }
}

impl fmt::Debug for Http2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream").field("is_shut_down", &self.limit.is_some()).finish_non_exhaustive()
    }
}
