//! What the errors say, where it takes more than a format string.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::{Response, StatusCode, Version};

use super::super::super::headers;
use super::super::super::http1::Reason;
use super::super::uri::without_secrets;
use super::secrets::without_request;

/// The most of a line of the body that is shown, in characters.
const MAX_LINE: usize = 120;

pub(super) fn in_brackets(name: Option<&HeaderName>) -> String {
    name.map_or_else(String::new, |name| format!(" ({name})"))
}

/// The addresses, where they say more than the host does.
pub(super) fn tried(host: &str, addresses: &[SocketAddr]) -> String {
    match addresses {
        [] => String::new(),
        [one] if host.parse() == Ok(one.ip()) => String::new(),
        [one] => format!(" (at {one})"),
        [first, ..] => format!(" ({} addresses tried, the first {first})", addresses.len()),
    }
}

pub(super) fn when(begun: bool) -> &'static str {
    if begun {
        "in the middle of its answer"
    } else {
        "before it had answered; are the port and the scheme right?"
    }
}

pub(super) fn credentials(sent: bool) -> &'static str {
    if sent { "did not accept the credentials" } else { "wants credentials" }
}

/// That a server or a proxy said no, and what it said to explain it.
pub(super) struct Refusal<'a> {
    pub(super) response: &'a Response<Bytes>,
    /// The status that would have been right.
    pub(super) expected: &'static str,
    pub(super) is_of_proxy: bool,
}

/// What a server has to answer: over HTTP/2 another status (RFC 8441, section 5).
pub(super) fn of_server(response: &Response<Bytes>) -> Refusal<'_> {
    Refusal {
        response,
        expected: if response.version() == Version::HTTP_2 { "200 OK" } else { "101 Switching Protocols" },
        is_of_proxy: false,
    }
}

/// What a proxy has to answer to CONNECT (RFC 9110, section 9.3.6).
pub(super) fn of_proxy(response: &Response<Bytes>) -> Refusal<'_> {
    Refusal { response, expected: "2xx", is_of_proxy: true }
}

impl Display for Refusal<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let response = self.response;
        let status = response.status();
        write!(f, "answered {}", status.as_str())?;
        match (response.extensions().get(), status.canonical_reason()) {
            (Some(Reason(own)), _) => write!(f, " {}", shortened(own))?,
            (None, Some(reason)) => write!(f, " {reason}")?,
            (None, None) => {}
        }
        write!(f, ", expected {}", self.expected)?;
        if let Some(encoding) = encoding(response) {
            write!(f, "; its body is encoded ({})", headers::excerpt(encoding))?;
        } else if let Some(line) = first_line(response.body()) {
            write!(f, ": \"{line}\"")?;
        }
        self.hint(f)
    }
}

impl Refusal<'_> {
    /// What to try.
    fn hint(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let fields = self.response.headers();
        let status = self.response.status();
        match status {
            _ if status.is_redirection() => match fields.get(header::LOCATION) {
                Some(to) if !to.is_empty() => {
                    let to = place(&String::from_utf8_lossy(to.as_bytes()));
                    write!(f, "; it leads to {}, but redirections are not followed", shortened(&to))
                }
                _ => f.write_str("; redirections are not followed"),
            },
            _ if status.is_success() => {
                write!(f, "; a server that answers {} serves no WebSocket at this path", status.as_str())
            }
            // What nginx, Go and Apache say.
            StatusCode::BAD_REQUEST if says(self.response, "HTTPS") || says(self.response, "SSL-enabled") => {
                let scheme = if self.is_of_proxy { "https" } else { "wss" };
                write!(f, "; it expects TLS at this port: try {scheme}://")
            }
            // What a server says to CONNECT. There is no path in that, and no upgrade.
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::UPGRADE_REQUIRED
            | StatusCode::NOT_IMPLEMENTED
                if self.is_of_proxy =>
            {
                f.write_str("; is it a proxy, and does it take CONNECT to this port?")
            }
            StatusCode::BAD_REQUEST => {
                f.write_str("; something in between may have dropped the fields of the upgrade")
            }
            StatusCode::UNAUTHORIZED => challenge(f, fields, &header::WWW_AUTHENTICATE),
            StatusCode::NOT_FOUND => f.write_str("; is the path right?"),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => challenge(f, fields, &header::PROXY_AUTHENTICATE),
            StatusCode::UPGRADE_REQUIRED => match fields.get(header::SEC_WEBSOCKET_VERSION) {
                Some(versions) => write!(
                    f,
                    "; it wants version {} of the protocol, and this is 13",
                    headers::excerpt(versions.as_bytes())
                ),
                None => f.write_str("; something in between may have dropped the field Upgrade"),
            },
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                match fields.get(header::RETRY_AFTER).map(|when| headers::excerpt(when.as_bytes())) {
                    Some(when) if when.bytes().all(|octet| octet.is_ascii_digit()) && !when.is_empty() => {
                        write!(f, "; it asks to be tried again after {when} s")
                    }
                    Some(when) if !when.is_empty() => write!(f, "; it asks to be tried again after {when}"),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Where a redirection leads, without a password, a query or a fragment.
fn place(location: &str) -> String {
    let location = location.split(['?', '#']).next().unwrap_or_default();
    match location.split_once("//") {
        Some((scheme, rest)) if scheme.is_empty() || scheme.ends_with(':') => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}//...@{host}{path}"),
                None => location.to_owned(),
            }
        }
        _ if location.starts_with('/') => location.to_owned(),
        _ => without_secrets(location),
    }
}

