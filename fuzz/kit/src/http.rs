//! Heads of HTTP/1.1: bytes that look like them, what hyper makes of them, and what must not pass for one.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::rt::{Read, ReadBufCursor, Write};

/// What an octet from 0x80 on stands for, so that a few octets of input make a head. 0xff: the next octet, as it is.
const WORDS: &[&str] = &[
    "\r\n",
    "GET / HTTP/1.1\r\n",
    "Host: a\r\n",
    "Upgrade: websocket\r\n",
    "Connection: Upgrade\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Origin: http://a\r\n",
    "Sec-WebSocket-Protocol: x, y\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "Sec-WebSocket-Accept: $\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 403 Forbidden\r\n",
    "HTTP/1.1 100 Continue\r\n",
    "Content-Length: 5\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    " HTTP/1.1\r\n",
    "GET http://a/ HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "\r\n ",
    "\n",
    "\r",
    "Host: b:80\r\n",
    "Content-Encoding: gzip\r\n",
    "HTTP/1.0",
    "Connection: keep-alive, close\r\n",
    "Location: http://b/?c\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01",
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
];

/// The bytes that an input stands for, 128 KiB at the most.
pub fn expand(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut octets = input.iter();
    while let Some(&octet) = octets.next() {
        match octet {
            0..=0x7f => out.push(octet),
            0xff => out.extend(octets.next().map(|octet| octet | 0x80)),
            // The last word again, so often: for what is too long, or too many.
            0xfe => {
                let n = octets.next().copied().unwrap_or(0);
                let start = out[..out.len().saturating_sub(2)].iter().rposition(|octet| *octet == b'\n');
                let word = out[start.map_or(0, |at| at + 1)..].to_vec();
                for _ in 0..usize::from(n) * 2 {
                    out.extend(&word);
                    if out.len() > 128 * 1024 {
                        return out;
                    }
                }
            }
            _ => out.extend(WORDS[usize::from(octet - 0x80) % WORDS.len()].as_bytes()),
        }
    }
    out
}

/// Bytes that end, for hyper: what it reads, at once, and once it has written something.
#[derive(Default)]
struct Whole {
    left: Vec<u8>,
    later: Vec<u8>,
}

