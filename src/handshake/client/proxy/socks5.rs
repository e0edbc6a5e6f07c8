//! SOCKS5 (RFC 1928) with user and password (RFC 1929): octets in, octets out.
//!
//! ```text
//! we                           the proxy
//! greeting: what we can do  ─▶
//!                           ◀─ Method: which of it is to be done
//! user and password         ─▶                                      where that is the one
//!                           ◀─ Status: whether they are right
//! request: CONNECT to this  ─▶
//!                           ◀─ Reply: whether it is open
//! ```

use std::io;
use std::net::IpAddr;

use super::super::super::headers::excerpt;
use super::super::ProxyError;
use super::url::Credentials;

const VERSION: u8 = 5;

/// Methods (RFC 1928, section 3).
const NONE: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NOT_ACCEPTABLE: u8 = 0xff;

/// Types of addresses (section 5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// The longest name: one octet says the length.
pub(super) const MOST_OF_NAME: usize = 255;

/// One negotiation.
pub(super) struct Socks5 {
    awaited: Awaited,
    /// What has come of it.
    received: Vec<u8>,
    credentials: Option<Vec<u8>>,
    request: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Awaited {
    Method,
    Status,
    Reply,
}

/// What is to be done when an answer is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To send this, and to wait for the next answer.
    Send(Vec<u8>),
    /// Nothing: what follows is the server's.
    Open,
}

/// The server, as the proxy is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination<'a> {
    Address(IpAddr),
    /// At most [`MOST_OF_NAME`] octets.
    Name(&'a str),
}

impl Socks5 {
    /// With what is to be sent first.
    pub(super) fn new(
        destination: Destination<'_>,
        port: u16,
        credentials: Option<&Credentials>,
    ) -> (Self, Vec<u8>) {
        let socks = Socks5 {
            awaited: Awaited::Method,
            received: Vec::new(),
            credentials: credentials.map(encode_credentials),
            request: encode_request(destination, port),
        };
        // Where there are credentials, they are to be used.
        let greeting = vec![VERSION, 1, socks.method()];
        (socks, greeting)
    }

    fn method(&self) -> u8 {
        if self.credentials.is_some() { USER_AND_PASSWORD } else { NONE }
    }

    /// Takes what has come. Once an answer is whole, says what is next, and how many of these octets are behind the answer.
    pub(super) fn receive(&mut self, octets: &[u8]) -> Result<Option<(Next, usize)>, ProxyError> {
        self.received.extend_from_slice(octets);
        let Some(length) = self.check()? else { return Ok(None) };
        let behind = self.received.len() - length;
        self.received.clear();
        let next = match (self.awaited, self.credentials.take()) {
            (Awaited::Method, Some(credentials)) => {
                self.awaited = Awaited::Status;
                Next::Send(credentials)
            }
            (Awaited::Method | Awaited::Status, _) => {
                self.awaited = Awaited::Reply;
                Next::Send(std::mem::take(&mut self.request))
            }
            (Awaited::Reply, _) => Next::Open,
        };
        Ok(Some((next, behind)))
    }

