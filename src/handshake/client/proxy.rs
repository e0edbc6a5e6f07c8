//! Through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6) and SOCKS5 (RFC 1928, RFC 1929), as hyper-util speaks them.

mod watched;

use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::uri::{Target, split, without_brackets, without_secrets};
use super::{Client, ConnectError, Deadline, MaybeTlsStream, Phase, ProxyError, tcp};
use watched::Watched;

/// A proxy, for [`Client::proxy`].
///
/// | URL | speaks | who resolves the server's name | default port |
/// |---|---|---|---|
/// | `http://` | CONNECT | the proxy | 80 |
/// | `https://` (with the feature `tls`) | CONNECT inside TLS, configured by `Client::tls` | the proxy | 443 |
/// | `socks5://` | SOCKS5 | this side; its first address is taken | 1080 |
/// | `socks5h://` | SOCKS5 | the proxy | 1080 |
///
/// CONNECT is used for `ws://` too: a proxy that forwards requests may not forward an upgrade. User and password in the
/// URL go to the proxy as Basic credentials, or in the way of RFC 1929.
///
/// # Examples
///
/// ```
/// use fastwebsockets_stream::{Client, Config, PayloadType, Proxy};
///
/// # fn main() -> Result<(), fastwebsockets_stream::ConnectError> {
/// let proxy = Proxy::new("http://user:password@proxy.example:3128")?;
/// let client = Client::new(Config::new(PayloadType::Binary)).proxy(proxy);
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Proxy(Arc<Rules>);

/// hyper-util's `Debug` of a matcher leaves credentials out.
#[derive(Debug)]
struct Rules {
    matcher: Matcher,
    /// Variables of the environment with what is wrong with them.
    unusable: Vec<(&'static str, String)>,
}

impl Proxy {
    /// One proxy, for every server.
    ///
    /// # Errors
    ///
    /// [`ConnectError::ProxyUri`] for another scheme, no host, a bad port, or a path; [`ConnectError::Unsupported`] for
    /// `https://` without the feature `tls`.
    pub fn new(url: &str) -> Result<Self, ConnectError> {
        if !cfg!(feature = "tls") && url.starts_with("https://") {
            return Err(ConnectError::Unsupported {
                what: "a proxy by https://",
                needs: "the feature `tls`",
            });
        }
        check(url).map_err(|reason| ConnectError::ProxyUri { proxy: without_secrets(url), reason })?;
        Ok(Proxy(Arc::new(Rules { matcher: Matcher::builder().all(url).build(), unusable: Vec::new() })))
    }

