//! A head as `http`'s types have it.

use http::Version;
use http::header::{HeaderMap, HeaderName, HeaderValue};
#[cfg(feature = "listener")]
use http::{Method, Uri};

use super::MAX_FIELDS;
use super::scan::{HeadError, Lines};
use crate::handshake::headers::excerpt;
#[cfg(feature = "listener")]
use crate::handshake::headers::public_excerpt;

/// One kind of head: a request's, or a response's.
pub(in crate::handshake) trait Head: Sized {
    /// How its lines are told apart.
    fn lines() -> Lines;

    /// Refuses what cannot become one, whatever follows. `start` is all that has come of the first line.
    fn check_start(start: &[u8]) -> Result<(), HeadError>;

    /// Parses a whole one, empty line included.
    fn parse(head: &[u8]) -> Result<Self, HeadError>;
}

#[cfg(feature = "listener")]
impl Head for http::request::Parts {
    fn lines() -> Lines {
        Lines::Strict
    }

    /// A method is a token (RFC 9110, section 9.1).
    fn check_start(start: &[u8]) -> Result<(), HeadError> {
        if start.first() == Some(&HANDSHAKE) {
            return Err(HeadError::Tls);
        }
        if start.starts_with(b"PRI * HTTP/2.0") {
            return Err(HeadError::Http2); // RFC 9113, section 3.4.
        }
        let method = start.split(|octet| *octet == b' ').next().unwrap_or_default();
        let is_token = start.is_empty() || crate::handshake::headers::is_token(method);
        // The end of the line may have come. What lacks there, the parser tells.
        if is_token || method.contains(&b'\r') { Ok(()) } else { Err(not_http(start)) }
    }

    fn parse(head: &[u8]) -> Result<Self, HeadError> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        check_line(head)?;
        complete(parsed.parse(head))?;
        let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
        // `Uri` drops it without a word.
        if target.contains('#') {
            return Err(HeadError::malformed("the target has a fragment"));
        }
        let no_target = || {
            let target = public_excerpt(target.as_bytes());
            HeadError::malformed(format!("the target \"{target}\", or its query, is not as a URI must be"))
        };
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = Method::try_from(method).map_err(|_| not_http(method.as_bytes()))?;
        parts.uri = Uri::try_from(target).map_err(|_| no_target())?;
        parts.version = version(parsed.version);
        parts.headers = map(parsed.headers)?;
        Ok(parts)
    }
}

/// > request-line = method SP request-target SP HTTP-version (RFC 9112, section 3)
#[cfg(feature = "listener")]
fn check_line(head: &[u8]) -> Result<(), HeadError> {
    let line = head.trim_ascii_start().split(|octet| *octet == b'\r').next().unwrap_or_default();
    if line.splitn(3, |octet| *octet == b' ').nth(2).is_some_and(|version| version.starts_with(b"HTTP/")) {
        return Ok(());
    }
    Err(not_http(line))
}

#[cfg(feature = "listener")]
fn not_http(received: &[u8]) -> HeadError {
    HeadError::NotHttp { received: public_excerpt(received) }
}

#[cfg(feature = "connect")]
impl Head for http::response::Parts {
    fn lines() -> Lines {
        Lines::Lenient
    }

    fn check_start(start: &[u8]) -> Result<(), HeadError> {
        const VERSION: &[u8] = b"HTTP/1.";
        let n = start.len().min(VERSION.len());
        if start[..n] == VERSION[..n] {
            return Ok(());
        }
        Err(match start {
            [b'\r'] => return Ok(()), // An empty line, perhaps.
            // Mostly an alert: "what is this?"
            [ALERT | HANDSHAKE, 3, ..] => HeadError::Tls,
            // SETTINGS, the first frame of HTTP/2 (RFC 9113, section 3.4), or GOAWAY in its place.
            [0, 0, _, 4 | 7, ..] => HeadError::Http2,
            _ => HeadError::not_http(start),
        })
    }

    fn parse(head: &[u8]) -> Result<Self, HeadError> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        complete(parsed.parse(head))?;
        let status = parsed.code.unwrap_or_default();
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = http::StatusCode::from_u16(status)
            .map_err(|_| HeadError::malformed(format!("the status is {status}")))?;
        parts.version = version(parsed.version);
        parts.headers = map(parsed.headers)?;
        if let Some(reason) = parsed.reason
            && !reason.is_empty()
            && parts.status.canonical_reason() != Some(reason)
        {
            parts.extensions.insert(Reason(reason.to_owned()));
        }
        Ok(parts)
    }
}

