//! Joins two transports: what comes from either goes to the other.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::buffer::{Buffer, LARGE};

/// As much as is read at a time. A WebSocket makes one frame of it.
const CHUNK: usize = 64 * 1024;

/// So many chunks in one poll, then the other tasks have their turn.
const MAX_CHUNKS: usize = 16;

/// Copies in both directions between two transports, until each direction has ended.
///
/// It does what [`tokio::io::copy_bidirectional`](https://docs.rs/tokio/latest/tokio/io/fn.copy_bidirectional.html) does, for a
/// [`WebSocketStream`](crate::WebSocketStream) and a TCP connection or any other two: when one has no more to say
/// (a read returns 0 bytes), the other is shut down, and the other direction goes on. It differs in that
///
/// - **it reads 64 KiB at a time**, where tokio's reads 8 KiB: fewer frames, and fewer system calls;
/// - **an idle tunnel holds no buffer**: one is borrowed from the thread while bytes are under way, and given back when nothing more
///   comes. A direction whose writer is slow holds one until that has taken all of it;
/// - **an error says what has failed**: which side, in which direction, and after how many bytes;
/// - **it counts while it runs**, see [`progress`](CopyBidirectional::progress).
///
/// Either may be a `&mut`, to have it back afterwards: after an error, to say so to the other side. Dropping a WebSocket that
/// was not shut down is seen as a truncation there; dropping a TCP connection may look like an orderly end, unless it is
/// reset (`SO_LINGER` of 0).
///
/// # Errors
///
/// The first error of either side ends both directions, see [`CopyError`]. It converts to an [`io::Error`] of the same kind. What
/// was read before a read has failed has been written, and a flush of it was tried; what the other direction had read and not yet
/// written is lost.
///
/// # Cancel safety
///
/// Bytes that were read from one side and not yet written to the other are lost if the future is dropped, as they are with tokio's.
///
/// # Examples
///
/// Both ends of a tunnel have this in the middle:
///
/// ```
/// use fastwebsockets_stream::{WebSocketStream, copy_bidirectional};
/// use tokio::io::{AsyncRead, AsyncWrite};
/// use tokio::net::TcpStream;
///
/// async fn tunnel<S>(websocket: WebSocketStream<S>, tcp: TcpStream) -> std::io::Result<()>
/// where
///     S: AsyncRead + AsyncWrite + Unpin,
/// {
///     let copied = copy_bidirectional(websocket, tcp).await?;
///     println!("{} bytes to the service, {} bytes back", copied.a_to_b, copied.b_to_a);
///     Ok(())
/// }
/// ```
pub fn copy_bidirectional<A, B>(a: A, b: B) -> CopyBidirectional<A, B>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    CopyBidirectional {
        a,
        b,
        a_to_b: OneWay::default(),
        b_to_a: OneWay::default(),
        progress: OnceLock::new(),
    }
}

/// The future that [`copy_bidirectional`] returns.
#[must_use = "nothing is copied until it is awaited"]
pub struct CopyBidirectional<A, B> {
    a: A,
    b: B,
    a_to_b: OneWay,
    b_to_a: OneWay,
    /// Only where somebody has asked for it: an idle tunnel is to hold nothing on the heap.
    progress: OnceLock<CopyProgress>,
}

impl<A, B> CopyBidirectional<A, B> {
    /// What has been copied so far, to be looked at while it runs, from any task or thread.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use fastwebsockets_stream::copy_bidirectional;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// let (mut near, a) = tokio::io::duplex(64);
    /// let (b, mut far) = tokio::io::duplex(64);
    /// let copying = copy_bidirectional(a, b);
    /// let progress = copying.progress();
    /// tokio::spawn(copying);
    ///
    /// near.write_all(b"hello").await?;
    /// far.read_exact(&mut [0; 5]).await?;
    /// assert_eq!(progress.copied().a_to_b, 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn progress(&self) -> CopyProgress {
        let progress = self.progress.get_or_init(CopyProgress::default);
        progress.set(self.copied());
        progress.clone()
    }

    fn copied(&self) -> Copied {
        Copied { a_to_b: self.a_to_b.copied, b_to_a: self.b_to_a.copied }
    }
}

impl<A, B> Future for CopyBidirectional<A, B>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    type Output = Result<Copied, CopyError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let there = this.a_to_b.poll(cx, &mut this.a, &mut this.b);
        let back = match there {
            // What has failed is not polled again.
            Poll::Ready(Err(_)) => Poll::Pending,
            _ => this.b_to_a.poll(cx, &mut this.b, &mut this.a),
        };
        let copied = this.copied();
        if let Some(progress) = this.progress.get() {
            progress.set(copied);
        }
        let failed = |reader: CopySide| {
            move |(step, source)| {
                let side = if step == CopyStep::Read { reader } else { reader.other() };
                CopyError { side, step, copied, source }
            }
        };
        let there = there.map_err(failed(CopySide::A))?;
        let back = back.map_err(failed(CopySide::B))?;
        if there.is_pending() || back.is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(Ok(copied))
    }
}

impl<A, B> fmt::Debug for CopyBidirectional<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyBidirectional").field("copied", &self.copied()).finish_non_exhaustive()
    }
}

