//! The one options type.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use fastwebsockets::OpCode;

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
///     .half_close(true);
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
    close_timeout: Nanoseconds,
}

impl Config {
    /// The defaults, for a stream of this type.
    pub fn new(payload_type: PayloadType) -> Self {
        Config {
            payload_type,
            half_close: false,
            allow_unmasked: false,
            abnormal_close_is_error: false,
            max_frame_len: 1024 * 1024,
            write_buffer: 0,
            keep_alive: None,
            close_timeout: Duration::from_secs(10).into(),
        }
    }

    /// The longest payload of a frame that is sent, in bytes; `None` for no limit. Default: 1 MiB.
    ///
    /// A write takes at most this much of its buffer. Peers refuse frames beyond a limit of their own (1 MiB
    /// in some), and a Pong cannot pass inside a frame. What may be *received* has no limit: it streams
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

    /// Keeps writing possible after the peer's Close. Default: `false`.
    ///
    /// With it, the peer's Close ends only the reading, and is answered when this end shuts down, so that a
    /// response can still be written; with it on both ends the stream closes like TCP, each direction on
    /// its own. It is off by default because most WebSocket peers take their Close for the end of both
    /// directions, and are told to answer it as soon as they can (RFC 6455, section 5.5.1).
    #[must_use]
    pub fn half_close(mut self, on: bool) -> Self {
        self.half_close = on;
        self
    }

    /// Sends a Ping after this long without a byte from the peer, and gives up after as long again.
    /// Default: none is sent.
    ///
    /// Any byte that comes in counts as life. The time counts only while a read waits, and ends with the
    /// first Close in either direction. While the transport takes nothing, the Ping cannot leave, and nothing is given
    /// up: a peer that is slow to read is not dead. (For one that is, the socket's own limit applies, `TCP_USER_TIMEOUT`
    /// on Linux.) Giving up is an error of kind `TimedOut`. It is off by default because
    /// it needs tokio's timer and traffic nobody asked for; behind a proxy, set it below the proxy's idle
    /// limit (often 60 s).
    ///
    /// # Panics
    ///
    /// A read panics where the runtime has no timer; an interval of zero counts as 1 ms.
    #[must_use]
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.keep_alive = Some(interval.max(Duration::from_millis(1)).into());
        self
    }

    /// How long [`close`](crate::WebSocketStream::close) may take in all. Default: 10 s.
    ///
    /// Long enough for a peer with a full queue on a slow link, short enough not to hold up a restart.
    /// [`Duration::MAX`] waits without a limit, and needs no timer.
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
    /// of the stream. Default: `false`.
    ///
    /// A Close without a code is always a clean end. Off by default because a Close of any code says that
    /// everything before it has arrived; the code is there in
    /// [`peer_close`](crate::WebSocketStream::peer_close).
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

    pub(crate) fn close_limit(&self) -> Duration {
        self.close_timeout.into()
    }
}

/// A `Duration` in half the space, for every stream has two: more than 584 years are for ever. Never 0.
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
            .field("close_timeout", &self.close_limit())
            .field("allow_unmasked", &self.allow_unmasked)
            .field("abnormal_close_is_error", &self.abnormal_close_is_error)
            .finish()
    }
}