/// What a server says beside the status, where it is not what everybody says. An extension of the response.
#[cfg(feature = "connect")]
#[derive(Clone, Debug)]
pub(in crate::handshake) struct Reason(pub(in crate::handshake) String);

/// Content types of TLS records (RFC 8446, section 5.1).
#[cfg(feature = "connect")]
const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;

fn complete(parsed: httparse::Result<usize>) -> Result<(), HeadError> {
    match parsed {
        Ok(httparse::Status::Complete(_)) => Ok(()),
        Ok(httparse::Status::Partial) => Err(HeadError::malformed("it ends before its fields do")),
        Err(error) => Err(HeadError::malformed(error.to_string())),
    }
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 }
}

fn map(fields: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadError> {
    let mut map = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let wrong = || HeadError::malformed(format!("the field \"{}\"", excerpt(field.name.as_bytes())));
        let name = HeaderName::try_from(field.name).map_err(|_| wrong())?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| wrong())?;
        map.try_append(name, value).map_err(|_| HeadError::TooManyFields)?;
    }
    Ok(map)
}

#[cfg(all(test, feature = "connect", feature = "listener"))]
mod tests {
    use super::*;
    use http::{request, response};

    #[test]
    fn start_that_is_no_http_is_refused_at_once_and_named() {
        let request = <request::Parts as Head>::check_start;
        for start in ["", "G", "GET", "GET /", "GET /\r\nA: b", "x-method", "\r", "PRI", "PRI * HTTP"] {
            assert_eq!(request(start.as_bytes()), Ok(()), "{start:?}");
        }
        assert_eq!(request(b"\x16\x03\x01"), Err(HeadError::Tls));
        assert_eq!(request(b"PRI * HTTP/2.0\r\n"), Err(HeadError::Http2));
        for start in ["{", " GET", "SSH-2.0\x01", "\x04\x01"] {
            assert_eq!(request(start.as_bytes()), Err(HeadError::not_http(start.as_bytes())), "{start:?}");
        }

        let response = <response::Parts as Head>::check_start;
        for start in ["", "H", "HTTP/1.", "HTTP/1.1 101", "\r"] {
            assert_eq!(response(start.as_bytes()), Ok(()), "{start:?}");
        }
        assert_eq!(response(b"\x15\x03\x01\x00\x02"), Err(HeadError::Tls));
        for frame in [b"\0\0\x12\x04\0\0\0\0\0", b"\0\0\x08\x07\0\0\0\0\0"] {
            assert_eq!(response(frame), Err(HeadError::Http2));
        }
        for start in ["h", "SSH-2.0-x\r\n", "220 mail ESMTP\r\n", "HTTP/2 200"] {
            assert_eq!(response(start.as_bytes()), Err(HeadError::not_http(start.as_bytes())), "{start:?}");
        }
    }

    #[test]
    fn request_that_rfc_9112_forbids_is_refused() {
        let parse = |head: &str| <request::Parts as Head>::parse(head.as_bytes());
        assert_eq!(parse("GET /a?b HTTP/1.1\r\nA: \u{e4} b \r\n\r\n").unwrap().uri, "/a?b");
        for head in [
            "GET / HTTP/1.1\r\nA : b\r\n\r\n",
            "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\x01\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.12\r\n\r\n",
            "GET /a#b HTTP/1.1\r\n\r\n",
        ] {
            assert!(matches!(parse(head), Err(HeadError::Malformed { .. })), "{head:?} {:?}", parse(head));
        }
        for (line, shown) in [
            ("GET /", "GET /"),
            ("SSH-2.0-x y z", "SSH-2.0-x y z"),
            ("GET /a?token", "GET /a"),
            ("GET  / HTTP/1.1", "GET  / HTTP/1.1"),
            ("GET /a b HTTP/1.1", "GET /a b HTTP/1.1"),
        ] {
            assert_eq!(parse(&format!("{line}\r\n\r\n")).unwrap_err(), HeadError::not_http(shown.as_bytes()));
        }
    }
}
