//! The handshake as an extractor of axum 0.8.

use std::fmt;
use std::future::Future;
use std::io;

use ::axum::extract::FromRequestParts;
use ::axum::response::{IntoResponse, Response};
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

use super::request::{Head, Opening};
use super::{Origins, Rejection, Upgrade, Upgrader};
use crate::{Config, PayloadType, WebSocketStream};

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
///     upgrade.config(Config::new(PayloadType::Text)).on_upgrade(|mut stream| async move {
///         stream.write_all(b"Hello!").await.ok();
///         stream.shutdown().await.ok();
///     })
/// }
///
/// # async fn serve() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
/// axum::serve(listener, Router::new().route("/", any(handler))).await
/// # }
/// ```
#[must_use = "the client waits for the response that `on_upgrade` makes"]
pub struct WebSocketUpgrade {
    opening: Opening,
    on_upgrade: OnUpgrade,
    /// Or what is wrong with what was set.
    upgrader: Result<Upgrader, String>,
}

impl<S: Send + Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let opening = Head::of_parts(parts).check()?;
        let on_upgrade = parts.extensions.remove::<OnUpgrade>().ok_or(Rejection::NotUpgradable)?;
        let upgrader = Upgrader::new(Config::new(PayloadType::Binary));
        Ok(WebSocketUpgrade { opening, on_upgrade, upgrader: Ok(upgrader) })
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
    /// A refusal (of the origin) is the response that is returned, and `serve` is not called; neither is it if the client has
    /// gone meanwhile, which is an event of the `tracing` crate at level INFO.
    pub fn on_upgrade<F, Fut>(self, serve: F) -> Response
    where
        F: FnOnce(WebSocketStream<TokioIo<Upgraded>>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
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
                Ok(stream) => serve(stream).await,
                Err(error) => {
                    tracing::info!(%error, "no WebSocket: the connection ended before the answer was sent")
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
        Rejection::into_response(self).map(::axum::body::Body::new)
    }
}
