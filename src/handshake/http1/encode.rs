//! Heads as bytes.

use http::header::{HeaderMap, HeaderName};

/// A request.
#[cfg(feature = "connect")]
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
//# The handshake MUST be a valid HTTP request
pub(in crate::handshake) fn encode_request(method: &str, target: &str, fields: &HeaderMap) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    put_fields(&mut head, fields);
    head
}

/// A response without a body: the one that accepts.
#[cfg(feature = "listener")]
//= https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2
//# it MUST reply with a valid HTTP response
pub(in crate::handshake) fn encode_answer(answer: &http::Response<()>) -> Vec<u8> {
    let mut head = status_line(answer.status());
    put_fields(&mut head, answer.headers());
    head
}

/// A response with a body (304 has none), after which the connection ends. Its status is 300 or above.
///
/// Fields that say how long the body is, or what becomes of the connection, are this function's own.
#[cfg(feature = "listener")]
pub(in crate::handshake) fn encode_refusal(refusal: &http::Response<bytes::Bytes>) -> Vec<u8> {
    use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderValue, TRANSFER_ENCODING};

    let mut fields = refusal.headers().clone();
    let body = if refusal.status() == http::StatusCode::NOT_MODIFIED { &[] } else { &refusal.body()[..] };
    fields.remove(TRANSFER_ENCODING);
    fields.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    // Beside "Upgrade", where 426 says so. Whatever else was set would be about a connection that goes on.
    let upgrades = super::super::headers::has_token(&fields, &CONNECTION, "upgrade");
    fields.insert(CONNECTION, HeaderValue::from_static(if upgrades { "Upgrade, close" } else { "close" }));
    if !fields.contains_key(DATE)
        && let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(std::time::SystemTime::now()))
    {
        fields.insert(DATE, date);
    }
    let mut response = status_line(refusal.status());
    put_fields(&mut response, &fields);
    response.extend_from_slice(body);
    response
}

#[cfg(feature = "listener")]
fn status_line(status: http::StatusCode) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes()
}

/// All fields, and the empty line. Neither names nor values can hold a CR or LF: `http` has seen to that.
fn put_fields(head: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        spell(head, name);
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
}

/// A name as the RFCs spell it. Case means nothing (RFC 9110, section 5.1), and yet there are devices that look for `Upgrade`
/// and `Sec-WebSocket-Accept` as RFC 6455 has them.
fn spell(head: &mut Vec<u8>, name: &HeaderName) {
    let parts = name.as_str().split('-').enumerate();
    for (index, part) in parts {
        if index > 0 {
            head.push(b'-');
        }
        match part {
            "websocket" => head.extend_from_slice(b"WebSocket"),
            "www" | "te" | "dnt" => head.extend(part.bytes().map(|octet| octet.to_ascii_uppercase())),
            "etag" => head.extend_from_slice(b"ETag"),
            _ => {
                let mut octets = part.bytes();
                head.extend(octets.next().map(|octet| octet.to_ascii_uppercase()));
                head.extend(octets);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_in_the_rfcs() {
        for spelled in [
            "Host",
            "Upgrade",
            "Connection",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Protocol",
            "Sec-WebSocket-Extensions",
            "Origin",
            "WWW-Authenticate",
            "Proxy-Authorization",
            "X-A-B",
            "ETag",
        ] {
            let mut out = Vec::new();
            spell(&mut out, &HeaderName::try_from(spelled).unwrap());
            assert_eq!(out, spelled.as_bytes());
        }
    }

    #[cfg(feature = "connect")]
    #[test]
    fn request_is_its_line_and_its_fields() {
        let mut fields = HeaderMap::new();
        fields.insert("host", "a".parse().unwrap());
        fields.append("x-b", "c".parse().unwrap());
        fields.append("x-b", "d".parse().unwrap());
        let head = encode_request("GET", "/?q", &fields);
        assert_eq!(head, b"GET /?q HTTP/1.1\r\nHost: a\r\nX-B: c\r\nX-B: d\r\n\r\n");
    }
}
