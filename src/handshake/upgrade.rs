//! The server's end of the handshake, in whatever serves HTTP.

use std::borrow::BorrowMut;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fastwebsockets::Role;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
#[cfg(feature = "http2")]
use tokio::runtime::Handle;

use super::ending;
use super::headers;
use super::origin::Origins;
use super::rejection::Rejection;
use super::request::{Answer, Head, Opening};
use crate::{Config, WebSocketStream};

/// Answers a request for a WebSocket, in any service of hyper 1: the response, and the stream that begins once the
/// response has been sent.
///
/// It is [`Upgrader::upgrade`] with its defaults: no subprotocol, no further header fields, any origin. A web page of
/// anyone's can then use the service with its visitor's cookies; see [`Origins`] for what one that browsers use should set.
///
/// # Examples
///
/// ```no_run
/// use fastwebsockets_stream::{Config, PayloadType, upgrade};
/// use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
/// use hyper_util::rt::TokioIo;
///
/// # async fn serve(tcp: tokio::net::TcpStream) -> hyper::Result<()> {
/// tcp.set_nodelay(true).ok(); // A frame per write meets Nagle's algorithm otherwise.
/// let service = service_fn(async |request: Request<Incoming>| {
///     let (response, stream) = upgrade(request, Config::new(PayloadType::Binary));
///     tokio::spawn(async move {
///         let (mut reader, mut writer) = tokio::io::split(stream.await?);
///         tokio::io::copy(&mut reader, &mut writer).await?;
///         tokio::io::AsyncWriteExt::shutdown(&mut writer).await
///     });
///     Ok::<_, std::convert::Infallible>(response)
/// });
/// http1::Builder::new().serve_connection(TokioIo::new(tcp), service).with_upgrades().await
/// # }
/// ```
pub fn upgrade<R, B>(request: R, config: Config) -> (Response<Full<Bytes>>, Upgrade)
where
    R: BorrowMut<Request<B>>,
{
    Upgrader::new(config).upgrade(request)
}

/// Whether a request asks for a WebSocket, so that a service can serve something else at the same path.
///
/// It tells what the client wants, not whether it goes about it rightly: that is for [`upgrade`] to answer.
pub fn is_upgrade_request<B>(request: &Request<B>) -> bool {
    Head::of(request).asks_for_websocket()
}

/// How a server answers requests for a WebSocket.
///
/// # On the wire
///
/// Over HTTP/1.1 the request must be what RFC 6455, section 4.2.1 demands, and is answered with 101. Over HTTP/2 (feature
/// `http2`) it must be an extended CONNECT for `websocket` (RFC 8441), and is answered with 200; many streams share one
/// connection then. A client may send one only if the server has announced it: with hyper,
/// [`enable_connect_protocol`](hyper::server::conn::http2::Builder::enable_connect_protocol), which `axum::serve` has set. Where it is missing,
/// browsers fall back to HTTP/1.1, and [`Http2`](crate::Http2) has an error that says so. The streams share the
/// connection's flow-control window: as hyper comes, one that is not read can take all of it (1 MiB) and stop the others, unless
/// [`initial_stream_window_size`](hyper::server::conn::http2::Builder::initial_stream_window_size) is a fraction of it.
///
/// A connection, or a stream of HTTP/2, is ended before it is reset: where one is dropped after its Close has been sent, a task
/// of the runtime goes on discarding what comes until the client has ended it too, for [`Config::close_timeout`] at most, as
/// said in the [crate's documentation](crate#dropping-it). The runtime needs a timer for that, unless the limit is
/// [`Duration::MAX`](std::time::Duration::MAX).
///
/// No extension is negotiated. What breaks a rule gets the answer that [`Rejection`] names.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use fastwebsockets_stream::{Config, Origins, PayloadType, Upgrader};
///
/// let upgrader = Upgrader::new(Config::new(PayloadType::Binary))
///     .subprotocols(["tunnel.v2", "tunnel.v1"])
///     .origins(Origins::list(["https://app.example"])?);
/// # let _ = upgrader;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Upgrader {
    config: Config,
    subprotocols: Vec<String>,
    origins: Origins,
    headers: HeaderMap,
}

