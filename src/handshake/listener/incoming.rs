//! A listener as other servers want it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{Listener, MaybeTlsStream};
use crate::WebSocketStream;

/// The streams of a [`Listener`] alone, as tonic's `serve_with_incoming` takes them: see [`Listener::incoming`].
#[derive(Debug)]
pub struct Incoming(Listener);

impl Listener {
    /// The streams alone, as tonic's `serve_with_incoming` takes them (with the feature `tonic`).
    ///
    /// It never gives an error: a handshake that fails is logged. It ends by the signal of
    /// [`graceful_shutdown`](Self::graceful_shutdown), which is to be set before.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    /// use fastwebsockets_stream::{Config, Listener, PayloadType};
    ///
    /// let listener = Listener::bind("127.0.0.1:50051", Config::new(PayloadType::Binary)).await?;
    /// # #[cfg(feature = "tonic")] {
    /// # let health = tonic_health::server::health_reporter().1;
    /// tonic::transport::Server::builder().add_service(health).serve_with_incoming(listener.incoming()).await?;
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    pub fn incoming(self) -> Incoming {
        Incoming(self)
    }
}

impl Incoming {
    /// The address it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }
}

impl Stream for Incoming {
    type Item = io::Result<WebSocketStream<MaybeTlsStream>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx).map(|accepted| accepted.map(|accepted| Ok(accepted.stream)))
    }
}

/// An address of a [`Listener`], or of a client that it has accepted.
///
/// It is a type of its own so that a handler under `axum::serve` can have it as
/// [`ConnectInfo<ListenerAddr>`](https://docs.rs/axum/0.8/axum/extract/struct.ConnectInfo.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerAddr(SocketAddr);

impl ListenerAddr {
    /// The address of the socket.
    pub fn socket_addr(&self) -> SocketAddr {
        self.0
    }
}

impl fmt::Display for ListenerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `axum::serve` over WebSockets: each stream carries HTTP.
#[cfg(feature = "axum")]
mod serve {
    use std::future::pending;
    use std::io;

    use axum::extract::connect_info::Connected;
    use axum::serve::{self, IncomingStream};

    use super::{Listener, ListenerAddr, MaybeTlsStream, WebSocketStream};

    impl serve::Listener for Listener {
        type Io = WebSocketStream<MaybeTlsStream>;
        type Addr = ListenerAddr;

        /// Once the listener is closed, it waits for ever: `axum::serve` ends by its own `with_graceful_shutdown`.
        async fn accept(&mut self) -> (Self::Io, Self::Addr) {
            match Listener::accept(self).await {
                Some(accepted) => (accepted.stream, ListenerAddr(accepted.peer_addr)),
                None => pending().await,
            }
        }

        fn local_addr(&self) -> io::Result<Self::Addr> {
            Ok(ListenerAddr(Listener::local_addr(self)))
        }
    }

    impl Connected<IncomingStream<'_, Listener>> for ListenerAddr {
        fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
            *stream.remote_addr()
        }
    }
}
