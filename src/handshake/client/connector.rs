//! The client as a tower service, for what wants a connection and not a WebSocket.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::PathAndQuery;
use hyper::rt::{Read, ReadBufCursor, Write};
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
    /// This client as a connector for HTTP clients and tonic. Its response is a [`ConnectorStream`].
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
    type Response = ConnectorStream;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Connector { client, to } = self.clone();
        Box::pin(async move {
            let (stream, _) = client.open(&to.target(&uri)?).await?;
            Ok(ConnectorStream(TokioIo::new(stream)))
        })
    }
}

/// What a [`Connector`] gives: the stream, as hyper's clients and tonic want it.
///
/// It has hyper's own traits ([`Read`] and [`Write`]) in the place of tokio's, and [`Connection`]. By
/// [`into_inner`](Self::into_inner) it is a stream like any other.
#[derive(Debug)]
pub struct ConnectorStream(TokioIo<WebSocketStream<MaybeTlsStream>>);

impl ConnectorStream {
    /// The stream.
    pub fn get_ref(&self) -> &WebSocketStream<MaybeTlsStream> {
        self.0.inner()
    }

    /// The stream.
    pub fn get_mut(&mut self) -> &mut WebSocketStream<MaybeTlsStream> {
        self.0.inner_mut()
    }

    /// The stream.
    pub fn into_inner(self) -> WebSocketStream<MaybeTlsStream> {
        self.0.into_inner()
    }
}

impl Read for ConnectorStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for ConnectorStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Connection for ConnectorStream {
    fn connected(&self) -> Connected {
        self.get_ref().connected()
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