impl Upgrader {
    /// Answers with streams of this [`Config`]; without subprotocols and further header fields; to any origin.
    pub fn new(config: Config) -> Self {
        Upgrader { config, subprotocols: Vec::new(), origins: Origins::any(), headers: HeaderMap::new() }
    }

    /// Answers with streams of this [`Config`] instead.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds subprotocols that the server speaks (RFC 6455, section 1.9). Default: none.
    ///
    /// The first one on the *client's* list that is among them is chosen; their own order does not count. If there is none,
    /// the answer names none, and it is the client that decides (browsers then fail). One that is no token of HTTP is never
    /// chosen.
    #[must_use]
    pub fn subprotocols<I>(mut self, subprotocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.subprotocols.extend(subprotocols.into_iter().map(Into::into));
        self
    }

    /// Which web pages may connect. Default: all.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Adds a header field to the answer that accepts. Default: none.
    ///
    /// One of the handshake's own (`Connection`, `Upgrade`, `Sec-WebSocket-*`, or one that announces a body) makes
    /// every answer a [`Rejection::ReservedHeader`].
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Answers a request: the response, and the stream that begins once the response has been sent.
    ///
    /// A request that is refused has its answer too, and a stream that fails with the same [`Rejection`]. The request may
    /// be given by value or as `&mut`. The stream's transport is whatever is served;
    /// [`downcast`](WebSocketStream::downcast) gets it out of hyper's box.
    pub fn upgrade<R, B>(&self, mut request: R) -> (Response<Full<Bytes>>, Upgrade)
    where
        R: BorrowMut<Request<B>>,
    {
        let request = request.borrow_mut();
        let opening = Head::of(request).check();
        let accepted = opening.and_then(|opening| self.accept(opening)).and_then(|accepted| {
            let on_upgrade =
                request.extensions_mut().remove::<OnUpgrade>().ok_or(Rejection::NotUpgradable)?;
            Ok((accepted, on_upgrade))
        });
        match accepted {
            Ok(((response, subprotocol), on_upgrade)) => {
                let upgrade = Upgrade::new(on_upgrade, &response, self.config.clone(), subprotocol);
                (response, upgrade)
            }
            Err(rejection) => (rejection.clone().into_response(), Upgrade::refused(rejection)),
        }
    }

    /// Decides on a request that keeps the rules: the response, and the subprotocol, if any.
    pub(super) fn accept(
        &self,
        opening: Opening,
    ) -> Result<(Response<Full<Bytes>>, Option<String>), Rejection> {
        if let Some(name) = self.headers.keys().find(|name| headers::is_reserved(name)) {
            return Err(Rejection::ReservedHeader { name: name.clone() });
        }
        let host = opening.host.as_ref().map(HeaderValue::as_bytes);
        if let Some(origin) = opening.origin.as_ref().map(HeaderValue::as_bytes)
            && !self.origins.allow(origin, host)
        {
            return Err(Rejection::Origin { received: headers::excerpt(origin) });
        }
        let subprotocol = self.choose(&opening.subprotocols);

        let mut response = Response::new(Full::default());
        *response.headers_mut() = self.headers.clone();
        let fields = response.headers_mut();
        if let Some(chosen) = subprotocol {
            fields.insert(header::SEC_WEBSOCKET_PROTOCOL, chosen.clone());
        }
        match opening.answer {
            Answer::SwitchingProtocols { accept } => {
                fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
                fields.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            }
            Answer::Connected => *response.status_mut() = StatusCode::OK,
        }
        Ok((response, subprotocol.and_then(|chosen| chosen.to_str().ok()).map(str::to_owned)))
    }

    /// The first of the client's subprotocols that is one of ours (RFC 6455, section 4.2.2, item 5.5).
    pub(super) fn choose<'a>(&self, theirs: &'a [HeaderValue]) -> Option<&'a HeaderValue> {
        theirs.iter().find(|theirs| self.subprotocols.iter().any(|ours| **theirs == **ours))
    }

    #[cfg(any(feature = "axum", feature = "listener"))]
    pub(super) fn to_config(&self) -> Config {
        self.config.clone()
    }
}

