//! How a server answers requests for a WebSocket, whoever reads them and sends the answer.

use std::fmt;
use std::io;
#[cfg(feature = "listener")]
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::headers;
use super::origin::Origins;
use super::rejection::Rejection;
use super::request::{Answer, Opening};
use crate::Config;

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
///     .subprotocols(["tunnel.v2", "tunnel.v1"])?
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
    #[cfg(feature = "listener")]
    time_limit: Duration,
}

/// Long enough for TLS and a request over a slow mobile link, short enough not to keep much for a client that does not mean it.
#[cfg(feature = "listener")]
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// More than clients take, and fewer than `http` has room for.
const MAX_FIELDS: usize = 1024;

impl Upgrader {
    /// Answers with streams of this [`Config`]; without subprotocols and further header fields; to any origin.
    pub fn new(config: Config) -> Self {
        Upgrader {
            config,
            subprotocols: Vec::new(),
            origins: Origins::any(),
            headers: HeaderMap::new(),
            #[cfg(feature = "listener")]
            time_limit: TIME_LIMIT,
        }
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
    /// the answer names none, and it is the client that decides (browsers then fail).
    ///
    /// # Errors
    ///
    /// `InvalidInput` for what no client can ask for: an empty name, or one that is no token (RFC 9110, section 5.6.2).
    pub fn subprotocols<I>(mut self, subprotocols: I) -> io::Result<Self>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        for name in subprotocols.into_iter().map(Into::into) {
            if !headers::is_token(name.as_bytes()) {
                let name = headers::excerpt(name.as_bytes());
                return Err(invalid(format!("\"{name}\" cannot be a subprotocol; expected a token of HTTP")));
            }
            self.subprotocols.push(name);
        }
        Ok(self)
    }

    /// Which web pages may connect. Default: all.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Adds a header field to the answer that accepts. Default: none.
    ///
    /// It takes what `http`'s own builders take: names and values as text or as the types of [`http::header`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a name or a value that cannot stand in a header field, for a field of the handshake's own
    /// (`Connection`, `Upgrade`, `Sec-WebSocket-*`, or one that announces a body), and for more than 1024 fields.
    pub fn header<K, V>(mut self, name: K, value: V) -> io::Result<Self>
    where
        HeaderName: TryFrom<K, Error: Into<http::Error>>,
        HeaderValue: TryFrom<V, Error: Into<http::Error>>,
    {
        let (name, value) = headers::field(name, value).map_err(|error| invalid(error.to_string()))?;
        if headers::is_reserved(&name) {
            return Err(invalid(format!("the field {name} belongs to the handshake itself")));
        }
        if self.headers.len() >= MAX_FIELDS {
            return Err(invalid(format!("an answer has at most {MAX_FIELDS} fields, no client takes more")));
        }
        self.headers.append(name, value);
        Ok(self)
    }

    /// How long the handshake may take in all, where this crate does it: [`over`](Self::over) and
    /// [`Listener`](crate::Listener). Default: 10 s.
    ///
    /// It counts TLS (of a `Listener`), the request, and the time in which a [request](crate::UpgradeRequest) waits to be decided
    /// on. A client that sends its header fields a byte at a time is cut after that. [`Duration::MAX`] waits without a limit; with
    /// zero, only a handshake that need not wait for anything succeeds.
    #[cfg(feature = "listener")]
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Decides on a request that keeps the rules: the response, and the subprotocol, if any.
    #[cfg(feature = "upgrade")]
    pub(super) fn accept(&self, opening: Opening) -> Result<(Response<()>, Option<String>), Rejection> {
        self.check_origin(&opening)?;
        Ok(self.answer(opening))
    }

    /// Whether the page that asks may.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
    //# A connection attempt lacking this header field SHOULD NOT be interpreted as coming from a browser
    //# client.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-10.2
    //# SHOULD verify the |Origin| field is an origin they expect.
    pub(super) fn check_origin(&self, opening: &Opening) -> Result<(), Rejection> {
        let host = opening.host.as_ref().map(HeaderValue::as_bytes);
        match opening.origin.as_ref().map(HeaderValue::as_bytes) {
            Some(origin) if !self.origins.allow(origin, host) => {
                Err(Rejection::Origin { received: headers::excerpt(origin) })
            }
            _ => Ok(()),
        }
    }

    /// The response that accepts, and the subprotocol, if any.
    pub(super) fn answer(&self, opening: Opening) -> (Response<()>, Option<String>) {
        let subprotocol = self.choose(&opening.subprotocols);

        let mut response = Response::new(());
        *response.headers_mut() = self.headers.clone();
        let fields = response.headers_mut();
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
        //# it MUST NOT send back a |Sec-WebSocket-Protocol| header field in its response
        if let Some(chosen) = subprotocol {
            fields.insert(header::SEC_WEBSOCKET_PROTOCOL, chosen.clone());
        }
        match opening.answer {
            Answer::SwitchingProtocols { accept } => {
                //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
                //# An |Upgrade| header field with value "websocket"
                fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
                //# A |Connection| header field with value "Upgrade".
                fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
                fields.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
                //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
                //# A Status-Line with a 101 response code
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            }
            Answer::Connected => *response.status_mut() = StatusCode::OK,
        }
        (response, subprotocol.and_then(|chosen| chosen.to_str().ok()).map(str::to_owned))
    }

    /// Puts one subprotocol in place of those it speaks.
    #[cfg(feature = "listener")]
    pub(super) fn set_subprotocol(&mut self, name: String) {
        self.subprotocols = vec![name];
    }

    /// The first of the client's subprotocols that is one of ours.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
    //# The value chosen MUST be derived from the client's handshake, specifically by selecting one of the
    //# values from the |Sec-WebSocket-Protocol| field
    pub(super) fn choose<'a>(&self, theirs: &'a [HeaderValue]) -> Option<&'a HeaderValue> {
        theirs.iter().find(|theirs| self.subprotocols.iter().any(|ours| **theirs == **ours))
    }

    #[cfg(feature = "listener")]
    pub(super) fn limit(&self) -> Duration {
        self.time_limit
    }

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
            .finish_non_exhaustive()
    }
}

/// As [`Upgrader::new`].
impl From<Config> for Upgrader {
    fn from(config: Config) -> Self {
        Upgrader::new(config)
    }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
