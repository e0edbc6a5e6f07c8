//! Frame headers (RFC 6455, section 5.2): parsed strictly, encoded minimally.

use super::Key;
use crate::{Error, OpCode, Role};

/// The longest header: two octets, a 64-bit length and a masking key.
pub(crate) const MAX_LEN: usize = 14;

/// The longest payload of a control frame (RFC 6455, section 5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;

const FIN: u8 = 0x80;
const RSV: u8 = 0x70;
const MASK: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// What the receiving end demands of the MASK bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masking {
    Required,
    Forbidden,
    Optional,
}

impl Masking {
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
    //# The server MUST close the connection upon receiving a frame that is not masked.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.1
    //# A client MUST close a connection if it detects a masked frame.
    pub(crate) fn of(role: Role, allow_unmasked: bool) -> Self {
        match role {
            Role::Client => Masking::Forbidden,
            Role::Server if allow_unmasked => Masking::Optional,
            Role::Server => Masking::Required,
        }
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) opcode: OpCode,
    pub(crate) key: Option<Key>,
    pub(crate) length: u64,
}

impl Header {
    /// Parses the header at the start of `bytes`, and says how many octets it takes; `None` asks for more.
    ///
    /// Every rule is checked at the octet that shows it, in the order of the octets, so the verdict does not
    /// depend on how the octets arrived. `admit` is asked whether a frame of this kind may come now.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-10.7
    //# Incoming data MUST always be validated
    #[inline]
    pub(crate) fn parse(
        bytes: &[u8],
        masking: Masking,
        admit: impl FnOnce(OpCode) -> Result<(), Error>,
    ) -> Result<Option<(Header, usize)>, Error> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (fin, opcode) = parse_first(first)?;
        admit(opcode)?;

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let masked = second & MASK != 0;
        match masking {
            Masking::Required if !masked => return Err(Error::UnmaskedFrame),
            Masking::Forbidden if masked => return Err(Error::MaskedFrame),
            _ => {}
        }
        let length = second & !MASK;
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5
        //# All control frames MUST have a payload length of 125 bytes or less
        if opcode.is_control() && usize::from(length) > MAX_CONTROL_PAYLOAD {
            return Err(Error::ControlFrameTooLong { opcode });
        }