impl Read for Whole {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left.is_empty() && !self.later.is_empty() {
            return Poll::Pending;
        }
        let n = self.left.len().min(buf.remaining());
        buf.put_slice(&self.left[..n]);
        self.left.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl Write for Whole {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let later = std::mem::take(&mut self.later);
        self.left.extend(later);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The request that hyper's server reads first, and what it finds behind the head if it is answered with 101.
pub fn request(bytes: &[u8]) -> Option<(http::request::Parts, Option<Vec<u8>>)> {
    let seen: Rc<RefCell<Option<http::request::Parts>>> = Rc::default();
    let sees = seen.clone();
    let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        sees.borrow_mut().get_or_insert(request.into_parts().0);
        let answer = http::Response::builder().status(101).body(Empty::<Bytes>::new());
        std::future::ready(Ok::<_, Infallible>(answer.expect("it is a response")))
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.max_headers(300).max_buf_size(256 * 1024).auto_date_header(false).half_close(true);
    let mut connection =
        builder.serve_connection(Whole { left: bytes.to_vec(), ..Whole::default() }, service);
    let mut cx = Context::from_waker(Waker::noop());
    let done = (0..64)
        .any(|_| connection.poll_without_shutdown(&mut cx).map(|result| result.is_ok()) == Poll::Ready(true));
    let parts = connection.into_parts();
    let rest = done.then(|| [&parts.read_buf[..], &parts.io.left].concat());
    let head = seen.borrow_mut().take()?;
    Some((head, rest))
}

/// The answer that hyper's client reads, and what is behind it if it is a 101.
pub fn response(bytes: &[u8]) -> Option<(http::response::Parts, Option<Vec<u8>>)> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder.max_headers(300).max_buf_size(256 * 1024);
    let mut handshake =
        pin!(builder.handshake::<_, Empty<Bytes>>(Whole { later: bytes.to_vec(), ..Whole::default() }));
    let Poll::Ready(Ok((mut sender, mut connection))) = handshake.as_mut().poll(&mut cx) else { return None };
    let request = http::Request::builder().uri("/").header("host", "a").header("connection", "upgrade");
    let request = request.header("upgrade", "websocket").body(Empty::new()).expect("it is a request");
    let mut answering = pin!(sender.send_request(request));
    let mut answer = None;
    for _ in 0..64 {
        if answer.is_none()
            && let Poll::Ready(result) = answering.as_mut().poll(&mut cx)
        {
            answer = Some(result.ok()?.into_parts().0);
        }
        if connection.poll_without_shutdown(&mut cx).is_ready() && answer.is_some() {
            break;
        }
    }
    let head = answer?;
    let parts = connection.into_parts();
    Some((head, Some([&parts.read_buf[..], &parts.io.left].concat())))
}

/// Why a head that was taken should not have been: it leaves in doubt where it ends, or for whom it is.
pub fn is_ambiguous(head: &[u8]) -> Option<&'static str> {
    if head.len() > 64 * 1024 {
        return Some("it is too long");
    }
    let mut lines = Vec::new();
    let mut line = Vec::new();
    let mut octets = head.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' if octets.next_if_eq(&b'\n').is_some() => lines.push(std::mem::take(&mut line)),
            b'\r' | b'\n' => return Some("CR or LF alone"),
            0 => return Some("NUL"),
            _ => line.push(octet),
        }
    }
    let mut lines = lines.into_iter().skip_while(Vec::is_empty);
    let first = lines.next().unwrap_or_default();
    let words: Vec<&[u8]> = first.split(|octet| *octet == b' ').collect();
    if !matches!(words[..], [b"GET", target, b"HTTP/1.1"] if !target.is_empty()) {
        return Some("its first line");
    }
    let (mut hosts, mut lengths, mut keys, mut count) = (0, 0, 0, 0);
    for line in lines.take_while(|line| !line.is_empty()) {
        count += 1;
        let Some(colon) = line.iter().position(|octet| *octet == b':') else {
            return Some("a line without a colon");
        };
        let (name, value) = (line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii());
        if name.is_empty()
            || name.iter().any(|octet| !octet.is_ascii_graphic() || b"\"(),/:;<=>?@[\\]{}".contains(octet))
        {
            return Some("a name that is no token");
        }
        match &name[..] {
            b"host" => hosts += 1,
            b"sec-websocket-key" => keys += 1,
            b"transfer-encoding" => return Some("Transfer-Encoding"),
            b"content-length" if value != b"0" => return Some("Content-Length"),
            b"content-length" => lengths += 1,
            _ => {}
        }
    }
    match () {
        _ if hosts != 1 => Some("not one Host"),
        _ if keys != 1 => Some("not one key"),
        _ if lengths > 1 => Some("Content-Length twice"),
        _ if count > 256 => Some("too many fields"),
        _ => None,
    }
}

/// Whether bytes begin with just these lines, those behind the first in any order: what everybody takes.
pub fn is_plain(bytes: &[u8], first: &str, fields: &[&str]) -> bool {
    let end = bytes.windows(4).position(|octets| octets == b"\r\n\r\n");
    let Some(head) = end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok()) else { return false };
    let mut lines = head.split("\r\n");
    let is_first = lines.next() == Some(first);
    let (mut lines, mut fields): (Vec<&str>, Vec<&str>) = (lines.collect(), fields.to_vec());
    lines.sort_unstable();
    fields.sort_unstable();
    is_first && lines == fields
}

/// The value of a field in a head that was written by this crate.
pub fn field<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut lines = head.split(|octet| *octet == b'\n').map(|line| line.trim_ascii());
    lines.find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        (start.eq_ignore_ascii_case(name.as_bytes()) && value.first() == Some(&b':'))
            .then(|| value[1..].trim_ascii())
    })
}

/// Section 4.2.2, item 5.4.
pub fn accept(key: &str) -> String {
    sockudo_ws::handshake::generate_accept_key(key)
}
