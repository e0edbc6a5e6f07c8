//! The server's end on a transport: the one request of a connection in, its answer out.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::http1::{Received, Unread, encode_answer, encode_refusal, send};
use super::request::{Head, Opening};
use super::{Rejection, Upgrader, headers};
use crate::{Role, WebSocketStream};

/// As much as a client that was refused may still send while it reads the answer.
const MAX_REST: u64 = 64 * 1024;

/// As long as such a client may take to read it.
const LINGER: Duration = Duration::from_secs(2);

/// A request that keeps the rules.
pub(super) struct Asked {
    pub(super) head: Parts,
    pub(super) opening: Opening,
    /// What has come behind it.
    pub(super) rest: Vec<u8>,
}

/// What [`Upgrader::over`] and [`UpgradeRequest::accept`](crate::UpgradeRequest::accept) give.
#[non_exhaustive]
pub struct Opened<S> {
    /// The stream, over the bare transport.
    pub stream: WebSocketStream<S>,
    /// The client's request: its path and query, its header fields.
    pub request: Parts,
    /// The subprotocol that was agreed on.
    pub subprotocol: Option<String>,
}

/// Of the request its path alone: the rest holds cookies and passwords.
impl<S> fmt::Debug for Opened<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("stream", &self.stream)
            .field("path", &self.request.uri.path())
            .field("subprotocol", &self.subprotocol)
            .finish_non_exhaustive()
    }
}

/// Why there is no stream.
#[derive(Debug)]
pub(super) enum Failure {
    /// To be told to the client.
    Rejected(Rejection),
    /// There is nobody to tell.
    Ended(io::Error),
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Failure::Rejected(rejection)
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Rejected(rejection) => io::Error::new(io::ErrorKind::InvalidData, rejection),
            Failure::Ended(error) => error,
        }
    }
}

/// Reads the request of a connection, and checks it. `path` is the only one there is, if there is only one.
pub(super) async fn receive<S>(io: &mut S, upgrader: &Upgrader, path: Option<&str>) -> Result<Asked, Failure>
where
    S: AsyncRead + Unpin,
{
    let mut received = Received::<Parts>::new();
    let head = received.read(io).await.map_err(|unread| match unread {
        Unread::Head(error) => Failure::Rejected(error.into()),
        Unread::Ended { begun } => {
            let when =
                if begun { "in the middle of its request" } else { "before it had asked for anything" };
            Failure::Ended(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the client left {when}")))
        }
        Unread::Failed(error) => Failure::Ended(error),
    })?;
    // First, because no other refusal is without a body. (What is no head at all has no method either.)
    if head.method == Method::HEAD {
        return Err(Rejection::Method { received: Method::HEAD, allowed: Method::GET }.into());
    }
    let asked = head.uri.path();
    if path.is_some_and(|path| path != asked) {
        return Err(Rejection::Path { received: headers::excerpt(asked.as_bytes()) }.into());
    }
    let opening = Head::of_parts(&head).check()?;
    upgrader.check_origin(&opening)?;
    Ok(Asked { head, opening, rest: received.into_rest() })
}

/// Accepts a request: the 101, and the stream.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//# the server MUST complete the following steps to accept the connection
pub(super) async fn accept<S>(mut io: S, asked: Asked, upgrader: &Upgrader) -> Result<Opened<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Asked { head: request, opening, rest } = asked;
    let (answer, subprotocol) = upgrader.answer(opening);
    send(&mut io, &encode_answer(&answer)).await.map_err(Failure::Ended)?;
    let stream = WebSocketStream::from_transport(io, Role::Server, rest, upgrader.to_config());
    Ok(Opened { stream, request, subprotocol })
}

/// Says no, and ends this end of the connection.
//= https://www.rfc-editor.org/rfc/rfc6455#section-7.2.2
//# To do so, the server MUST simply _Close the WebSocket Connection_
pub(super) async fn refuse<S>(io: &mut S, refusal: &Response<Bytes>) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    send(io, &encode_refusal(refusal)).await?;
    io.shutdown().await
}

/// The same, as far as it goes without waiting; nobody is left who could.
pub(super) fn refuse_in_passing<S>(io: &mut S, refusal: &Response<Bytes>) -> Poll<io::Result<()>>
where
    S: AsyncWrite + Unpin,
{
    let refusing = pin!(tokio::task::unconstrained(refuse(io, refusal)));
    refusing.poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets the client read its answer: a socket that is closed with bytes unread may take it away again.
pub(super) async fn linger<S: AsyncRead + Unpin>(io: S) {
    timeout(LINGER, tokio::io::copy(&mut io.take(MAX_REST), &mut tokio::io::sink())).await.ok();
}
