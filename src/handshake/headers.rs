//! What both ends need of HTTP's header fields and of section 4 of RFC 6455. Nothing here reads or writes.

use base64::Engine;
#[cfg(any(feature = "upgrade", feature = "listener"))]
use base64::alphabet::STANDARD;
#[cfg(any(feature = "upgrade", feature = "listener"))]
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use sha1::{Digest, Sha1};

/// The one version there is.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//# The value of this header field MUST be 13.
pub(super) const VERSION: &str = "13";

/// The elements of a comma-separated list, which may stand in any number of lines.
pub(super) fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|e| !e.is_empty())
}

/// Whether a list contains a token. Case does not count.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    list(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
}

/// How a body is encoded, where that hides it: by Content-Encoding, or by Transfer-Encoding beside chunks.
#[cfg(feature = "connect")]
pub(super) fn encoding(headers: &HeaderMap) -> Option<&[u8]> {
    let of_transfer = list(headers, &header::TRANSFER_ENCODING);
    let of_transfer = of_transfer.filter(|encoding| !encoding.eq_ignore_ascii_case(b"chunked"));
    let mut all = list(headers, &header::CONTENT_ENCODING).chain(of_transfer);
    all.find(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))
}

/// The value of a field that must not be repeated; `Err` if it is.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

/// A field is there more than once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeated;

/// The proof that a server has read a key.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//# A |Sec-WebSocket-Accept| header field. The value of this header field is constructed by concatenating /key/,
//# defined above in step 4 in Section 4.2.2, with the string "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", taking the
//# SHA-1 hash of this concatenated value to obtain a 20-byte value and base64-encoding (see Section 4 of
//# [RFC4648]) this 20-byte hash.
pub(super) fn accept_for(key: &[u8]) -> String {
    let mut digest = Sha1::new();
    digest.update(key);
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(digest.finalize())
}

/// The 4 bits that a key has too many may be anything (RFC 4648, section 3.5); some clients make keys of letters.
#[cfg(any(feature = "upgrade", feature = "listener"))]
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Whether this is a key: 16 bytes in base64 (section 4.1, item 7).
#[cfg(any(feature = "upgrade", feature = "listener"))]
pub(super) fn is_key(key: &[u8]) -> bool {
    LENIENT.decode(key).is_ok_and(|nonce| nonce.len() == 16)
}

/// Whether this is a token of HTTP (RFC 9110, section 5.6.2), as the name of a subprotocol must be.
pub(super) fn is_token(name: &[u8]) -> bool {
    let of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(of_token)
}

/// A header field, of whatever `http`'s own builders take.
#[cfg(any(feature = "upgrade", feature = "listener"))]
pub(super) fn field<K, V>(name: K, value: V) -> http::Result<(HeaderName, HeaderValue)>
where
    HeaderName: TryFrom<K, Error: Into<http::Error>>,
    HeaderValue: TryFrom<V, Error: Into<http::Error>>,
{
    let name = HeaderName::try_from(name).map_err(Into::into)?;
    let value = HeaderValue::try_from(value).map_err(Into::into)?;
    Ok((name, value))
}

/// Whether a field belongs to the handshake itself, or would give it a body, so that a caller cannot set it.
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//# Extensions not listed by the client MUST NOT be listed.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    let own = [header::CONNECTION, header::UPGRADE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    own.contains(name) || name.as_str().starts_with("sec-websocket-")
}

/// As much of what came as belongs into an error: printable, and not long.
pub(super) fn excerpt(received: &[u8]) -> String {
    const MOST: usize = 80;
    let text = received[..received.len().min(MOST)].escape_ascii().to_string();
    if received.len() > MOST { text + "..." } else { text }
}

/// The same of a request's first line or target, without what may be a secret: what stands before an @, and the query.
#[cfg(any(feature = "upgrade", feature = "listener"))]
pub(super) fn public_excerpt(received: &[u8]) -> String {
    let line =
        received.split(|octet| matches!(octet, b'?' | b'#' | b'\r' | b'\n')).next().unwrap_or_default();
    match line.iter().rposition(|octet| *octet == b'@') {
        Some(at) => format!("...{}", excerpt(&line[at..])),
        None => excerpt(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of section 1.3.
    #[test]
    fn accept_for_the_key_of_the_rfc_is_its_accept() {
        assert_eq!(accept_for(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[cfg(any(feature = "upgrade", feature = "listener"))]
    #[test]
    fn key_is_16_bytes_in_base64() {
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        assert!(is_key(b"abcdefghijklmnopqrstuv=="));
        for wrong in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25j",
            "AAAAAAAAAAAAAAAAAAAAAAA=",
            "!".repeat(24).as_str(),
        ] {
            assert!(!is_key(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn token_is_found_in_any_line_place_and_case() {
        let mut headers = HeaderMap::new();
        headers.append(header::CONNECTION, HeaderValue::from_static("keep-alive,, close"));
        headers.append(header::CONNECTION, HeaderValue::from_static(" foo ,UPGRADE\t"));
        assert!(has_token(&headers, &header::CONNECTION, "upgrade"));
        assert!(has_token(&headers, &header::CONNECTION, "close"));
        assert!(!has_token(&headers, &header::CONNECTION, "up"));
        assert!(!has_token(&headers, &header::CONNECTION, ""));
    }

    #[test]
    fn excerpt_is_short_and_printable() {
        assert_eq!(excerpt(b"a\r\nb\xff"), "a\\r\\nb\\xff");
        assert_eq!(excerpt(&[b'x'; 81]).len(), 83);
    }
}
