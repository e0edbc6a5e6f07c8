//! Through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6) and SOCKS5 (RFC 1928, RFC 1929).

mod connect;
mod environment;
mod exact;
mod no_proxy;
mod socks5;
mod tunnel;
mod url;

use std::sync::Arc;

use super::ConnectError;
use super::uri::{Target, without_secrets};
use environment::Environment;
pub(super) use tunnel::open;
use url::ProxyUrl;

/// A proxy, for [`Client::proxy`](crate::Client::proxy).
///
/// | URL | speaks | who resolves the server's name | default port |
/// |---|---|---|---|
/// | `http://` | CONNECT | the proxy | 80 |
/// | `https://` (with the feature `tls`) | CONNECT inside TLS, configured by `Client::tls` | the proxy | 443 |
/// | `socks5://` | SOCKS5 | this side | 1080 |
/// | `socks5h://` | SOCKS5 | the proxy | 1080 |
///
/// CONNECT is used for `ws://` too: a proxy that forwards requests may not forward an upgrade. Any 2xx opens the tunnel.
/// User and password in the URL go to the proxy as Basic credentials (RFC 7617), or in the way of RFC 1929; what is reserved
/// in a URL (`@`, `:`, `/`) is percent-encoded in them.
///
/// With `socks5://` the addresses of the server are tried one after another, each over a connection of its own to the proxy, as
/// long as the proxy answers that this one cannot be reached.
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

/// Credentials stay out of `Debug`.
#[derive(Debug)]
enum Rules {
    Always(ProxyUrl),
    Environment(Environment),
}

impl Proxy {
    /// One proxy, for every server. A URL without a scheme is one of `http://`; case does not count.
    ///
    /// # Errors
    ///
    /// [`ConnectError::ProxyUri`] for another scheme, no host, a bad port, a path, a query or a fragment, and for credentials
    /// that cannot be sent: for SOCKS5 more than 255 bytes of user or password, for CONNECT a colon in the user.
    /// [`ConnectError::Unsupported`] for `https://` without the feature `tls`.
    pub fn new(url: &str) -> Result<Self, ConnectError> {
        match ProxyUrl::parse(url) {
            Ok(proxy) if proxy.needs_tls() && !cfg!(feature = "tls") => {
                Err(ConnectError::Unsupported { what: "a proxy by https://", needs: "the feature `tls`" })
            }
            Ok(proxy) => Ok(Proxy(Arc::new(Rules::Always(proxy)))),
            Err(reason) => {
                let proxy = without_secrets(url).escape_debug().to_string();
                Err(ConnectError::ProxyUri { proxy, reason })
            }
        }
    }

    /// The proxies that the environment names now: `HTTP_PROXY` for `ws://`, `HTTPS_PROXY` for `wss://`, `ALL_PROXY` for
    /// what has none of its own, or an empty one; `NO_PROXY` lists what needs none. Each also in lower case, which is read where
    /// the other is not set.
    ///
    /// `NO_PROXY` is `*` for every server, or a list with commas or spaces between its entries:
    ///
    /// | entry | the servers that need no proxy |
    /// |---|---|
    /// | `example.com`, `.example.com`, `*.example.com` | the host `example.com`, and all below it |
    /// | `192.0.2.1`, `::1`, `[::1]` | this address, where the URI has it |
    /// | `192.0.2.0/24`, `2001:db8::/32` | the addresses of this network, likewise |
    /// | one of them with `:8080` behind it (an IPv6 address in brackets) | the same at this port |
    ///
    /// In a CGI program (`REQUEST_METHOD` is set) `HTTP_PROXY` is not read, because there a client of the server can set it
    /// by a header field; in lower case it is, except on Windows. A value that [`new`](Self::new) refuses is an error for each
    /// connection that it is meant for: none goes straight by accident.
    #[must_use]
    pub fn from_env() -> Self {
        // What is not Unicode must not count as not set: that would lead straight. With U+FFFD in it, it is refused.
        let get = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Proxy(Arc::new(Rules::Environment(Environment::read(get))))
    }

    /// The proxy for a server; `None` for straight.
    pub(super) fn way_to(&self, target: &Target) -> Result<Option<&ProxyUrl>, ConnectError> {
        match &*self.0 {
            Rules::Always(proxy) => Ok(Some(proxy)),
            Rules::Environment(environment) => environment.way_to(target),
        }
    }
}
