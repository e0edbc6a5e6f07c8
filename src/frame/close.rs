//! The payload of a Close frame (RFC 6455, sections 5.5.1 and 7.4).

use super::header::MAX_CONTROL_PAYLOAD;
use crate::{CloseCode, Error};

/// The longest reason: a control frame's payload less the code.
const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// What a Close frame says.
///
/// # Examples
///
/// ```
/// use fastwebsockets_stream::{CloseCode, CloseFrame};
///
/// let close = CloseFrame { code: Some(CloseCode::AWAY), reason: "restarting".into() };
/// assert_eq!(close.to_string(), "1001 (going away): restarting");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseFrame {
    /// The status code; `None` where the frame had no payload, which RFC 6455 calls 1005.
    pub code: Option<CloseCode>,
    /// The reason: UTF-8, at most 123 bytes, often empty. It is meant for logs, not for people.
    pub reason: String,
}

impl std::fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            None => f.write_str("no code")?,
            Some(code) => code.fmt(f)?,
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

impl CloseFrame {
    /// Parses a Close frame's payload.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Error> {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# the first two bytes of the body MUST be a 2-byte unsigned integer
        let (code, reason) = match payload {
            [] => return Ok(CloseFrame::default()),
            [_] => return Err(Error::ClosePayloadTooShort),
            [high, low, reason @ ..] => (CloseCode::from(u16::from_be_bytes([*high, *low])), reason),
        };
        if !code.is_sendable() {
            return Err(Error::CloseCodeInvalid { code });
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Error::CloseReasonNotUtf8)?;
        Ok(CloseFrame { code: Some(code), reason: reason.to_owned() })
    }
}

/// The payload of a Close frame that this end sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosePayload<'a> {
    code: Option<u16>,
    reason: &'a str,
}

impl<'a> ClosePayload<'a> {
    /// A code alone, or nothing at all.
    pub(crate) fn bare(code: Option<CloseCode>) -> Self {
        ClosePayload { code: code.map(u16::from), reason: "" }
    }

    /// What a user asked for, checked.
    pub(crate) fn checked(code: CloseCode, reason: &'a str) -> Result<Self, Error> {
        if !code.is_sendable() {
            return Err(Error::CloseCodeNotSendable { code });
        }
        if reason.len() > MAX_REASON {
            return Err(Error::CloseReasonTooLong { length: reason.len() });
        }
        Ok(ClosePayload { code: Some(code.into()), reason })
    }

    /// A code with a reason of any length, cut at a code point to what fits.
    pub(crate) fn cut(code: CloseCode, reason: &'a str) -> Self {
        let most = reason.len().min(MAX_REASON);
        // Ends at 0 at the latest.
        let end = (0..=most).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
        ClosePayload { code: Some(code.into()), reason: &reason[..end] }
    }

    pub(crate) fn code(&self) -> Option<u16> {
        self.code
    }

    /// Writes the payload to the start of `out`, and returns its length.
    pub(crate) fn encode(&self, out: &mut [u8; MAX_CONTROL_PAYLOAD]) -> usize {
        let Some(code) = self.code else { return 0 };
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1
        //# the first two bytes of the body MUST be a 2-byte unsigned integer
        out[..2].copy_from_slice(&code.to_be_bytes());
        out[2..2 + self.reason.len()].copy_from_slice(self.reason.as_bytes());
        2 + self.reason.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_of_any_length_is_cut_at_a_code_point_to_what_fits() {
        for char in ["x", "é", "€", "😀"] {
            for before in 0..130 {
                let reason = "a".repeat(before) + &char.repeat(40);
                let mut out = [0; MAX_CONTROL_PAYLOAD];
                let n = ClosePayload::cut(CloseCode::PROTOCOL, &reason).encode(&mut out);
                let close = CloseFrame::parse(&out[..n]).unwrap();
                assert_eq!(close.code, Some(CloseCode::PROTOCOL));
                assert!(close.reason.len() <= 123 && reason.starts_with(&close.reason));
                let next = reason[close.reason.len()..].chars().next();
                assert!(
                    next.is_none_or(|next| close.reason.len() + next.len_utf8() > 123),
                    "{before} {char}"
                );
            }
        }
    }

    /// All 16.7 million. How a stream takes and answers a Close is shown by `tests/exhaustive`.
    #[test]
    fn every_payload_of_up_to_three_bytes_is_parsed_as_sections_5_5_1_and_7_4_say() {
        let may_be_sent = |code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseFrame::parse(&[]), Ok(CloseFrame::default()));
        for octet in 0..=255 {
            assert_eq!(CloseFrame::parse(&[octet]), Err(Error::ClosePayloadTooShort));
        }
        let mut legal = 0;
        for number in 0..=u16::MAX {
            let (code, [high, low]) = (CloseCode::from(number), number.to_be_bytes());
            let expected = match may_be_sent(number) {
                true => Ok(CloseFrame { code: Some(code), reason: String::new() }),
                false => Err(Error::CloseCodeInvalid { code }),
            };
            assert_eq!(CloseFrame::parse(&[high, low]), expected);
            for third in 0..=255 {
                let parsed = CloseFrame::parse(&[high, low, third]);
                let is_right = match parsed {
                    Ok(close) => {
                        legal += 1;
                        // One byte is text up to 0x7f (RFC 3629).
                        may_be_sent(number)
                            && third <= 0x7f
                            && close.code == Some(code)
                            && close.reason.as_bytes() == [third]
                    }
                    Err(Error::CloseCodeInvalid { code: named }) => named == code && !may_be_sent(number),
                    Err(error) => error == Error::CloseReasonNotUtf8 && third > 0x7f,
                };
                assert!(is_right, "{number} {third:#04x}");
            }
        }
        assert_eq!(legal, 2012 * 128);
    }
}
