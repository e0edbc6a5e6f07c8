//! The task that drives an HTTP/2 connection, and finds out what the server allows.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

type Dispatcher<S> = Connection<TokioIo<S>, Empty<Bytes>, Spawner>;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What h2 takes for the server's limit of concurrent streams until its SETTINGS say. They cannot say this: theirs has
/// 32 bits, and without one h2 takes the largest `usize`. So this tells that they have not come.
const NOT_YET: usize = usize::MAX - 1;

/// What the server's SETTINGS say of extended CONNECT (RFC 8441, section 3).
#[derive(Clone, Debug)]
pub(super) enum Settings {
    Awaited,
    Allowed,
    Refused,
    /// No request is taken any more: the connection has ended, or the server has sent GOAWAY.
    Ended {
        /// Why, if it was not in peace.
        error: Option<Arc<hyper::Error>>,
        /// Whether SETTINGS had come before.
        began: bool,
    },
}

/// Held while a request is put into hyper's queue, and while the queue is dropped. tokio's channel can lose what is put into it
/// just when its receiver is dropped: the request would wait for its answer for ever.
pub(super) type Gate = Arc<Mutex<()>>;

/// What a connection is asked by.
pub(super) struct Started {
    pub(super) requests: SendRequest<Empty<Bytes>>,
    pub(super) gate: Gate,
    pub(super) settings: watch::Receiver<Settings>,
}

/// Starts HTTP/2 on a transport. The connection ends when the requests' sender and all streams are gone.
pub(super) async fn start<S>(io: S) -> hyper::Result<Started>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let spawner = Spawner::default();
    let mut builder = Builder::new(spawner.clone());
    builder.initial_max_send_streams(NOT_YET);
    let (requests, dispatcher) = builder.handshake(TokioIo::new(io)).await?;
    let (found, settings) = watch::channel(Settings::Awaited);
    let (connection, dispatcher) = (spawner.take_first(), Some(Box::pin(dispatcher)));
    let gate = Gate::default();
    tokio::spawn(Driver { connection, dispatcher, gate: gate.clone(), found }.run());
    Ok(Started { requests, gate, settings })
}

/// hyper makes two futures of a connection, one that reads and writes, and one that takes the requests. Both are polled here,
/// the second after the first, for two reasons. What the first has read is looked at before the next request: a GOAWAY, so that
/// [`SendRequest::is_closed`] tells of it at once, and SETTINGS, of which hyper tells nobody. And no GOAWAY can come between
/// the two steps in which hyper sends a request: one that fails by it has not been processed, see
/// [`Link`](super::link::Link).
struct Driver<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    connection: Option<Task>,
    dispatcher: Option<Pin<Box<Dispatcher<S>>>>,
    gate: Gate,
    found: watch::Sender<Settings>,
}

impl<S> Driver<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    /// Ends when both have.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            // The dispatcher sees it, below.
            self.connection = None;
        }
        if let Some(dispatcher) = &mut self.dispatcher {
            match dispatcher.as_mut().poll(cx) {
                Poll::Ready(end) => {
                    let began = matches!(*self.found.borrow(), Settings::Allowed | Settings::Refused);
                    self.found.send_replace(Settings::Ended { error: end.err().map(Arc::new), began });
                    self.drop_dispatcher();
                }
                Poll::Pending => self.look_for_settings(),
            }
        }
        if self.connection.is_none() && self.dispatcher.is_none() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Requests that wait come back. The connection has this task's waker, and goes on without.
    fn drop_dispatcher(&mut self) {
        let _gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.dispatcher = None;
    }

    fn look_for_settings(&self) {
        if let Some(dispatcher) = &self.dispatcher
            && matches!(*self.found.borrow(), Settings::Awaited)
        {
            if dispatcher.is_extended_connect_protocol_enabled() {
                self.found.send_replace(Settings::Allowed);
            } else if dispatcher.current_max_send_streams() != NOT_YET {
                self.found.send_replace(Settings::Refused);
            }
        }
    }
}

/// Where the runtime ends first.
impl<S> Drop for Driver<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn drop(&mut self) {
        self.drop_dispatcher();
    }
}

/// Gives hyper's futures to the runtime, but keeps the first, which is the connection, for the [`Driver`].
#[derive(Clone, Default)]
pub(super) struct Spawner {
    first: Arc<Mutex<First>>,
}

#[derive(Default)]
enum First {
    #[default]
    Awaited,
    Here(Task),
    Taken,
}

impl Spawner {
    fn take_first(&self) -> Option<Task> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        match mem::replace(&mut *first, First::Taken) {
            First::Here(task) => Some(task),
            First::Awaited | First::Taken => None,
        }
    }
}

impl<F> Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        {
            let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(*first, First::Awaited) {
                *first = First::Here(Box::pin(future));
                return;
            }
        }
        tokio::spawn(future);
    }
}
