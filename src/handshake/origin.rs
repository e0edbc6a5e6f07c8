//! Which web pages may open a WebSocket (RFC 6455, sections 4.2.2 and 10.2).

use std::io;

use http::Uri;
use http::uri::Authority;

use super::headers;

/// Which web pages may open a WebSocket.
///
/// A browser lets every page open a WebSocket to every server, and sends the user's cookies along. What keeps a
/// foreign page from acting for the user is that the server looks at `Origin` (RFC 6455, section 10.2). Other clients send
/// no such field, or what they like: a request without it is allowed by every policy, and none of them authenticates anyone.
///
/// A service that browsers use, and that knows its users by cookies, by HTTP authentication or by their network, should
/// set [`list`](Self::list). [`same_host`](Self::same_host) needs no configuration, but it compares `Origin` with `Host`, so it
/// refuses everyone behind a proxy that puts a name of its own into `Host`.
#[derive(Clone, Debug, Default)]
pub struct Origins(Policy);

#[derive(Clone, Debug, Default)]
enum Policy {
    #[default]
    Any,
    SameHost,
    List(Vec<Origin>),
}

/// RFC 6454, section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// "null": a page whose origin is nobody's business, or a file.
    Opaque,
    /// In lower case, the port that the scheme implies filled in.
    Tuple { scheme: String, host: String, port: Option<u16> },
}

impl Origins {
    /// Every page. The default: most byte streams are not for browsers, and have users of their own.
    pub fn any() -> Self {
        Origins(Policy::Any)
    }

    /// Pages that came from the host, and port, that the request is addressed to. The scheme does not count, for behind
    /// a proxy that takes TLS off it is not known.
    pub fn same_host() -> Self {
        Origins(Policy::SameHost)
    }

    /// Pages of these origins, each as `scheme://host` or `scheme://host:port`; `null` stands for pages that hide theirs.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for what is no origin, such as a URL with a path.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use fastwebsockets_stream::Origins;
    ///
    /// let origins = Origins::list(["https://app.example", "http://localhost:3000"])?;
    /// # let _ = origins;
    /// assert!(Origins::list(["https://app.example/chat"]).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn list<I>(origins: I) -> io::Result<Self>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let parse = |origin: I::Item| {
            let origin = origin.as_ref();
            Origin::parse(origin.as_bytes()).ok_or_else(|| {
                let received = headers::excerpt(origin.as_bytes());
                let reason = format!(
                    "\"{received}\" is no origin; expected scheme://host, scheme://host:port or null"
                );
                io::Error::new(io::ErrorKind::InvalidInput, reason)
            })
        };
        origins.into_iter().map(parse).collect::<io::Result<_>>().map(|list| Origins(Policy::List(list)))
    }

    /// Whether a page of `origin` may reach `host`.
    pub(super) fn allow(&self, origin: &[u8], host: Option<&[u8]>) -> bool {
        match &self.0 {
            Policy::Any => true,
            Policy::SameHost => match (Origin::parse(origin), host) {
                (Some(origin), Some(host)) => origin.is_at(host),
                _ => false,
            },
            Policy::List(list) => Origin::parse(origin).is_some_and(|origin| list.contains(&origin)),
        }
    }
}

impl Origin {
    fn parse(origin: &[u8]) -> Option<Self> {
        if origin == b"null" {
            return Some(Origin::Opaque);
        }
        let uri = Uri::try_from(origin).ok()?;
        let authority = uri.authority()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        // Nothing behind the authority, not even a slash, and nothing in it but host and port.
        let whole = scheme.len() + "://".len() + authority.as_str().len();
        if origin.len() != whole || authority.as_str().contains('@') {
            return None;
        }
        let port = port_of(authority)?.or(default_port(&scheme));
        Some(Origin::Tuple { scheme, host: authority.host().to_ascii_lowercase(), port })
    }

    fn is_at(&self, host: &[u8]) -> bool {
        let Origin::Tuple { scheme, host: ours, port } = self else {
            return false;
        };
        let Ok(authority) = Authority::try_from(host) else {
            return false;
        };
        let Some(theirs) = port_of(&authority) else {
            return false;
        };
        authority.host().eq_ignore_ascii_case(ours) && theirs.or(default_port(scheme)) == *port
    }
}

/// `None` for what stands where a port should and is none.
fn port_of(authority: &Authority) -> Option<Option<u16>> {
    match authority.port() {
        Some(port) => Some(Some(port.as_u16())),
        None => (authority.as_str() == authority.host()).then_some(None),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origins: &Origins, origin: &str, host: &str, allowed: bool) {
        assert_eq!(origins.allow(origin.as_bytes(), Some(host.as_bytes())), allowed, "{origin} at {host}");
    }

    #[test]
    fn any_allows_every_origin() {
        check(&Origins::any(), "https://evil.example", "app.example", true);
        check(&Origins::default(), "nonsense", "app.example", true);
    }

    #[test]
    fn same_host_compares_host_and_port() {
        let origins = Origins::same_host();
        for (origin, host, allowed) in [
            ("https://app.example", "app.example", true),
            ("http://app.example", "app.example", true),
            ("https://app.example", "APP.example:443", true),
            ("http://app.example:80", "app.example", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("https://app.example", "app.example:80", false),
            ("https://app.example:8443", "app.example", false),
            ("https://evil.example", "app.example", false),
            ("https://app.example.evil", "app.example", false),
            ("null", "app.example", false),
            ("app.example", "app.example", false),
            ("https://app.example", "app.example:http", false),
            ("https://1", "1:99991", false),
        ] {
            check(&origins, origin, host, allowed);
        }
        assert!(!origins.allow(b"https://app.example", None));
    }

    #[test]
    fn list_compares_scheme_host_and_port() {
        let origins = Origins::list(["https://App.example:443", "http://localhost:3000", "null"]).unwrap();
        for (origin, allowed) in [
            ("https://app.example", true),
            ("HTTPS://APP.EXAMPLE", true),
            ("http://localhost:3000", true),
            ("null", true),
            ("http://app.example", false),
            ("https://app.example:8443", false),
            ("http://localhost", false),
            ("https://app.example/", false),
            ("https://app.example/app.example", false),
            ("https://app.example?app.example", false),
            ("https://app.example#app.example", false),
            ("https://user@app.example", false),
            ("", false),
        ] {
            check(&origins, origin, "other.example", allowed);
        }
    }

    #[test]
    fn list_refuses_what_is_no_origin() {
        for wrong in [
            "",
            "app.example",
            "https://",
            "https://app.example/",
            "https://app.example/chat",
            "https://app.example/app.example",
            "https://a b",
            "https://a:b",
            "https://1:99991",
        ] {
            let error = Origins::list([wrong]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("\"{wrong}\"")), "{error}");
        }
    }
}
