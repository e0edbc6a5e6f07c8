//! Taking a stream apart in any state, and putting it together again.

use std::fmt;
use std::io;
use std::num::NonZeroU16;

use tokio::io::{AsyncRead, AsyncWrite};

use super::departure::Departure;
use super::keep_alive::KeepAlive;
use super::push::{Sink, Unflushed};
use super::stall::Stall;
use super::write::Tail;
use super::{End, WebSocketStream};
use crate::frame::Key;
use crate::protocol::decoder::Carried;
use crate::protocol::output::Nature;
use crate::{Config, Role};

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
    state: State,
    depart: fn(&mut WebSocketStream<S>),
    lingers: bool,
}

/// What is in neither kind of bytes.
struct State {
    config: Config,
    close_sent: bool,
    first_code: Option<NonZeroU16>,
    discarding: bool,
    /// Only if it has failed: anything else shows in `unread`.
    end: Option<End>,
    sink: Sink,
    data_lost: bool,
    unreported: Option<io::Error>,
    unflushed: Unflushed,
    tail: Tail,
    nature: Nature,
    carried: Carried,
    refused: Option<Key>,
    keep_alive: KeepAlive,
    stall: Stall,
    departure: Departure,
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
        let mut unread = Vec::new();
        let carried = self.decoder.encode_rest(self.input.as_slice(), self.end.is_failed(), &mut unread);
        if let Some(frame) = &self.peer_close {
            self.decoder.encode_close(frame, &mut unread);
        }
        Parts {
            role: self.role(),
            unread,
            unsent: self.output.as_slice().to_vec(),
            state: State {
                close_sent: self.closing.has_sent(),
                first_code: self.first_code,
                discarding: matches!(self.end, End::Discarding),
                end: Some(std::mem::replace(&mut self.end, End::Closed)).filter(End::is_failed),
                sink: self.sink,
                data_lost: self.data_lost,
                unreported: self.unreported.take(),
                unflushed: self.unflushed,
                tail: self.tail,
                nature: self.output.nature(),
                carried,
                refused: self.encoder.refused(),
                keep_alive: std::mem::take(&mut self.keep_alive),
                stall: std::mem::take(&mut self.stall),
                departure: self.departure,
                config: self.config.clone(),
            },
            depart: self.depart,
            lingers: self.lingers,
            transport: self.io.take(),
        }
    }

    /// Puts a stream together again, which continues where the other one stopped.
    pub fn from_parts(parts: Parts<S>) -> Self {
        let Parts { transport, role, unread, unsent, state, depart, lingers } = parts;
        let mut stream = Self::start(transport, role, state.config).with_departure(depart, lingers);
        if state.close_sent {
            stream.closing = stream.closing.send();
        }
        stream.first_code = state.first_code;
        if state.discarding {
            stream.end = End::Discarding;
        }
        stream.sink = state.sink;
        stream.data_lost = state.data_lost;
        stream.unreported = state.unreported;
        stream.unflushed = state.unflushed;
        stream.tail = state.tail;
        stream.output.push_unsent(&unsent, state.nature);
        stream.decoder.restore(state.carried);
        stream.ingest(unread);
        stream.decoder.restore_end(state.carried);
        if let Some(end) = state.end {
            stream.end = end;
        }
        stream.encoder.restore(state.refused);
        stream.keep_alive = state.keep_alive;
        stream.stall = state.stall;
        stream.departure = state.departure;
        stream
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
        let Parts { transport, role, unread, unsent, state, depart: _, lingers } = self.into_parts();
        let transport = wrap(transport);
        WebSocketStream::from_parts(Parts { transport, role, unread, unsent, state, depart, lingers })
    }

    /// Puts another transport in place of this one, with what had been read from it ahead of this stream.
    #[cfg(feature = "upgrade")]
    #[allow(clippy::result_large_err)] // As for `try_into_inner`.
    pub(crate) fn map_transport<T, F>(self, map: F) -> Result<WebSocketStream<T>, Self>
    where
        T: AsyncRead + AsyncWrite + Unpin,
        F: FnOnce(S) -> Result<(T, bytes::Bytes), S>,
    {
        let Parts { transport, role, mut unread, unsent, state, depart, lingers } = self.into_parts();
        match map(transport) {
            Ok((transport, read_ahead)) => {
                unread.extend_from_slice(&read_ahead);
                let (depart, lingers) = (WebSocketStream::depart as fn(&mut _), false);
                let parts = Parts { transport, role, unread, unsent, state, depart, lingers };
                Ok(WebSocketStream::from_parts(parts))
            }
            Err(transport) => {
                let parts = Parts { transport, role, unread, unsent, state, depart, lingers };
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
            .field("config", &self.state.config)
            .finish_non_exhaustive()
    }
}
