//! The beginning of a body, for an error.

#![cfg(feature = "connect")]

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;

use crate::handshake::headers;

/// The most of a body that goes into an error.
const MAX_TEXT: usize = 1024;

/// The most that is read for it: chunks can be as short as a byte.
const MAX_RAW: usize = 16 * 1024;

/// The longest line before a chunk: it may have extensions, which nobody sends.
const MAX_LINE: usize = 256;

/// What of the body of a refusal helps: its first KiB, chunks undone. Each octet is gone over once, however it arrives.
#[derive(Debug)]
pub(in crate::handshake) struct Excerpt {
    length: Length,
    text: Vec<u8>,
    /// Whether that is all of the body.
    is_whole: bool,
    /// How much has come.
    raw: usize,
    /// gzip, for instance: then nothing of it can be read.
    encoding: Option<String>,
}

/// Where a body ends (RFC 9112, section 6.3).
#[derive(Debug)]
enum Length {
    /// So much is still to come.
    Known(u64),
    Chunked(Chunk),
    UntilClosed,
}

/// Where in a chunked body the next octet is (RFC 9112, section 7.1).
#[derive(Debug)]
enum Chunk {
    /// In the line before a chunk, of which this has come.
    Line(Vec<u8>),
    /// In a chunk, of which so much is still to come.
    Data(u64),
    /// In the two octets behind it, of which so many have come.
    Behind(usize),
}

impl Excerpt {
    /// For the body behind this head.
    pub(in crate::handshake) fn new(head: &Parts) -> Self {
        let fields = &head.headers;
        let known = fields.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let length = if matches!(head.status.as_u16(), 100..=199 | 204 | 304) {
            Length::Known(0)
        } else if headers::has_token(fields, &TRANSFER_ENCODING, "chunked") {
            Length::Chunked(Chunk::Line(Vec::new()))
        } else {
            known.map_or(Length::UntilClosed, Length::Known)
        };
        let is_whole = matches!(length, Length::Known(0));
        let encoding = headers::encoding(fields).map(headers::excerpt);
        Excerpt { length, text: Vec::new(), is_whole, raw: 0, encoding }
    }

    /// Takes what has come of the body.
    pub(in crate::handshake) fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = &bytes[..bytes.len().min(MAX_RAW - self.raw)];
        self.raw += bytes.len();
        // Ends: each turn takes an octet at least.
        while !self.is_whole && !bytes.is_empty() {
            bytes = match &mut self.length {
                Length::UntilClosed => {
                    self.text.extend_from_slice(bytes);
                    return;
                }
                Length::Known(left) => {
                    let rest = take(&mut self.text, bytes, left);
                    self.is_whole = *left == 0;
                    rest
                }
                Length::Chunked(chunk) => match chunk.receive(&mut self.text, bytes) {
                    Some(rest) => rest,
                    None => {
                        self.is_whole = true;
                        return;
                    }
                },
            };
        }
    }

    /// Whether nothing more that comes would be shown.
    pub(in crate::handshake) fn is_complete(&self) -> bool {
        self.is_whole || self.encoding.is_some() || self.text.len() >= MAX_TEXT || self.raw == MAX_RAW
    }

    /// What has come; or how it is encoded, where that hides it.
    pub(in crate::handshake) fn finish(self) -> Result<Vec<u8>, String> {
        let mut text = self.text;
        text.truncate(MAX_TEXT);
        match self.encoding {
            Some(encoding) if !text.is_empty() => Err(encoding),
            _ => Ok(text),
        }
    }
}

/// Moves as much to `text` as is left of it; returns the rest.
fn take<'a>(text: &mut Vec<u8>, bytes: &'a [u8], left: &mut u64) -> &'a [u8] {
    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= n as u64;
    text.extend_from_slice(&bytes[..n]);
    &bytes[n..]
}

