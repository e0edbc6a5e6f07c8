//! Where a head ends, found as its octets come.

use thiserror::Error;

use super::{MAX_FIELDS, MAX_HEAD, MAX_LINE};
#[cfg(feature = "connect")]
use crate::handshake::headers::excerpt;

/// Why what came is no head of HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(in crate::handshake) enum HeadError {
    #[error("the head is longer than {MAX_HEAD} bytes")]
    TooLong,
    #[error("the first line is longer than {MAX_LINE} bytes")]
    LineTooLong,
    #[error("the head has more than {MAX_FIELDS} fields")]
    TooManyFields,
    /// A record of TLS, where there is none expected.
    #[error("what came is TLS")]
    Tls,
    /// The preface of HTTP/2, or a frame of it.
    #[error("what came is HTTP/2")]
    Http2,
    #[error("what came is no HTTP/1.1: \"{received}\"")]
    NotHttp { received: String },
    /// HTTP/1.1, but with what RFC 9112 forbids.
    #[error("{reason}")]
    Malformed { reason: String },
}

impl HeadError {
    pub(super) fn malformed(reason: impl Into<String>) -> Self {
        HeadError::Malformed { reason: reason.into() }
    }

    #[cfg(feature = "connect")]
    pub(super) fn not_http(received: &[u8]) -> Self {
        HeadError::NotHttp { received: excerpt(received) }
    }
}

/// How strictly lines are told apart.
///
/// > A sender MUST NOT generate a bare CR […] a recipient of such a bare CR MUST consider that element to be invalid […]
/// > a recipient MAY recognize a single LF as a line terminator (RFC 9112, section 2.2)
///
/// A server that does so can be shown another request than the proxy before it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::handshake) enum Lines {
    /// CRLF alone.
    Strict,
    /// LF too.
    #[cfg(feature = "connect")]
    Lenient,
}

/// Goes over a head once, however it arrives.
#[derive(Debug)]
pub(super) struct Scanner {
    lines: Lines,
    /// Up to here there is nothing left to find.
    at: usize,
    /// Where the current line begins.
    line: usize,
    /// Where the first line begins.
    first: usize,
    /// Lines that are whole, empty ones before the first apart.
    count: usize,
}

impl Scanner {
    pub(super) fn new(lines: Lines) -> Self {
        Scanner { lines, at: 0, line: 0, first: 0, count: 0 }
    }

    /// Where the first line begins, behind what may stand before it.
    pub(super) fn first(&self) -> usize {
        self.first
    }

    /// How long the head is, empty line included; `None` if it goes on.
    ///
    /// `received` is all that has come, each time.
    pub(super) fn scan(&mut self, received: &[u8]) -> Result<Option<usize>, HeadError> {
        while let Some(&octet) = received.get(self.at) {
            let line = &received[self.line..self.at];
            self.at += 1;
            match octet {
                b'\n' if self.lines == Lines::Strict && line.last() != Some(&b'\r') => {
                    return Err(HeadError::malformed("a line ends with LF alone; expected CRLF"));
                }
                b'\n' => {
                    self.line = self.at;
                    let is_empty = matches!(line, [] | [b'\r']);
                    // > a server […] SHOULD ignore at least one empty line (CRLF) received prior to the request-line
                    match (is_empty, self.count) {
                        (true, 0) => self.first = self.at,
                        (true, _) => return Ok(Some(self.at)),
                        (false, _) => self.count += 1,
                    }
                    // One of them is the first line, which is no field.
                    if self.count > MAX_FIELDS + 1 {
                        return Err(HeadError::TooManyFields);
                    }
                }
                _ if line.last() == Some(&b'\r') => {
                    return Err(HeadError::malformed("a CR stands alone; only CRLF may end a line"));
                }
                0 => return Err(HeadError::malformed("there is a NUL in it")),
                b' ' | b'\t' if line.is_empty() && self.count > 0 => {
                    return Err(HeadError::malformed("a line is folded (RFC 9112, section 5.2)"));
                }
                _ => {}
            }
            if self.count == 0 && self.at - self.line >= MAX_LINE {
                return Err(HeadError::LineTooLong);
            }
            if self.at >= MAX_HEAD {
                return Err(HeadError::TooLong);
            }
        }
        Ok(None)
    }
}

