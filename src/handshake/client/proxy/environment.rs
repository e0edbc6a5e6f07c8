//! Which proxy the environment names for a server.

use super::super::ConnectError;
use super::super::uri::Target;
use super::no_proxy::NoProxy;
use super::url::ProxyUrl;

/// What the environment said when it was read.
#[derive(Debug)]
pub(super) struct Environment {
    /// For `ws://`.
    plain: Setting,
    /// For `wss://`.
    secure: Setting,
    no_proxy: NoProxy,
}

/// A variable.
#[derive(Clone, Debug)]
enum Setting {
    /// Not set, or empty.
    Absent,
    Proxy(ProxyUrl),
    /// Set to what cannot be used.
    Unusable {
        name: &'static str,
        reason: String,
    },
}

impl Environment {
    /// Reads it by what gives the value of a variable.
    pub(super) fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        // A CGI program has the fields of a request in its environment, and `Proxy: x` is HTTP_PROXY there.
        let is_cgi = get("REQUEST_METHOD").is_some();
        let setting = |upper: Option<&'static str>, lower: Option<&'static str>| {
            let variable = |name: &'static str| get(name).map(|value| (name, value));
            upper
                .and_then(variable)
                .or_else(|| lower.and_then(variable))
                .map_or(Setting::Absent, Setting::new)
        };
        // Case means nothing in the names of variables on Windows.
        let (hides_upper, hides_lower) = (is_cgi, is_cgi && cfg!(windows));
        let plain =
            setting(Some("HTTP_PROXY").filter(|_| !hides_upper), Some("http_proxy").filter(|_| !hides_lower));
        let secure = setting(Some("HTTPS_PROXY"), Some("https_proxy"));
        let all = setting(Some("ALL_PROXY"), Some("all_proxy"));
        let no_proxy = get("NO_PROXY").or_else(|| get("no_proxy")).unwrap_or_default();
        Environment { plain: plain.or(&all), secure: secure.or(&all), no_proxy: NoProxy::parse(&no_proxy) }
    }

    /// The proxy for a server; `None` for straight.
    pub(super) fn way_to(&self, target: &Target) -> Result<Option<&ProxyUrl>, ConnectError> {
        if self.no_proxy.covers(&target.host, target.port) {
            return Ok(None);
        }
        match if target.secure { &self.secure } else { &self.plain } {
            Setting::Absent => Ok(None),
            Setting::Proxy(proxy) => Ok(Some(proxy)),
            Setting::Unusable { name, reason } => {
                Err(ConnectError::ProxyUri { proxy: format!("the variable {name}"), reason: reason.clone() })
            }
        }
    }
}

impl Setting {
    fn new((name, value): (&'static str, String)) -> Self {
        if value.is_empty() {
            return Setting::Absent;
        }
        match ProxyUrl::parse(&value) {
            Ok(proxy) if proxy.needs_tls() && !cfg!(feature = "tls") => Setting::Unusable {
                name,
                reason: "its scheme is https, which needs the feature `tls`".into(),
            },
            Ok(proxy) => Setting::Proxy(proxy),
            Err(reason) => Setting::Unusable { name, reason },
        }
    }

    fn or(self, other: &Self) -> Self {
        if matches!(self, Setting::Absent) { other.clone() } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way to a server in an environment: a proxy, or the variable at fault.
    fn way(variables: &[(&str, &str)], uri: &str) -> String {
        let find = |name: &str| {
            variables.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
        };
        match Environment::read(find).way_to(&Target::parse(uri).unwrap()) {
            Ok(Some(way)) => way.to_string(),
            Ok(None) => "straight".to_owned(),
            Err(ConnectError::ProxyUri { proxy, .. }) => proxy,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn environment_names_a_proxy_for_each_scheme() {
        let both = [
            ("HTTP_PROXY", "http://one:1"),
            ("https_proxy", "socks5h://user:pw@two:2"),
            ("NO_PROXY", "x.y,::1"),
        ];
        let all = [("all_proxy", "three:3"), ("HTTP_PROXY", "http://one:1")];
        for (variables, uri, expected) in [
            (&both[..], "ws://host", "http://one:1"),
            (&both, "wss://host", "socks5h://two:2"),
            (&both, "wss://sub.x.y:7/", "straight"),
            (&both, "ws://[::1]", "straight"),
            (&both[..1], "wss://host", "straight"),
            (&all, "wss://host", "http://three:3"),
            (&all, "ws://host", "http://one:1"),
            (&[("HTTP_PROXY", ""), ("http_proxy", "http://one:1")], "ws://host", "straight"),
            (&[("HTTP_PROXY", ""), ("ALL_PROXY", "http://one:1")], "ws://host", "http://one:1"),
            (&[("HTTP_PROXY", "SOCKS5://one:1")], "ws://host", "socks5://one:1"),
            (&[], "ws://host", "straight"),
        ] {
            assert_eq!(way(variables, uri), expected, "{variables:?} {uri}");
        }
    }

    /// There a client of the server could set it, by the field `Proxy` of its request.
    #[test]
    fn http_proxy_is_not_read_in_a_cgi_program() {
        let cgi = |more| [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://one:1"), more];
        assert_eq!(way(&cgi(("X", "")), "ws://host"), "straight");
        assert_eq!(way(&cgi(("ALL_PROXY", "two:2")), "ws://host"), "http://two:2");
        assert_eq!(way(&cgi(("HTTPS_PROXY", "two:2")), "wss://host"), "http://two:2");
        let lower = if cfg!(windows) { "straight" } else { "http://two:2" };
        assert_eq!(way(&cgi(("http_proxy", "two:2")), "ws://host"), lower);
    }

    #[test]
    fn environment_with_a_proxy_that_cannot_be_used_never_leads_straight() {
        for value in [
            "socks4://one:1",
            "ftp://one",
            "http://one:x",
            "http://one:0",
            "http://",
            "%",
            " ",
            "http://one/path",
            "http://\u{fffd}",
        ] {
            assert_eq!(way(&[("HTTP_PROXY", value)], "ws://host"), "the variable HTTP_PROXY", "{value}");
            assert_eq!(way(&[("all_proxy", value)], "ws://host"), "the variable all_proxy", "{value}");
            assert_eq!(way(&[("https_proxy", value)], "wss://host"), "the variable https_proxy", "{value}");
            // Only where it is meant.
            assert_eq!(way(&[("https_proxy", value)], "ws://host"), "straight", "{value}");
            assert_eq!(
                way(&[("HTTP_PROXY", value), ("no_proxy", "host")], "ws://host"),
                "straight",
                "{value}"
            );
        }
    }
}
