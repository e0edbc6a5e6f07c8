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
