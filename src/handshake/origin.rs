//! Which web pages may open a WebSocket (RFC 6455, sections 4.2.2 and 10.2).

use std::io;
use std::net::{IpAddr, Ipv6Addr};

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
    None,
    SameHost,
    List(Vec<Listed>),
}

/// What [`Origins::list`] is given.
#[derive(Clone, Debug)]
enum Listed {
    One(Origin),
    /// `*.` before the host of this one.
    Subdomains(Origin),
}

/// RFC 6454, section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// "null": a page whose origin is nobody's business, or a file.
    Opaque,
    /// "file://": a file, as web views of applications say it.
    File,
    /// In lower case, the port that the scheme implies filled in.
    Tuple { scheme: String, host: String, port: Option<u16> },
}

impl Origins {
    /// Every page. The default: most byte streams are not for browsers, and have users of their own.
    pub fn any() -> Self {
        Origins(Policy::Any)
    }

    /// No page: only clients that send no `Origin`, so no browser.
    pub fn none() -> Self {
        Origins(Policy::None)
    }

    /// Pages that came from the host, and port, that the request is addressed to. The scheme does not count, for behind
    /// a proxy that takes TLS off it is not known.
    pub fn same_host() -> Self {
        Origins(Policy::SameHost)
    }

    /// Pages of these origins, each as a browser sends it in `Origin` (RFC 6454, section 7):
    ///
    /// - `https://app.example`, `http://localhost:3000`: scheme, host, and the port unless the scheme implies it. Hosts are
    ///   ASCII; other letters are in Punycode (`xn--`).
    /// - `https://*.app.example`: any name with exactly one label in place of the asterisk, so `https://a.app.example`, but
    ///   neither `https://app.example` nor `https://a.b.app.example`. Only where nobody else can have such a name.
    /// - `null`: pages that hide their origin, such as files and sandboxed frames, also those of others.
    /// - `file://`: files, in the web views that send this instead.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for what no browser sends, and so would never match: a path, even a slash alone; an asterisk elsewhere;
    /// `ws://` and `wss://`, because a page comes by `http://` or `https://`; an empty list, which is [`none`](Self::none).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use fastwebsockets_stream::Origins;
    ///
    /// let origins = Origins::list(["https://app.example", "https://*.app.example", "http://localhost:3000"])?;
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
        let invalid = |reason| io::Error::new(io::ErrorKind::InvalidInput, reason);
        let parse = |origin: I::Item| {
            let origin = origin.as_ref();
            Listed::parse(origin).map_err(|expected| {
                let received = headers::excerpt(origin.as_bytes());
                invalid(format!("\"{received}\" is the origin of no web page; expected {expected}"))
            })
        };
        let list = origins.into_iter().map(parse).collect::<io::Result<Vec<_>>>()?;
        if list.is_empty() {
            let reason = "the list of origins is empty; Origins::none() lets no web page connect";
            return Err(invalid(reason.to_owned()));
        }
        Ok(Origins(Policy::List(list)))
    }

    /// Whether a page of `origin` may reach `host`.
    pub(super) fn allow(&self, origin: &[u8], host: Option<&[u8]>) -> bool {
        match &self.0 {
            Policy::Any => true,
            Policy::None => false,
            Policy::SameHost => match (Origin::parse(origin), host) {
                (Some(origin), Some(host)) => origin.is_at(host),
                _ => false,
            },
            Policy::List(list) => {
                Origin::parse(origin).is_some_and(|origin| list.iter().any(|listed| listed.matches(&origin)))
            }
        }
    }
}

impl Listed {
    /// Or what was expected.
    fn parse(listed: &str) -> Result<Self, &'static str> {
        const FORM: &str = "scheme://host, scheme://*.host, each with a port or without, null, or file://";
        let (listed, is_wild) = match listed.split_once("://*.") {
            Some((scheme, rest)) => (&*format!("{scheme}://{rest}"), true),
            None => (listed, false),
        };
        let origin = Origin::parse(listed.as_bytes()).ok_or(FORM)?;
        let Origin::Tuple { scheme, host, port } = &origin else { return Ok(Listed::One(origin)) };
        if matches!(&**scheme, "ws" | "wss") {
            return Err("the scheme by which the page comes: http:// or https://");
        }
        if *port == Some(0) || !is_host(host) || (is_wild && is_address(host)) {
            return Err(FORM);
        }
        Ok(if is_wild { Listed::Subdomains(origin) } else { Listed::One(origin) })
    }

    fn matches(&self, origin: &Origin) -> bool {
        match self {
            Listed::One(one) => one == origin,
            Listed::Subdomains(above) => origin.above().as_ref() == Some(above),
        }
    }
}

