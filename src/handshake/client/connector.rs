//! The client as a tower service, for what wants a connection and not a WebSocket.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::PathAndQuery;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpInfo};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::http1::Upgrade;
use super::uri::{Target, without_secrets};
use super::{Client, ConnectError, MaybeTlsStream};
use crate::WebSocketStream;

/// A tower `Service<Uri>` that opens WebSockets, made by [`Client::connector`].
///
/// hyper-util's `legacy::Client` and tonic's `Endpoint::connect_with_connector` take it in the place of TCP: their
/// HTTP/1.1 or HTTP/2 then runs inside the WebSocket. What they hand over is scheme and authority alone, so path and
/// query of the WebSocket are in here.
///
/// # Examples
///
/// ```no_run
/// use bytes::Bytes;
/// use fastwebsockets_stream::{Client, Config, PayloadType};
/// use http_body_util::Empty;
/// use hyper_util::client::legacy;
/// use hyper_util::rt::TokioExecutor;
///
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = Client::new(Config::new(PayloadType::Binary)).connector("ws://gateway.example/tunnel")?;
/// let http = legacy::Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
/// let response = http.get("http://inside.example/".parse()?).await?;
/// # let _ = response;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    client: Client,
    to: To,
}

#[derive(Clone)]
enum To {
    /// Always there; the call's URI matters only inside.
    There(Target),
    /// To the call's host.
    Path(PathAndQuery),
}

impl Client {
    /// This client as a connector for HTTP clients and tonic.
    ///
    /// `to` is either a whole URI (`wss://host/path`): every call goes there, and the URI of a call only matters to what
    /// runs inside. Or it is path and query (`/path?query`), and scheme and authority are those of the call, `ws://` for
    /// `http` and `wss://` for `https`.
    ///
    /// # Errors
    ///
    /// What can be known before connecting: [`ConnectError::Uri`], [`ConnectError::Header`],
    /// [`ConnectError::Subprotocol`].
    pub fn connector(&self, to: &str) -> Result<Connector, ConnectError> {
        let is_path = to.starts_with('/');
        let target = if is_path { Target::parse(&format!("ws://host{to}")) } else { Target::parse(to) };
        let target = target.map_err(|error| match error {
            ConnectError::Uri { reason, .. } => ConnectError::Uri { uri: without_secrets(to), reason },
            error => error,
        })?;
        Upgrade::new(self, &target)?;
        let to = if is_path { To::Path(target.path) } else { To::There(target) };
        Ok(Connector { client: self.clone(), to })
    }
}

impl fmt::Debug for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            To::There(target) => f.debug_tuple("There").field(target).finish(),
            To::Path(path) => f.debug_tuple("Path").field(&path.path()).finish(),
        }
    }
}

impl To {
    fn target(self, uri: &Uri) -> Result<Target, ConnectError> {
        match self {
            To::There(target) => Ok(target),
            To::Path(path) => {
                let scheme = match uri.scheme_str() {
                    Some("http") => "ws",
                    Some("https") => "wss",
                    other => other.unwrap_or_default(),
                };
                let authority = uri.authority().map_or("", |authority| authority.as_str());
                Target::parse(&format!("{scheme}://{authority}{path}"))
            }
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<WebSocketStream<MaybeTlsStream>>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Connector { client, to } = self.clone();
        Box::pin(async move {
            let (stream, _) = client.open(&to.target(&uri)?).await?;
            Ok(TokioIo::new(stream))
        })
    }
}

/// What hyper-util's client attaches to each response: [`HttpInfo`], the addresses of the TCP connection.
///
/// Nothing else: that the outer TLS has negotiated HTTP/2, or that there is a proxy, says nothing about what runs inside.
impl Connection for MaybeTlsStream {
    fn connected(&self) -> Connected {
        self.tcp().connected()
    }
}

/// What the transport says of itself, except that it has negotiated HTTP/2 or leads to a proxy: that is not true of what
/// runs inside.
impl<S: Connection> Connection for WebSocketStream<S> {
    fn connected(&self) -> Connected {
        let outer = self.get_ref().connected();
        if !outer.is_negotiated_h2() {
            return outer.proxy(false);
        }
        // That cannot be taken back, only left out.
        let mut extras = http::Extensions::new();
        outer.get_extras(&mut extras);
        match extras.remove::<HttpInfo>() {
            Some(info) => Connected::new().extra(info),
            None => Connected::new(),
        }
    }
}
