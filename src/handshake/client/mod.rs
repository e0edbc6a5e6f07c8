//! The client's side of the opening handshake (RFC 6455, section 4.1; over HTTP/2, RFC 8441).

mod connecting;
#[cfg(feature = "connector")]
mod connector;
mod dial;
mod error;
mod fields;
mod http1;
#[cfg(feature = "http2")]
mod http2;
mod io;
#[cfg(feature = "proxy")]
mod proxy;
mod response;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod to_uri;
mod uri;

use std::fmt;
use std::time::Duration;

use http::Response;
use http::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(feature = "connector")]
pub use connector::{Connector, ConnectorStream};
pub use error::{ConnectError, Phase, ProxyError};
#[cfg(feature = "http2")]
pub use http2::{Http2, Http2Stream};
pub use io::{ClientIo, ClientStream};
#[cfg(feature = "proxy")]
pub use proxy::Proxy;
pub use to_uri::ToUri;

use super::deadline::Deadline;
use super::ending;
use super::transport::MaybeTlsStream;
use crate::{Config, WebSocketStream};
use connecting::logged;
use fields::Unusable;
use http1::Upgrade;
use uri::Target;

/// Opens a WebSocket, and makes a stream of it.
///
/// This is [`Client::connect`] with nothing but the defaults, for `ws://` and `wss://`. Everything else (header fields,
/// subprotocols, time limit, TLS, proxies) is on [`Client`].
///
/// # Errors
///
/// A [`ConnectError`], which `?` turns into an [`io::Error`](std::io::Error) of the kind it names; after 30 seconds
/// [`TimedOut`](std::io::ErrorKind::TimedOut).
///
/// # Cancel safety
///
/// Dropping the future closes the connection. Nothing runs on but the resolver's thread, if it is still at it.
///
/// # Examples
///
/// ```no_run
/// use fastwebsockets_stream::{Config, PayloadType, connect};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # async fn doc() -> std::io::Result<()> {
/// let mut stream = connect("ws://localhost:9000/echo", Config::new(PayloadType::Binary)).await?;
/// stream.write_all(b"Hello!").await?;
/// let mut answer = [0; 6];
/// stream.read_exact(&mut answer).await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect<U: ToUri>(
    uri: U,
    config: Config,
) -> Result<WebSocketStream<MaybeTlsStream>, ConnectError> {
    Client::new(config).connect(uri).await.map(|(stream, _)| stream)
}

/// How to open a WebSocket. One client opens any number.
///
/// On the wire it is a GET of HTTP/1.1 with the fields of RFC 6455, section 4.1, and those of
/// [`header`](Self::header). Everything the section has a client check is checked: the status 101, Upgrade, Connection,
/// Sec-WebSocket-Accept against the key that was sent, no extension, and no subprotocol but one that was asked for. Any
/// other status is [`ConnectError::Rejected`]; redirections are not followed, as the section leaves it.
///
/// # Limits
///
/// 64 KiB for the head of an answer, 16 KiB for its first line, 256 header fields, 16 interim answers (1xx) before it: more is
/// [`ConnectError::TooLong`]. Where the server refuses, up to 1 KiB of the body is waited for, for a second at most. 30 seconds for the
/// whole, see [`time_limit`](Self::time_limit).
///
/// # Logging
///
/// By `tracing`: a span `connect` at DEBUG with `host`, `port` and `scheme`; in it, at DEBUG, how it ends (a refusal has its `status`).
/// Nothing of a query, of header fields, subprotocols or bodies is logged.
///
/// # Credentials
///
/// User and password in a URI become Basic authentication (RFC 7617), and stay out of Host. A fragment is an error.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use fastwebsockets_stream::{Client, Config, PayloadType};
/// use http::header;
///
/// # async fn doc() -> std::io::Result<()> {
/// let client = Client::new(Config::new(PayloadType::Binary))
///     .header(header::ORIGIN, "https://example.com")
///     .subprotocols(["v2.tunnel", "v1.tunnel"])
///     .time_limit(Duration::from_secs(5));
/// let (stream, response) = client.connect("ws://localhost:9000/tunnel").await?;
/// let chosen = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
/// # let _ = (stream, chosen);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    config: Config,
    headers: Vec<(HeaderName, HeaderValue)>,
    unusable: Option<Unusable>,
    subprotocols: Vec<String>,
    time_limit: Duration,
    #[cfg(feature = "tls")]
    tls: Option<std::sync::Arc<tokio_rustls::rustls::ClientConfig>>,
    #[cfg(feature = "proxy")]
    proxy: Option<Proxy>,
}

impl Client {
    /// The defaults: no header fields, no subprotocols, 30 seconds, the platform's roots (with the feature
    /// `platform-roots`), no proxy.
    pub fn new(config: Config) -> Self {
        Client {
            config,
            headers: Vec::new(),
            unusable: None,
            subprotocols: Vec::new(),
            time_limit: Duration::from_secs(30),
            #[cfg(feature = "tls")]
            tls: None,
            #[cfg(feature = "proxy")]
            proxy: None,
        }
    }

