//! A stream made of a `fastwebsockets::WebSocket`, and turned into one again.

use fastwebsockets::WebSocket;
use tokio::io::{AsyncRead, AsyncWrite};

use super::adopt::{self, Adopted, Rest};
use super::{WebSocketStream, ingest};
use crate::protocol::Connection;
use crate::{Config, PayloadType};

/// For a `WebSocket` of fastwebsockets. These are behind the feature `fastwebsockets`, which is on by default.
#[cfg_attr(docsrs, doc(cfg(feature = "fastwebsockets")))]
impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Makes a stream of a `WebSocket` whose handshake is done, with the default [`Config`].
    ///
    /// The `WebSocket` may have been used before: what it had read ahead comes out first. A message that it
    /// has returned only the beginning of (a frame without FIN) goes on with its next frame.
    ///
    /// Nothing is sent, and nothing is received.
    ///
    /// # Examples
    ///
    /// ```
    /// use fastwebsockets_stream::{PayloadType, WebSocketStream};
    /// use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
    ///
    /// # async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    /// websocket: fastwebsockets::WebSocket<S>
    /// # ) -> std::io::Result<()> {
    /// # let websocket = websocket;
    /// let mut stream = WebSocketStream::new(websocket, PayloadType::Binary);
    /// let mut greeting = [0; 6];
    /// stream.read_exact(&mut greeting).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(websocket: WebSocket<S>, payload_type: PayloadType) -> Self {
        Self::with_config(websocket, Config::new(payload_type))
    }

    /// Makes a stream of a `WebSocket` whose handshake is done, see [`new`](Self::new).
    pub fn with_config(websocket: WebSocket<S>, config: Config) -> Self {
        let Adopted { io, role, close_sent, is_fresh, wire, rest } = adopt::take_apart(websocket, &config);
        let mut connection = Connection::new(role, config);
        if close_sent {
            connection.close_was_sent();
        }
        if !is_fresh {
            connection.resume_message();
        }
        let input = ingest(&mut connection, wire);
        match rest {
            // What follows the peer's Close, or a violation, is nobody's concern.
            _ if !connection.is_reading() => {}
            Rest::Known => {}
            Rest::Hidden(octets) => connection.resume_hidden(&octets),
            Rest::Lost(error) => connection.fail_receiving_with(error),
        }
        Self::start(io, connection, input)
    }

    /// The `WebSocket` again, if nothing would be lost or broken by it; else `None`, and the stream is dropped.
    ///
    /// See [`try_into_inner`](Self::try_into_inner) for when that is.
    pub fn into_inner(self) -> Option<WebSocket<S>> {
        self.try_into_inner().ok()
    }

    /// The `WebSocket` again, if nothing would be lost or broken by it.
    ///
    /// It has fastwebsockets' default settings (`set_auto_close`, `set_writev` and so on).
    ///
    /// # Errors
    ///
    /// The stream itself, if a frame or a message has been read or written in part, payload or wire bytes are
    /// buffered, a control frame waits to be sent or flushed, the end of a code point waits to be sent, a Close was sent or
    /// received, or the stream has failed. [`into_parts`](Self::into_parts) always succeeds.
    ///
    /// What was written and not flushed is where the transport has put it; over one that buffers, flush first.
    // The caller had the stream by value before: giving it back is no larger than taking it was.
    #[allow(clippy::result_large_err)]
    pub fn try_into_inner(mut self) -> Result<WebSocket<S>, Self> {
        let untouched = self.input.is_empty() && self.connection.is_untouched();
        if untouched { Ok(WebSocket::after_handshake(self.io.take(), self.role().into())) } else { Err(self) }
    }
}
