//! The server's end over a transport that is there.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, poll_fn, ready};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastwebsockets::Role;
use http::header::{self, HeaderValue};
use http::{Request, Response, request};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::request::Head;
use super::{Rejection, Upgrader};
use crate::WebSocketStream;

/// As much as a request may have before its end is in sight. Browsers and servers draw the line at 8 to 16 KiB.
const MAX_HEAD: usize = 32 * 1024;

/// As much as a client that was refused may still send while it reads the answer.
const MAX_REST: u64 = 64 * 1024;

/// As long as such a client may take to read it.
const LINGER: Duration = Duration::from_secs(2);

/// What [`Upgrader::over`] gives.
#[non_exhaustive]
pub struct Opened<S> {
    /// The stream, over the bare transport.
    pub stream: WebSocketStream<S>,
    /// The client's request: its path and query, its header fields.
    pub request: request::Parts,
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

impl Upgrader {
    /// Does the whole handshake on a connection that a client has opened: TLS of any kind, a Unix socket, another stream.
    ///
    /// It reads one request of HTTP/1.1, of at most 32 KiB, and answers it; where it accepts, the transport comes back bare
    /// inside the stream, with every byte that came behind the request. It needs to be neither `Send` nor `'static`.
    ///
    /// There is no time limit: put a [`timeout`](tokio::time::timeout) around it, or a client that says nothing holds it for ever.
    /// ([`Listener`](crate::Listener) has one.)
    ///
    /// # Errors
    ///
    /// - `InvalidData`: the request was refused, and answered; inside is the [`Rejection`].
    /// - `UnexpectedEof`: the client left before its request had ended.
    /// - `Other`: what came is no HTTP, or the transport failed; inside is hyper's own error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the transport.
    ///
    /// # Panics
    ///
    /// In a runtime without timers, where a request is refused: the client has 2 seconds to read the answer.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// # async fn serve() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use fastwebsockets_stream::{Config, PayloadType, Upgrader};
    ///
    /// let listener = tokio::net::UnixListener::bind("/run/service.sock")?;
    /// let upgrader = Upgrader::new(Config::new(PayloadType::Binary));
    /// let (socket, _) = listener.accept().await?;
    /// let opened = tokio::time::timeout(Duration::from_secs(10), upgrader.over(socket)).await??;
    /// println!("{} has been asked for", opened.request.uri);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn over<S>(&self, io: S) -> io::Result<Opened<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let decide = |request: &Request<Incoming>| self.accept(Head::of(request).check()?);
        match open(io, self, decide).await {
            Ok(opened) => Ok(opened),
            Err(failure) => {
                let (error, answered) = *failure;
                linger(answered).await;
                Err(error)
            }
        }
    }
}

/// The response to a request, and the subprotocol.
type Decision = Result<(Response<()>, Option<String>), Rejection>;

/// What remains of a request that was answered.
type Outcome = Result<(request::Parts, Option<String>), Rejection>;

/// Why there is no stream, and the transport, for the client may have an answer.
pub(super) type Failure<S> = Box<(io::Error, S)>;

/// Answers the one request of a connection as `decide` says.
pub(super) async fn open<S, F>(io: S, upgrader: &Upgrader, decide: F) -> Result<Opened<S>, Failure<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(&Request<Incoming>) -> Decision + Unpin,
{
    let mut http = http1::Builder::new();
    http.max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD);
    let service = Answering { decide, outcome: Mutex::default() };
    // Without hyper's upgrade machinery: here the transport comes back as it is.
    let mut connection = http.serve_connection(TokioIo::new(io), service);
    let served = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let parts = connection.into_parts();
    let io = parts.io.into_inner();
    let outcome = parts.service.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    let error = match (outcome, served) {
        (Some(Ok((request, subprotocol))), Ok(())) => {
            let stream =
                WebSocketStream::from_transport(io, Role::Server, parts.read_buf, upgrader.to_config());
            return Ok(Opened { stream, request, subprotocol });
        }
        (Some(Err(rejection)), _) => io::Error::new(io::ErrorKind::InvalidData, rejection),
        (_, Err(error)) => io::Error::other(error),
        (None, Ok(())) => {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the client left before its request had ended")
        }
    };
    Err(Box::new((error, io)))
}

/// Lets the client read its answer: a socket that is closed with bytes unread may take it away again.
pub(super) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut io: S) {
    let reading = async {
        io.shutdown().await.ok();
        tokio::io::copy(&mut io.take(MAX_REST), &mut tokio::io::sink()).await.ok();
    };
    timeout(LINGER, reading).await.ok();
}

/// The service for the one request of a connection, which remembers how it was answered.
struct Answering<F> {
    decide: F,
    outcome: Mutex<Option<Outcome>>,
}

impl<F: Fn(&Request<Incoming>) -> Decision> Service<Request<Incoming>> for Answering<F> {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (response, outcome) = match (self.decide)(&request) {
            Ok((response, subprotocol)) => {
                let (mut parts, _) = request.into_parts();
                // It would never be fulfilled: the connection is taken over directly.
                parts.extensions.remove::<OnUpgrade>();
                (response.map(|()| Full::default()), Ok((parts, subprotocol)))
            }
            Err(rejection) => {
                let mut response = rejection.clone().into_response();
                // Rather than hyper's `keep_alive(false)`, which would put "close" into the 101 too.
                response.headers_mut().append(header::CONNECTION, HeaderValue::from_static("close"));
                (response, Err(rejection))
            }
        };
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        ready(Ok(response))
    }
}
