//! The URL of a proxy, parsed once.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::HeaderValue;
use http::uri::Authority;
use percent_encoding::percent_decode_str;

use super::super::uri::{split, without_brackets};

/// How a proxy is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    /// The server's name is resolved on this side.
    Socks5,
    /// The proxy resolves it.
    Socks5h,
}

impl Scheme {
    const ALL: [Scheme; 4] = [Scheme::Http, Scheme::Https, Scheme::Socks5, Scheme::Socks5h];

    fn parse(scheme: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|known| scheme.eq_ignore_ascii_case(known.as_str()));
        found.ok_or_else(|| {
            let expected = Self::ALL.map(Self::as_str);
            // Where there is something else in it, it could be a password.
            if scheme.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
                format!("its scheme is {scheme:?}, expected one of {expected:?}")
            } else {
                format!("what stands before \"://\" is no scheme, expected one of {expected:?}")
            }
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Socks5 => "socks5",
            Scheme::Socks5h => "socks5h",
        }
    }

    fn is_socks(self) -> bool {
        matches!(self, Scheme::Socks5 | Scheme::Socks5h)
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Socks5 | Scheme::Socks5h => 1080,
        }
    }
}

/// A proxy, and how to get there. Shown without its credentials.
#[derive(Clone)]
pub(in crate::handshake::client) struct ProxyUrl {
    pub(super) scheme: Scheme,
    /// A name, or an address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<Credentials>,
}

/// User and password, percent-decoded.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) user: Vec<u8>,
    pub(super) password: Vec<u8>,
}

/// The longest user or password of SOCKS5: one octet says the length (RFC 1929, section 2).
const MOST_OF_SOCKS: usize = 255;

impl ProxyUrl {
    /// The reason of a failure shows no part of user and password.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        if url.is_empty() {
            return Err("it is empty".into());
        }
        if let Some(other) = url.chars().find(|c| !c.is_ascii_graphic()) {
            return Err(format!(
                "{other:?} in it is invalid, and must be percent-encoded (in a host name, Punycode)"
            ));
        }
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (Scheme::parse(scheme)?, rest),
            None => (Scheme::Http, url),
        };
        if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
            return Err("it has no host: the place of it is empty".into());
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(
                "it has a path, a query or a fragment, which a proxy has not (in a password, \"/\", \"?\" \
                        and \"#\" must be percent-encoded)"
                    .into(),
            );
        }
        let authority: Authority = rest.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let (userinfo, host, port) = split(&authority)?;
        let credentials = userinfo.filter(|userinfo| !userinfo.is_empty()).map(Credentials::parse);
        if let Some(credentials) = &credentials {
            credentials.check(scheme)?;
        }
        Ok(ProxyUrl {
            scheme,
            host: without_brackets(host).to_owned(),
            port: port.unwrap_or(scheme.default_port()),
            credentials,
        })
    }

    pub(super) fn needs_tls(&self) -> bool {
        self.scheme == Scheme::Https
    }
}

/// `scheme://host:port`
impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.scheme.as_str(), &self.host, self.port);
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Credentials {
    fn parse(userinfo: &str) -> Self {
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let decode = |text| percent_decode_str(text).collect();
        Credentials { user: decode(user), password: decode(password) }
    }

    /// Whether they can be sent at all.
    fn check(&self, scheme: Scheme) -> Result<(), String> {
        let most = self.user.len().max(self.password.len());
        if scheme.is_socks() && most > MOST_OF_SOCKS {
            return Err(format!(
                "its user or password has {most} bytes, and SOCKS5 takes {MOST_OF_SOCKS} (RFC 1929)"
            ));
        }
        // RFC 7617, section 2.
        if !scheme.is_socks() && self.user.contains(&b':') {
            return Err("its user has a colon in it, which Basic authentication cannot express".into());
        }
        Ok(())
    }

    /// As the value of Proxy-Authorization. Marked as sensitive.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let credentials = [&*self.user, b":", &*self.password].concat();
        let mut value =
            HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(credentials))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_of_a_proxy_is_taken_apart() {
        for (url, shown, user) in [
            ("one", "http://one:80", None),
            ("one:3128/", "http://one:3128", None),
            ("HTTP://One", "http://One:80", None),
            ("SOCKS5H://one", "socks5h://one:1080", None),
            ("Socks5://@one", "socks5://one:1080", None),
            ("https://u@[::1]", "https://[::1]:443", Some(("u", ""))),
            ("socks5://us%40er:p%3Ass@one:1", "socks5://one:1", Some(("us@er", "p:ss"))),
            ("http://u:p@one", "http://one:80", Some(("u", "p"))),
        ] {
            let proxy = ProxyUrl::parse(url).unwrap();
            assert_eq!(proxy.to_string(), shown, "{url}");
            let expected = user.map(|(user, password)| (user.as_bytes(), password.as_bytes()));
            let found = proxy.credentials.as_ref().map(|found| (&*found.user, &*found.password));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn credentials_that_cannot_be_sent_are_refused_and_not_shown() {
        let (long, fits) = ("s".repeat(256), "s".repeat(255));
        for url in
            [format!("socks5://{long}@h"), format!("socks5h://u:{long}@h"), "http://s%3asss@h".to_owned()]
        {
            let reason = ProxyUrl::parse(&url).unwrap_err();
            assert!(
                !reason.contains("sss") && (reason.contains("255") || reason.contains("colon")),
                "{reason}"
            );
        }
        ProxyUrl::parse(&format!("socks5://{fits}:{fits}@h")).unwrap();
        ProxyUrl::parse(&format!("http://u:{long}@h")).unwrap();
        for url in [
            "secret://u:secret:x@h:y",
            "me:secret://x@h",
            "me:secret/x@h",
            "me:secret?@h",
            "me:secret\u{fc}@h",
        ] {
            let reason = ProxyUrl::parse(url).unwrap_err();
            assert!(!reason.contains("me:") && !reason.contains(":secret"), "{reason}");
        }
    }
}
