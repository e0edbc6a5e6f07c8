//! One handshake, from the socket to the stream.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, Ready, poll_fn, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
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
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Accepted;
use crate::WebSocketStream;
use crate::handshake::request::Head;
use crate::handshake::{MaybeTlsStream, Rejection, Upgrader, headers};

/// As much as a request may have before its end is in sight. Browsers and servers draw the line at 8 to 16 KiB.
const MAX_HEAD: usize = 32 * 1024;

/// As much as a client that was refused may still send while it reads the answer.
const MAX_REST: u64 = 64 * 1024;

/// What all handshakes of a listener have in common.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) upgrader: Upgrader,
    pub(super) path: Option<String>,
    pub(super) time_limit: Duration,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
}

/// What the request has led to.
type Outcome = Result<(request::Parts, Option<String>), Rejection>;

impl Settings {
    pub(super) fn new(upgrader: Upgrader, time_limit: Duration) -> Self {
        Settings {
            upgrader,
            path: None,
            time_limit,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn set_tls(&mut self, config: Arc<tokio_rustls::rustls::ServerConfig>) {
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        self.tls = Some(Arc::new(config).into());
    }

    /// Does the handshake; `None` if it fails, which is logged here.
    pub(super) async fn run(self: Arc<Self>, tcp: TcpStream, peer_addr: SocketAddr) -> Option<Accepted> {
        let limit = self.time_limit;
        let deadline = Instant::now().checked_add(limit);
        let outcome = until(deadline, self.shake_hands(tcp, peer_addr)).await;
        let too_long = || io::Error::new(io::ErrorKind::TimedOut, format!("it took longer than {limit:?}"));
        let failure = match outcome.unwrap_or_else(|| Err(too_long().into())) {
            Ok(accepted) => return Some(accepted),
            Err(failure) => failure,
        };
        tracing::info!(%peer_addr, error = &failure.error as &dyn Error, "a handshake has failed");
        if let Some(io) = failure.answered {
            until(deadline, linger(io)).await;
        }
        None
    }

    async fn shake_hands(
        self: Arc<Self>,
        tcp: TcpStream,
        peer_addr: SocketAddr,
    ) -> Result<Accepted, Failure> {
        tcp.set_nodelay(true)?;
        let io = self.secure(tcp).await?;
        let mut http = http1::Builder::new();
        http.max_buf_size(MAX_HEAD).max_header_size(MAX_HEAD);
        let service = Answering { settings: self.clone(), outcome: Mutex::default() };
        // Without hyper's upgrade machinery: here the transport comes back as it is.
        let mut connection = http.serve_connection(TokioIo::new(io), service);
        let served = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
        let parts = connection.into_parts();
        let io = parts.io.into_inner();
        let error = match (parts.service.outcome(), served) {
            (Some(Ok((request, subprotocol))), Ok(())) => {
                let config = self.upgrader.to_config();
                let stream = WebSocketStream::from_transport(io, Role::Server, parts.read_buf, config);
                return Ok(Accepted { stream, request, peer_addr, subprotocol });
            }
            (Some(Err(rejection)), _) => io::Error::new(io::ErrorKind::InvalidData, rejection),
            (_, Err(error)) => io::Error::other(error),
            (None, Ok(())) => {
                io::Error::new(io::ErrorKind::UnexpectedEof, "the client left before its request had ended")
            }
        };
        Err(Failure { error, answered: Some(io) })
    }

    async fn secure(&self, tcp: TcpStream) -> io::Result<MaybeTlsStream> {
        let io = MaybeTlsStream::Tcp(tcp);
        #[cfg(feature = "tls")]
        if let Some(acceptor) = &self.tls {
            let tls = acceptor.accept(io).await?;
            return Ok(MaybeTlsStream::Tls(Box::new(tls.into())));
        }
        Ok(io)
    }

    fn answer(&self, request: Request<Incoming>) -> (Response<Full<Bytes>>, Outcome) {
        match self.decide(&request) {
            Ok((response, subprotocol)) => {
                let (mut parts, _) = request.into_parts();
                // It would never be fulfilled: the connection is taken over directly.
                parts.extensions.remove::<OnUpgrade>();
                (response, Ok((parts, subprotocol)))
            }
            Err(rejection) => {
                let mut response = rejection.clone().into_response();
                // Rather than hyper's `keep_alive(false)`, which would put "close" into the 101 too.
                response.headers_mut().append(header::CONNECTION, HeaderValue::from_static("close"));
                (response, Err(rejection))
            }
        }
    }

    fn decide(
        &self,
        request: &Request<Incoming>,
    ) -> Result<(Response<Full<Bytes>>, Option<String>), Rejection> {
        let path = request.uri().path();
        if self.path.as_ref().is_some_and(|expected| expected != path) {
            return Err(Rejection::Path { received: headers::excerpt(path.as_bytes()) });
        }
        self.upgrader.accept(Head::of(request).check()?)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("upgrader", &self.upgrader)
            .field("path", &self.path)
            .field("time_limit", &self.time_limit)
            .finish_non_exhaustive()
    }
}

/// Why there is no stream, and the transport, where the client may have an answer.
struct Failure {
    error: io::Error,
    answered: Option<MaybeTlsStream>,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure { error, answered: None }
    }
}

/// What the future gives, if it does in time.
async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

/// Lets the client read its answer: a socket that is closed with bytes unread may take it away again.
async fn linger(mut io: MaybeTlsStream) {
    io.shutdown().await.ok();
    tokio::io::copy(&mut io.take(MAX_REST), &mut tokio::io::sink()).await.ok();
}

/// Answers the one request of a connection, and remembers how.
struct Answering {
    settings: Arc<Settings>,
    outcome: Mutex<Option<Outcome>>,
}

impl Answering {
    fn outcome(self) -> Option<Outcome> {
        self.outcome.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Service<Request<Incoming>> for Answering {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (response, outcome) = self.settings.answer(request);
        *self.outcome.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(outcome);
        ready(Ok(response))
    }
}