impl Chunk {
    /// Takes a part of the bytes, and returns the rest; `None` at the end of the body. What breaks its rules ends it, too.
    fn receive<'a>(&mut self, text: &mut Vec<u8>, bytes: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Chunk::Line(line) => {
                let end = bytes.iter().position(|octet| *octet == b'\n').map_or(bytes.len(), |at| at + 1);
                line.extend_from_slice(&bytes[..end]);
                match httparse::parse_chunk_size(line) {
                    Ok(httparse::Status::Complete((_, 0))) | Err(_) => return None,
                    Ok(httparse::Status::Complete((_, length))) => *self = Chunk::Data(length),
                    Ok(httparse::Status::Partial) if line.len() > MAX_LINE => return None,
                    Ok(httparse::Status::Partial) => {}
                }
                Some(&bytes[end..])
            }
            Chunk::Data(left) => {
                let rest = take(text, bytes, left);
                if *left == 0 {
                    *self = Chunk::Behind(0);
                }
                Some(rest)
            }
            Chunk::Behind(come) => {
                if bytes[0] != b"\r\n"[*come] {
                    return None;
                }
                *self = if *come == 0 { Chunk::Behind(1) } else { Chunk::Line(Vec::new()) };
                Some(&bytes[1..])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &[(&'static str, &'static str)]) -> Parts {
        let mut response = http::Response::new(());
        for (name, value) in fields {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        response.into_parts().0
    }

    /// What is shown of a body, however it is cut.
    #[track_caller]
    fn shown(fields: &[(&'static str, &'static str)], body: &[u8]) -> (Result<Vec<u8>, String>, bool) {
        let mut excerpt = Excerpt::new(&head(fields));
        excerpt.receive(body);
        let mut stepwise = Excerpt::new(&head(fields));
        body.iter().for_each(|octet| stepwise.receive(&[*octet]));
        let is_complete = excerpt.is_complete();
        let shown = excerpt.finish();
        assert_eq!((stepwise.is_complete(), stepwise.finish()), (is_complete, shown.clone()));
        (shown, is_complete)
    }

    #[test]
    fn body_ends_where_its_length_its_chunks_or_the_limit_say() {
        let chunked = [("transfer-encoding", "chunked")];
        let ok = |text: &[u8]| Ok(text.to_vec());
        assert_eq!(shown(&[("content-length", "3")], b"noble"), (ok(b"nob"), true));
        assert_eq!(shown(&[("content-length", "3")], b"no"), (ok(b"no"), false));
        assert_eq!(shown(&[("content-length", "99999999999999999999")], b"no"), (ok(b"no"), false));
        assert_eq!(shown(&[], b"no"), (ok(b"no"), false));
        assert_eq!(shown(&chunked, b"2\r\nno\r\n3;x=y\r\nble\r\n0\r\n\r\n"), (ok(b"noble"), true));
        assert_eq!(shown(&chunked, b"2\r\nno\r\n3\r\nbl"), (ok(b"nobl"), false));
        assert_eq!(shown(&chunked, b"2\r\nno\r\nx"), (ok(b"no"), true));
        assert_eq!(shown(&chunked, b"2\r\nnoble"), (ok(b"no"), true));
        assert_eq!(shown(&chunked, b"ffffffffffffffff\r\nno"), (ok(b"no"), false));
        assert_eq!(shown(&chunked, b""), (ok(b""), false));
        assert_eq!(shown(&[], &[b'x'; 5000]), (ok(&[b'x'; 1024]), true));
        assert_eq!(shown(&chunked, &b"1\r\nx\r\n".repeat(5000)), (ok(&[b'x'; 1024]), true));
        assert_eq!(shown(&chunked, &[b"1;".to_vec(), vec![b'y'; 20_000]].concat()), (ok(b""), true));
    }

    #[test]
    fn encoded_body_is_named_and_not_shown() {
        let gzip = [("content-encoding", "gzip"), ("content-length", "100")];
        assert_eq!(shown(&gzip, b"\x1f\x8b"), (Err("gzip".to_owned()), true));
        assert_eq!(shown(&gzip, b""), (Ok(Vec::new()), true));
        let both = [("transfer-encoding", "gzip, chunked")];
        assert_eq!(shown(&both, b"2\r\n\x1f\x8b\r\n"), (Err("gzip".to_owned()), true));
        assert_eq!(shown(&[("content-encoding", "identity")], b"no").0, Ok(b"no".to_vec()));
    }
}