/// The names of the header fields alone: a value may be a cookie.
impl fmt::Debug for Upgrader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.keys().collect();
        f.debug_struct("Upgrader")
            .field("config", &self.config)
            .field("subprotocols", &self.subprotocols)
            .field("origins", &self.origins)
            .field("headers", &headers)
            .finish()
    }
}

/// As [`Upgrader::new`].
impl From<Config> for Upgrader {
    fn from(config: Config) -> Self {
        Upgrader::new(config)
    }
}

/// The stream of a request that was answered, see [`upgrade`].
///
/// # Errors
///
/// - `InvalidData`: the request was refused; inside is the [`Rejection`].
/// - `Other`: hyper could not send the response, or the connection is not served with upgrades (with hyper 1:
///   `with_upgrades`, or `serve_connection_with_upgrades`). Inside is hyper's own error.
///
/// # Cancel safety
///
/// It can be polled again after it was dropped from a `select`. Dropping it altogether closes the connection once the
/// response has been sent.
///
/// # Another response
///
/// The response must reach the client as it is. Where a service, or a layer around it, sends another one in its place, hyper
/// reports that over HTTP/2 alone. Over HTTP/1.1 this future waits until the connection ends, and may then give a stream
/// that nobody has asked for.
#[must_use = "the stream begins only if this is awaited, in a task of its own: the response must leave first"]
pub struct Upgrade {
    state: State,
    subprotocol: Option<String>,
}

enum State {
    Answered { on_upgrade: OnUpgrade, is_http2: bool, config: Config },
    Refused(Rejection),
}

impl Upgrade {
    pub(super) fn new<B>(
        on_upgrade: OnUpgrade,
        response: &Response<B>,
        config: Config,
        subprotocol: Option<String>,
    ) -> Self {
        // As `Upgrader::accept` answers a CONNECT.
        let is_http2 = response.status() == StatusCode::OK;
        Upgrade { state: State::Answered { on_upgrade, is_http2, config }, subprotocol }
    }

    fn refused(rejection: Rejection) -> Self {
        Upgrade { state: State::Refused(rejection), subprotocol: None }
    }

    /// The subprotocol that was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Why the request was refused, if it was.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.state {
            State::Answered { .. } => None,
            State::Refused(rejection) => Some(rejection),
        }
    }
}

impl Future for Upgrade {
    type Output = io::Result<WebSocketStream<TokioIo<Upgraded>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut self.state {
            State::Answered { on_upgrade, is_http2, config } => match ready!(Pin::new(on_upgrade).poll(cx)) {
                Ok(upgraded) => {
                    let io = TokioIo::new(upgraded);
                    let stream = WebSocketStream::from_transport(io, Role::Server, [], config.clone());
                    Ok(if *is_http2 {
                        over_http2(stream)
                    } else {
                        stream.with_departure(ending::linger, false)
                    })
                }
                Err(error) => Err(io::Error::other(error)),
            },
            State::Refused(rejection) => Err(io::Error::new(io::ErrorKind::InvalidData, rejection.clone())),
        })
    }
}

/// The stream of HTTP/2 outlives its WebSocket until the client has ended it, too.
#[cfg(feature = "http2")]
fn over_http2(stream: WebSocketStream<TokioIo<Upgraded>>) -> WebSocketStream<TokioIo<Upgraded>> {
    stream.with_departure(
        |stream| {
            // Elsewhere than in a runtime it is reset at once: what this end has sent leaves before that.
            if let Some(departed) = stream.depart_from_transport()
                && let Ok(runtime) = Handle::try_current()
            {
                ending::hand_over(departed, (), &runtime);
            }
        },
        false,
    )
}

#[cfg(not(feature = "http2"))]
fn over_http2(stream: WebSocketStream<TokioIo<Upgraded>>) -> WebSocketStream<TokioIo<Upgraded>> {
    stream
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("rejection", &self.rejection())
            .field("subprotocol", &self.subprotocol)
            .finish_non_exhaustive()
    }
}
