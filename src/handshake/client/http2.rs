//! WebSockets as streams of one HTTP/2 connection (RFC 8441).

mod driver;
mod exclusive;
mod link;
mod reopen;
mod request;
mod stream;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::Empty;
use tokio::io::{AsyncRead, AsyncWrite};

use super::uri::Target;
use super::{Client, ConnectError, Deadline, Phase, ToUri, dial, logged, response};
use crate::WebSocketStream;
use link::{Addresses, Link};
use reopen::Shared;
use request::read_start;
pub use stream::Http2Stream;
pub(super) use stream::leave;

/// An HTTP/2 connection that any number of WebSockets share (RFC 8441). [`Client::http2`] makes it.
///
/// A clone is another handle to the same connection. It closes when all handles and all streams are gone; until then a
/// task of the runtime drives it, the one in which it was made. Before the program ends, [`wait_idle`](Self::wait_idle) lets
/// what is on the way arrive.
///
/// # When the connection ends
///
/// Connections end: the server goes away (GOAWAY), a proxy closes what is idle, the network fails. Then the next
/// [`connect`](Self::connect) opens another one, with the `Client`'s settings as at first. So one handle serves as long as the
/// program runs.
///
/// - Calls that come meanwhile wait for the same attempt. If it fails, each of them has
///   [`Http2NotReopened`](ConnectError::Http2NotReopened), and the next call tries again. There is no pause between
///   attempts but what the callers make.
/// - After a GOAWAY, the streams of the old connection go on until they end, beside those of the new one.
/// - A request that the server says it has not processed (REFUSED_STREAM, or a GOAWAY with a lower stream; RFC 9113, section
///   8.7) is sent again, up to four times in all. Any other that has left is not: the server may have acted on it.
/// - A connection that the network has swallowed ends only when the system notices. [`Config::keep_alive`] and
///   [`Config::stall_timeout`] tell the system how soon; each stream notices by itself.
/// - One over a transport of the caller's ([`Client::http2_over`]) cannot be opened again:
///   [`Http2Ended`](ConnectError::Http2Ended).
///
/// [`Config::keep_alive`]: crate::Config::keep_alive
/// [`Config::stall_timeout`]: crate::Config::stall_timeout
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
#[derive(Clone)]
pub struct Http2(Arc<Shared>);

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
    pub async fn http2<U: ToUri>(&self, uri: U) -> Result<Http2, ConnectError> {
        let target = Target { basic: None, ..Target::parse(&uri.text())? };
        let link = open(self, &target, self.deadline()).await?;
        Ok(Http2(Arc::new(Shared::new(self.clone(), Some(target), link))))
    }

    /// The same over a transport that the caller has made, on which the server expects HTTP/2.
    ///
    /// Where it leads is not known, so [`Http2::connect`] takes any URI, and its credentials go to whoever is there. When it has
    /// ended, it cannot be opened again.
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
        let link = start(io, None, "", 0, self.deadline()).await?;
        Ok(Http2(Arc::new(Shared::new(self.clone(), None, link))))
    }
}

/// Opens a connection to where a URI leads.
async fn open(client: &Client, target: &Target, deadline: Deadline) -> Result<Link, ConnectError> {
    let io = dial::dial(client, target, b"h2", deadline).await?;
    #[cfg(feature = "tls")]
    if target.secure // Else the TLS is a proxy's.
        && let super::MaybeTlsStream::Tls(tls) = &io
        && let agreed = tls.get_ref().1.alpn_protocol()
        && agreed != Some(b"h2")
    {
        let received = crate::handshake::headers::excerpt(agreed.unwrap_or_default());
        return Err(ConnectError::NotHttp2 { received });
    }
    let addresses = io.peer_addr().and_then(|peer| Ok(Addresses { peer, local: io.local_addr()? }));
    start(io, addresses.ok(), &target.host, target.port, deadline).await
}

