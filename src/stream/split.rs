//! A stream in two owned halves, for two tasks.
//!
//! The stream stays whole, behind a lock; what a half does is what the stream does. The reading half has what was read
//! ahead, so that it can show it (`fill_buf`), and take from it without the lock. Nothing waits with the lock held, and
//! no task is woken under it, unless the transport does so within a call.

mod reading;
mod waiting;
mod writing;

use std::fmt;
use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU8, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::Waker;

use tokio::io::{AsyncRead, AsyncWrite};

use super::WebSocketStream;
use super::input::Input;
use super::wake::Side;
use crate::{CloseFrame, Role};

pub use reading::OwnedReadHalf;
use waiting::Waiting;
pub use writing::OwnedWriteHalf;

/// What both halves have.
pub(super) struct Shared<S> {
    stream: Mutex<WebSocketStream<S>>,
    /// The stream may have something to push out, which a read must not pass by. Set by the writing half, whatever it has
    /// done, and taken back by the reading half once it has looked.
    must_push: AtomicBool,
    /// The writing half has begun to close: each half reads for the other, too. Changes under the lock.
    closes: AtomicBool,
    /// The reading half is gone. Whatever comes, nobody wants it.
    reader_is_gone: AtomicBool,
    /// A read has returned the end, or its error. None is to be expected after that.
    has_ended: AtomicBool,
    /// What the writing half has left to be done, see [`Left`].
    left: AtomicU8,
    waiting: Arc<Waiting>,
    /// [`WebSocketStream::push_in_passing`]: dropping a half knows no more of `S` than the type does.
    push_in_passing: fn(&mut WebSocketStream<S>),
}

/// What is left to be done for a writing half that was dropped.
struct Left;

impl Left {
    const NOTHING: u8 = 0;
    /// The Close that a shutdown would have sent.
    const CLOSE: u8 = 1;
    /// A Close that says that something went wrong.
    const PANIC: u8 = 2;
    /// No Close, but what is kept: it was forgotten.
    const KEPT: u8 = 3;
}

impl<S> Shared<S> {
    /// A transport that has panicked leaves the stream as a stream that is not split.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, WebSocketStream<S>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whom the stream would have woken meanwhile, the task that has polled it included.
    #[inline]
    fn unlock(&self, stream: MutexGuard<'_, WebSocketStream<S>>, polled: &Waker) {
        if stream.wakers.has_due() {
            wake_due(stream, polled);
        }
    }

    /// The waker of both tasks.
    fn waker(&self) -> Waker {
        self.waiting.clone().into()
    }

    /// Queues the Close that a dropped writing half has left.
    #[inline]
    fn queue_what_is_left(&self, stream: &mut WebSocketStream<S>) {
        if self.left.load(SeqCst) != Left::NOTHING {
            match self.left.swap(Left::NOTHING, SeqCst) {
                Left::NOTHING | Left::KEPT => {}
                Left::PANIC => stream.connection.close_for_panic(),
                _ => stream.connection.shut_down(),
            }
        }
    }

