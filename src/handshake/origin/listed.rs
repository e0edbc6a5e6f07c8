//! Origins as browsers write them, and as a list has them.

use std::net::{IpAddr, Ipv6Addr};

use http::Uri;
use http::uri::Authority;

/// What [`Origins::list`](super::Origins::list) is given.
#[derive(Clone, Debug)]
pub(super) enum Listed {
    One(Origin),
    /// `*.` before the host of this one.
    Subdomains(Origin),
}

/// RFC 6454, section 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// "null": a page whose origin is nobody's business, or a file.
    Opaque,
    /// "file://": a file, as web views of applications say it.
    File,
    /// In lower case, the port that the scheme implies filled in.
    Tuple { scheme: String, host: String, port: Option<u16> },
}

impl Listed {
    /// Or what was expected.
    pub(super) fn parse(listed: &str) -> Result<Self, &'static str> {
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

    pub(super) fn matches(&self, origin: &Origin) -> bool {
        match self {
            Listed::One(one) => one == origin,
            Listed::Subdomains(above) => origin.above().as_ref() == Some(above),
        }
    }
}

impl Origin {
    pub(super) fn parse(origin: &[u8]) -> Option<Self> {
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

    pub(super) fn is_at(&self, host: &[u8]) -> bool {
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
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    host.starts_with('[')
        || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
        || last.strip_prefix("0x").is_some_and(is_hex)
}

/// `None` for what stands where a port should and is none.
fn port_of(authority: &Authority) -> Option<Option<u16>> {
    match authority.port() {
        // A sign would be taken for part of the number.
        Some(port) => (!port.as_str().starts_with('+')).then(|| Some(port.as_u16())),
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
