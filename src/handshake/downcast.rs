//! From hyper's box back to the transport.

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

use super::upgraded::{UpgradedIo, UpgradedStream};
use crate::WebSocketStream;

impl UpgradedStream {
    /// The same stream over the transport itself, without hyper's box around it.
    ///
    /// Calls then reach the transport directly, and [`get_ref`](Self::get_ref) gives a socket instead of a box. `T` is what
    /// was given to hyper inside a `TokioIo`: `TcpStream` for most servers. It is found under hyper's own
    /// connections and under `hyper_util::server::conn::auto`, which `axum::serve` uses. What hyper had read ahead is kept. It
    /// may be called at any time. The transport is yours then: a socket is closed as soon as the stream is dropped, see
    /// [there](crate#dropping-it).
    ///
    /// # Errors
    ///
    /// The stream as it was, where the transport is something else; over HTTP/2 it always is.
    ///
    /// # Examples
    ///
    /// ```
    /// use fastwebsockets_stream::UpgradedStream;
    /// use tokio::net::TcpStream;
    ///
    /// # fn log(stream: UpgradedStream) {
    /// match stream.downcast::<TcpStream>() {
    ///     Ok(stream) => println!("from {:?}", stream.get_ref().peer_addr()),
    ///     Err(stream) => println!("over something else: {stream:?}"),
    /// }
    /// # }
    /// ```
    // The caller had the stream by value before: giving it back is no larger than taking it was.
    #[allow(clippy::result_large_err)]
    pub fn downcast<T>(self) -> Result<WebSocketStream<T>, Self>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        self.map_transport(|io| unbox(io.into_inner()))
    }
}

/// The transport, and what hyper has read from it and not handed out.
fn unbox<T>(upgraded: Upgraded) -> Result<(T, Bytes), UpgradedIo>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let upgraded = match upgraded.downcast::<TokioIo<T>>() {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    match auto::upgrade::downcast::<TokioIo<T>>(upgraded) {
        Ok(parts) => Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => Err(upgraded.into()),
    }
}
