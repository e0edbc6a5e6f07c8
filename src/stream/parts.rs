//! Taking a stream apart in any state, and putting it together again.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{WebSocketStream, ingest};
use crate::Role;
use crate::protocol::Connection;
use crate::protocol::connection::{Carried, Written};

/// What a [`WebSocketStream`] consists of, see [`WebSocketStream::into_parts`].
pub struct Parts<S> {
    /// The transport.
    pub transport: S,
    /// Which end of the connection this is.
    pub role: Role,
    /// Wire bytes that have been received and not been delivered; the transport continues them.
    ///
    /// They are not always what came, but a stream that is fed with them delivers exactly the rest: payload that
    /// had been decoded stands in a frame of its own, a frame in progress has a fresh header with the length
    /// that remains and its masking key rotated, and a Close that was read is there again.
    pub unread: Vec<u8>,
    /// Wire bytes that have not been sent; they must leave before any other.
    pub unsent: Vec<u8>,
    carried: Carried,
    depart: fn(&mut WebSocketStream<S>),
    lingers: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Takes the stream apart. It never fails, and nothing is lost.
    ///
    /// [`from_parts`](Self::from_parts) continues where it stopped, in every state. To
    /// [`from_transport`](Self::from_transport) the transport, role and [`unread`](Parts::unread) bytes can be given
    /// too, if no Close was sent, no code point of a Text stream is half read or half written, and
    /// [`unsent`](Parts::unsent) is empty or has been written.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
    /// use tokio::io::AsyncReadExt;
    ///
    /// // A frame of 5 bytes, of which the last 2 have not come.
    /// let (transport, _peer) = tokio::io::duplex(64);
    /// let config = Config::new(PayloadType::Binary);
    /// let mut stream = WebSocketStream::from_transport(transport, Role::Client, b"\x82\x05abc", config);
    /// assert_eq!(stream.read_u8().await?, b'a');
    ///
    /// let parts = stream.into_parts();
    /// assert_eq!(parts.unread, b"\x02\x02bc\x80\x02");
    /// let mut stream = WebSocketStream::from_parts(parts);
    /// assert_eq!(stream.read_u8().await?, b'b');
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_parts(mut self) -> Parts<S> {
        let (transport, role, depart, lingers) = (self.io.take(), self.role(), self.depart, self.lingers);
        let Written { unread, unsent, carried } = self.connection.write_down(self.input.as_slice());
        Parts { transport, role, unread, unsent, carried, depart, lingers }
    }

    /// Puts a stream together again, which continues where the other one stopped.
    pub fn from_parts(parts: Parts<S>) -> Self {
        let Parts { transport, role, unread, unsent, carried, depart, lingers } = parts;
        let (connection, input) =
            Connection::take_up(carried, role, &unsent, |connection| ingest(connection, unread));
        Self::start(transport, connection, input).with_departure(depart, lingers)
    }

    /// Puts the transport into another one, which departs in its own way, and lingers as before.
    #[cfg(feature = "connect")]
    pub(crate) fn with_transport_in<T>(
        self,
        wrap: impl FnOnce(S) -> T,
        depart: fn(&mut WebSocketStream<T>),
    ) -> WebSocketStream<T>
    where
        T: AsyncRead + AsyncWrite + Unpin,
    {
        let Parts { transport, role, unread, unsent, carried, depart: _, lingers } = self.into_parts();
        let transport = wrap(transport);
        WebSocketStream::from_parts(Parts { transport, role, unread, unsent, carried, depart, lingers })
    }

    /// Puts another transport in place of this one, with what had been read from it ahead of this stream.
    #[cfg(feature = "upgrade")]
    #[allow(clippy::result_large_err)] // As for `try_into_inner`.
    pub(crate) fn map_transport<T, F>(self, map: F) -> Result<WebSocketStream<T>, Self>
    where
        T: AsyncRead + AsyncWrite + Unpin,
        F: FnOnce(S) -> Result<(T, bytes::Bytes), S>,
    {
        let Parts { transport, role, mut unread, unsent, carried, depart, lingers } = self.into_parts();
        match map(transport) {
            Ok((transport, read_ahead)) => {
                unread.extend_from_slice(&read_ahead);
                let (depart, lingers) = (WebSocketStream::depart as fn(&mut _), false);
                let parts = Parts { transport, role, unread, unsent, carried, depart, lingers };
                Ok(WebSocketStream::from_parts(parts))
            }
            Err(transport) => {
                let parts = Parts { transport, role, unread, unsent, carried, depart, lingers };
                Err(Self::from_parts(parts))
            }
        }
    }
}

impl<S> fmt::Debug for Parts<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("role", &self.role)
            .field("unread", &self.unread.len())
            .field("unsent", &self.unsent.len())
            .field("config", &self.carried.config())
            .finish_non_exhaustive()
    }
}
