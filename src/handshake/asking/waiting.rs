//! The connection of a request that waits: shared by the request, and by the task that watches it, where there is one.

use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::handshake::Rejection;
use crate::handshake::deadline::Deadline;
use crate::handshake::serving;

/// What has not happened when the time is over.
pub(super) const UNDECIDED: &str = "the request had not been decided on";

/// So much may come behind a request that is not answered yet. It belongs to the stream, if there will be one.
const MAX_EARLY: usize = 16 * 1024;

/// ```text
///         take                       tell, the time is over
/// Taken ◀────── Waits ──────────────▶ Told ──▶ the watcher sends it
///                 └──▶ Closed: the client has left, or was told
/// ```
enum State<S> {
    Waits(Connection<S>),
    /// Whoever has it answers.
    Taken,
    /// The watcher is to answer.
    Told(Box<Told<S>>),
    /// There is nobody to answer any more.
    Closed(io::ErrorKind, String),
}

/// The transport, and what has come behind the request.
pub(super) struct Connection<S> {
    pub(super) io: S,
    pub(super) rest: Vec<u8>,
}

/// A refusal that has yet to be sent.
pub(in crate::handshake) struct Told<S> {
    pub(in crate::handshake) io: S,
    pub(in crate::handshake) response: Response<Bytes>,
    pub(in crate::handshake) rejection: Rejection,
}

struct Shared<S> {
    state: State<S>,
    is_watched: bool,
    /// The task that watches.
    watcher: Option<Waker>,
    /// Who waits in [`Waiting::closed`].
    owner: Option<Waker>,
}

pub(super) struct Waiting<S>(Arc<Mutex<Shared<S>>>);

impl<S: AsyncRead + AsyncWrite + Unpin> Waiting<S> {
    pub(super) fn new(io: S, rest: Vec<u8>) -> Self {
        let state = State::Waits(Connection { io, rest });
        Waiting(Arc::new(Mutex::new(Shared { state, is_watched: false, watcher: None, owner: None })))
    }

    /// A second handle, for the task that is to watch.
    pub(super) fn watched(&self) -> Watch<S> {
        self.lock().is_watched = true;
        Watch(Waiting(self.0.clone()))
    }

    pub(super) fn is_watched(&self) -> bool {
        self.lock().is_watched
    }

    /// The connection, to be answered on.
    pub(super) fn take(&self) -> io::Result<Connection<S>> {
        self.change(|shared, woken| match mem::replace(&mut shared.state, State::Taken) {
            State::Waits(connection) => {
                *woken = shared.watcher.take();
                Ok(connection)
            }
            State::Closed(kind, why) => {
                shared.state = State::Closed(kind, why.clone());
                Err(io::Error::new(kind, why))
            }
            other => {
                shared.state = other;
                Err(io::Error::new(io::ErrorKind::NotConnected, "the request has been answered"))
            }
        })
    }

    /// Leaves the answer to the watcher; gives it back where there is none. An error if there is nobody to answer any more.
    pub(super) fn tell(
        &self,
        response: Response<Bytes>,
        rejection: Rejection,
    ) -> io::Result<Option<Response<Bytes>>> {
        self.change(|shared, woken| {
            // Also while the watcher, which has found that out, is still there.
            if let State::Closed(kind, why) = &shared.state {
                return Err(io::Error::new(*kind, why.clone()));
            }
            if !shared.is_watched {
                return Ok(Some(response));
            }
            match mem::replace(&mut shared.state, State::Taken) {
                State::Waits(Connection { io, .. }) => {
                    shared.state = State::Told(Box::new(Told { io, response, rejection }));
                    *woken = shared.watcher.take();
                }
                other => shared.state = other,
            }
            Ok(None)
        })
    }

