//! What of a head is nobody's business.

use http::header::{self, HeaderMap, HeaderName};

/// Keeps what is secret out of `Debug`.
pub(in crate::handshake::client) fn hide_secrets(fields: &mut HeaderMap) {
    for (name, value) in fields.iter_mut() {
        if is_secret(name) {
            value.set_sensitive(true);
        }
    }
}

/// As much of what is no HTTP as an error may show. A server that sends back what it gets has the request in it, and that may have
/// a token in its query, and credentials in its fields.
pub(in crate::handshake::client) fn without_request(start: &[u8]) -> &[u8] {
    let begins = |at: &usize| REQUESTS.iter().any(|request| start[*at..].starts_with(request));
    let Some(request) = (0..start.len()).find(begins) else { return start };
    let ends = |octet: &u8| matches!(octet, b'?' | b'\r' | b'\n');
    let end = start[request..].iter().position(ends).map_or(start.len(), |length| request + length);
    &start[..end]
}

/// Whether it begins with what was sent.
pub(in crate::handshake::client) fn is_request(start: &[u8]) -> bool {
    REQUESTS.iter().any(|request| start.starts_with(request))
}

/// How what a client sends begins.
const REQUESTS: [&[u8]; 2] = [b"GET ", b"CONNECT "];

/// Whether the values of a field are nobody's business. Where a redirection leads has tokens in its query.
pub(in crate::handshake::client) fn is_secret(name: &HeaderName) -> bool {
    let secrets = [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
        header::LOCATION,
    ];
    secrets.contains(name)
}