    /// The proxies that the environment names now: `HTTP_PROXY` for `ws://`, `HTTPS_PROXY` for `wss://`, `ALL_PROXY` for
    /// what has none of its own; `NO_PROXY` lists hosts, domains and networks that need none. Each also in lower case,
    /// which is read where the other is not set.
    ///
    /// In a CGI program (`REQUEST_METHOD` is set) there are none, because there a client of the server could set
    /// `HTTP_PROXY`. A value that [`new`](Self::new) refuses is an error for each connection that it is meant for: none
    /// goes straight by accident.
    #[must_use]
    pub fn from_env() -> Self {
        // What is not Unicode must not count as not set: that would lead straight. With U+FFFD in it, it is refused.
        Self::from_variables(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Self {
        let mut unusable = Vec::new();
        let mut read = |upper: &'static str, lower: &'static str| {
            let (name, value) = match (get(upper), get(lower)) {
                (Some(value), _) => (upper, value),
                (None, Some(value)) => (lower, value),
                (None, None) => return String::new(),
            };
            match check(&value) {
                Err(reason) if !value.is_empty() => {
                    unusable.push((name, reason));
                    // hyper-util would go straight for some values. This one it hands back, to be refused.
                    format!("socks4://{name}")
                }
                _ => value,
            }
        };
        let builder = match get("REQUEST_METHOD") {
            Some(_) => Matcher::builder(),
            None => Matcher::builder()
                .all(read("ALL_PROXY", "all_proxy"))
                .http(read("HTTP_PROXY", "http_proxy"))
                .https(read("HTTPS_PROXY", "https_proxy"))
                .no(get("NO_PROXY").or_else(|| get("no_proxy")).unwrap_or_default()),
        };
        Proxy(Arc::new(Rules { matcher: builder.build(), unusable }))
    }

    /// The proxy for a server; `None` for straight.
    pub(super) fn way_to(&self, target: &Target) -> Result<Option<Intercept>, ConnectError> {
        // hyper-util knows only the schemes of HTTP.
        let uri = target.http(&target.host).ok_or_else(|| ConnectError::Uri {
            uri: target.authority.clone(),
            reason: "its host cannot stand in a URI for a proxy".into(),
        })?;
        let Some(way) = self.0.matcher.intercept(&uri) else {
            return Ok(None);
        };
        match self.0.unusable.iter().find(|(name, _)| *way.uri() == *format!("socks4://{name}/")) {
            Some((name, reason)) => {
                Err(ConnectError::ProxyUri { proxy: format!("the variable {name}"), reason: reason.clone() })
            }
            None => Ok(Some(way)),
        }
    }
}

/// Whether this can be used. The matcher drops what it cannot use without a word.
fn check(url: &str) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let schemes = if cfg!(feature = "tls") {
        ["http", "https", "socks5", "socks5h"].as_slice()
    } else {
        ["http", "socks5", "socks5h"].as_slice()
    };
    if let Some(scheme) = uri.scheme_str()
        && !schemes.contains(&scheme)
    {
        return Err(format!("its scheme is {scheme:?}, expected one of {schemes:?}"));
    }
    split(uri.authority().ok_or("it has no host")?)?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() || url.contains('#') {
        return Err("it has a path, a query or a fragment, which a proxy has not".into());
    }
    let anywhere = Uri::from_static("http://host/");
    match Matcher::builder().all(url).build().intercept(&anywhere) {
        Some(_) => Ok(()),
        None => Err(format!("expected host and port behind one of {schemes:?}")),
    }
}

/// Connects to a server by way of a proxy.
pub(super) async fn open(
    client: &Client,
    target: &Target,
    way: &Intercept,
    deadline: Deadline,
) -> Result<MaybeTlsStream, ConnectError> {
    let uri = way.uri();
    let scheme = uri.scheme_str().unwrap_or("http");
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => 1080,
    };
    let (host, port) = (without_brackets(uri.host().unwrap_or_default()), uri.port_u16().unwrap_or(default));
    #[cfg(feature = "tls")]
    let tls =
        (scheme == "https").then(|| super::tls::Tls::new(client, host, port, b"http/1.1")).transpose()?;
    // hyper-util's own resolution for socks5:// blocks the thread.
    let name = if scheme == "socks5" { resolve(target, deadline).await? } else { target.host.clone() };
    if let Some((user, password)) = way.raw_auth() {
        check_credentials(user, password, &name).map_err(|reason| ConnectError::ProxyUri {
            proxy: format!("{scheme}://{host}:{port}"),
            reason,
        })?;
    }
    let io = tcp::connect(client, host, port, deadline).await?;
    #[cfg(feature = "tls")]
    let io = match tls {
        Some(tls) => deadline.keep(Phase::Tls, host, port, tls.handshake(io)).await?,
        None => io,
    };
    let is_socks = scheme.starts_with("socks");
    let (io, seen) = Watched::new(io);
    let there = There(Some(TokioIo::new(io)));
    let failed = |reason: String| ConnectError::Proxy {
        proxy: format!("{scheme}://{host}:{port}"),
        to: format!("{} port {}", target.host, target.port),
        source: ProxyError::Io { source: io::Error::new(seen.kind(is_socks), reason + &seen.answer()) },
    };
    // Always with a port: what hyper-util would take instead is 443.
    let Some(to) = target.http(&name) else { return Err(failed("its host cannot stand in a URI".into())) };
    let opening = async {
        if is_socks {
            let socks = SocksV5::new(uri.clone(), there);
            let mut socks = match way.raw_auth() {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            socks.call(to).await.map_err(|error| failed(error.to_string()))
        } else {
            let tunnel = Tunnel::new(uri.clone(), there);
            let mut tunnel = match way.basic_auth() {
                Some(auth) => tunnel.with_auth(auth.clone()),
                None => tunnel,
            };
            tunnel.call(to).await.map_err(|error| failed(error.to_string()))
        }
    };
    Ok(deadline.keep(Phase::Proxy, host, port, opening).await?.into_inner().into_inner())
}

/// RFC 1929 has one octet for each length; hyper-util one buffer of 262 for all that is sent.
fn check_credentials(user: &str, password: &str, host: &str) -> Result<(), String> {
    const MOST: usize = 262;
    // Greeting, credentials, request: what each needs beside them.
    let sum = 3 + (3 + user.len() + password.len()) + (7 + host.len());
    if user.len() > 255 || password.len() > 255 || sum > MOST {
        return Err(format!(
            "user, password and the server's name have {} bytes; at most {} fit",
            user.len() + password.len() + host.len(),
            MOST - 13
        ));
    }
    Ok(())
}

/// The first address of the server.
async fn resolve(target: &Target, deadline: Deadline) -> Result<String, ConnectError> {
    let failed = |source| ConnectError::Resolve { host: target.host.clone(), port: target.port, source };
    let resolving = async {
        let mut addresses = tokio::net::lookup_host((&*target.host, target.port)).await.map_err(failed)?;
        addresses
            .next()
            .ok_or_else(|| failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")))
    };
    Ok(deadline.keep(Phase::Resolve, &target.host, target.port, resolving).await?.ip().to_string())
}

/// The connection to the proxy, as the connector that hyper-util wants to make it with. Made before, it has our errors.
struct There(Option<TokioIo<Watched>>);

impl Service<Uri> for There {
    type Response = TokioIo<Watched>;
    type Error = io::Error;
    type Future = Ready<io::Result<TokioIo<Watched>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The way to a server in an environment: what hyper-util is told, or the variable at fault.
    fn way(variables: &[(&str, &str)], uri: &str) -> String {
        let find = |name: &str| {
            variables.iter().find(|(found, _)| *found == name).map(|(_, value)| (*value).to_owned())
        };
        match Proxy::from_variables(find).way_to(&Target::parse(uri).unwrap()) {
            Ok(Some(way)) => way.uri().to_string(),
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
            (&both[..], "ws://host", "http://one:1/"),
            (&both, "wss://host", "socks5h://two:2/"),
            (&both, "wss://sub.x.y:7/", "straight"),
            (&both, "ws://[::1]", "straight"),
            (&both[..1], "wss://host", "straight"),
            (&all, "wss://host", "http://three:3/"),
            (&all, "ws://host", "http://one:1/"),
            (&[("HTTP_PROXY", ""), ("http_proxy", "http://one:1")], "ws://host", "straight"),
            (&[("HTTP_PROXY", ""), ("ALL_PROXY", "http://one:1")], "ws://host", "http://one:1/"),
            (&[("HTTP_PROXY", "http://one:1"), ("REQUEST_METHOD", "GET")], "ws://host", "straight"),
            (&[], "ws://host", "straight"),
        ] {
            assert_eq!(way(variables, uri), expected, "{variables:?} {uri}");
        }
    }

    #[test]
    fn environment_with_a_proxy_that_cannot_be_used_never_leads_straight() {
        for value in ["socks4://one:1", "ftp://one", "http://one:x", "http://", "%", " ", "http://one/path"] {
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
