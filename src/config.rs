//! The one options type.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::OpCode;

/// Without one, `Instant::now` panics.
const HAS_CLOCK: bool = !cfg!(all(target_arch = "wasm32", target_os = "unknown"));

/// What the thread's pool has buffers for.
const MAX_WRITE_BUFFER: u32 = 64 * 1024;

/// Which data messages carry the bytes.
///
/// # Examples
///
/// ```
/// use fastwebsockets_stream::{OpCode, PayloadType};
///
/// assert_eq!(OpCode::from(PayloadType::Text), OpCode::Text);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PayloadType {
    /// Binary messages (opcode 0x2): any bytes. What a tunnel wants.
    Binary,
    /// Text messages (opcode 0x1): UTF-8 only, checked in both directions. For peers that take no binary.
    Text,
}

impl From<PayloadType> for OpCode {
    fn from(payload_type: PayloadType) -> Self {
        match payload_type {
            PayloadType::Binary => OpCode::Binary,
            PayloadType::Text => OpCode::Text,
        }
    }
}

/// The options of a [`WebSocketStream`](crate::WebSocketStream).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fastwebsockets_stream::{Config, PayloadType};
///
/// let config = Config::new(PayloadType::Binary)
///     .write_buffer(16 * 1024)
///     .keep_alive(Duration::from_secs(30))
///     .stall_timeout(Duration::from_secs(300));
/// # let _ = config;
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    pub(crate) payload_type: PayloadType,
    pub(crate) half_close: bool,
    pub(crate) allow_unmasked: bool,
    pub(crate) abnormal_close_is_error: bool,
    /// `usize::MAX` for none.
    pub(crate) max_frame_len: usize,
    /// At most 64 KiB.
    pub(crate) write_buffer: u32,
    keep_alive: Option<Nanoseconds>,
    stall_timeout: Option<Nanoseconds>,
    close_timeout: Nanoseconds,
}

impl Config {
    /// The defaults, for a stream of this type.
    pub fn new(payload_type: PayloadType) -> Self {
        Config {
            payload_type,
            half_close: true,
            allow_unmasked: false,
            abnormal_close_is_error: true,
            max_frame_len: 1024 * 1024,
            write_buffer: 0,
            keep_alive: None,
            stall_timeout: None,
            close_timeout: Duration::from_secs(10).into(),
        }
    }

    /// The longest payload of a frame that is sent, in bytes; `None` for no limit. Default: 1 MiB.
    ///
    /// A write takes at most this much of its buffer. Peers refuse frames beyond a limit of their own (1 MiB
    /// in some), and a Pong cannot pass inside a frame. A write that waits is masked again each time it is polled (256 KiB at
    /// most), and on a Text stream checked again (all of it): where other events poll it often, a smaller limit saves
    /// that. What may be *received* has no limit: it streams
    /// through. A limit of 0 counts as 1; on a Text stream less than 4 counts as 4, the longest code point.
    #[must_use]
    pub fn max_frame_len(mut self, bytes: Option<usize>) -> Self {
        let least = match self.payload_type {
            PayloadType::Binary => 1,
            PayloadType::Text => 4,
        };
        self.max_frame_len = bytes.unwrap_or(usize::MAX).max(least);
        self
    }

    /// Gathers whole frames in a buffer of this many bytes; 0 sends each at once. Default: 0.
    ///
    /// The gathered frames go out together when the next one does not fit, on flush, on shutdown, and
    /// whenever the stream is polled for reading. Small writes gain a multiple from it, one write to the
    /// transport standing for many. As with [`tokio::io::BufWriter`], flush before waiting for anything
    /// but the stream itself: a reader in another task that already waits does not send them.
    ///
    /// The default is 0 because a `TcpStream` does not wait for a flush either. 8 to 64 KiB is a good choice;
    /// more than 64 KiB counts as 64 KiB, beyond which small writes gain nothing. The buffer is borrowed only while
    /// it holds frames; a frame larger than it goes out by itself.
    #[must_use]
    pub fn write_buffer(mut self, bytes: usize) -> Self {
        self.write_buffer = u32::try_from(bytes).unwrap_or(u32::MAX).min(MAX_WRITE_BUFFER);
        self
    }

    /// Keeps writing possible after the peer's Close, if its code is 1000 or it has none. Default: `true`.
    ///
    /// Such a Close ends only the reading, as a FIN does in TCP. The answer leaves when this end shuts down or
    /// closes, or, once a read has returned the end, when it is dropped without having written anything since; until then a response can be written, which RFC 6455 allows
    /// (section 5.5.1: an endpoint may finish what it is sending before it answers). It is on by default because
    /// programs written for a `TcpStream` count on it: [`tokio::io::copy`] in an echo,
    /// [`tokio::io::copy_bidirectional`] in a proxy, a client that shuts down its request and then reads the
    /// response. What is written after a browser's Close is lost, because browsers read nothing after it.
    ///
    /// Any other code, 1001 (going away) included, says that the peer will not read any more. It is answered at once, and
    /// ends both directions, whatever this option says. With `false`, every Close does.
    #[must_use]
    pub fn half_close(mut self, on: bool) -> Self {
        self.half_close = on;
        self
    }