    /// Adds a header field to the request. A name may come more than once, except Host and Authorization.
    ///
    /// Name and value are whatever `http`'s own builders take: text, [`HeaderName`], [`HeaderValue`]. On the wire the name is spelled
    /// as in the RFCs (`X-Api-Key`).
    ///
    /// Host replaces the one from the URI, and Authorization user and password of the URI. What cannot be sent is
    /// [`ConnectError::Header`] when connecting, before anything is dialled: a name or a value that is none, the fields of the handshake
    /// itself (Connection, Upgrade, `Sec-WebSocket-*`), and those of a body.
    ///
    /// # Examples
    ///
    /// ```
    /// use fastwebsockets_stream::{Client, Config, PayloadType};
    ///
    /// let client = Client::new(Config::new(PayloadType::Binary)).header("X-Api-Key", "secret");
    /// # let _ = client;
    /// ```
    #[must_use]
    pub fn header<K, V>(mut self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K, Error: Into<http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<http::Error>>,
    {
        let name = HeaderName::try_from(name).map_err(|error| (None, error.into()));
        let field = name.and_then(|name| match HeaderValue::try_from(value) {
            Ok(value) => Ok((name, value)),
            Err(error) => Err((Some(name), error.into())),
        });
        match field {
            Ok((name, mut value)) => {
                if error::is_secret(&name) {
                    value.set_sensitive(true);
                }
                self.headers.push((name, value));
            }
            // The first is told.
            Err((name, error)) if self.unusable.is_none() => {
                let number = self.headers.len() + 1;
                self.unusable = Some(Unusable { number, name, reason: error.to_string() });
            }
            Err(_) => {}
        }
        self
    }

    /// Adds subprotocols to ask for (section 1.9), the preferred ones first.
    ///
    /// The server chooses one or none; `Sec-WebSocket-Protocol` of the response says which. A name that is no token of
    /// HTTP, or that is there twice, is an error when connecting.
    #[must_use]
    pub fn subprotocols<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.subprotocols.extend(names.into_iter().map(Into::into));
        self
    }

    /// The time for the whole: resolving, connecting, proxy, TLS and upgrade. Default: 30 seconds, which leaves room for
    /// two lost SYNs (3 s), a slow resolver (10 s) and a distant server, and ends before people or load balancers (60 s)
    /// give up.
    ///
    /// [`Duration::MAX`] is no limit. Then no timer is needed in the runtime, unless a name has addresses of both families.
    ///
    /// # Panics
    ///
    /// With a limit, connecting panics in a runtime without timers. Without one, it does where there is a second to find out why
    /// something failed: where the server refuses and the body that explains it has not come with the head, and where the request
    /// cannot be sent.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The configuration of TLS for `wss://`, and for a proxy that is itself reached by TLS. Default: with the feature
    /// `platform-roots`, what the platform trusts; else there is none, and `wss://` is an error.
    ///
    /// The cryptography of that default is the one that the process has installed
    /// ([`CryptoProvider::install_default`](crate::rustls::crypto::CryptoProvider::install_default)); else the one that rustls is
    /// built with, where that is one alone; with the feature `ring`, ring. If there is none, `wss://` is
    /// [`ConnectError::Unsupported`]. Connecting installs none.
    ///
    /// What is offered by ALPN is replaced: `http/1.1`, or `h2` for `http2`.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, config: std::sync::Arc<tokio_rustls::rustls::ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Goes through a proxy. Default: none, also if the environment names one.
    #[cfg(feature = "proxy")]
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Opens a WebSocket: resolves the name, connects (both address families raced, RFC 8305; TCP_NODELAY set), does TLS
    /// for `wss://`, and upgrades.
    ///
    /// The response has the server's header fields, and what it chose of the subprotocols.
    ///
    /// # Errors
    ///
    /// A [`ConnectError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection. Nothing runs on but the resolver's thread, if it is still at it.
    pub async fn connect<U: ToUri>(
        &self,
        uri: U,
    ) -> Result<(WebSocketStream<MaybeTlsStream>, Response<()>), ConnectError> {
        self.open(&Target::parse(&uri.text())?).await
    }

    /// The same over a transport that the caller has made: a Unix socket, TLS of another kind, another stream.
    ///
    /// The URI only says what stands in the request; `wss://` adds no TLS here. The transport comes back bare inside
    /// the stream, with every byte that came behind the response. It needs to be neither `Send` nor `'static`.
    ///
    /// # Errors
    ///
    /// A [`ConnectError`]; what the transport fails with is in [`ConnectError::Io`], with its kind (in [`ConnectError::Tls`], if it is rustls that failed).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the transport.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fastwebsockets_stream::{Client, Config, PayloadType};
    ///
    /// # #[cfg(unix)]
    /// # async fn doc() -> std::io::Result<()> {
    /// let socket = tokio::net::UnixStream::connect("/run/service.sock").await?;
    /// let client = Client::new(Config::new(PayloadType::Binary));
    /// let (stream, _) = client.over(socket, "ws://service/events").await?;
    /// # let _ = stream;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn over<S, U>(&self, io: S, uri: U) -> Result<(WebSocketStream<S>, Response<()>), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        U: ToUri,
    {
        let target = Target::parse(&uri.text())?;
        let upgrade = Upgrade::new(self, &target)?;
        logged(&target, upgrade.over(io, self.deadline())).await
    }

    async fn open(
        &self,
        target: &Target,
    ) -> Result<(WebSocketStream<MaybeTlsStream>, Response<()>), ConnectError> {
        let upgrade = Upgrade::new(self, target)?;
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
        //# it MUST open a connection, send an opening handshake, and read the server's handshake in response.
        let connecting = async {
            let deadline = self.deadline();
            let io = dial::dial(self, target, b"http/1.1", deadline).await?;
            let (stream, response) = upgrade.over(io, deadline).await?;
            Ok((stream.with_departure(ending::linger, false), response))
        };
        logged(target, connecting).await
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.time_limit)
    }
}

/// Names alone of header fields, and only how many subprotocols: tokens travel in both.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let mut debug = f.debug_struct("Client");
        debug.field("config", &self.config).field("headers", &headers);
        debug.field("subprotocols", &self.subprotocols.len()).field("time_limit", &self.time_limit);
        #[cfg(feature = "proxy")]
        debug.field("proxy", &self.proxy);
        debug.finish_non_exhaustive()
    }
}
