//! The type, and the ways in and out: a connection with a transport, wakers and timers. This is the only module that
//! knows about `Context`.

#[cfg(feature = "fastwebsockets")]
mod adopt;
mod close;
mod departure;
mod input;
mod parts;
mod push;
mod read;
#[cfg(any(feature = "listener", feature = "connect"))]
mod socket;
mod split;
mod timer;
mod transport;
mod wake;
#[cfg(feature = "fastwebsockets")]
mod websocket;
mod write;

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::protocol::connection::Received;
use crate::protocol::{Connection, Region};
use crate::{CloseFrame, Config, PayloadType, Role};

#[cfg(all(feature = "http2", any(feature = "upgrade", feature = "connect")))]
pub(crate) use departure::Departed;
use input::Input;
pub use parts::Parts;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
use timer::Timers;
use transport::Transport;
use wake::Wakers;

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
    connection: Connection,
    /// Payload that a caller had no room for.
    input: Input,
    wakers: Wakers,
    timers: Timers,
    /// What dropping it does; a pointer, because `Drop` can know no more of `S` than the type does.
    depart: fn(&mut Self),
    /// After both Closes, the end of the stream waits for the transport's, see [`Self::poll_linger`].
    lingers: bool,
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
        let mut connection = Connection::new(role, config);
        let input = ingest(&mut connection, read_ahead.as_ref().to_vec());
        Self::start(transport, connection, input)
    }

    fn start(io: S, connection: Connection, input: Input) -> Self {
        WebSocketStream {
            io: Transport::new(io),
            connection,
            input,
            wakers: Wakers::default(),
            timers: Timers::default(),
            depart: Self::depart,
            lingers: false,
        }
    }
}

/// Where so many bytes wait for a transport, the latest Pong stands for those that follow.
const ANSWERS_AHEAD: usize = 64 * 1024;

/// Has a connection receive bytes that came before there was a stream, as if they had just been read.
fn ingest(connection: &mut Connection, mut wire: Vec<u8>) -> Input {
    if wire.is_empty() {
        return Input::default();
    }
    let discards = connection.is_discarding();
    let mut region = Region::new(&mut wire);
    while connection.receive(&mut region) == Received::Part {
        // There is no transport yet that could take them.
        if connection.unsent().len() >= ANSWERS_AHEAD {
            connection.block();
        }
    }
    let payload = if discards { 0 } else { region.written() };
    Input::new(wire.into(), payload)
}

impl<S> WebSocketStream<S> {
    /// Whether the peer's Close has been read.
    ///
    /// Payload that came before it may still be waiting to be read.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// The peer's Close, once it has been read.
    pub fn peer_close(&self) -> Option<&CloseFrame> {
        self.connection.peer_close()
    }

    /// Which end of the connection this is.
    pub fn role(&self) -> Role {
        self.connection.role()
    }

    /// Which data messages carry the bytes.
    pub fn payload_type(&self) -> PayloadType {
        self.connection.config().payload_type
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
        let mut debug = f.debug_struct("WebSocketStream");
        self.connection.debug(&mut debug);
        debug.field("unread", &self.input.len()).finish_non_exhaustive()
    }
}

/// What an idle stream weighs over its transport, in bytes; it holds nothing on the heap.
const _: () = assert!(size_of::<WebSocketStream<()>>() <= 320);
