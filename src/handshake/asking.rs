//! A request that waits for a decision, and what goes on meanwhile.

mod waiting;

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::Id;
use tokio::time::Instant;

use super::deadline::Deadline;
use super::request::Opening;
use super::serving::{self, Asked, Opened};
use super::{Rejection, Upgrader};
use crate::{Config, WebSocketStream};
use waiting::{Connection, UNDECIDED, Waiting};
pub(super) use waiting::{Told, Watch};

/// A request for a WebSocket that waits for an answer: to be [accepted](Self::accept) or [refused](Self::refuse).
///
/// [`Requests`](crate::Requests) of a `Listener`, and [`Upgrader::request_over`], hand it out, once it has passed the checks that
/// need nobody's decision: the rules of RFC 6455, the path, the origin. The client waits meanwhile, so there is time to look
/// something up: who the client is, whether it may, where it is to be led.
///
/// # What happens meanwhile
///
/// The time limit of the handshake goes on ([`Upgrader::time_limit`]). When it has passed, the client gets 503, and so it does when
/// the request is dropped. A client that leaves is noticed: [`closed`](Self::closed) completes, [`wait_for`](Self::wait_for) gives
/// up, [`accept`](Self::accept) fails. (What a client sends behind its request is kept for the stream. After 16 KiB of it, nothing more is
/// read, and it is no longer noticed whether it leaves.)
///
/// A client that ends its side of the connection, as by `shutdown` of a socket, has left: it could neither send nor close, and is
/// not told apart from one that is gone. It gets no answer, and what it has sent before is discarded.
///
/// A `Listener` watches its requests in tasks of its own. Over a transport of the caller's nobody does, so there that takes
/// place while one of the three is polled; and a drop sends its 503 as far as that goes without waiting.
///
/// # Examples
///
/// ```no_run
/// # struct User;
/// # async fn look_up(token: Option<&http::HeaderValue>) -> Option<User> { token.map(|_| User) }
/// # async fn talk(user: User, stream: fastwebsockets_stream::WebSocketStream<fastwebsockets_stream::MaybeTlsStream>) {}
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use fastwebsockets_stream::{Config, Listener, PayloadType};
/// use http::{Response, StatusCode, header};
///
/// let listener = Listener::bind("127.0.0.1:8080", Config::new(PayloadType::Binary)).await?;
/// let mut requests = listener.requests();
/// while let Some(mut request) = requests.next().await {
///     tokio::spawn(async move {
///         let token = request.head().headers.get(header::AUTHORIZATION).cloned();
///         match request.wait_for(look_up(token.as_ref())).await? {
///             Some(user) => talk(user, request.accept().await?.stream).await,
///             None => {
///                 let mut refusal = Response::new("Who are you?");
///                 *refusal.status_mut() = StatusCode::FORBIDDEN;
///                 request.refuse(refusal).await?;
///             }
///         }
///         std::io::Result::Ok(())
///     });
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "the client waits for an answer; dropped, it gets 503"]
pub struct UpgradeRequest<S: AsyncRead + AsyncWrite + Unpin> {
    /// `None` once it is answered.
    asked: Option<(Parts, Opening)>,
    upgrader: Upgrader,
    addresses: Option<Addresses>,
    deadline: Deadline,
    prepare: fn(&S, &Config) -> io::Result<()>,
    finish: fn(WebSocketStream<S>) -> WebSocketStream<S>,
    waiting: Waiting<S>,
    place: Option<Place>,
}

/// A place among the requests that are decided on. Dropped, it is free.
pub(super) struct Place {
    id: Id,
    release: UnboundedSender<Id>,
}

impl Place {
    pub(super) fn new(id: Id, release: UnboundedSender<Id>) -> Self {
        Place { id, release }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.release.send(self.id); // The listener may be gone.
    }
}

/// Both ends of a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
}

impl<S: AsyncRead + AsyncWrite + Unpin> UpgradeRequest<S> {
    pub(super) fn new(io: S, asked: Asked, upgrader: Upgrader, deadline: Deadline) -> Self {
        let Asked { head, opening, rest } = asked;
        let waiting = Waiting::new(io, rest);
        UpgradeRequest {
            asked: Some((head, opening)),
            upgrader,
            addresses: None,
            deadline,
            prepare: |_, _| Ok(()),
            finish: |stream| stream,
            waiting,
            place: None,
        }
    }

