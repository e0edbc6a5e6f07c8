//! The URI of a WebSocket (RFC 6455, section 3), parsed once.

use std::fmt;
use std::net::Ipv6Addr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::HeaderValue;
use http::uri::{Authority, PathAndQuery, Uri};
use percent_encoding::percent_decode_str;

use super::ConnectError;

const NO_SCHEME: &str = "it has no scheme, expected \"ws://\" or \"wss://\"";

const NO_HOST: &str = "it has no host";

/// Whom to ask, and for what.
#[derive(Clone)]
pub(super) struct Target {
    /// `wss`
    pub(super) secure: bool,
    /// A name, or an address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// What Host says: the port only where it is not the scheme's own.
    pub(super) authority: String,
    /// In origin form.
    pub(super) path: PathAndQuery,
    /// User and password (RFC 7617). Marked as sensitive.
    pub(super) basic: Option<HeaderValue>,
}

impl Target {
    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# If any of the components are invalid, the client MUST _Fail the WebSocket Connection_
    pub(super) fn parse(uri: &str) -> Result<Self, ConnectError> {
        Self::try_parse(uri).map_err(|reason| ConnectError::Uri { uri: without_secrets(uri), reason })
    }

    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //# MUST be valid according to the specification of WebSocket URIs
    fn try_parse(text: &str) -> Result<Self, String> {
        if let Some(other) = text.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(format!(
                "it has {other:?} in it, which must be percent-encoded (in a host name, Punycode)"
            ));
        }
        // http::Uri drops it without a word.
        if text.contains('#') {
            return Err("it has a fragment (#), which a WebSocket has not (RFC 6455, section 3)".into());
        }
        let (_, rest) = text.split_once("://").ok_or(NO_SCHEME)?;
        if rest.is_empty() || rest.starts_with(['/', '?']) {
            return Err(NO_HOST.into());
        }
        let uri: Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let secure = match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("ws") => false,
            Some(scheme) if scheme.eq_ignore_ascii_case("wss") => true,
            Some(scheme) => return Err(format!("its scheme is {scheme:?}, expected \"ws\" or \"wss\"")),
            None => return Err(NO_SCHEME.into()),
        };
        let authority = uri.authority().ok_or(NO_HOST)?;
        let (userinfo, host, port) = split(authority)?;
        let default = if secure { 443 } else { 80 };
        let port = port.unwrap_or(default);
        Ok(Target {
            secure,
            host: without_brackets(host).to_owned(),
            port,
            authority: if port == default { host.to_owned() } else { format!("{host}:{port}") },
            path: origin_form(&uri)?,
            basic: userinfo.map(basic).transpose()?,
        })
    }

    /// Host and port, for an error.
    pub(super) fn who(&self) -> (String, u16) {
        (self.host.clone(), self.port)
    }
}

/// Without the query, which may be a token.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("secure", &self.secure)
            .field("authority", &self.authority)
            .field("path", &self.path.path())
            .finish_non_exhaustive()
    }
}

/// User and password as they stand, the host with its brackets, and the port, if there is one.
pub(super) fn split(authority: &Authority) -> Result<(Option<&str>, &str, Option<u16>), String> {
    let (userinfo, rest) = match authority.as_str().rsplit_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, authority.as_str()),
    };
    // The colons of an IPv6 address are within brackets.
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (rest, ""),
    };
    if without_brackets(host).is_empty() {
        return Err(NO_HOST.into());
    }
    if host.contains('[') && without_brackets(host).parse::<Ipv6Addr>().is_err() {
        return Err("its host is in brackets, but no address of IPv6".into());
    }
    let port = match port {
        "" => None,
        // `parse` takes a sign.
        digits => match digits.parse() {
            Ok(port @ 1..) if !digits.starts_with('+') => Some(port),
            // Not shown: where a password has a slash in it, this is its start.
            _ => return Err("its port is not a number from 1 to 65535".into()),
        },
    };
    Ok((userinfo, host, port))
}

/// Whether this can stand in Host: a host, with a port or without.
pub(super) fn is_host(host: &[u8]) -> bool {
    Authority::try_from(host).is_ok_and(|authority| matches!(split(&authority), Ok((None, _, _))))
}

