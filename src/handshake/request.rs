//! What a server checks of a request (RFC 6455, section 4.2.1; RFC 8441, section 5).

#[cfg(feature = "upgrade")]
use http::Request;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
use http::{Method, Uri, Version};

use super::headers::{self, VERSION};
use super::rejection::Rejection;

/// The part of a request that is checked.
pub(super) struct Head<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) version: Version,
    pub(super) headers: &'a HeaderMap,
    /// `:protocol`, with which HTTP/2 asks for something else than HTTP.
    pub(super) protocol: Option<&'a [u8]>,
}

/// A request that keeps the rules: what its answer depends on.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) answer: Answer,
    /// The origin that a browser has sent.
    pub(super) origin: Option<HeaderValue>,
    /// Whom the request is addressed to: `:authority` of HTTP/2, else Host.
    pub(super) host: Option<HeaderValue>,
    /// The client's subprotocols, the one it likes best first.
    pub(super) subprotocols: Vec<HeaderValue>,
}

/// How it is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// 101, with this proof that the key was read.
    SwitchingProtocols { accept: HeaderValue },
    /// 200, for an extended CONNECT over HTTP/2.
    Connected,
}

impl<'a> Head<'a> {
    #[cfg(feature = "upgrade")]
    pub(super) fn of<B>(request: &'a Request<B>) -> Self {
        Head {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            protocol: protocol(request.extensions()),
        }
    }

    #[cfg(any(feature = "axum", feature = "listener"))]
    pub(super) fn of_parts(parts: &'a http::request::Parts) -> Self {
        Head {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            protocol: protocol(&parts.extensions),
        }
    }

    #[cfg(feature = "upgrade")]
    pub(super) fn asks_for_websocket(&self) -> bool {
        if self.version >= Version::HTTP_2 {
            self.protocol == Some(b"websocket")
        } else {
            headers::has_token(self.headers, &header::UPGRADE, "websocket")
        }
    }

    pub(super) fn check(&self) -> Result<Opening, Rejection> {
        let answer =
            if self.version >= Version::HTTP_2 { self.check_connect() } else { self.check_upgrade() }?;
        let authority =
            self.uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        let subprotocols = headers::list(self.headers, &header::SEC_WEBSOCKET_PROTOCOL);
        Ok(Opening {
            answer,
            origin: self.single(header::ORIGIN)?.cloned(),
            host: authority.or_else(|| self.headers.get(header::HOST).cloned()),
            subprotocols: subprotocols.filter_map(|name| HeaderValue::from_bytes(name).ok()).collect(),
        })
    }

    /// RFC 6455, section 4.2.1.
    fn check_upgrade(&self) -> Result<Answer, Rejection> {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
        //# An HTTP/1.1 or higher GET request
        if self.method != Method::GET {
            return Err(Rejection::Method { received: self.method.clone(), allowed: Method::GET });
        }
        if self.version < Version::HTTP_11 {
            return Err(Rejection::HttpVersion { received: self.version });
        }
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
        //# A |Host| header field containing the server's authority.
        let host = self.required(header::HOST)?.as_bytes();
        if !is_host(host) {
            // What stands before an @ may be a password.
            let received = match host.iter().rposition(|octet| *octet == b'@') {
                Some(at) => format!("...{}", headers::excerpt(&host[at..])),
                None => headers::excerpt(host),
            };
            return Err(Rejection::Host { received });
        }
        self.check_target(host)?;
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
        //# An |Upgrade| header field containing the value "websocket", treated as an ASCII case-insensitive
        //# value.
        self.token(header::UPGRADE, "websocket")?;
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
        //# A |Connection| header field that includes the token "Upgrade", treated as an ASCII case-insensitive
        //# value.
        self.token(header::CONNECTION, "Upgrade")?;
        // Before the key, which another version may not have.
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
        //# A |Sec-WebSocket-Version| header field, with a value of 13.
        self.websocket_version()?;
        //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1
        //# A |Sec-WebSocket-Key| header field with a base64-encoded (see Section 4 of [RFC4648]) value that,
        //# when decoded, is 16 bytes in length.
        let key = self.required(header::SEC_WEBSOCKET_KEY)?.as_bytes();
        if !headers::is_key(key) {
            return Err(Rejection::Key { received: headers::excerpt(key) });
        }
        self.no_body()?;
        let accept = headers::accept_for(key);
        let accept =
            HeaderValue::try_from(accept).map_err(|_| Rejection::Key { received: headers::excerpt(key) })?;
        Ok(Answer::SwitchingProtocols { accept })
    }

