//! Which web pages may open a WebSocket (RFC 6455, sections 4.2.2 and 10.2).

mod listed;

use std::io;

use super::headers;
use listed::{Listed, Origin};

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
            "https://a:+443",
            "https://1:99991",
            "https://127.1",
            "https://0x7f000001",
            "https://a.0X1",
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