    /// Whether there is nobody left to answer.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.lock().state, State::Closed(..))
    }

    /// Waits until there is nobody left to answer, while another task watches; `None` if that has ended.
    pub(super) async fn closed(&self) -> Option<io::Error> {
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            let _previous; // Dropped once the lock is free.
            let mut shared = self.lock();
            if let State::Closed(kind, why) = &shared.state {
                return Poll::Ready(Some(io::Error::new(*kind, why.clone())));
            }
            if !shared.is_watched {
                return Poll::Ready(None);
            }
            // The watcher wakes, also when it ends.
            _previous = shared.owner.replace(waker);
            drop(shared);
            Poll::Pending
        })
        .await
    }

    /// Watches: notices that the client leaves, keeps what it sends, and ends its waiting in time.
    ///
    /// `None`: the request has been taken, to be answered.
    pub(super) async fn watch(&self, deadline: Deadline) -> Option<Result<Told<S>, io::Error>> {
        let mut over = pin!(async {
            match deadline.at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|cx| {
            let waker = cx.waker().clone();
            self.change(|shared, woken| {
                let mut connection = match mem::replace(&mut shared.state, State::Taken) {
                    State::Waits(connection) => connection,
                    State::Taken => return Poll::Ready(None),
                    State::Told(told) => {
                        *woken = shared
                            .close(io::ErrorKind::ConnectionAborted, "the request has been refused".into());
                        return Poll::Ready(Some(Ok(*told)));
                    }
                    State::Closed(kind, why) => {
                        shared.state = State::Closed(kind, why.clone());
                        return Poll::Ready(Some(Err(io::Error::new(kind, why))));
                    }
                };
                if let Poll::Ready(error) = connection.poll_left(cx) {
                    *woken = shared.close(error.kind(), error.to_string());
                    return Poll::Ready(Some(Err(error)));
                }
                if over.as_mut().poll(cx).is_ready() {
                    *woken = shared.close(io::ErrorKind::TimedOut, deadline.missed(UNDECIDED).to_string());
                    let rejection = Rejection::Undecided;
                    let response = rejection.to_response();
                    return Poll::Ready(Some(Ok(Told { io: connection.io, response, rejection })));
                }
                // The transport's read side has this waker, and so has the timer; the request wakes it too.
                shared.state = State::Waits(connection);
                shared.watcher = Some(waker);
                Poll::Pending
            })
        })
        .await
    }

    /// Changes what is shared. Who is to know is woken afterwards: it may come back here at once.
    fn change<T>(&self, change: impl FnOnce(&mut Shared<S>, &mut Option<Waker>) -> T) -> T {
        let mut woken = None;
        let changed = change(&mut self.lock(), &mut woken);
        if let Some(waker) = woken {
            waker.wake();
        }
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Shared<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Shared<S> {
    /// Whoever waits for that is to be woken.
    fn close(&mut self, kind: io::ErrorKind, why: String) -> Option<Waker> {
        self.state = State::Closed(kind, why);
        self.owner.take()
    }
}

impl<S: AsyncRead + Unpin> Connection<S> {
    /// Reads what comes, until the client leaves or nothing more is kept.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let mut room = [0; 1024];
        // Ends: each turn keeps at least a byte.
        while self.rest.len() < MAX_EARLY {
            let most = room.len().min(MAX_EARLY - self.rest.len());
            let mut buf = ReadBuf::new(&mut room[..most]);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf)) {
                Ok(()) if buf.filled().is_empty() => {
                    let why = "the client left before its request was decided on";
                    return Poll::Ready(io::Error::new(io::ErrorKind::UnexpectedEof, why));
                }
                Ok(()) => self.rest.extend_from_slice(buf.filled()),
                Err(error) => return Poll::Ready(error),
            }
        }
        Poll::Pending // The deadline, and the request, are all that is left to wake.
    }
}

/// The watcher's handle. Where the task ends early, the request is on its own again, or what it was told is sent in passing.
pub(in crate::handshake) struct Watch<S: AsyncRead + AsyncWrite + Unpin>(Waiting<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Watch<S> {
    /// As [`Waiting::watch`].
    pub(in crate::handshake) async fn run(self, deadline: Deadline) -> Option<Result<Told<S>, io::Error>> {
        self.0.watch(deadline).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Watch<S> {
    fn drop(&mut self) {
        let told = self.0.change(|shared, woken| {
            shared.is_watched = false;
            *woken = shared.owner.take();
            match mem::replace(&mut shared.state, State::Taken) {
                State::Told(told) => Some(told),
                other => {
                    shared.state = other;
                    None
                }
            }
        });
        if let Some(mut told) = told {
            let _ = serving::refuse_in_passing(&mut told.io, &told.response);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one that watches may have found out, and still be on its way out, in another thread.
    #[test]
    fn refusal_of_a_client_that_has_left_is_an_error_also_while_the_watcher_is_there() {
        let (near, far) = tokio::io::duplex(64);
        let waiting = Waiting::new(far, Vec::new());
        let _watch = waiting.watched();
        drop(near);
        let cx = &mut Context::from_waker(Waker::noop());
        let watched = pin!(waiting.watch(Deadline::never())).poll(cx);
        assert!(matches!(watched, Poll::Ready(Some(Err(_)))));
        assert!(waiting.is_watched());
        let told = waiting.tell(Rejection::Undecided.to_response(), Rejection::Undecided);
        assert_eq!(told.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
