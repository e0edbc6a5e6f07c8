//! The task that drives an HTTP/2 connection, and finds out what the server allows.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};

type Driven<S> = Connection<TokioIo<S>, Empty<Bytes>, Spawner>;

/// What h2 takes for the server's limit of concurrent streams until its SETTINGS say. They cannot say this: theirs has
/// 32 bits, and without one h2 takes the largest `usize`. So this tells that they have not come.
const NOT_YET: usize = usize::MAX - 1;

/// What the server's SETTINGS say of extended CONNECT (RFC 8441, section 3).
#[derive(Clone, Debug)]
pub(super) enum Settings {
    Awaited,
    Allowed,
    Refused,
    /// The connection is no more, because of this.
    Ended(Option<Arc<hyper::Error>>),
}

/// Starts HTTP/2 on a transport. The connection ends when the requests' sender and all streams are gone.
pub(super) async fn start<S>(io: S) -> hyper::Result<(SendRequest<Empty<Bytes>>, watch::Receiver<Settings>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let polled = Arc::new(Notify::new());
    let spawner = Spawner { polled: polled.clone() };
    let mut builder = Builder::new(spawner);
    builder.initial_max_send_streams(NOT_YET);
    let (requests, connection) = builder.handshake(TokioIo::new(io)).await?;
    let (found, settings) = watch::channel(Settings::Awaited);
    tokio::spawn(drive(connection, polled, found));
    Ok((requests, settings))
}

/// Ends with the connection, or when nobody can send a request any more.
async fn drive<S>(connection: Driven<S>, polled: Arc<Notify>, found: watch::Sender<Settings>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = pin!(connection);
    while matches!(*found.borrow(), Settings::Awaited) {
        // SETTINGS are read by the task that hyper has given to the spawner, and nothing tells this one of them.
        let mut polled = pin!(polled.notified());
        let end = poll_fn(|cx| match connection.as_mut().poll(cx) {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending => polled.as_mut().poll(cx).map(|()| None),
        });
        if let Some(end) = end.await {
            found.send_replace(Settings::Ended(end.err().map(Arc::new)));
            return;
        }
        if connection.is_extended_connect_protocol_enabled() {
            found.send_replace(Settings::Allowed);
        } else if connection.current_max_send_streams() != NOT_YET {
            found.send_replace(Settings::Refused);
        }
    }
    let end = connection.await;
    found.send_replace(Settings::Ended(end.err().map(Arc::new)));
}

/// Gives hyper's futures to the runtime, and tells whenever one of them has been polled.
#[derive(Clone)]
pub(super) struct Spawner {
    polled: Arc<Notify>,
}

impl<F> Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let polled = self.polled.clone();
        tokio::spawn(async move {
            let mut future = pin!(future);
            poll_fn(|cx| {
                let ended = future.as_mut().poll(cx);
                polled.notify_one();
                ended
            })
            .await;
        });
    }
}
