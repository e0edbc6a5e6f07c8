//! The type, and the ways in and out. This is the only module that knows about `Context`.

#[cfg(feature = "fastwebsockets")]
mod adopt;
mod close;
mod departure;
mod keep_alive;
mod parts;
mod push;
mod read;
mod refusal;
#[cfg(any(feature = "listener", feature = "connect"))]
mod socket;
mod split;
mod stall;
mod transport;
mod wake;
#[cfg(feature = "fastwebsockets")]
mod websocket;
mod write;

use std::fmt;
use std::io;
use std::num::NonZeroU16;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::protocol::{Closing, Decoder, Encoder, Output};
use crate::{CloseFrame, Config, Error, PayloadType, Role};

#[cfg(all(feature = "http2", any(feature = "upgrade", feature = "connect")))]
pub(crate) use departure::Departed;
use departure::Departure;
use keep_alive::KeepAlive;
pub use parts::Parts;
use push::{Sink, Unflushed};
use read::Input;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
use stall::Stall;
use transport::Transport;
use wake::Wakers;
use write::Tail;

/// A WebSocket as a byte stream.
///
/// It is made of a transport whose handshake is done ([`from_transport`](Self::from_transport)), or of a
/// [`fastwebsockets::WebSocket`] ([`new`](Self::new), [`with_config`](Self::with_config)). How it maps to the wire, when it needs a
/// flush, and how it ends is in the [crate's documentation](crate).
///
/// # Reading ([`AsyncRead`], [`AsyncBufRead`](tokio::io::AsyncBufRead))
///
/// The payload of data frames comes out as one stream of bytes, as it arrives, whatever the frames' lengths. Bytes go
/// from the transport straight into the caller's buffer and are decoded there, many frames at once; only for less than
/// 4 KiB of room does the stream read ahead, 16 KiB at a time. Pings are answered, Pongs dropped, the Close answered. The
/// protocol is enforced strictly (RFC 6455, section 5): masks, reserved bits and opcodes, lengths, fragmentation, UTF-8.
///
/// ## Errors
///
/// - `InvalidData`: the peer broke the protocol. It has been sent a Close that says so.
/// - `UnexpectedEof`: the transport ended without a Close.
/// - `TimedOut`: see [`Config::keep_alive`].
/// - `ConnectionAborted`: the peer closed with a code that says so, see [`Config::abnormal_close_is_error`].
/// - The transport's own.
///
/// What arrived before an error is delivered before it. Then the first read has the error, and each later one its kind.
///
/// ## Cancel safety
///
/// A read that is dropped while it waits has taken nothing: the bytes are there for the next one.
///
/// # Writing ([`AsyncWrite`])
///
/// Each write that returns `n` has put exactly one frame with these `n` bytes on the wire: the whole buffer, up to
/// [`Config::max_frame_len`]. An empty write is an empty frame. A client masks (RFC 6455, section 5.3), each frame with a
/// fresh key from a cryptographically strong generator. A vectored write makes one frame of all its slices; up
/// to 64 of them need no allocation.
///
/// On a Text stream the bytes must be UTF-8. What a write leaves of an unfinished code point (3 bytes at most) waits for the
/// next write, so that every message is valid text.
///
/// A shutdown sends a Close with code 1000, or answers the peer's where [`Config::half_close`] has held that back. It
/// does not wait for the peer, and reading goes on. Once there is a Close in both directions, whoever completed them also
/// shuts the transport down. Dropping the stream instead sends nothing, with [one exception](crate#dropping-it).
///
/// ## Errors
///
/// - `BrokenPipe`: this end or the peer has closed, or the stream has failed. Inside is an [`Error`](crate::Error), with
///   the peer's code and reason where it was the peer.
/// - `TimedOut`: see [`Config::stall_timeout`].
/// - `InvalidData`: a write on a Text stream is not UTF-8; nothing of it was sent, and the stream goes on. Or a Text
///   stream was shut down inside a code point; unless there had been a Close before, the peer got one with code 1007.
/// - `WriteZero`: the transport accepts nothing.
/// - The transport's own, once.
///
/// A flush fails where bytes that were written are lost; after a Close in either direction, with nothing lost, it is `Ok`.
///
/// ## Cancel safety
///
/// A frame is accepted whole or not at all. A write that is dropped while it waits has sent nothing, and another may
/// follow with other data. A dropped flush or shutdown goes on when it is called again.
pub struct WebSocketStream<S> {
    io: Transport<S>,
    config: Config,
    /// Bytes from the transport become payload in `decoder`; what a caller had no room for waits in `input`.
    decoder: Decoder,
    input: Input,
    end: End,
    peer_close: Option<CloseFrame>,
    /// Writes become frames in `encoder`; what the transport has not taken waits in `output`.
    encoder: Encoder,
    output: Output,
    tail: Tail,
    sink: Sink,
    /// Bytes that a write had accepted were waiting, here or for a flush, when the transport failed.
    data_lost: bool,
    /// An error of the transport's write side that the reader met.
    unreported: Option<io::Error>,
    unflushed: Unflushed,
    closing: Closing,
    /// The code of this end's Close, if it has come before the peer's; perhaps [`UNKNOWN_CODE`].
    first_code: Option<NonZeroU16>,
    wakers: Wakers,
    keep_alive: KeepAlive,
    stall: Stall,
    departure: Departure,
    /// What dropping it does; a pointer, because `Drop` can know no more of `S` than the type does.
    depart: fn(&mut Self),
    /// After both Closes, the end of the stream waits for the transport's, see [`Self::linger`].
    lingers: bool,
}