impl Origin {
    fn parse(origin: &[u8]) -> Option<Self> {
        match origin {
            b"null" => return Some(Origin::Opaque),
            b"file://" => return Some(Origin::File),
            _ => {}
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
        Some(Origin::Tuple { scheme, host: canonical(authority.host()), port })
    }

    /// The same without the first label of its host.
    fn above(&self) -> Option<Self> {
        let Origin::Tuple { scheme, host, port } = self else { return None };
        let (label, host) = host.split_once('.')?;
        let (scheme, host) = (scheme.clone(), host.to_owned());
        (!label.is_empty()).then_some(Origin::Tuple { scheme, host, port: *port })
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
        canonical(authority.host()) == *ours && theirs.or(default_port(scheme)) == *port
    }
}

/// As browsers write it: in lower case, and IPv6 as short as it goes.
fn canonical(host: &str) -> String {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match address.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
        Some(address) => format!("[{address}]"),
        None => host.to_ascii_lowercase(),
    }
}

/// Whether a browser could write this as a host. What ends like an address of IPv4 must be one.
fn is_host(host: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if host.starts_with('[') || is_address(host) {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        return bare.parse::<IpAddr>().is_ok();
    }
    host.bytes().all(is_name) && host.split('.').next().is_some_and(|label| !label.is_empty())
}

/// Whether it is an address, or looks like one.
fn is_address(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    host.starts_with('[') || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
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
    fn list_with_an_asterisk_matches_exactly_one_label() {
        let origins = Origins::list(["https://*.Example.com", "http://*.example.com:8080"]).unwrap();
        for (origin, allowed) in [
            ("https://a.example.com", true),
            ("https://A.EXAMPLE.COM:443", true),
            ("http://a.example.com:8080", true),
            ("https://a-b_1.example.com", true),
            ("https://example.com", false),
            ("https://a.b.example.com", false),
            ("https://.example.com", false),
            ("https://aexample.com", false),
            ("https://a.example.com.evil", false),
            ("https://evil/.example.com", false),
            ("https://evil@a.example.com", false),
            ("http://a.example.com", false),
            ("https://a.example.com:8080", false),
            ("null", false),
        ] {
            check(&origins, origin, "other.example", allowed);
        }
    }

    #[test]
    fn list_takes_whatever_origin_a_browser_or_a_web_view_sends() {
        for (listed, origin) in [
            ("null", "null"),
            ("file://", "file://"),
            ("https://[0:0:0:0:0:0:0:1]:8443", "https://[::1]:8443"),
            ("https://127.0.0.1", "https://127.0.0.1"),
            ("https://example.com.", "https://example.com."),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
        ] {
            check(&Origins::list([listed]).unwrap(), origin, "other.example", true);
        }
        check(&Origins::list(["null"]).unwrap(), "file://", "other.example", false);
        check(&Origins::none(), "https://app.example", "app.example", false);
    }

    #[test]
    fn list_refuses_what_could_never_match() {
        for wrong in [
            "",
            "*",
            "app.example",
            "https://",
            "https://*",
            "https://*.",
            "https://*example.com",
            "https://a.*.example.com",
            "https://*.*.example.com",
            "https://*.0.0.1",
            "https://*.[::1]",
            "https://*.example.com/",
            "https://app.example/",
            "https://app.example/chat",
            "https://app.example/app.example",
            "https://app.example ",
            "https://user@app.example",
            "https://app%2eexample",
            "https://b\u{fc}cher.example",
            "https://a b",
            "https://a:b",
            "https://a:0",
            "https://1:99991",
            "https://127.1",
            "https://[::1",
            "file:///",
            "wss://app.example",
            "ws://*.app.example",
        ] {
            let error = Origins::list(["https://good.example", wrong]).expect_err(wrong);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            let shown = headers::excerpt(wrong.as_bytes());
            assert!(error.to_string().starts_with(&format!("\"{shown}\" is the origin of no")), "{error}");
        }
        let nothing: [&str; 0] = [];
        assert_eq!(Origins::list(nothing).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