#[cfg(all(test, feature = "connect"))]
mod tests {
    use super::*;

    /// What is found, if the head comes whole and if it comes octet by octet.
    #[track_caller]
    fn scan(lines: Lines, head: &[u8]) -> Result<Option<usize>, HeadError> {
        let whole = Scanner::new(lines).scan(head);
        let mut scanner = Scanner::new(lines);
        let found = (1..=head.len()).map(|end| scanner.scan(&head[..end]));
        let stepwise = found.take_while(|found| *found != whole).all(|found| found == Ok(None));
        assert!(stepwise, "{:?}", head.escape_ascii().to_string());
        whole
    }

    #[test]
    fn head_ends_with_its_empty_line_wherever_it_is_cut() {
        assert_eq!(scan(Lines::Strict, b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest"), Ok(Some(24)));
        assert_eq!(scan(Lines::Strict, b"\r\n\r\nGET / HTTP/1.1\r\n\r\nrest"), Ok(Some(22)));
        assert_eq!(scan(Lines::Lenient, b"HTTP/1.1 200\nA: b\n\nrest"), Ok(Some(19)));
        assert_eq!(scan(Lines::Lenient, b"HTTP/1.1 200\r\nA: b\n\r\nrest"), Ok(Some(21)));
        for part in [&b"GET / HTTP/1.1\r\nA: b\r\n"[..], b"GET", b"\r\n", b""] {
            assert_eq!(scan(Lines::Strict, part), Ok(None));
        }
    }

    #[test]
    fn lines_that_are_ambiguous_are_refused() {
        let strict: [&[u8]; 7] = [
            b"GET / HTTP/1.1\nA: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\r\n\n",
            b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\r\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        ];
        for head in strict {
            let found = scan(Lines::Strict, head);
            assert!(matches!(found, Err(HeadError::Malformed { .. })), "{found:?} {}", head.escape_ascii());
        }
        // What a client need not refuse either way.
        for head in &strict[3..] {
            assert!(matches!(scan(Lines::Lenient, head), Err(HeadError::Malformed { .. })));
        }
    }

    #[test]
    fn limits_hold_to_the_octet_and_the_field() {
        let first = "GET / HTTP/1.1\r\n";
        let fields = |count: usize| format!("{first}{}\r\n", "A: b\r\n".repeat(count)).into_bytes();
        assert_eq!(scan(Lines::Strict, &fields(MAX_FIELDS)), Ok(Some(fields(MAX_FIELDS).len())));
        assert_eq!(scan(Lines::Strict, &fields(MAX_FIELDS + 1)), Err(HeadError::TooManyFields));

        let long = |length: usize| format!("{first}A: {}\r\n\r\n", "b".repeat(length - 23)).into_bytes();
        assert_eq!(long(MAX_HEAD).len(), MAX_HEAD);
        assert_eq!(Scanner::new(Lines::Strict).scan(&long(MAX_HEAD)), Ok(Some(MAX_HEAD)));
        assert_eq!(Scanner::new(Lines::Strict).scan(&long(MAX_HEAD + 1)), Err(HeadError::TooLong));

        let line = |length: usize| format!("{}\r\n\r\n", "G".repeat(length - 2)).into_bytes();
        assert_eq!(Scanner::new(Lines::Strict).scan(&line(MAX_LINE)), Ok(Some(MAX_LINE + 2)));
        assert_eq!(Scanner::new(Lines::Strict).scan(&line(MAX_LINE + 1)), Err(HeadError::LineTooLong));
    }

    #[test]
    fn blank_lines_without_end_are_too_long() {
        assert_eq!(Scanner::new(Lines::Strict).scan(&b"\r\n".repeat(MAX_HEAD)), Err(HeadError::TooLong));
    }
}