/// For a Close that an adopted socket has sent.
const UNKNOWN_CODE: NonZeroU16 = NonZeroU16::MAX;

/// The reading side.
#[derive(Debug)]
enum End {
    Open,
    /// `close` has begun: payload is thrown away.
    Discarding,
    /// The peer's Close: reads return 0 bytes.
    Closed,
    /// Reads fail: with `error` once, then with its kind.
    Failed {
        error: Option<io::Error>,
        kind: io::ErrorKind,
        ends_writes: bool,
    },
}

impl End {
    fn failed(error: io::Error, ends_writes: bool) -> Self {
        End::Failed { kind: error.kind(), error: Some(error), ends_writes }
    }

    /// What a read returns that finds nothing left.
    fn take_error(&mut self) -> Option<io::Error> {
        match self {
            End::Open | End::Discarding | End::Closed => None,
            End::Failed { error, kind, .. } => Some(error.take().unwrap_or_else(|| io::Error::from(*kind))),
        }
    }

    /// The same for somebody who is told beside the reader.
    fn copy_error(&self) -> Option<io::Error> {
        let End::Failed { error, kind, .. } = self else { return None };
        let rule = error.as_ref().and_then(|error| error.get_ref()?.downcast_ref::<Error>());
        Some(match (rule, error) {
            (Some(rule), _) => rule.clone().into(),
            // An error of the transport's cannot be had twice.
            (None, Some(error)) => io::Error::new(*kind, error.to_string()),
            (None, None) => io::Error::from(*kind),
        })
    }

    /// Whether the error, if it failed, has been returned.
    fn has_been_told(&self) -> bool {
        matches!(self, End::Failed { error: None, .. })
    }

    /// Whether more may come.
    fn is_open(&self) -> bool {
        matches!(self, End::Open | End::Discarding)
    }

    fn is_failed(&self) -> bool {
        matches!(self, End::Failed { .. })
    }

    fn ends_writes(&self) -> bool {
        matches!(self, End::Failed { ends_writes: true, .. })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Makes a stream of a transport on which the handshake (RFC 6455, section 4) is done, whoever did it.
    ///
    /// `read_ahead` is what has been read from the transport beyond the handshake.
    ///
    /// A transport of rustls takes 64 KiB at a time, so that a frame of that length leaves in two records and two system
    /// calls. `set_buffer_limit(Some(65 * 1024))` on its connection (tokio-rustls: `connect_with`, `accept_with`) mends
    /// that; [`Client`](crate::Client) and [`Listener`](crate::Listener) do it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let (near, far) = tokio::io::duplex(1024);
    /// let config = Config::new(PayloadType::Binary);
    /// let mut client = WebSocketStream::from_transport(near, Role::Client, [], config.clone());
    /// let mut server = WebSocketStream::from_transport(far, Role::Server, [], config);
    ///
    /// client.write_all(b"Hello!").await?;
    /// let mut hello = [0; 6];
    /// server.read_exact(&mut hello).await?;
    /// assert_eq!(&hello, b"Hello!");
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_transport(transport: S, role: Role, read_ahead: impl AsRef<[u8]>, config: Config) -> Self {
        let mut stream = Self::start(transport, role, config);
        stream.ingest(read_ahead.as_ref().to_vec());
        stream
    }

    /// Decodes bytes that came before the stream was made, as if they had just been read.
    fn ingest(&mut self, mut wire: Vec<u8>) {
        if !wire.is_empty() {
            let payload = self.decode(&mut wire, None);
            self.input = Input::new(wire.into(), payload);
        }
    }

    fn start(io: S, role: Role, config: Config) -> Self {
        WebSocketStream {
            io: Transport::new(io),
            decoder: Decoder::new(role, &config),
            input: Input::default(),
            end: End::Open,
            peer_close: None,
            encoder: Encoder::new(role, config.payload_type),
            output: Output::default(),
            tail: Tail::default(),
            sink: Sink::Open,
            data_lost: false,
            unreported: None,
            unflushed: Unflushed::default(),
            closing: Closing::Open,
            first_code: None,
            wakers: Wakers::default(),
            keep_alive: KeepAlive::default(),
            stall: Stall::default(),
            departure: Departure::default(),
            depart: Self::depart,
            lingers: false,
            config,
        }
    }
}

impl<S> WebSocketStream<S> {
    /// Whether the peer's Close has been read.
    ///
    /// Payload that came before it may still be waiting to be read.
    pub fn is_closed(&self) -> bool {
        self.closing.has_received()
    }

    /// The peer's Close, once it has been read.
    pub fn peer_close(&self) -> Option<&CloseFrame> {
        self.peer_close.as_ref()
    }

    /// Which end of the connection this is.
    pub fn role(&self) -> Role {
        self.encoder.role()
    }

    /// Which data messages carry the bytes.
    pub fn payload_type(&self) -> PayloadType {
        self.config.payload_type
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        self.io.get_ref()
    }

    /// The transport.
    ///
    /// Reading from it or writing to it breaks the framing; setting its options is what this is for.
    pub fn get_mut(&mut self) -> &mut S {
        self.io.get_mut()
    }
}

impl<S> fmt::Debug for WebSocketStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketStream")
            .field("role", &self.role())
            .field("config", &self.config)
            .field("closing", &self.closing)
            .field("peer_close", &self.peer_close)
            .field("reading", &self.end)
            .field("writing", &self.sink)
            .field("unread", &self.input.as_slice().len())
            .field("unsent", &self.output.len())
            .finish_non_exhaustive()
    }
}

/// What an idle stream weighs over its transport, in bytes; it holds nothing on the heap.
const _: () = assert!(size_of::<WebSocketStream<()>>() <= 320);
