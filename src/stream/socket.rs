//! What a stream over a socket of this crate's can say of it, whole or split.

use std::io;
use std::net::SocketAddr;

use super::{OwnedReadHalf, OwnedWriteHalf, WebSocketStream};
use crate::MaybeTlsStream;

/// A stream over a transport of [`Client`](crate::Client) or [`Listener`](crate::Listener), with TLS or without.
impl WebSocketStream<MaybeTlsStream> {
    /// The other end of the socket: the peer, or the proxy in between.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::peer_addr`](tokio::net::TcpStream::peer_addr): `NotConnected` where the connection has been reset.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fastwebsockets_stream::{Config, PayloadType, connect};
    ///
    /// # async fn doc() -> std::io::Result<()> {
    /// # #[cfg(feature = "connect")] {
    /// let stream = connect("ws://localhost:9000/", Config::new(PayloadType::Binary)).await?;
    /// println!("{} is connected to {}", stream.local_addr()?, stream.peer_addr()?);
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().peer_addr()
    }

    /// This end of the socket.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::local_addr`](tokio::net::TcpStream::local_addr).
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().local_addr()
    }

    /// Sets `TCP_NODELAY`, which this crate has set already: without it small frames wait for acknowledgements.
    ///
    /// # Errors
    ///
    /// As [`TcpStream::set_nodelay`](tokio::net::TcpStream::set_nodelay).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.get_ref().set_nodelay(nodelay)
    }
}

macro_rules! socket_of_half {
    ($half:ident) => {
        /// A half of a stream over a transport of [`Client`](crate::Client) or [`Listener`](crate::Listener).
        impl $half<MaybeTlsStream> {
            /// The other end of the socket, see [`WebSocketStream::peer_addr`].
            ///
            /// # Errors
            ///
            /// The same.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.shared().with_transport(MaybeTlsStream::peer_addr)
            }

            /// This end of the socket, see [`WebSocketStream::local_addr`].
            ///
            /// # Errors
            ///
            /// The same.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.shared().with_transport(MaybeTlsStream::local_addr)
            }

            /// Sets `TCP_NODELAY`, see [`WebSocketStream::set_nodelay`].
            ///
            /// # Errors
            ///
            /// The same.
            pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
                self.shared().with_transport(|transport| transport.set_nodelay(nodelay))
            }
        }
    };
}

socket_of_half!(OwnedReadHalf);
socket_of_half!(OwnedWriteHalf);
