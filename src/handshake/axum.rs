//! The handshake as an extractor of axum 0.8.

mod outcome;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;

use ::axum::extract::{ConnectInfo, FromRequestParts, OptionalFromRequestParts};
use ::axum::response::{IntoResponse, Response};
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use hyper::upgrade::OnUpgrade;

pub use outcome::Outcome;

use super::request::{Head, Opening};
use super::{Origins, Rejection, Upgrade, UpgradedStream, Upgrader};
use crate::{Config, PayloadType};

/// A request for a WebSocket, in a handler of axum 0.8, to be answered with a byte stream.
///
/// What breaks a rule of RFC 6455, section 4.2.1, is answered before the handler runs, as [`Rejection`] says. Over HTTP/2 a
/// browser asks by CONNECT (RFC 8441), so route it with [`any`](::axum::routing::any) rather than
/// [`get`](::axum::routing::get), and have the feature `http2` on.
///
/// `axum::serve` does not set TCP_NODELAY, which a frame per write needs: see
/// [`tap_io`](::axum::serve::ListenerExt::tap_io).
///
/// # Examples
///
/// ```no_run
/// use axum::{Router, response::Response, routing::any, serve::ListenerExt};
/// use fastwebsockets_stream::{Config, PayloadType, axum::WebSocketUpgrade};
/// use tokio::io::AsyncWriteExt;
///
/// async fn handler(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.config(Config::new(PayloadType::Text)).on_upgrade(async |mut stream| {
///         stream.write_all(b"Hello!").await?;
///         stream.shutdown().await
///     })
/// }
///
/// # async fn serve() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
/// axum::serve(listener, Router::new().route("/", any(handler))).await
/// # }
/// ```
///
/// # A page and a WebSocket at one path
///
/// An `Option<WebSocketUpgrade>` is `None` where the request does not ask for a WebSocket at all, as
/// [`is_upgrade_request`](crate::is_upgrade_request) tells. One that asks and breaks a rule is answered with the [`Rejection`] all
/// the same.
///
/// ```
/// use axum::response::{Html, IntoResponse, Response};
/// use axum::{Router, routing::any};
/// use fastwebsockets_stream::axum::WebSocketUpgrade;
/// use tokio::io::{copy, split};
///
/// async fn page_or_socket(upgrade: Option<WebSocketUpgrade>) -> Response {
///     let Some(upgrade) = upgrade else { return Html("<h1>The page</h1>").into_response() };
///     upgrade.on_upgrade(async |stream| {
///         let (mut reader, mut writer) = split(stream);
///         copy(&mut reader, &mut writer).await.map(drop)
///     })
/// }
///
/// let router: Router = Router::new().route("/", any(page_or_socket));
/// # let _ = router;
/// ```
#[must_use = "the client waits for the response that `on_upgrade` makes"]
pub struct WebSocketUpgrade {
    opening: Opening,
    on_upgrade: OnUpgrade,
    /// Or what is wrong with what was set.
    upgrader: Result<Upgrader, String>,
    /// Where the router has been told of it (`into_make_service_with_connect_info`).
    peer_addr: Option<SocketAddr>,
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let opening = Head::of_parts(parts).check()?;
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Rejection::NotUpgradable)?;
        let upgrader = Upgrader::new(Config::new(PayloadType::Binary));
        let peer_addr = parts.extensions.get().map(|ConnectInfo(peer_addr)| *peer_addr);
        Ok(WebSocketUpgrade { opening, on_upgrade, upgrader: Ok(upgrader), peer_addr })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Rejection> {
        if !Head::of_parts(parts).asks_for_websocket() {
            return Ok(None);
        }
        <Self as FromRequestParts<S>>::from_request_parts(parts, state).await.map(Some)
    }
}

impl WebSocketUpgrade {
    /// What the stream is to be like. Default: [`Config::new`] with [`PayloadType::Binary`].
    pub fn config(mut self, config: Config) -> Self {
        self.upgrader = self.upgrader.map(|upgrader| upgrader.config(config));
        self
    }

    /// Adds subprotocols that the server speaks, see [`Upgrader::subprotocols`]. Default: none.
    ///
    /// What that refuses makes the answer a [`Rejection::Misconfigured`], which is logged as an error.
    pub fn subprotocols<I>(self, subprotocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.set(|upgrader| upgrader.subprotocols(subprotocols))
    }