    /// Does what the writing half has left, where no read will.
    ///
    /// It never waits for the lock: a half may be dropped by whoever is called under it. Who has the lock looks here
    /// when it has released it; the fences make sure that one of the two sees what the other did.
    fn do_what_is_left(&self) {
        fence(SeqCst);
        if !self.has_ended.load(SeqCst) || self.left.load(SeqCst) == Left::NOTHING {
            return;
        }
        let mut stream = match self.stream.try_lock() {
            Ok(stream) => stream,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if self.left.load(SeqCst) == Left::PANIC {
            // The next read says so. If there is none, dropping the stream must not look like an orderly end.
            stream.connection.was_broken_off();
        } else {
            self.queue_what_is_left(&mut stream);
            (self.push_in_passing)(&mut stream);
        }
        self.unlock(stream, Waker::noop());
    }

    /// Asks the stream something.
    fn ask<T>(&self, question: impl FnOnce(&WebSocketStream<S>) -> T) -> T {
        let answer = question(&self.lock());
        self.do_what_is_left();
        answer
    }

    #[cfg(any(feature = "listener", feature = "connect"))]
    pub(super) fn with_transport<T>(&self, ask: impl FnOnce(&S) -> T) -> T {
        self.ask(|stream| ask(stream.get_ref()))
    }

    fn is_closed(&self) -> bool {
        self.ask(WebSocketStream::is_closed)
    }

    fn peer_close(&self) -> Option<CloseFrame> {
        self.ask(|stream| stream.peer_close().cloned())
    }

    fn role(&self) -> Role {
        self.ask(WebSocketStream::role)
    }

    fn fmt(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct(name);
        // Not a lock: a task may be shown while it is polled.
        match self.stream.try_lock() {
            Ok(stream) => debug.field("stream", &*stream),
            Err(_) => &mut debug,
        };
        // The other half may have been dropped meanwhile.
        self.do_what_is_left();
        debug.finish_non_exhaustive()
    }
}

#[cold]
fn wake_due<S>(mut stream: MutexGuard<'_, WebSocketStream<S>>, polled: &Waker) {
    let due = stream.wakers.take_due();
    drop(stream);
    due.wake(polled);
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// Splits the stream into two owned halves, which can be used in two tasks.
    ///
    /// Nothing is sent, and nothing is lost: what was read ahead goes with the reading half, and what waits to be sent is
    /// pushed out by either. [`reunite`](OwnedReadHalf::reunite) makes one stream of them again.
    ///
    /// The halves do what the stream does, and what is said of it holds for them. In particular, Pings are answered, and the
    /// peer's Close is noticed, by the reading half: keep reading, or drop it. They share one lock, which is held only
    /// while a call runs.
    ///
    /// What each half does to the other when it is dropped is said there: [`OwnedReadHalf`], [`OwnedWriteHalf`].
    /// Once both are dropped, so is the stream, see [the crate's documentation](crate#dropping-it).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use fastwebsockets_stream::{Config, PayloadType, Role, WebSocketStream};
    /// use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
    ///
    /// let (near, far) = tokio::io::duplex(1024);
    /// let config = Config::new(PayloadType::Binary);
    /// let client = WebSocketStream::from_transport(near, Role::Client, [], config.clone());
    /// let mut server = WebSocketStream::from_transport(far, Role::Server, [], config);
    ///
    /// let (mut reader, mut writer) = client.into_split();
    /// let asking = tokio::spawn(async move {
    ///     writer.write_all(b"How are you?\n").await?;
    ///     writer.shutdown().await
    /// });
    ///
    /// let mut question = String::new();
    /// server.read_to_string(&mut question).await?;
    /// server.write_all(b"Fine.\n").await?;
    /// server.shutdown().await?;
    ///
    /// let mut answer = String::new();
    /// reader.read_line(&mut answer).await?;
    /// assert_eq!(answer, "Fine.\n");
    /// asking.await??;
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_split(mut self) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
        let input = std::mem::take(&mut self.input);
        self.wakers.defer(true);
        let shared = Arc::new(Shared {
            must_push: AtomicBool::new(self.connection.must_transmit()),
            closes: AtomicBool::new(false),
            reader_is_gone: AtomicBool::new(false),
            has_ended: AtomicBool::new(self.connection.has_told_end()),
            left: AtomicU8::new(Left::NOTHING),
            waiting: Arc::default(),
            push_in_passing: Self::push_in_passing,
            stream: Mutex::new(self),
        });
        (OwnedReadHalf::new(shared.clone(), input), OwnedWriteHalf::new(shared))
    }
}

/// Puts two halves together.
fn reunite<S>(
    mut read: OwnedReadHalf<S>,
    write: OwnedWriteHalf<S>,
) -> Result<WebSocketStream<S>, ReuniteError<S>> {
    if !Arc::ptr_eq(read.shared(), write.shared()) {
        return Err(ReuniteError(read, write));
    }
    let input: Input = read.take_input();
    let shared = read.shared().clone();
    drop(read);
    write.leave_quietly();
    let shared = Arc::into_inner(shared).expect("nobody but the two halves has it");
    let mut stream = shared.stream.into_inner().unwrap_or_else(PoisonError::into_inner);
    stream.wakers.defer(false);
    // A transport that panicked may have left some.
    stream.wakers.take_due().wake(Waker::noop());
    let ahead = std::mem::take(&mut stream.input);
    stream.input = input.followed_by(ahead);
    Ok(stream)
}

/// Two halves that were to be [reunited](OwnedReadHalf::reunite), and are of two streams: both are in here.
pub struct ReuniteError<S>(
    /// The reading half.
    pub OwnedReadHalf<S>,
    /// The writing half.
    pub OwnedWriteHalf<S>,
);

impl<S> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves are of different streams: only those of one `into_split` can be reunited")
    }
}

impl<S> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReuniteError").field(&self.0).field(&self.1).finish()
    }
}

impl<S> std::error::Error for ReuniteError<S> {}

/// So that `?` can give up both halves in a function that returns an [`io::Error`].
impl<S> From<ReuniteError<S>> for io::Error {
    fn from(error: ReuniteError<S>) -> Self {
        io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
    }
}
