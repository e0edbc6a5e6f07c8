//! One transport for whatever a client opens.

use std::io;
use std::net::SocketAddr;

use super::MaybeTlsStream;
#[cfg(feature = "http2")]
use super::http2::{self, Http2Stream};
use crate::WebSocketStream;
use crate::handshake::ending;
use crate::handshake::pass_on::pass_on;

/// A stream that a [`Client`](crate::Client) has opened, in whichever way: a connection of its own, or a part of an
/// HTTP/2 connection.
///
/// The streams of [`Client::connect`](crate::Client::connect) and [`Http2::connect`](crate::Http2::connect) become one by
/// `into()`, so that a program that uses both needs one type. It does on the wire what they do, when it is dropped, too.
///
/// # Examples
///
/// ```no_run
/// use fastwebsockets_stream::{Client, ClientStream, Config, PayloadType};
///
/// # async fn doc(shared: bool) -> std::io::Result<()> {
/// let client = Client::new(Config::new(PayloadType::Binary));
/// let stream: ClientStream = if shared {
///     let http2 = client.http2("wss://gateway.example").await?;
///     http2.connect("wss://gateway.example/events").await?.0.into()
/// } else {
///     client.connect("wss://gateway.example/events").await?.0.into()
/// };
/// # let _ = stream;
/// # Ok(())
/// # }
/// ```
pub type ClientStream = WebSocketStream<ClientIo>;

/// The transport of a [`ClientStream`].
///
/// It passes everything on to the one inside, on which a program can match.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientIo {
    /// A connection of its own, which was upgraded: HTTP/1.1.
    Http1(MaybeTlsStream),
    /// One stream of an HTTP/2 connection.
    #[cfg(feature = "http2")]
    Http2(Http2Stream),
}

impl ClientIo {
    /// The other end of the socket: the server, or the proxy in between.
    ///
    /// # Errors
    ///
    /// As the one inside: [`MaybeTlsStream::peer_addr`], [`Http2Stream::peer_addr`](crate::Http2Stream::peer_addr).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            ClientIo::Http1(io) => io.peer_addr(),
            #[cfg(feature = "http2")]
            ClientIo::Http2(io) => io.peer_addr(),
        }
    }

    /// This end of the socket.
    ///
    /// # Errors
    ///
    /// As for [`peer_addr`](Self::peer_addr).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            ClientIo::Http1(io) => io.local_addr(),
            #[cfg(feature = "http2")]
            ClientIo::Http2(io) => io.local_addr(),
        }
    }
}

/// Whichever way it was opened.
impl ClientStream {
    /// The other end of the socket, see [`ClientIo::peer_addr`].
    ///
    /// # Errors
    ///
    /// The same.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }

    /// This end of the socket, see [`ClientIo::local_addr`].
    ///
    /// # Errors
    ///
    /// The same.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().local_addr()
    }
}

impl From<MaybeTlsStream> for ClientIo {
    fn from(io: MaybeTlsStream) -> Self {
        ClientIo::Http1(io)
    }
}

#[cfg(feature = "http2")]
impl From<Http2Stream> for ClientIo {
    fn from(io: Http2Stream) -> Self {
        ClientIo::Http2(io)
    }
}

/// In any state, and without loss.
impl From<WebSocketStream<MaybeTlsStream>> for ClientStream {
    fn from(stream: WebSocketStream<MaybeTlsStream>) -> Self {
        stream.with_transport_in(ClientIo::Http1, depart)
    }
}

/// In any state, and without loss.
#[cfg(feature = "http2")]
impl From<WebSocketStream<Http2Stream>> for ClientStream {
    fn from(stream: WebSocketStream<Http2Stream>) -> Self {
        stream.with_transport_in(ClientIo::Http2, depart)
    }
}

/// What dropping the WebSocket does: as it is for the transport inside.
fn depart(stream: &mut ClientStream) {
    match stream.get_ref() {
        ClientIo::Http1(_) => ending::linger(stream),
        #[cfg(feature = "http2")]
        ClientIo::Http2(_) => {
            if let Some(departed) = stream.depart_from_transport() {
                http2::leave(departed, |io| match io {
                    ClientIo::Http1(_) => None,
                    ClientIo::Http2(io) => Some(io),
                });
            }
        }
    }
}

pass_on!(ClientIo, io => [
    ClientIo::Http1(io),
    #[cfg(feature = "http2")]
    ClientIo::Http2(io),
]);
