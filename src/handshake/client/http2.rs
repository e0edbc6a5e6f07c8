//! WebSockets as streams of one HTTP/2 connection (RFC 8441).

mod driver;
mod stream;

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::ext::Protocol;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::super::headers::VERSION;
use super::uri::Target;
use super::{Client, ConnectError, Phase, dial, response};
use crate::WebSocketStream;
use driver::Settings;
use stream::Connection;
pub use stream::Http2Stream;

/// The longest wait for SETTINGS, which a server sends before anything else.
const FOR_SETTINGS: Duration = Duration::from_secs(5);

/// An HTTP/2 connection that any number of WebSockets share (RFC 8441). [`Client::http2`] makes it.
///
/// A clone is another handle to the same connection. It closes when all handles and all streams are gone; until then a
/// task of the runtime drives it. Before the program ends, [`wait_idle`](Self::wait_idle) lets what is on the way arrive.
///
/// # Examples
///
/// ```no_run
/// use fastwebsockets_stream::{Client, Config, PayloadType};
///
/// # async fn doc() -> std::io::Result<()> {
/// let http2 = Client::new(Config::new(PayloadType::Binary)).http2("wss://gateway.example").await?;
/// let (one, _) = http2.connect("wss://gateway.example/one").await?;
/// let (two, _) = http2.connect("wss://gateway.example/two").await?;
/// # let _ = (one, two);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Http2 {
    client: Client,
    /// Whether by TLS, to which host and port; `None` if the caller has made the transport.
    leads_to: Option<(bool, String, u16)>,
    requests: SendRequest<Empty<Bytes>>,
    settings: watch::Receiver<Settings>,
    connection: Connection,
}

impl Client {
    /// Opens an HTTP/2 connection for WebSockets: with TLS and `h2` by ALPN for `wss://`, with prior knowledge (RFC 9113,
    /// section 3.3) for `ws://`. Of the URI only scheme, host and port count, and not its user and password.
    ///
    /// The time limit is for this, and anew for each [`Http2::connect`].
    ///
    /// # Errors
    ///
    /// A [`ConnectError`]; [`NotHttp2`](ConnectError::NotHttp2) if the server wants HTTP/1.1.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection. Nothing runs on.
    pub async fn http2(&self, uri: &str) -> Result<Http2, ConnectError> {
        let target = Target::parse(uri)?;
        let deadline = self.deadline();
        let io = dial::dial(self, &target, b"h2", deadline).await?;
        #[cfg(feature = "tls")]
        if target.secure // Else the TLS is a proxy's.
            && let super::MaybeTlsStream::Tls(tls) = &io
            && let agreed = tls.get_ref().1.alpn_protocol()
            && agreed != Some(b"h2")
        {
            let received = crate::handshake::headers::excerpt(agreed.unwrap_or_default());
            return Err(ConnectError::NotHttp2 { received });
        }
        let leads_to = Some((target.secure, target.host.clone(), target.port));
        deadline.keep(Phase::Http2, &target.host, target.port, self.start(io, leads_to)).await
    }

    /// The same over a transport that the caller has made, on which the server expects HTTP/2.
    ///
    /// Where it leads is not known, so [`Http2::connect`] takes any URI, and its credentials go to whoever is there.
    ///
    /// # Errors
    ///
    /// [`ConnectError::Http2`] with what the transport fails with, [`ConnectError::TimedOut`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the transport.
    pub async fn http2_over<S>(&self, io: S) -> Result<Http2, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.deadline().keep(Phase::Http2, "", 0, self.start(io, None)).await
    }

    async fn start<S>(&self, io: S, leads_to: Option<(bool, String, u16)>) -> Result<Http2, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, settings) = driver::start(io).await.map_err(|source| {
            let (host, port) =
                leads_to.as_ref().map_or((String::new(), 0), |(_, host, port)| (host.clone(), *port));
            ConnectError::Http2 { host, port, source }
        })?;
        let connection = Connection::new();
        Ok(Http2 { client: self.clone(), leads_to, requests, settings, connection })
    }
}

impl Http2 {
    /// Opens a WebSocket as a stream of this connection: CONNECT with `:protocol` websocket, subprotocols and header
    /// fields as [`Client::connect`] sends them, no key. The server answers 200.
    ///
    /// It waits for the server's SETTINGS, at most 5 seconds (and the time limit), and asks only if they allow it. Where
    /// the server's limit of concurrent streams is reached, it waits for one of them to end.
    ///
    /// All streams share the connection's window of 5 MiB, and each has one of 2 MiB: streams that nobody reads hold up
    /// the others.
    ///
    /// # Errors
    ///
    /// A [`ConnectError`], among them [`NoExtendedConnect`](ConnectError::NoExtendedConnect),
    /// [`Http2Ended`](ConnectError::Http2Ended), and [`Uri`](ConnectError::Uri) for another scheme, host or port than the
    /// connection leads to.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resets the stream. The connection goes on.
    pub async fn connect(
        &self,
        uri: &str,
    ) -> Result<(WebSocketStream<Http2Stream>, Response<()>), ConnectError> {
        let target = Target::parse(uri)?;
        self.check_leads_to(&target)?;
        let request = self.request(&target)?;
        let counted = self.connection.count();
        let deadline = self.client.deadline();
        let allowed = async {
            if self.client.time_limit < FOR_SETTINGS {
                return self.settled().await;
            }
            let none = Err(ConnectError::NoExtendedConnect { received: "no SETTINGS came within 5 seconds" });
            tokio::time::timeout(FOR_SETTINGS, self.settled()).await.unwrap_or(none)
        };
        deadline.keep(Phase::Http2, &target.host, target.port, allowed).await?;
        let failed = |source| {
            let (host, port) = target.who();
            ConnectError::Http2 { host, port, source }
        };
        let mut requests = self.requests.clone();
        let answer = async {
            requests.send_request(request).await.map_err(|error| {
                match error.is_closed() || error.is_canceled() {
                    true => self.ended(),
                    false => failed(error),
                }
            })
        };
        let mut response = deadline.keep(Phase::Upgrade, &target.host, target.port, answer).await?;
        // Any other success is none: hyper makes a stream only of this one.
        if response.status() != StatusCode::OK {
            let (mut head, mut body) = response.into_parts();
            head.version = Version::HTTP_2;
            let mut start = Vec::new();
            deadline.cut(read_start(&mut body, &mut start)).await;
            return Err(ConnectError::rejected(&target, Response::from_parts(head, start.into())));
        }
        response::check_chosen(response.headers(), &self.client.subprotocols, &target)?;
        let upgrade = hyper::upgrade::on(&mut response);
        let io = deadline
            .keep(Phase::Upgrade, &target.host, target.port, async { upgrade.await.map_err(failed) })
            .await?;
        let config = self.client.config.clone();
        let stream = Http2Stream::open(io, self.connection.clone(), counted, config);
        Ok((stream, response::told(response)))
    }

