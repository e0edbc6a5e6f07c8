//! The transport of a connection that this crate has opened or accepted itself.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::pass_on::pass_on;

/// What rustls is told to take at a time. Its own limit of 64 KiB cuts every frame of that length in two: its header does not
/// fit, and what is left costs a record and a system call.
#[cfg(feature = "tls")]
pub(super) const TLS_BUFFER: Option<usize> = Some(crate::buffer::LARGE);

/// A TCP connection, with or without TLS around it.
///
/// It is what [`connect`](crate::connect) and [`Listener`](crate::Listener) put under a stream; a program that needs
/// one of the two (for a certificate, for a socket option) can match on it.
//= https://www.rfc-editor.org/rfc/rfc6455#section-10.6
//# WebSocket implementations MUST support TLS
#[derive(Debug)]
#[non_exhaustive]
pub enum MaybeTlsStream {
    /// `ws://`
    Tcp(TcpStream),
    /// `wss://`; where a proxy is itself reached by TLS, there is one inside the other.
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::TlsStream<MaybeTlsStream>>),
}

impl MaybeTlsStream {
    /// The socket at the bottom of it.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            MaybeTlsStream::Tcp(tcp) => tcp,
            #[cfg(feature = "tls")]
            MaybeTlsStream::Tls(tls) => tls.get_ref().0.tcp(),
        }
    }

    /// The other end of the socket: the peer, or the proxy in between. As [`TcpStream::peer_addr`].
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().peer_addr()
    }

    /// This end of the socket. As [`TcpStream::local_addr`].
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp().local_addr()
    }

    /// Sets `TCP_NODELAY`, which this crate has set already: without it small frames wait for acknowledgements. As
    /// [`TcpStream::set_nodelay`].
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.tcp().set_nodelay(nodelay)
    }

    /// What the next read will get, or a part of it; 0 at the end.
    #[cfg(feature = "proxy")]
    pub(super) async fn peek(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            MaybeTlsStream::Tcp(tcp) => tcp.peek(room).await,
            #[cfg(feature = "tls")]
            MaybeTlsStream::Tls(tls) => {
                let there = tokio::io::AsyncBufReadExt::fill_buf(tls).await?;
                let n = there.len().min(room.len());
                room[..n].copy_from_slice(&there[..n]);
                Ok(n)
            }
        }
    }
}

pass_on!(MaybeTlsStream, io => [
    MaybeTlsStream::Tcp(io),
    #[cfg(feature = "tls")]
    MaybeTlsStream::Tls(io),
]);