/// What a [`CopyBidirectional`] has copied so far.
#[derive(Clone, Debug, Default)]
pub struct CopyProgress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    a_to_b: AtomicU64,
    b_to_a: AtomicU64,
}

impl CopyProgress {
    /// The bytes that each side has taken, as of the last time that the future was polled.
    pub fn copied(&self) -> Copied {
        let Counters { a_to_b, b_to_a } = &*self.0;
        Copied { a_to_b: a_to_b.load(Ordering::Relaxed), b_to_a: b_to_a.load(Ordering::Relaxed) }
    }

    fn set(&self, copied: Copied) {
        self.0.a_to_b.store(copied.a_to_b, Ordering::Relaxed);
        self.0.b_to_a.store(copied.b_to_a, Ordering::Relaxed);
    }
}

/// Bytes that were read from one side and taken by the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// From the first transport to the second.
    pub a_to_b: u64,
    /// From the second transport to the first.
    pub b_to_a: u64,
}

/// One direction.
#[derive(Default)]
struct OneWay {
    /// Empty while nothing is under way.
    buffer: Buffer,
    /// What of it is still to be written.
    start: usize,
    end: usize,
    copied: u64,
    needs_flush: bool,
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Copying,
    /// The reader has ended.
    ShuttingDown,
    Done,
}

type Failure = (CopyStep, io::Error);

impl OneWay {
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<Result<(), Failure>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if self.state == State::Copying {
            ready!(self.poll_copy(cx, from, to))?;
            self.state = State::ShuttingDown;
        }
        if self.state == State::ShuttingDown {
            ready!(Pin::new(to).poll_shutdown(cx)).map_err(|error| (CopyStep::Shutdown, error))?;
            self.state = State::Done;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when there is nothing more to read.
    fn poll_copy<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<Result<(), Failure>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..MAX_CHUNKS {
            while self.start < self.end {
                let rest = &self.buffer[self.start..self.end];
                let n = ready!(Pin::new(&mut *to).poll_write(cx, rest))
                    .map_err(|error| (CopyStep::Write, error))?;
                if n == 0 {
                    return Poll::Ready(Err((CopyStep::Write, io::ErrorKind::WriteZero.into())));
                }
                self.start += n;
                self.needs_flush = true;
                self.copied += n as u64;
            }
            if self.buffer.is_empty() {
                self.buffer = Buffer::take(LARGE);
            }
            let mut buf = ReadBuf::new(&mut self.buffer[..CHUNK]);
            let polled = Pin::new(&mut *from).poll_read(cx, &mut buf);
            (self.start, self.end) = (0, buf.filled().len());
            if polled.is_pending() {
                self.buffer = Buffer::default();
                return self.poll_flush(cx, to);
            }
            if let Poll::Ready(Err(error)) = polled {
                // What came before it is not to stay in a buffer of the other side's; it is tried once, for nobody waits.
                let _ = self.poll_flush(cx, to);
                return Poll::Ready(Err((CopyStep::Read, error)));
            }
            if self.end == 0 {
                self.buffer = Buffer::default();
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nothing more has come: what was written must not wait for more. The reader wakes when there is.
    fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<Result<(), Failure>> {
        if self.needs_flush {
            ready!(Pin::new(to).poll_flush(cx)).map_err(|error| (CopyStep::Flush, error))?;
            self.needs_flush = false;
        }
        Poll::Pending
    }
}

/// What has ended a [`CopyBidirectional`].
///
/// Its [`source`](std::error::Error::source) is the error of that transport, and `io::Error::from` makes one of the same kind.
#[derive(Debug)]
pub struct CopyError {
    side: CopySide,
    step: CopyStep,
    copied: Copied,
    source: io::Error,
}

/// One of the two transports.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopySide {
    /// The first.
    A,
    /// The second.
    B,
}

/// What was being done.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyStep {
    /// Reading from the side that has failed.
    Read,
    /// Writing to it.
    Write,
    /// Flushing what was written to it.
    Flush,
    /// Shutting it down, since the other side has ended.
    Shutdown,
}

impl CopyError {
    /// The transport that has failed.
    pub fn side(&self) -> CopySide {
        self.side
    }

    /// What it has failed at.
    pub fn step(&self) -> CopyStep {
        self.step
    }

    /// How much had been copied.
    pub fn copied(&self) -> Copied {
        self.copied
    }

    /// The kind of its source.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl CopySide {
    fn other(self) -> Self {
        match self {
            CopySide::A => CopySide::B,
            CopySide::B => CopySide::A,
        }
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.step {
            CopyStep::Read => "read from",
            CopyStep::Write => "write to",
            CopyStep::Flush => "flush",
            CopyStep::Shutdown => "shut down",
        };
        let Copied { a_to_b, b_to_a } = self.copied;
        write!(
            f,
            "cannot {what} side {:?}, after {a_to_b} bytes from A to B and {b_to_a} from B to A",
            self.side
        )
    }
}

impl StdError for CopyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.source)
    }
}

impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> Self {
        io::Error::new(error.kind(), error)
    }
}
