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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settings {
    Awaited,
    Allowed,
    Refused,
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
    while *found.borrow() == Settings::Awaited {
        // SETTINGS are read by the task that hyper has given to the spawner, and nothing tells this one of them.
        let mut polled = pin!(polled.notified());
        let has_ended = poll_fn(|cx| match connection.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => polled.as_mut().poll(cx).map(|()| false),
        });
        if has_ended.await {
            return;
        }
        if connection.is_extended_connect_protocol_enabled() {
            found.send_replace(Settings::Allowed);
        } else if connection.current_max_send_streams() != NOT_YET {
            found.send_replace(Settings::Refused);
        }
    }
    // An error here ends the streams and requests too, and they report it.
    let _ = connection.await;
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