    /// Sends a Ping after this long without a byte from the peer, and gives up after as long again.
    /// Default: none is sent.
    ///
    /// Any byte that comes in counts as life. Silence counts only while a read waits, and the second interval begins when
    /// the Ping has left. Giving up is an error of kind `TimedOut`. An interval of zero counts as 1 ms. It is off by default
    /// because it needs tokio's timer, and sends what nobody asked for. Behind a proxy, set it below the proxy's idle
    /// limit (often 60 s).
    ///
    /// After the peer's Close, Pings go on until this end has answered it; as no read waits any more, they leave with
    /// whatever else polls the stream. After this end's own Close there are none, because the peer need not answer
    /// them. What watches the connection then is the socket: where this crate has opened or accepted it
    /// ([`connect`](crate::connect), [`Client`](crate::Client), [`Listener`](crate::Listener)), `SO_KEEPALIVE` is set
    /// to the same interval (1 s at least). On sockets of your own, set it too.
    ///
    /// While the transport takes nothing, a Ping cannot leave, and nothing is given up: see
    /// [`stall_timeout`](Self::stall_timeout).
    ///
    /// # Panics
    ///
    /// A read panics where the runtime has no timer; after the peer's Close, so does a write or flush.
    #[must_use]
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.keep_alive = Some(interval.max(Duration::from_millis(1)).into());
        self
    }

    /// Gives up a write, flush or shutdown that has waited this long while no byte moved in either direction.
    /// Default: never.
    ///
    /// It fails with an error of kind `TimedOut`, and so ends the writing; what has arrived can still be read. The same limit holds
    /// for what was accepted and waits to leave while nothing but a read does: a Pong, a Ping, the rest of a frame. Then the next
    /// call of the writer has the error, and the read goes on, for as long as [`keep_alive`](Self::keep_alive) lets it. Any byte
    /// that the transport takes or brings begins the time anew. It cannot tell a path that is dead from a peer that has
    /// paused and reads again a minute later. That is why there is no default, and why it should be longer than the
    /// longest pause of an honest peer. Zero counts as 1 ms.
    ///
    /// Where this crate has opened or accepted the socket, `TCP_USER_TIMEOUT` is set to the same time (on the systems that
    /// have it). The system then ends a connection whose peer does not acknowledge what was sent, or keeps its window closed,
    /// also while nobody waits in a write. It is stricter than the above: it does not count what the peer sends, and it ends
    /// the reading too, with an error of the transport's. On Linux it also takes the place of
    /// [`keep_alive`](Self::keep_alive)'s count of lost probes.
    ///
    /// # Panics
    ///
    /// A write, flush or shutdown that has to wait panics where the runtime has no timer, and so does a read that waits while something
    /// has yet to leave.
    #[must_use]
    pub fn stall_timeout(mut self, limit: Duration) -> Self {
        self.stall_timeout = Some(limit.max(Duration::from_millis(1)).into());
        self
    }

    /// How long [`close`](crate::WebSocketStream::close) may take in all. Default: 10 s.
    ///
    /// Long enough for a peer with a full queue on a slow link, short enough not to hold up a restart. It is also how long,
    /// at most, a task keeps the transport of a stream that was [dropped](crate#dropping-it) after its Close.
    /// [`Duration::MAX`] waits without a limit, and needs no timer; a socket is then closed as soon as its stream is dropped.
    /// So it is, whatever the limit, on `wasm32-unknown-unknown`, which [has no clock](crate#where-it-runs).
    #[must_use]
    pub fn close_timeout(mut self, limit: Duration) -> Self {
        self.close_timeout = limit.into();
        self
    }

    /// As a server, takes unmasked frames too. Default: `false`.
    ///
    /// RFC 6455 (section 5.1) demands that a server fails the connection; some tunnels between trusted
    /// programs leave the masking out. As a client it changes nothing.
    #[must_use]
    pub fn allow_unmasked(mut self, on: bool) -> Self {
        self.allow_unmasked = on;
        self
    }

    /// Makes a Close whose code is not 1000 or 1001 an error of kind `ConnectionAborted` instead of the end
    /// of the stream. Default: `true`.
    ///
    /// Such a code says that the peer has failed (1011), has refused something (1008, 1009), or means whatever the
    /// application says (3000 to 4999). The data before it is delivered, and then the error, with code and reason: so half
    /// a file never looks whole. A Close without a code is always a clean end; so is one that repeats the code of this end's own
    /// earlier Close. With `false` every Close is the end of the stream, and the code is in
    /// [`peer_close`](crate::WebSocketStream::peer_close) alone.
    #[must_use]
    pub fn abnormal_close_is_error(mut self, on: bool) -> Self {
        self.abnormal_close_is_error = on;
        self
    }
}

impl Config {
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.keep_alive.map(Duration::from)
    }

    pub(crate) fn stall_limit(&self) -> Option<Duration> {
        self.stall_timeout.map(Duration::from)
    }

    pub(crate) fn close_limit(&self) -> Duration {
        if HAS_CLOCK { self.close_timeout.into() } else { Duration::MAX }
    }
}

/// A `Duration` in half the space, for every stream has three: more than 584 years are for ever. Never 0.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Nanoseconds(NonZeroU64);

impl From<Duration> for Nanoseconds {
    fn from(duration: Duration) -> Self {
        let count = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Nanoseconds(NonZeroU64::new(count).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<Nanoseconds> for Duration {
    fn from(Nanoseconds(count): Nanoseconds) -> Self {
        if count == NonZeroU64::MAX { Duration::MAX } else { Duration::from_nanos(count.get()) }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max_frame_len = Some(self.max_frame_len).filter(|limit| *limit != usize::MAX);
        f.debug_struct("Config")
            .field("payload_type", &self.payload_type)
            .field("max_frame_len", &max_frame_len)
            .field("write_buffer", &self.write_buffer)
            .field("half_close", &self.half_close)
            .field("keep_alive", &self.interval())
            .field("stall_timeout", &self.stall_limit())
            .field("close_timeout", &self.close_limit())
            .field("allow_unmasked", &self.allow_unmasked)
            .field("abnormal_close_is_error", &self.abnormal_close_is_error)
            .finish()
    }
}