pub(super) fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// As much of a URI as an error may show: what stands before the last `@` could be a password, and a query a token.
pub(super) fn without_secrets(uri: &str) -> String {
    let shown = match uri.rsplit_once('@') {
        Some((before, after)) => {
            let scheme = match before.split_once("://") {
                Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                    format!("{scheme}://")
                }
                _ => String::new(),
            };
            // Where a question mark comes first, the `@` may be part of a query.
            let after = if before.contains('?') { String::new() } else { format!("@{after}") };
            format!("{scheme}...{after}")
        }
        None => uri.to_owned(),
    };
    let end = shown.find('?').unwrap_or(shown.len());
    shown.chars().take(shown[..end].chars().count().min(80)).collect()
}

/// The resource name of section 3: at least `/`.
fn origin_form(uri: &Uri) -> Result<PathAndQuery, String> {
    let path = match uri.path_and_query() {
        None => return Ok(PathAndQuery::from_static("/")),
        Some(path) if path.as_str().starts_with('/') => return Ok(path.clone()),
        Some(query) => format!("/{query}", query = query.as_str()),
    };
    path.parse().map_err(|error: http::uri::InvalidUri| error.to_string())
}

fn basic(userinfo: &str) -> Result<HeaderValue, String> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let user: Vec<u8> = percent_decode_str(user).collect();
    // RFC 7617, section 2.
    if user.contains(&b':') {
        return Err("its user name has a colon in it, which Basic authentication cannot express".into());
    }
    let credentials = [user, vec![b':'], percent_decode_str(password).collect()].concat();
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(credentials)))
        .map_err(|error| error.to_string())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    //= https://www.rfc-editor.org/rfc/rfc6455#section-4.1
    //= type=test
    //# The request MUST contain a |Host| header field whose value contains /host/ plus optionally ":" followed
    //# by /port/ (when not using the default port).
    #[test]
    fn uri_is_taken_apart() {
        for (uri, secure, host, port, authority, path) in [
            ("ws://example.com", false, "example.com", 80, "example.com", "/"),
            ("WSS://example.com:443/chat", true, "example.com", 443, "example.com", "/chat"),
            ("wss://example.com:80/chat?a=b@c:d", true, "example.com", 80, "example.com:80", "/chat?a=b@c:d"),
            ("ws://example.com?a", false, "example.com", 80, "example.com", "/?a"),
            ("ws://example.com:/", false, "example.com", 80, "example.com", "/"),
            ("ws://[::1]", false, "::1", 80, "[::1]", "/"),
            ("ws://u@[::1]:8080//x", false, "::1", 8080, "[::1]:8080", "//x"),
        ] {
            let target = Target::parse(uri).unwrap();
            assert_eq!(
                (target.secure, &*target.host, target.port, &*target.authority, target.path.as_str()),
                (secure, host, port, authority, path),
                "{uri}"
            );
        }
    }

    #[test]
    fn user_and_password_become_basic() {
        for (uri, credentials) in [
            ("ws://user:pass@h", "user:pass"),
            ("ws://user@h", "user:"),
            ("ws://:@h", ":"),
            ("ws://us%40er:p%3Aa:ss%2F@h", "us@er:p:a:ss/"),
        ] {
            let basic = Target::parse(uri).unwrap().basic.unwrap();
            assert_eq!(
                basic.to_str().unwrap(),
                format!("Basic {}", BASE64_STANDARD.encode(credentials)),
                "{uri}"
            );
            assert_eq!(format!("{basic:?}"), "Sensitive");
        }
        assert_eq!(Target::parse("ws://h/@").unwrap().basic, None);
    }

    #[test]
    fn error_shows_the_uri_without_secrets() {
        for (uri, shown) in [
            ("ws://user:secret@host:x/path?token=secret", "ws://...@host:x/path"),
            ("ws://user:sec@ret@host:x", "ws://...@host:x"),
            ("ws://user:secr/et@host:x#", "ws://...@host:x#"),
            ("user:secret://x@host", "...@host"),
            ("secret@", "...@"),
            ("ws://host:x/?token=a@secret", "ws://..."),
            ("ws://user:sec?ret@host:x/", "ws://..."),
        ] {
            assert_eq!(without_secrets(uri), shown);
            let text = Target::parse(uri).unwrap_err().to_string();
            assert!(!text.contains("secret") && !text.contains("sec@") && !text.contains("secr/"), "{text}");
        }
        assert_eq!(without_secrets(&"\u{fc}".repeat(100)).chars().count(), 80);
    }
}