    /// Which web pages may connect, see [`Origins`]. Default: all.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.upgrader = self.upgrader.map(|upgrader| upgrader.origins(origins));
        self
    }

    /// Adds a header field to the answer that accepts, see [`Upgrader::header`]. Default: none.
    ///
    /// What that refuses makes the answer a [`Rejection::Misconfigured`], which is logged as an error.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K, Error: Into<http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<http::Error>>,
    {
        self.set(|upgrader| upgrader.header(name, value))
    }

    /// The first thing that is wrong is the one that is told.
    fn set(mut self, set: impl FnOnce(Upgrader) -> io::Result<Upgrader>) -> Self {
        self.upgrader = self.upgrader.and_then(|upgrader| set(upgrader).map_err(|error| error.to_string()));
        self
    }

    /// The subprotocol that the answer will name, of those set so far.
    pub fn selected_subprotocol(&self) -> Option<&str> {
        self.upgrader.as_ref().ok()?.choose(&self.opening.subprotocols)?.to_str().ok()
    }

    /// Answers the request, and runs `serve` with the stream, in a task of its own, once the answer has been sent.
    ///
    /// `serve` may return `()` or a `Result<(), E>`, see [`Outcome`]. Where the compiler asks for the type of the error,
    /// end with `Ok::<_, std::io::Error>(())`.
    ///
    /// # What is logged
    ///
    /// Events of the `tracing` crate, without payload. An error that `serve` returns is one at level WARN ("the
    /// WebSocket's handler has failed"). If there is an [`io::Error`] inside whose kind says that the client has gone
    /// (`UnexpectedEof`, `ConnectionReset`, `ConnectionAborted`, `BrokenPipe`, `TimedOut`), the level is DEBUG ("the WebSocket
    /// has ended without a Close"): clients vanish every day. Both have `error`, and `peer_addr` where the router is served with
    /// [`into_make_service_with_connect_info`](::axum::Router::into_make_service_with_connect_info)`::<SocketAddr>`.
    ///
    /// A refusal (of the origin) is the response that is returned, and `serve` is not called; neither is it if the client has
    /// gone meanwhile, which is an event at level INFO.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::response::Response;
    /// use fastwebsockets_stream::UpgradedStream;
    /// use fastwebsockets_stream::axum::WebSocketUpgrade;
    /// use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    ///
    /// async fn handler(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.on_upgrade(greet)
    /// }
    ///
    /// async fn greet(stream: UpgradedStream) -> std::io::Result<()> {
    ///     let mut stream = BufReader::new(stream);
    ///     let mut name = String::new();
    ///     stream.read_line(&mut name).await?;
    ///     stream.write_all(format!("Hello, {name}").as_bytes()).await?;
    ///     stream.shutdown().await
    /// }
    /// # let _ = handler;
    /// ```
    pub fn on_upgrade<F, Fut>(self, serve: F) -> Response
    where
        F: FnOnce(UpgradedStream) -> Fut + Send + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let peer_addr = self.peer_addr;
        let accepted = match self.upgrader {
            Ok(upgrader) => upgrader.accept(self.opening).map(|accepted| (accepted, upgrader.to_config())),
            Err(reason) => {
                tracing::error!(reason, "no WebSocket: the answer cannot be what it was set to");
                Err(Rejection::Misconfigured { reason })
            }
        };
        let ((response, subprotocol), config) = match accepted {
            Ok(accepted) => accepted,
            Err(rejection) => return IntoResponse::into_response(rejection),
        };
        let stream = Upgrade::new(self.on_upgrade, &response, config, subprotocol);
        tokio::spawn(async move {
            match stream.await {
                Ok(stream) => outcome::report(serve(stream).await, peer_addr),
                Err(error) => {
                    let (error, peer_addr): (&dyn Error, _) =
                        (&error, peer_addr.map(tracing::field::display));
                    tracing::info!(
                        peer_addr,
                        error,
                        "no WebSocket: the connection ended before the answer was sent"
                    );
                }
            }
        });
        response.map(|()| ::axum::body::Body::empty())
    }
}

/// Nothing of the request: some clients put a password among their subprotocols.
impl fmt::Debug for WebSocketUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade").field("upgrader", &self.upgrader).finish_non_exhaustive()
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        Rejection::into_response(self)
    }
}
