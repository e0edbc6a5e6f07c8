//! The client's side of the opening handshake (RFC 6455, section 4.1; over HTTP/2, RFC 8441).

#[cfg(feature = "connector")]
mod connector;
mod dial;
mod error;
mod http1;
#[cfg(feature = "http2")]
mod http2;
#[cfg(feature = "proxy")]
mod proxy;
mod response;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
mod to_uri;
mod uri;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use http::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::Instrument;

#[cfg(feature = "connector")]
pub use connector::Connector;
pub use error::{ConnectError, Phase, ProxyError};
#[cfg(feature = "http2")]
pub use http2::{Http2, Http2Stream};
#[cfg(feature = "proxy")]
pub use proxy::Proxy;
pub use to_uri::ToUri;

use super::deadline::Deadline;
use super::ending;
use super::headers;
use super::transport::MaybeTlsStream;
use crate::{Config, WebSocketStream};
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

/// A header field that is none.
#[derive(Clone)]
struct Unusable {
    number: usize,
    name: Option<HeaderName>,
    reason: String,
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
    /// With a limit, connecting panics in a runtime without timers.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The configuration of TLS for `wss://`, and for a proxy that is itself reached by TLS. Default: with the feature
    /// `platform-roots`, what the platform trusts; else there is none, and `wss://` is an error.
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
        let connecting = async {
            let deadline = self.deadline();
            let io = dial::dial(self, target, b"http/1.1", deadline).await?;
            let (stream, response) = upgrade.over(io, deadline).await?;
            Ok((stream.with_departure(ending::linger, false), response))
        };
        logged(target, connecting).await
    }

    /// What Host, or `:authority`, says.
    fn host_or(&self, target: &Target) -> Result<HeaderValue, ConnectError> {
        match self.headers.iter().enumerate().find(|(_, (name, _))| name == header::HOST) {
            Some((_, (_, host))) if uri::is_host(host.as_bytes()) => Ok(host.clone()),
            Some((index, (name, _))) => Err(ConnectError::Header {
                number: index + 1,
                name: Some(name.clone()),
                reason: "it is no host with a port or without".into(),
            }),
            None => HeaderValue::try_from(&target.authority).map_err(|_| ConnectError::Uri {
                uri: target.authority.clone(),
                reason: "its host cannot stand in a header field".into(),
            }),
        }
    }

    /// Adds what the caller has asked for: subprotocols, credentials, fields.
    fn add_fields(&self, fields: &mut HeaderMap, target: &Target) -> Result<(), ConnectError> {
        for (index, name) in self.subprotocols.iter().enumerate() {
            let refuse = |reason| Err(ConnectError::Subprotocol { number: index + 1, reason });
            // "The elements that comprise this value MUST be non-empty strings with characters in the range U+0021 to
            // U+007E not including separator characters [...] and MUST all be unique strings." (item 10)
            if !headers::is_token(name.as_bytes()) {
                return refuse("it is not a token (RFC 9110, section 5.6.2)");
            }
            if self.subprotocols[..index].contains(name) {
                return refuse("it is there twice");
            }
        }
        if let Ok(names) = HeaderValue::try_from(self.subprotocols.join(", "))
            && !names.is_empty()
        {
            fields.insert(header::SEC_WEBSOCKET_PROTOCOL, names);
        }
        if let Some(Unusable { number, name, reason }) = self.unusable.clone() {
            return Err(ConnectError::Header { number, name, reason });
        }
        for (index, (name, value)) in self.headers.iter().enumerate() {
            let refuse = |reason: &str| {
                let (number, name) = (index + 1, Some(name.clone()));
                Err(ConnectError::Header { number, name, reason: reason.to_owned() })
            };
            if headers::is_reserved(name) {
                return refuse("it belongs to the handshake");
            }
            let single = [header::HOST, header::AUTHORIZATION];
            if single.contains(name) && self.headers[..index].iter().any(|(earlier, _)| earlier == name) {
                return refuse("it can be there only once");
            }
            // Host is there already.
            if name != header::HOST && fields.try_append(name, value.clone()).is_err() {
                return refuse("there are too many");
            }
        }
        if let Some(basic) = &target.basic
            && !fields.contains_key(header::AUTHORIZATION)
        {
            fields.insert(header::AUTHORIZATION, basic.clone());
        }
        Ok(())
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

impl Deadline {
    /// Waits for something on the way to a server (or a proxy), but not longer than this.
    async fn keep<T>(
        self,
        phase: Phase,
        host: &str,
        port: u16,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let late = || ConnectError::TimedOut { host: host.to_owned(), port, limit: self.limit, phase };
        self.cut(work).await.unwrap_or_else(|| Err(late()))
    }
}

/// Does it within the span of a connection, and logs how it ends: no query, no value of a field, nothing that the server says.
async fn logged<T>(
    target: &Target,
    connecting: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let scheme = if target.secure { "wss" } else { "ws" };
    let span = tracing::debug_span!("connect", host = target.host, port = target.port, scheme);
    let logging = async {
        let connected = connecting.await;
        match &connected {
            Ok(_) => tracing::debug!("the WebSocket is open"),
            Err(ConnectError::Rejected { response, .. }) => {
                tracing::debug!(status = response.status().as_u16(), "the server has refused the upgrade");
            }
            Err(ConnectError::TimedOut { limit, phase, .. }) => {
                tracing::debug!(?limit, %phase, "the time limit has passed");
            }
            Err(error) => tracing::debug!(kind = %error.kind(), "connecting has failed"),
        }
        connected
    };
    logging.instrument(span).await
}