    /// > When an origin server receives a request with an absolute-form of request-target, the origin server MUST ignore the
    /// > received Host header field (RFC 9112, section 3.2.2)
    ///
    /// Where the two differ, somebody before this server may have gone by the other one.
    fn check_target(&self, host: &[u8]) -> Result<(), Rejection> {
        let is_of_http = matches!(self.uri.scheme_str(), Some("http" | "https"));
        let target = match self.uri.authority() {
            None if self.uri.path().starts_with('/') => return Ok(()),
            Some(target) if is_of_http && is_host(target.as_str().as_bytes()) => target,
            _ => {
                let received = headers::public_excerpt(self.uri.to_string().as_bytes());
                return Err(Rejection::Target { received });
            }
        };
        let default = if self.uri.scheme_str() == Some("https") { 443 } else { 80 };
        let named = Authority::try_from(host).is_ok_and(|host| {
            host.host().eq_ignore_ascii_case(target.host())
                && host.port_u16().unwrap_or(default) == target.port_u16().unwrap_or(default)
        });
        let (host, target) = (headers::excerpt(host), headers::excerpt(target.as_str().as_bytes()));
        if named { Ok(()) } else { Err(Rejection::OtherHost { host, target }) }
    }

    /// RFC 8441, section 5: the rest of the handshake, without Upgrade, Connection, Host and key.
    fn check_connect(&self) -> Result<Answer, Rejection> {
        if self.method != Method::CONNECT {
            return Err(Rejection::Method { received: self.method.clone(), allowed: Method::CONNECT });
        }
        match self.protocol {
            Some(b"websocket") => {}
            Some(other) => return Err(Rejection::Protocol { received: headers::excerpt(other) }),
            None => return Err(Rejection::MissingProtocol),
        }
        self.websocket_version()?;
        self.no_body()?;
        Ok(Answer::Connected)
    }

    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
    //# If this version does not match a version understood by the server, the server MUST abort the WebSocket
    //# handshake
    fn websocket_version(&self) -> Result<(), Rejection> {
        let version = self.required(header::SEC_WEBSOCKET_VERSION)?.as_bytes();
        if version == VERSION.as_bytes() {
            return Ok(());
        }
        let over_http2 = self.version >= Version::HTTP_2;
        Err(Rejection::WebSocketVersion { received: headers::excerpt(version), over_http2 })
    }

    /// The WebSocket begins where the request ends, so that must not be in doubt.
    fn no_body(&self) -> Result<(), Rejection> {
        let length = self.single(header::CONTENT_LENGTH)?;
        let has_length = length.is_some_and(|length| length.as_bytes() != b"0");
        if has_length || self.headers.contains_key(header::TRANSFER_ENCODING) {
            Err(Rejection::Body)
        } else {
            Ok(())
        }
    }

    fn token(&self, name: HeaderName, token: &'static str) -> Result<(), Rejection> {
        if headers::has_token(self.headers, &name, token) {
            return Ok(());
        }
        Err(match self.headers.contains_key(&name) {
            true => Rejection::MissingToken { name, token },
            false => Rejection::MissingHeader { name },
        })
    }

    fn required(&self, name: HeaderName) -> Result<&'a HeaderValue, Rejection> {
        self.single(name.clone())?.ok_or(Rejection::MissingHeader { name })
    }

    fn single(&self, name: HeaderName) -> Result<Option<&'a HeaderValue>, Rejection> {
        headers::single(self.headers, &name).map_err(|_| Rejection::RepeatedHeader { name })
    }
}

/// > Host = uri-host [ ":" port ] (RFC 9110, section 7.2)
fn is_host(host: &[u8]) -> bool {
    !host.contains(&b'@')
        && Authority::try_from(host).is_ok_and(|authority| {
            let port = &authority.as_str()[authority.host().len()..];
            // A sign would be taken for part of the number.
            let is_port = matches!(port, "" | ":") || (authority.port().is_some() && !port.contains('+'));
            is_port && !authority.host().is_empty()
        })
}

#[cfg(feature = "http2")]
fn protocol(extensions: &http::Extensions) -> Option<&[u8]> {
    extensions.get::<hyper::ext::Protocol>().map(AsRef::as_ref)
}

#[cfg(not(feature = "http2"))]
fn protocol(_: &http::Extensions) -> Option<&[u8]> {
    None
}