        let Some((length, key_at)) = parse_length(bytes, length)? else { return Ok(None) };
        if !masked {
            return Ok(Some((Header { fin, opcode, key: None, length }, key_at)));
        }
        let Some(key) = bytes[key_at..].first_chunk() else { return Ok(None) };
        Ok(Some((Header { fin, opcode, key: Some(Key::from(*key)), length }, key_at + key.len())))
    }

    /// Writes the header to the start of `out` in the shortest form there is, and returns its length.
    ///
    /// `out` holds at least [`MAX_LEN`] octets.
    #[inline(always)]
    pub(crate) fn encode(&self, out: &mut [u8]) -> usize {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# MUST be 0 unless an extension is negotiated that defines meanings for non-zero values.
        out[0] = if self.fin { FIN } else { 0 } | self.opcode as u8;
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
        //# A masked frame MUST have the field frame-masked set to 1,
        let mask = if self.key.is_some() { MASK } else { 0 };
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
        //# the minimal number of bytes MUST be used to encode the length
        // Exact: each arm has checked the range.
        #[allow(clippy::cast_possible_truncation)]
        let mut n = match self.length {
            0..=125 => {
                out[1] = mask | self.length as u8;
                2
            }
            126..=0xffff => {
                out[1] = mask | LENGTH_16;
                out[2..4].copy_from_slice(&(self.length as u16).to_be_bytes());
                4
            }
            _ => {
                out[1] = mask | LENGTH_64;
                out[2..10].copy_from_slice(&self.length.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.key {
            out[n..n + 4].copy_from_slice(&key.octets());
            n += 4;
        }
        n
    }
}

/// How many octets a header takes.
pub(crate) fn encoded_len(length: u64, masked: bool) -> usize {
    let key = if masked { 4 } else { 0 };
    key + match length {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// The first octet: FIN, RSV1-3 and the opcode (section 5.2), and that control frames are whole (5.5).
#[inline]
fn parse_first(octet: u8) -> Result<(bool, OpCode), Error> {
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
    //# If a nonzero value is received and none of the negotiated extensions defines the meaning of such a
    //# nonzero value, the receiving endpoint MUST _Fail the WebSocket Connection_.
    if octet & RSV != 0 {
        return Err(Error::ReservedBits { bits: (octet & RSV) >> 4 });
    }
    let number = octet & 0x0f;
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
    //# If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_.
    let opcode = OpCode::from_octet(number).ok_or(Error::ReservedOpcode { opcode: number })?;
    let fin = octet & FIN != 0;
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.5
    //# MUST NOT be fragmented.
    if opcode.is_control() && !fin {
        return Err(Error::FragmentedControlFrame { opcode });
    }
    Ok((fin, opcode))
}

/// The length, given its 7-bit form, and where the masking key would start.
#[inline]
fn parse_length(bytes: &[u8], short: u8) -> Result<Option<(u64, usize)>, Error> {
    let (length, minimum, end) = match short {
        LENGTH_16 => {
            let Some(octets) = bytes[2..].first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*octets)), 126, 4)
        }
        LENGTH_64 => {
            let Some(octets) = bytes[2..].first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*octets), 0x1_0000, 10)
        }
        _ => return Ok(Some((u64::from(short), 2))),
    };
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
    //# the minimal number of bytes MUST be used to encode the length
    if length < minimum {
        return Err(Error::LengthNotMinimal { length, bits: if end == 4 { 16 } else { 64 } });
    }
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.2
    //# the most significant bit MUST be 0
    if length > i64::MAX as u64 {
        return Err(Error::LengthTooLarge { length });
    }
    Ok(Some((length, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(_: OpCode) -> Result<(), Error> {
        Ok(())
    }

    #[test]
    fn header_of_every_length_form_survives_the_round_trip_and_every_cut() {
        for length in [0, 1, 125, 126, 127, 0xffff, 0x1_0000, 1 << 40, i64::MAX as u64] {
            for key in [None, Some(Key::from([1, 2, 3, 4]))] {
                let header = Header { fin: true, opcode: OpCode::Binary, key, length };
                let mut out = [0; MAX_LEN];
                let n = header.encode(&mut out);
                for cut in 0..n {
                    assert_eq!(Header::parse(&out[..cut], Masking::Optional, any).unwrap(), None);
                }
                assert_eq!(Header::parse(&out, Masking::Optional, any).unwrap(), Some((header, n)));
            }
        }
    }

    #[test]
    fn first_octet_is_judged_without_the_second() {
        for octet in 0..=0xff_u8 {
            let legal = matches!(octet, 0x00..=0x02 | 0x80..=0x82 | 0x88..=0x8a);
            assert_eq!(Header::parse(&[octet], Masking::Required, any).is_ok(), legal, "{octet:#04x}");
        }
    }

    /// What a stream makes of them is shown by `tests/exhaustive`.
    #[test]
    fn every_two_octets_are_judged_alike_at_every_cut_and_encoded_as_they_came() {
        let mut legal = 0;
        for masking in [Masking::Required, Masking::Forbidden, Masking::Optional] {
            for number in 0..=u16::MAX {
                let [first, second] = number.to_be_bytes();
                // The shortest length of its form; a key, should there be one.
                let octets: &[u8] = match second & 0x7f {
                    126 => &[0, 126],
                    127 => &[0, 0, 0, 0, 0, 1, 0, 0],
                    _ => &[],
                };
                let bytes = [&[first, second], octets, &[1, 2, 3, 4]].concat();
                let whole = Header::parse(&bytes, masking, any);
                // As soon as enough has come, it is the same whatever follows.
                for end in 0..=bytes.len() {
                    let cut = Header::parse(&bytes[..end], masking, any);
                    assert!(cut == Ok(None) || cut == whole, "{number:#06x} cut at {end}");
                }
                let Ok(header) = whole else { continue };
                let (header, n) = header.expect("nothing is missing");
                let mut out = [0; MAX_LEN];
                assert_eq!((header.encode(&mut out), &out[..n]), (n, &bytes[..n]));
                assert_eq!(encoded_len(header.length, header.key.is_some()), n);
                legal += 1;
            }
        }
        // Three data opcodes with FIN or without and 128 lengths, three control opcodes with 126; masked, not, and either.
        assert_eq!(legal, (3 * 2 * 128 + 3 * 126) * (1 + 1 + 2));
    }
}
