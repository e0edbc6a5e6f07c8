//! A server that has nothing to do with HTTP otherwise: from a port to streams.

mod accept;
mod handshake;
mod handshakes;
mod incoming;
mod requests;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Uri, request};
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, lookup_host};
use tokio::time::Sleep;

use super::{MaybeTlsStream, Upgrader};
use crate::WebSocketStream;

use handshake::Settings;
use handshakes::Handshakes;
pub use incoming::{Incoming, ListenerAddr};
pub use requests::Requests;

/// More than a server completes in the time that one handshake takes. Together they hold a few MiB, and with clients that send
/// as much as they may some tens of MiB.
const MAX_HANDSHAKES: usize = 512;

/// What Linux allows. With the 128 of `TcpListener::bind`, it drops connections, or resets them, when a thousand clients come back at once.
const BACKLOG: u32 = 4096;

/// Accepts TCP connections, does the handshakes, and gives the streams.
///
/// [`accept`](Self::accept) gives them one by one; it is also a [`Stream`](futures_core::Stream) of them;
/// [`incoming`](Self::incoming) is the one that tonic takes, and `axum::serve` takes the listener itself (feature `axum`).
///
/// # On the wire
///
/// Each connection carries one request, over HTTP/1.1, and over TLS where [`tls`](Self::tls) is set. What a request must be
/// is said at [`Upgrader`], how the others are answered at [`Rejection`](crate::Rejection); then the connection ends. (Many streams over
/// one HTTP/2 connection are for a service of hyper's and [`upgrade`](crate::upgrade()).) The sockets have TCP_NODELAY set.
///
/// # Handshakes
///
/// Each handshake runs in a task of its own, and none waits for another. One that takes longer than
/// [`time_limit`](Self::time_limit) is ended. Dropping the listener ends them all.
///
/// At most [`max_handshakes`](Self::max_handshakes) are under way, or done and not accepted yet. At the limit, the listener takes one
/// more connection, which waits until a handshake ends; the others wait in the backlog of the operating system.
///
/// Clients that connect and stay silent cannot keep others out: while a connection waits, the listener ends the oldest handshake of
/// the address that has the most under way, as soon as that handshake is a second old. So a host with many costs no
/// other host its own, and a burst of clients that finish within that second loses none. An address is one of IPv4, or a /64
/// network of IPv6; all clients behind one proxy have the same. A handshake that is done is never ended.
///
/// A client that is refused no longer counts. It has 2 seconds to read the answer. While as many clients as the limit are doing
/// so, the next one is closed right after its answer.
///
/// A handshake that fails is an event of the `tracing` crate, at level INFO, with the peer's address; so is one that is ended to
/// make room. A connection that has to wait because of the limit is one at WARN, once until there is room again. Trouble with
/// accepting (no more file descriptors) is one at WARN too, and accepting goes on a second later.
///
/// # Examples
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// use fastwebsockets_stream::{Config, Listener, PayloadType};
///
/// let config = Config::new(PayloadType::Binary);
/// let mut listener = Listener::bind("127.0.0.1:8080", config).await?;
/// while let Some(accepted) = listener.accept().await {
///     tokio::spawn(async move {
///         let (mut reader, mut writer) = accepted.stream.into_split();
///         tokio::io::copy(&mut reader, &mut writer).await?;
///         tokio::io::AsyncWriteExt::shutdown(&mut writer).await
///     });
/// }
/// # Ok(())
/// # }
/// ```
pub struct Listener {
    /// `None` once it is closed.
    tcp: Option<TcpListener>,
    local_addr: SocketAddr,
    settings: Arc<Settings>,
    handshakes: Handshakes,
    /// Accepted from the backlog, and waits for room among the handshakes.
    next: Option<(TcpStream, SocketAddr)>,
    /// After trouble with accepting.
    pause: Option<Pin<Box<Sleep>>>,
    shutdown: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What a [`Listener`] gives.
#[non_exhaustive]
pub struct Accepted {
    /// The stream.
    pub stream: WebSocketStream<MaybeTlsStream>,
    /// The client's request: its path and query, its header fields.
    pub request: request::Parts,
    /// Whence the connection comes: the client, or the last proxy before this server.
    pub peer_addr: SocketAddr,
    /// The subprotocol that was agreed on.
    pub subprotocol: Option<String>,
}

impl Listener {
    /// Listens at an address, with the default settings. Of several addresses, at the first that can be had.
    ///
    /// Requests are answered with streams of a [`Config`](crate::Config), or as an [`Upgrader`] says: with subprotocols, only to some
    /// origins, with further header fields.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::bind`].
    pub async fn bind(address: impl ToSocketAddrs, upgrader: impl Into<Upgrader>) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        for address in lookup_host(address).await? {
            match listen(address) {
                Ok(tcp) => return Self::new(tcp, upgrader),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Takes over a listener that was made elsewhere.
    ///
    /// How many connections can wait in its backlog was said when it was made: `TcpListener::bind` has 128, after which
    /// systems drop them; [`bind`](Self::bind) has 4096, or what the system allows.
    ///
    /// # Errors
    ///
    /// Those of [`TcpListener::local_addr`].
    pub fn new(tcp: TcpListener, upgrader: impl Into<Upgrader>) -> io::Result<Self> {
        Ok(Listener {
            local_addr: tcp.local_addr()?,
            tcp: Some(tcp),
            settings: Arc::new(Settings::new(upgrader.into())),
            handshakes: Handshakes::new(MAX_HANDSHAKES),
            next: None,
            pause: None,
            shutdown: None,
        })
    }

    /// The one path at which there is a WebSocket, such as `/tunnel`; a request for another gets 404. Default: all.
    ///
    /// It is compared as it is, without decoding. The query does not count.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for what no request can ask for: a path that does not begin with a slash, or has a query, a fragment, or what must
    /// be percent-encoded.
    pub fn path(mut self, path: impl Into<String>) -> io::Result<Self> {
        let path = path.into();
        // As a request's target is read.
        let is_path = path.starts_with('/') && path.is_ascii();
        let asked = is_path.then(|| Uri::try_from(&path).ok()).flatten();
        if asked.is_none_or(|asked| asked.path() != path) {
            let reason = format!(
                "no request can ask for the path {path:?}; expected one that begins with a slash, percent-encoded, without a query"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Arc::make_mut(&mut self.settings).path = Some(path);
        Ok(self)
    }

    /// Speaks TLS on every connection. Default: does not.
    ///
    /// Whatever protocols the configuration names for ALPN, the listener offers `http/1.1`, the one it speaks. The
    /// feature `tls` brings rustls without a cryptography provider: choose one with rustls' own features.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn secure(listener: fastwebsockets_stream::Listener) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use tokio_rustls::rustls::ServerConfig;
    /// use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    ///
    /// let certificates = CertificateDer::pem_file_iter("certificate.pem")?.collect::<Result<_, _>>()?;
    /// let key = PrivateKeyDer::from_pem_file("key.pem")?;
    /// let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key)?;
    /// let listener = listener.tls(Arc::new(config));
    /// # drop(listener);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: Arc<tokio_rustls::rustls::ServerConfig>) -> Self {
        Arc::make_mut(&mut self.settings).set_tls(config);
        self
    }

    /// How long TLS, the request and the answer may take in all, as [`Upgrader::time_limit`]. Default: 10 s.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        let settings = Arc::make_mut(&mut self.settings);
        settings.upgrader = settings.upgrader.clone().time_limit(limit);
        self
    }

    /// How many handshakes may be under way, or done and not accepted yet, at once. Default: 512; 0 counts as 1.
    ///
    /// At the limit, the oldest has to make room for the next connection once it is a second old: see
    /// [above](Self#handshakes). Raise the limit if more honest clients than that come at once and need longer. The
    /// listener holds at most one file descriptor for each handshake, as many again for clients that were refused, one for the
    /// connection that waits, and one for the port.
    #[must_use]
    pub fn max_handshakes(mut self, limit: usize) -> Self {
        self.handshakes.limit = limit.max(1);
        self
    }

    /// [Closes](Self::close) the listener when `signal` completes. It is polled while the listener is.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn serve(listener: fastwebsockets_stream::Listener) {
    /// let listener = listener.graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) });
    /// # drop(listener);
    /// # }
    /// ```
    #[must_use]
    pub fn graceful_shutdown<F>(mut self, signal: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.shutdown = Some(Box::pin(signal));
        self
    }

    /// Takes no more connections, and gives the port back.
    ///
    /// Handshakes that are under way may finish, and are still accepted; then [`accept`](Self::accept) gives `None`. A
    /// connection that waits for room is closed, and the system resets those in the backlog. Streams that were
    /// accepted are not concerned: end each with [`WebSocketStream::close`], which tells the client.
    pub fn close(&mut self) {
        self.tcp = None;
        self.next = None;
        self.pause = None;
        self.shutdown = None;
    }

    /// The address it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

/// `TcpListener::bind` with a longer backlog.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // On Windows it would let another process take the port over.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Of the request its path alone: the rest holds cookies and passwords.
impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("stream", &self.stream)
            .field("path", &self.request.uri.path())
            .field("peer_addr", &self.peer_addr)
            .field("subprotocol", &self.subprotocol)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("local_addr", &self.local_addr)
            .field("closed", &self.tcp.is_none())
            .field("settings", &self.settings)
            .field("max_handshakes", &self.handshakes.limit)
            .field("handshakes", &self.handshakes.len())
            .field("lingering", &self.handshakes.lingering())
            .field("waiting", &self.next.is_some())
            .field("asked", &self.handshakes.asked())
            .field("deciding", &self.handshakes.deciding())
            .finish_non_exhaustive()
    }
}
