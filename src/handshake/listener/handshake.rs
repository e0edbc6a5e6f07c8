//! One handshake, from the socket to the stream.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Accepted;
use crate::handshake::over::{Failure, Opened, linger, open};
use crate::handshake::request::Head;
#[cfg(feature = "tls")]
use crate::handshake::transport::TLS_BUFFER;
use crate::handshake::{MaybeTlsStream, Rejection, Upgrader, ending, headers, socket};

/// How a handshake ends: with a stream, or with a client that may have an answer to read, or with nothing.
pub(super) type Outcome = Result<Accepted, Option<Refused>>;

/// A client whose handshake is over, and its connection not yet.
pub(super) struct Refused {
    io: MaybeTlsStream,
    deadline: Option<Instant>,
}

impl Refused {
    /// Lets it read its answer, which is part of what the time limit is for.
    pub(super) async fn linger(self) {
        until(self.deadline, linger(self.io)).await;
    }
}

/// What all handshakes of a listener have in common.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) upgrader: Upgrader,
    pub(super) path: Option<String>,
    pub(super) time_limit: Duration,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
}

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

    /// Does the handshake. If it fails, that is logged here.
    pub(super) async fn run(self: Arc<Self>, tcp: TcpStream, peer_addr: SocketAddr) -> Outcome {
        let limit = self.time_limit;
        let deadline = Instant::now().checked_add(limit);
        let too_long = || io::Error::new(io::ErrorKind::TimedOut, format!("it took longer than {limit:?}"));
        let secured = until(deadline, self.secure(tcp)).await.unwrap_or_else(|| Err(too_long()));
        let (error, refused) = match secured {
            Ok(io) => match until(deadline, self.open(io)).await {
                Some(Ok(Opened { stream, request, subprotocol })) => {
                    let stream = stream.with_departure(ending::linger, false);
                    return Ok(Accepted { stream, request, peer_addr, subprotocol });
                }
                Some(Err(failure)) => {
                    let (error, io) = *failure;
                    (error, Some(Refused { io, deadline }))
                }
                None => (too_long(), None),
            },
            Err(error) => (error, None),
        };
        tracing::info!(%peer_addr, error = &error as &dyn Error, "a handshake has failed");
        Err(refused)
    }

    async fn secure(&self, tcp: TcpStream) -> io::Result<MaybeTlsStream> {
        socket::prepare(&tcp, &self.upgrader.to_config())?;
        let io = MaybeTlsStream::Tcp(tcp);
        #[cfg(feature = "tls")]
        if let Some(acceptor) = &self.tls {
            let tls = acceptor.accept_with(io, |tls| tls.set_buffer_limit(TLS_BUFFER)).await?;
            return Ok(MaybeTlsStream::Tls(Box::new(tls.into())));
        }
        Ok(io)
    }

    async fn open(&self, io: MaybeTlsStream) -> Result<Opened<MaybeTlsStream>, Failure<MaybeTlsStream>> {
        open(io, &self.upgrader, |request| {
            let path = request.uri().path();
            if self.path.as_ref().is_some_and(|expected| expected != path) {
                return Err(Rejection::Path { received: headers::excerpt(path.as_bytes()) });
            }
            self.upgrader.accept(Head::of(request).check()?)
        })
        .await
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

/// What the future gives, if it does in time.
async fn until<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}