/// Which way to authenticate is wanted. Only the scheme: the rest may be long.
fn challenge(f: &mut Formatter<'_>, fields: &HeaderMap, name: &HeaderName) -> fmt::Result {
    let first = fields
        .get(name)
        .and_then(|value| value.as_bytes().split(|octet| matches!(octet, b' ' | b',')).next());
    match first.filter(|scheme| !scheme.is_empty()) {
        Some(scheme) => write!(f, "; it wants {} authentication", headers::excerpt(scheme)),
        None => Ok(()),
    }
}

fn says(response: &Response<Bytes>, word: &str) -> bool {
    response.body().windows(word.len()).any(|window| window == word.as_bytes())
}

/// How the body is encoded, where that hides it.
pub(super) fn encoding(response: &Response<Bytes>) -> Option<&[u8]> {
    let fields = response.headers();
    let is_empty = response.body().is_empty()
        && fields.get(header::CONTENT_LENGTH).is_some_and(|length| length.as_bytes() == b"0");
    headers::encoding(fields).filter(|_| !is_empty)
}

/// The first line with something in it; of a page in HTML, the first one that has more than tags.
fn first_line(body: &[u8]) -> Option<String> {
    let mut lines = body
        .split(|octet| matches!(octet, b'\r' | b'\n'))
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let first = lines.next()?;
    let line = if is_markup(first) { lines.find(|line| !is_markup(line)).unwrap_or(first) } else { first };
    // Some say what they got.
    Some(shortened(&String::from_utf8_lossy(without_request(line))))
}

/// Whether there is nothing in it but tags: `<!DOCTYPE html>`, which every page begins with.
fn is_markup(line: &[u8]) -> bool {
    let mut is_tag = false;
    line.iter().all(|octet| {
        is_tag = if is_tag { *octet != b'>' } else { *octet == b'<' };
        is_tag || matches!(octet, b'>' | b' ' | b'\t')
    })
}

/// Printable, and not long.
fn shortened(line: &str) -> String {
    let mut shown = String::new();
    for c in line.chars().take(MAX_LINE) {
        match c {
            '\'' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    if line.chars().nth(MAX_LINE).is_some() {
        shown.push_str("...");
    }
    shown
}

/// What TLS failed of, and what to try.
#[cfg(feature = "tls")]
pub(super) fn of_tls(source: &io::Error) -> &'static str {
    use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

    let Some(error) = super::kind::inside::<Error>(source) else {
        return match source.kind() {
            io::ErrorKind::UnexpectedEof => {
                ": the connection was ended within the handshake; is there TLS at this port?"
            }
            _ => "",
        };
    };
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            ": what came is no TLS; if there is none at this port, try ws:// (for a proxy, http://)"
        }
        Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => {
                ": the authority of its certificate is not trusted; trust it by Client::tls, if it is yours"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                ": its certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ": its certificate is not valid yet; is the clock right?"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                ": its certificate is for another name"
            }
            CertificateError::Revoked => ": its certificate was revoked",
            _ => ": its certificate was not accepted",
        },
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            ": the server wants a certificate of the client, which Client::tls can have"
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => {
            ": the server did not accept the certificate of the client, or misses it; Client::tls can have one"
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            ": the server speaks none of the versions of TLS that Client::tls allows"
        }
        Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            ": the server found no parameters in common, or wants a certificate of the client; Client::tls has both"
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            ": the server does not know itself by this name"
        }
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            ": the server does not speak the version of HTTP that was offered (ALPN)"
        }
        Error::AlertReceived(_) => ": the server ended it with an alert",
        _ => "",
    }
}

#[cfg(not(feature = "tls"))]
pub(super) fn of_tls(_: &io::Error) -> &'static str {
    ""
}