    /// Waits until every stream of this connection has ended, whichever handle opened it; a request that is not answered yet
    /// counts as a stream.
    ///
    /// Call it before the process or the runtime ends. A stream that is dropped after `shutdown` or `close` has sent its
    /// bytes, but they may still be on the way, and so may the server's END_STREAM, which says that it has read them. A task of
    /// the runtime waits for that, for [`Config::close_timeout`](crate::Config::close_timeout) at most. A stream that is held
    /// has ended when a read has returned the end after a `shutdown`; drop any other one first, or this waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use fastwebsockets_stream::{Client, Config, PayloadType};
    /// use tokio::io::AsyncWriteExt;
    ///
    /// #[tokio::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let http2 = Client::new(Config::new(PayloadType::Binary)).http2("wss://gateway.example").await?;
    ///     for report in ["one", "two"] {
    ///         let (mut stream, _) = http2.connect("wss://gateway.example/reports").await?;
    ///         stream.write_all(report.as_bytes()).await?;
    ///         stream.shutdown().await?;
    ///     }
    ///     // Both are on the way. Let them arrive.
    ///     http2.wait_idle().await;
    ///     Ok(())
    /// }
    /// ```
    pub async fn wait_idle(&self) {
        // The sender is this handle's own: it is not gone.
        let _ = self.connection.streams.subscribe().wait_for(|streams| *streams == 0).await;
    }

    /// Whether the connection has ended, so that another one is needed.
    pub fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// > Connections that are made to an origin server […] MAY be reused for requests with multiple different URI
    /// > authority components […] as long as the origin server is authoritative. (RFC 9113, section 9.1.1)
    ///
    /// That is not known of another one, and credentials may be in the request.
    fn check_leads_to(&self, target: &Target) -> Result<(), ConnectError> {
        let Some((secure, host, port)) = &self.leads_to else { return Ok(()) };
        if (*secure, *port) == (target.secure, target.port) && host.eq_ignore_ascii_case(&target.host) {
            return Ok(());
        }
        let scheme = if *secure { "wss" } else { "ws" };
        Err(ConnectError::Uri {
            uri: target.authority.clone(),
            reason: format!("this HTTP/2 connection leads to {scheme}, {host}, port {port}"),
        })
    }

    /// RFC 8441, section 5: as in HTTP/1.1, but for what HTTP/2 says in another way.
    fn request(&self, target: &Target) -> Result<Request<Empty<Bytes>>, ConnectError> {
        let host = self.client.host_or(target)?;
        let uri = Uri::builder()
            .scheme(if target.secure { "https" } else { "http" })
            .authority(host.as_bytes())
            .path_and_query(target.path.clone())
            .build()
            .map_err(|_| ConnectError::Header {
                number: 1 + self
                    .client
                    .headers
                    .iter()
                    .position(|(name, _)| name == header::HOST)
                    .unwrap_or(0),
                name: Some(header::HOST),
                reason: "it is no host with a port or without".into(),
            })?;
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        request.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        self.client.add_fields(request.headers_mut(), target)?;
        Ok(request)
    }

    /// Waits until it is known whether the server takes WebSockets.
    async fn settled(&self) -> Result<(), ConnectError> {
        let mut settings = self.settings.clone();
        let known = settings.wait_for(|settings| !matches!(settings, Settings::Awaited)).await;
        match known.as_deref() {
            Ok(Settings::Refused) => {
                Err(ConnectError::NoExtendedConnect { received: "its SETTINGS are without it" })
            }
            Ok(Settings::Awaited | Settings::Allowed) => Ok(()),
            Ok(Settings::Ended(_)) | Err(_) => Err(self.ended()),
        }
    }

    fn ended(&self) -> ConnectError {
        match &*self.settings.borrow() {
            Settings::Ended(error) => ConnectError::Http2Ended { source: error.clone() },
            _ => ConnectError::Http2Ended { source: None },
        }
    }
}

/// The most of a body that goes into an error.
const MAX_BODY: usize = 1024;

/// Reads as much of a body as goes into an error, for a second at most. What was read stays if this is dropped.
async fn read_start(body: &mut Incoming, start: &mut Vec<u8>) {
    let reading = async {
        while start.len() < MAX_BODY
            && let Some(Ok(frame)) = body.frame().await
        {
            let data = frame.into_data().unwrap_or_default();
            start.extend_from_slice(&data[..data.len().min(MAX_BODY - start.len())]);
        }
    };
    let _ = tokio::time::timeout(super::http1::PATIENCE, reading).await;
}