    pub(super) fn placed(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// For a socket that this crate has accepted: its addresses, what a [`Config`] asks of it, and what becomes of the stream.
    /// The other part is for the task that watches it.
    pub(super) fn watched(
        mut self,
        addresses: Addresses,
        prepare: fn(&S, &Config) -> io::Result<()>,
        finish: fn(WebSocketStream<S>) -> WebSocketStream<S>,
    ) -> (Self, Watch<S>) {
        self.addresses = Some(addresses);
        self.prepare = prepare;
        self.finish = finish;
        let watch = self.waiting.watched();
        (self, watch)
    }

    /// Whether there is nobody to answer any more.
    pub(super) fn is_over(&self) -> bool {
        self.waiting.is_over()
    }

    /// The client's request: its path and query, its header fields.
    pub fn head(&self) -> &Parts {
        &self.asked().0
    }

    /// The same, to be changed: what is put into its `extensions` is there again in what [`accept`](Self::accept) gives.
    pub fn head_mut(&mut self) -> &mut Parts {
        &mut self.asked.as_mut().expect(ANSWERED).0
    }

    /// Whence the connection comes: the client, or the last proxy before this server. `None` over a transport of the caller's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.addresses.map(|addresses| addresses.peer)
    }

    /// The address that the client has connected to. `None` over a transport of the caller's.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.addresses.map(|addresses| addresses.local)
    }

    /// The client's subprotocols, the one it likes best first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.asked().1.subprotocols.iter().filter_map(|name| name.to_str().ok())
    }

    /// Answers with a stream of this [`Config`] instead of the `Upgrader`'s.
    pub fn config(mut self, config: Config) -> Self {
        self.upgrader = self.upgrader.clone().config(config);
        self
    }

    /// Chooses a subprotocol (RFC 6455, section 4.2.2), instead of the first one that the `Upgrader` speaks.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for one that the client has not asked for. The client gets 503.
    pub fn subprotocol(mut self, name: &str) -> io::Result<Self> {
        if !self.subprotocols().any(|theirs| theirs == name) {
            let reason = format!("the client has not asked for the subprotocol {name:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        self.upgrader.set_subprotocol(name.to_owned());
        Ok(self)
    }

    /// Adds a header field to the 101.
    ///
    /// # Errors
    ///
    /// Those of [`Upgrader::header`]. The client gets 503.
    pub fn header<K, V>(mut self, name: K, value: V) -> io::Result<Self>
    where
        HeaderName: TryFrom<K, Error: Into<http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<http::Error>>,
    {
        self.upgrader = self.upgrader.clone().header(name, value)?;
        Ok(self)
    }

    /// Waits until there is nobody left to answer: the client has left (`UnexpectedEof`, or the transport's error), or its time has
    /// passed (`TimedOut`).
    ///
    /// Over a transport of the caller's, it is this that sends the 503 then, and it gives the client 2 seconds to read it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing, except that over a transport of the caller's it closes the connection where the time has
    /// passed.
    pub async fn closed(&mut self) -> io::Error {
        // Twice at most: a watcher does not come back.
        loop {
            if self.waiting.is_watched() {
                if let Some(error) = self.waiting.closed().await {
                    return error;
                }
                continue;
            }
            return match self.waiting.watch(self.deadline).await {
                Some(Err(error)) => error,
                Some(Ok(Told { mut io, response, .. })) => {
                    // The client's time has passed: this is tried once.
                    if let Some(Ok(())) = self.deadline.cut(serving::refuse(&mut io, &response)).await {
                        serving::linger(io).await;
                    }
                    late(self.deadline)
                }
                None => io::Error::new(io::ErrorKind::NotConnected, "the request has been answered"),
            };
        }
    }

    /// Waits for something that the decision depends on, but not longer than the client does. (Over a transport of the caller's, the
    /// 2 seconds of [`closed`](Self::closed) come on top, in which the decision is still taken, and then comes too late.)
    ///
    /// # Errors
    ///
    /// As [`closed`](Self::closed).
    ///
    /// # Cancel safety
    ///
    /// As that of the future it is given.
    pub async fn wait_for<F: Future>(&mut self, decision: F) -> io::Result<F::Output> {
        let mut decision = pin!(decision);
        let mut closed = pin!(self.closed());
        poll_fn(|cx| match decision.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => closed.as_mut().poll(cx).map(Err),
        })
        .await
    }

    /// Accepts it: sends the 101, and gives the stream.
    ///
    /// # Errors
    ///
    /// - `TimedOut`: the time for the handshake has passed.
    /// - `UnexpectedEof`: the client has left.
    /// - The transport's own.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn accept(mut self) -> io::Result<Opened<S>> {
        self.check_time().await?;
        self.check_client().await?;
        let Connection { mut io, rest } = self.waiting.take()?;
        if let Err(error) = (self.prepare)(&io, &self.upgrader.to_config()) {
            let _ = serving::refuse_in_passing(&mut io, &Rejection::Undecided.to_response());
            return Err(error);
        }
        let (head, opening) = self.asked.take().expect(ANSWERED);
        let asked = Asked { head, opening, rest };
        let accepted = self.deadline.cut(serving::accept(io, asked, &self.upgrader)).await;
        let mut opened = accepted.ok_or_else(|| not_taken(self.deadline))??;
        opened.stream = (self.finish)(opened.stream);
        Ok(opened)
    }

    /// Refuses it: sends this response, and ends the connection.
    ///
    /// Its body is sent as it is, with its length (304 has none); without a Content-Type it is said to be plain text. `Connection: close` is added,
    /// and so is a date. Over a transport of the caller's, this waits until the client has read the answer, 2 seconds at
    /// most; a `Listener` does that by itself.
    ///
    /// # Errors
    ///
    /// - `InvalidInput`: the status is not one that refuses (300 to 599). The client gets 503.
    /// - As for [`accept`](Self::accept). A `Listener` sends the response in a task of its own, so there this does not tell
    ///   whether the client has taken it.
    ///
    /// # Panics
    ///
    /// Over a transport of the caller's, in a runtime without timers.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn refuse<B: Into<Bytes>>(mut self, response: Response<B>) -> io::Result<()> {
        let mut response = response.map(Into::into);
        if !(300..600).contains(&response.status().as_u16()) {
            let reason = format!("{} refuses nothing; expected a status from 300 to 599", response.status());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        if !response.body().is_empty() {
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().entry(CONTENT_TYPE).or_insert(text);
        }
        self.check_time().await?;
        self.tell(response).await
    }

    /// Sends a refusal, or leaves that to the task that watches.
    async fn tell(&mut self, response: Response<Bytes>) -> io::Result<()> {
        let rejection = Rejection::Refused { status: response.status() };
        let Some(response) = self.waiting.tell(response, rejection)? else { return Ok(()) };
        let mut io = self.waiting.take()?.io;
        let sent = self.deadline.cut(serving::refuse(&mut io, &response)).await;
        sent.ok_or_else(|| not_taken(self.deadline))??;
        serving::linger(io).await;
        Ok(())
    }

    /// Once its time has passed, the client gets 503, whatever has been decided.
    async fn check_time(&mut self) -> io::Result<()> {
        match self.deadline.at {
            Some(at) if at <= Instant::now() => Err(self.closed().await),
            _ => Ok(()),
        }
    }

    /// Looks whether the client has left, where no task does.
    async fn check_client(&mut self) -> io::Result<()> {
        if self.waiting.is_watched() {
            return Ok(());
        }
        let mut closed = pin!(self.closed());
        poll_fn(|cx| match closed.as_mut().poll(cx) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await
    }

    fn asked(&self) -> &(Parts, Opening) {
        self.asked.as_ref().expect(ANSWERED)
    }
}

const ANSWERED: &str = "a request that has been answered has been consumed by that";

fn late(deadline: Deadline) -> io::Error {
    deadline.missed(UNDECIDED)
}

fn not_taken(deadline: Deadline) -> io::Error {
    deadline.missed("the client did not take the answer")
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for UpgradeRequest<S> {
    fn drop(&mut self) {
        let response = Rejection::Undecided.to_response();
        if let Ok(Some(response)) = self.waiting.tell(response, Rejection::Undecided)
            && let Ok(Connection { mut io, .. }) = self.waiting.take()
        {
            let _ = serving::refuse_in_passing(&mut io, &response);
        }
    }
}

/// Of the request its path alone: the rest holds cookies and passwords.
impl<S: AsyncRead + AsyncWrite + Unpin> fmt::Debug for UpgradeRequest<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeRequest")
            .field("path", &self.asked.as_ref().map(|(head, _)| head.uri.path()))
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}
