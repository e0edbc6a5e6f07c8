//! One handshake, from the socket to the stream, or to the request that waits for a decision.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::Id;
use tracing::Instrument;

use super::Accepted;
use crate::Config;
use crate::handshake::asking::{Addresses, Told, UpgradeRequest, Watch};
use crate::handshake::deadline::Deadline;
use crate::handshake::serving::{self, Asked, Failure, Opened, linger, refuse};
#[cfg(feature = "tls")]
use crate::handshake::transport::TLS_BUFFER;
use crate::handshake::{MaybeTlsStream, Upgrader, ending, socket};

/// How a handshake ends: with a stream, or with a client that may have an answer to read, or with nothing.
pub(super) type Outcome = Result<Accepted, Option<Refused>>;

/// A request that waits for a decision, and the task that watches it.
pub(super) type Asking = (Id, UpgradeRequest<MaybeTlsStream>);

/// A client whose handshake is over, and its connection not yet.
pub(super) struct Refused {
    io: MaybeTlsStream,
    deadline: Deadline,
}

impl Refused {
    /// Lets it read its answer, which is part of what the time limit is for.
    pub(super) async fn linger(self) {
        self.deadline.cut(linger(self.io)).await;
    }
}

/// What all handshakes of a listener have in common.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) upgrader: Upgrader,
    pub(super) path: Option<String>,
    /// Where requests go that wait for a decision; without it, all that keep the rules are accepted.
    pub(super) asking: Option<UnboundedSender<Asking>>,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsAcceptor>,
}

impl Settings {
    pub(super) fn new(upgrader: Upgrader) -> Self {
        Settings {
            upgrader,
            path: None,
            asking: None,
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
    pub(super) async fn run(self: Arc<Self>, tcp: TcpStream, peer: SocketAddr) -> Outcome {
        let span = tracing::debug_span!("connection", peer_addr = %peer);
        self.handshake(tcp, peer).instrument(span).await
    }

    async fn handshake(&self, tcp: TcpStream, peer: SocketAddr) -> Outcome {
        let deadline = Deadline::after(self.upgrader.limit());
        let ended = match self.receive(tcp, peer, deadline).await {
            Ok((io, asked, local)) => match &self.asking {
                Some(asking) => {
                    let request = UpgradeRequest::new(io, asked, self.upgrader.clone(), deadline);
                    let (request, watch) = request.watched(Addresses { peer, local }, prepare, lingering);
                    // Without anybody to take it, it is dropped, and answered as such.
                    let _ = asking.send((tokio::task::id(), request));
                    match watched(watch, deadline).await {
                        Some(ended) => ended,
                        None => return Err(None), // Whoever has it answers.
                    }
                }
                None => match self.accept(io, asked, deadline).await {
                    Ok(Opened { stream, request, subprotocol }) => {
                        tracing::debug!("the request has been accepted");
                        let stream = lingering(stream);
                        return Ok(Accepted { stream, request, peer_addr: peer, subprotocol });
                    }
                    Err(error) => error.into(),
                },
            },
            Err(ended) => ended,
        };
        tracing::info!(peer_addr = %peer, error = &ended.error as &dyn Error, "a handshake has failed");
        Err(ended.refused)
    }

    /// The request, once TLS is agreed on; with the address that the client has connected to.
    async fn receive(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        deadline: Deadline,
    ) -> Result<(MaybeTlsStream, Asked, SocketAddr), Ended> {
        let local = tcp.local_addr()?;
        let secured = deadline.cut(self.secure(tcp)).await;
        let mut io = secured.ok_or_else(|| deadline.missed("TLS had not been agreed on"))??;
        let receiving = serving::receive(&mut io, &self.upgrader, self.path.as_deref());
        let received = deadline.cut(receiving).await;
        match received.ok_or_else(|| deadline.missed("the request had not come"))? {
            Ok(asked) => {
                tracing::debug!(peer_addr = %peer, path = asked.head.uri.path(), "a request has come");
                Ok((io, asked, local))
            }
            Err(Failure::Rejected(rejection)) => {
                // It may read the answer, which is part of what the time limit is for.
                let told = deadline.cut(refuse(&mut io, &rejection.to_response())).await;
                let refused = matches!(told, Some(Ok(()))).then_some(Refused { io, deadline });
                Err(Ended { error: Failure::Rejected(rejection).into(), refused })
            }
            Err(failure) => Err(io::Error::from(failure).into()),
        }
    }

    async fn accept(
        &self,
        io: MaybeTlsStream,
        asked: Asked,
        deadline: Deadline,
    ) -> io::Result<Opened<MaybeTlsStream>> {
        let accepted = deadline.cut(serving::accept(io, asked, &self.upgrader)).await;
        Ok(accepted.ok_or_else(|| deadline.missed("the client did not take the answer"))??)
    }

    async fn secure(&self, tcp: TcpStream) -> io::Result<MaybeTlsStream> {
        match self.asking {
            None => socket::prepare(&tcp, &self.upgrader.to_config())?,
            // Whoever decides may choose another `Config`.
            Some(_) => tcp.set_nodelay(true)?,
        }
        let io = MaybeTlsStream::Tcp(tcp);
        #[cfg(feature = "tls")]
        if let Some(acceptor) = &self.tls {
            let tls = acceptor.accept_with(io, |tls| tls.set_buffer_limit(TLS_BUFFER)).await?;
            tracing::debug!("TLS has been agreed on");
            //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
            //# all further communication for the connection (including the server's handshake) MUST run through
            //# the encrypted tunnel
            return Ok(MaybeTlsStream::Tls(Box::new(tls.into())));
        }
        Ok(io)
    }
}

/// A handshake that has failed, and the client, if it may have an answer to read.
struct Ended {
    error: io::Error,
    refused: Option<Refused>,
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Ended { error, refused: None }
    }
}

fn prepare(io: &MaybeTlsStream, config: &Config) -> io::Result<()> {
    socket::prepare(io.tcp(), config)
}

fn lingering(stream: crate::WebSocketStream<MaybeTlsStream>) -> crate::WebSocketStream<MaybeTlsStream> {
    stream.with_departure(ending::linger, false)
}

/// Watches a request until it has been decided on, and refuses it where that is left to this task.
async fn watched(watch: Watch<MaybeTlsStream>, deadline: Deadline) -> Option<Ended> {
    let Told { mut io, response, rejection } = match watch.run(deadline).await? {
        Ok(told) => told,
        Err(error) => return Some(error.into()),
    };
    // Past the time limit it is tried once. Then the client has its time to read it all the same.
    let told = deadline.cut(refuse(&mut io, &response)).await;
    let refused = matches!(told, Some(Ok(()))).then_some(Refused { io, deadline: Deadline::never() });
    Some(Ended { error: Failure::Rejected(rejection).into(), refused })
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("upgrader", &self.upgrader)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