    /// The length of the answer, if it is whole. Refuses as soon as the octets show that it does not go on.
    fn check(&self) -> Result<Option<usize>, ProxyError> {
        let whole = |length: usize| Ok((self.received.len() >= length).then_some(length));
        match (self.awaited, &*self.received) {
            (_, []) => Ok(None),
            // Some say the version of SOCKS, where RFC 1929 has its own.
            (Awaited::Status, [1 | VERSION, 0, ..]) => whole(2),
            (Awaited::Status, [1 | VERSION]) => Ok(None),
            (Awaited::Status, [1 | VERSION, status, ..]) => Err(ProxyError::Credentials {
                sent: true,
                wanted: format!("it replied status {status} (RFC 1929, section 2)"),
            }),
            (_, [first, ..]) if *first != VERSION => Err(self.not_spoken()),
            (_, [_]) => Ok(None),
            (Awaited::Method, [_, method, ..]) if *method == self.method() => whole(2),
            (Awaited::Method, [_, NOT_ACCEPTABLE, ..]) => Err(self.not_acceptable()),
            (Awaited::Method, [_, method, ..]) => Err(ProxyError::Malformed {
                reason: format!("it chose method {method:#04x}, which was not offered"),
            }),
            (_, [_, code, ..]) if *code != 0 => Err(refused(*code)),
            (_, [_, _, _, IPV4, ..]) => whole(4 + 4 + 2),
            (_, [_, _, _, IPV6, ..]) => whole(4 + 16 + 2),
            (_, [_, _, _, NAME, length, ..]) => whole(4 + 1 + usize::from(*length) + 2),
            (_, [_, _] | [_, _, _] | [_, _, _, NAME]) => Ok(None),
            (_, [_, _, _, other, ..]) => Err(ProxyError::Malformed {
                reason: format!(
                    "it has an address of type {other}, expected 1 (IPv4), 3 (a name) or 4 (IPv6)"
                ),
            }),
        }
    }

    fn not_spoken(&self) -> ProxyError {
        let hint = match &*self.received {
            [b'H', ..] => ", which is HTTP; try http://",
            [0x15 | 0x16, 3, ..] => ", which is TLS",
            [0 | 4, ..] => ", which may be SOCKS4",
            _ => "; is the port right?",
        };
        ProxyError::NotSpoken { expected: "SOCKS5", received: excerpt(&self.received), hint }
    }

    fn not_acceptable(&self) -> ProxyError {
        let wanted = match self.credentials {
            Some(_) => "it takes no user and password (method 0xff)",
            None => "it takes nobody without (method 0xff)",
        };
        ProxyError::Credentials { sent: self.credentials.is_some(), wanted: wanted.into() }
    }
}

/// RFC 1929, section 2. What is too long was refused when the URL was parsed.
fn encode_credentials(credentials: &Credentials) -> Vec<u8> {
    let mut message = vec![1];
    for text in [&credentials.user, &credentials.password] {
        put_text(&mut message, text);
    }
    message
}

/// RFC 1928, section 4.
fn encode_request(destination: Destination<'_>, port: u16) -> Vec<u8> {
    let mut message = vec![VERSION, 1, 0];
    match destination {
        Destination::Address(IpAddr::V4(address)) => {
            message.push(IPV4);
            message.extend_from_slice(&address.octets());
        }
        Destination::Address(IpAddr::V6(address)) => {
            message.push(IPV6);
            message.extend_from_slice(&address.octets());
        }
        Destination::Name(name) => {
            message.push(NAME);
            put_text(&mut message, name.as_bytes());
        }
    }
    message.extend_from_slice(&port.to_be_bytes());
    message
}

/// Its length, and it.
fn put_text(message: &mut Vec<u8>, text: &[u8]) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    message.push(length);
    message.extend_from_slice(&text[..usize::from(length)]);
}

/// RFC 1928, section 6.
fn refused(code: u8) -> ProxyError {
    use io::ErrorKind;
    let (reason, kind) = match code {
        1 => ("general failure", ErrorKind::ConnectionRefused),
        2 => ("connection not allowed by its rules", ErrorKind::PermissionDenied),
        3 => ("network unreachable", ErrorKind::NetworkUnreachable),
        4 => ("host unreachable", ErrorKind::HostUnreachable),
        5 => ("connection refused by the server", ErrorKind::ConnectionRefused),
        6 => ("TTL expired", ErrorKind::TimedOut),
        7 => ("command not supported", ErrorKind::Unsupported),
        8 => ("address type not supported", ErrorKind::Unsupported),
        _ => ("a code that RFC 1928 does not know", ErrorKind::ConnectionRefused),
    };
    ProxyError::Reply { code, reason, kind }
}

/// Whether another address of the same server may be open.
pub(super) fn is_of_this_address(error: &ProxyError) -> bool {
    matches!(error, ProxyError::Reply { code: 1 | 3 | 4 | 5 | 6 | 8, .. })
}

#[cfg(test)]
mod tests;