async fn start<S>(
    io: S,
    addresses: Option<Addresses>,
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<Link, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let starting = async {
        let failed = |source| ConnectError::Http2 { host: host.to_owned(), port, source };
        Link::start(io, addresses).await.map_err(failed)
    };
    deadline.keep(Phase::Http2, host, port, starting).await
}

impl Http2 {
    /// Opens a WebSocket as a stream of this connection: CONNECT with `:protocol` websocket, subprotocols and header
    /// fields as [`Client::connect`] sends them, no key. The server answers 200.
    ///
    /// If the connection has ended, another one is opened first, see [above](Self#when-the-connection-ends).
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
    /// [`Http2NotReopened`](ConnectError::Http2NotReopened), [`Http2Ended`](ConnectError::Http2Ended) where the connection
    /// ended meanwhile and the request cannot be sent again, and [`Uri`](ConnectError::Uri) for another scheme, host or port than
    /// the connection leads to.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future resets the stream. The connection goes on. An attempt to open another connection goes on while
    /// somebody else waits for it, and is given up otherwise.
    pub async fn connect<U: ToUri>(
        &self,
        uri: U,
    ) -> Result<(WebSocketStream<Http2Stream>, Response<()>), ConnectError> {
        let target = Target::parse(&uri.text())?;
        self.check_leads_to(&target)?;
        let request = self.request(&target)?;
        logged(&target, self.open(&target, request)).await
    }

    async fn open(
        &self,
        target: &Target,
        request: Request<Empty<Bytes>>,
    ) -> Result<(WebSocketStream<Http2Stream>, Response<()>), ConnectError> {
        let Shared { client, connection, .. } = &*self.0;
        let counted = connection.count();
        let deadline = client.deadline();
        let (mut response, addresses) = self.ask(request, target, deadline).await?;
        // Any other success is none: hyper makes a stream only of this one.
        if response.status() != StatusCode::OK {
            let (mut head, mut body) = response.into_parts();
            head.version = Version::HTTP_2;
            let mut start = Vec::new();
            deadline.cut(read_start(&mut body, &mut start)).await;
            return Err(ConnectError::rejected(target, Response::from_parts(head, start.into())));
        }
        response::check_chosen(response.headers(), &client.subprotocols, target)?;
        let upgrade = hyper::upgrade::on(&mut response);
        let upgraded = async {
            upgrade.await.map_err(|source| {
                let (host, port) = target.who();
                ConnectError::Http2 { host, port, source }
            })
        };
        let io = deadline.keep(Phase::Upgrade, &target.host, target.port, upgraded).await?;
        let stream = Http2Stream::open(io, addresses, connection.clone(), counted, client.config.clone());
        Ok((stream, response::told(response)))
    }

    /// Waits until every stream has ended, whichever handle opened it, and on whichever connection; a request that is not answered yet
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
        let _ = self.0.connection.streams.subscribe().wait_for(|streams| *streams == 0).await;
    }

    /// Whether the connection takes no more streams: it has ended, or the server has sent GOAWAY.
    ///
    /// Then the next [`connect`](Self::connect) opens another one, except over a transport of the caller's.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// > Connections that are made to an origin server […] MAY be reused for requests with multiple different URI
    /// > authority components […] as long as the origin server is authoritative. (RFC 9113, section 9.1.1)
    ///
    /// That is not known of another one, and credentials may be in the request.
    fn check_leads_to(&self, target: &Target) -> Result<(), ConnectError> {
        let Some(Target { secure, host, port, .. }) = &self.0.leads_to else { return Ok(()) };
        if (*secure, *port) == (target.secure, target.port) && host.eq_ignore_ascii_case(&target.host) {
            return Ok(());
        }
        let scheme = if *secure { "wss" } else { "ws" };
        Err(ConnectError::Uri {
            uri: target.authority.clone(),
            reason: format!("this HTTP/2 connection leads to {scheme}, {host}, port {port}"),
        })
    }
}

impl fmt::Debug for Http2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leads_to = self.0.leads_to.as_ref().map(|target| &target.authority);
        f.debug_struct("Http2")
            .field("client", &self.0.client)
            .field("leads_to", &leads_to)
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
