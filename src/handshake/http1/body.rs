//! The beginning of a body, for an error.

#![cfg(feature = "connect")]

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;

use crate::handshake::headers;

/// The most of a body that goes into an error.
const MAX_TEXT: usize = 1024;

/// The most that is read for it: chunks can be as short as a byte.
const MAX_RAW: usize = 16 * 1024;

/// What of the body of a refusal helps: its first KiB, chunks undone.
#[derive(Debug)]
pub(in crate::handshake) struct Excerpt {
    length: Length,
    raw: Vec<u8>,
    /// gzip, for instance: then nothing of it can be read.
    encoding: Option<String>,
}

/// Where a body ends (RFC 9112, section 6.3).
#[derive(Debug, PartialEq, Eq)]
enum Length {
    Known(u64),
    Chunked,
    UntilClosed,
}

impl Excerpt {
    /// For the body behind this head.
    pub(in crate::handshake) fn new(head: &Parts) -> Self {
        let fields = &head.headers;
        let known = fields.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let length = if matches!(head.status.as_u16(), 100..=199 | 204 | 304) {
            Length::Known(0)
        } else if headers::has_token(fields, &TRANSFER_ENCODING, "chunked") {
            Length::Chunked
        } else {
            known.map_or(Length::UntilClosed, Length::Known)
        };
        Excerpt { length, raw: Vec::new(), encoding: headers::encoding(fields).map(headers::excerpt) }
    }

    /// Takes what has come of the body.
    pub(in crate::handshake) fn receive(&mut self, bytes: &[u8]) {
        let n = bytes.len().min(MAX_RAW - self.raw.len());
        self.raw.extend_from_slice(&bytes[..n]);
    }

    /// Whether nothing more that comes would be shown.
    pub(in crate::handshake) fn is_complete(&self) -> bool {
        let (text, is_whole) = self.undo();
        is_whole || self.encoding.is_some() || text.len() >= MAX_TEXT || self.raw.len() == MAX_RAW
    }

    /// What has come; or how it is encoded, where that hides it.
    pub(in crate::handshake) fn finish(self) -> Result<Vec<u8>, String> {
        let mut text = self.undo().0;
        text.truncate(MAX_TEXT);
        match self.encoding {
            Some(encoding) if !text.is_empty() => Err(encoding),
            _ => Ok(text),
        }
    }

    /// The body so far, and whether that is all of it.
    fn undo(&self) -> (Vec<u8>, bool) {
        match self.length {
            Length::Known(length) => {
                let whole = usize::try_from(length).ok().filter(|length| *length <= self.raw.len());
                (self.raw[..whole.unwrap_or(self.raw.len())].to_vec(), whole.is_some())
            }
            Length::Chunked => undo_chunks(&self.raw),
            Length::UntilClosed => (self.raw.clone(), false),
        }
    }
}

/// RFC 9112, section 7.1. What breaks its rules ends the body.
fn undo_chunks(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut text = Vec::new();
    // Ends: each turn takes at least the two octets of a line.
    loop {
        let (line, length) = match httparse::parse_chunk_size(raw) {
            Ok(httparse::Status::Complete((_, 0))) | Err(_) => return (text, true),
            Ok(httparse::Status::Complete(chunk)) => chunk,
            Ok(httparse::Status::Partial) => return (text, false),
        };
        let rest = &raw[line..];
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= rest.len()) else {
            text.extend_from_slice(rest);
            return (text, false);
        };
        text.extend_from_slice(&rest[..length]);
        raw = match &rest[length..] {
            [b'\r', b'\n', next @ ..] => next,
            [] | [b'\r'] => return (text, false),
            _ => return (text, true),
        };
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
