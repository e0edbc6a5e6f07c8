//! UTF-8 that arrives in pieces (RFC 3629; RFC 6455, section 8.1).

/// Where a sequence of bytes stands between code points.
///
/// The default is a boundary: no code point is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Utf8 {
    /// Bytes of the current code point that are still missing; 0 between code points.
    need: u8,
    /// Those that have come. Between code points: how many may still be the rest of one whose beginning is not known.
    have: u8,
    /// What the next byte may be, while one is missing.
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Whether no code point is under way.
    pub(crate) fn is_boundary(self) -> bool {
        self.need == 0
    }

    /// How many bytes of an unfinished code point have come: 0 to 3.
    pub(crate) fn unfinished(self) -> usize {
        if self.need == 0 { 0 } else { self.have.into() }
    }

    /// Perhaps inside a code point: up to three bytes of it may come.
    pub(crate) fn somewhere() -> Self {
        Utf8 { have: 3, ..Utf8::default() }
    }

    /// Whether that is still not known.
    fn is_somewhere(self) -> bool {
        self.need == 0 && self.have > 0
    }

    /// Goes on with `bytes`; the error is the index of the first byte that cannot be there.
    pub(crate) fn check(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while self.is_somewhere() && at < bytes.len() {
            if !is_continuation(bytes[at]) {
                self.have = 0;
                break;
            }
            self.have -= 1;
            at += 1;
        }
        while self.need > 0 && at < bytes.len() {
            self.step(bytes[at]).map_err(|()| at)?;
            at += 1;
        }
        let Err(error) = std::str::from_utf8(&bytes[at..]) else { return Ok(()) };
        // The whole code points are valid; what follows is cut, or ends at the byte that breaks it.
        at += error.valid_up_to();
        for (at, byte) in bytes.iter().enumerate().skip(at) {
            self.step(*byte).map_err(|()| at)?;
        }
        Ok(())
    }

    /// One byte, by the table of RFC 3629, section 4.
    fn step(&mut self, byte: u8) -> Result<(), ()> {
        if self.need > 0 {
            if !(self.low..=self.high).contains(&byte) {
                return Err(());
            }
            *self = match self.need {
                1 => Utf8::default(),
                need => Utf8 { need: need - 1, have: self.have + 1, low: 0x80, high: 0xbf },
            };
            return Ok(());
        }
        let (need, low, high) = match byte {
            0x00..=0x7f => {
                *self = Utf8::default();
                return Ok(());
            }
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            _ => return Err(()),
        };
        *self = Utf8 { need, have: 1, low, high };
        Ok(())
    }
}

/// Whether a byte is the second or a later one of its code point.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod exhaustive;

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict of a byte-by-byte reading, the reference for any cut.
    fn verdict(bytes: &[u8]) -> Result<bool, usize> {
        let mut utf8 = Utf8::default();
        for (at, byte) in bytes.iter().enumerate() {
            utf8.check(&[*byte]).map_err(|_| at)?;
        }
        Ok(utf8.is_boundary())
    }

    #[test]
    fn verdict_and_offset_do_not_depend_on_the_cut() {
        let texts: [&[u8]; 9] = [
            "aé€😀z".as_bytes(),
            b"ab\xff",
            b"\xe0\x80\x80",
            b"\xed\xa0\x80",
            b"\xf0\x9f\x98",
            b"\xf4\x90\x80\x80",
            b"x\xc3(",
            b"\xc0\xaf",
            b"\xf0\x9f\x98\x80\x80",
        ];
        for text in texts {
            for cut in 0..=text.len() {
                let mut utf8 = Utf8::default();
                let seen = utf8
                    .check(&text[..cut])
                    .and_then(|()| utf8.check(&text[cut..]).map_err(|at| at + cut))
                    .map(|()| utf8.is_boundary());
                assert_eq!(seen, verdict(text), "{text:02x?} cut at {cut}");
            }
        }
    }

    #[test]
    fn somewhere_takes_the_rest_of_one_code_point_and_then_judges_as_ever() {
        for (text, expected) in [
            (b"".as_slice(), Ok(())),
            (b"a\xc3\xa9", Ok(())),
            (b"\xa9b", Ok(())),
            (b"\x9f\x98\x80", Ok(())),
            (b"\x9f\x98\x80\x80", Err(3)),
            (b"\x80a\x80", Err(2)),
            (b"a\x80", Err(1)),
        ] {
            for cut in 0..=text.len() {
                let mut utf8 = Utf8::somewhere();
                let judged =
                    utf8.check(&text[..cut]).and_then(|()| utf8.check(&text[cut..]).map_err(|at| at + cut));
                assert_eq!(judged, expected, "{text:02x?} cut at {cut}");
            }
        }
    }

    #[test]
    fn unfinished_counts_the_bytes_that_have_come() {
        let text = "😀".as_bytes();
        for (n, unfinished) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 0)] {
            let mut utf8 = Utf8::default();
            utf8.check(&text[..n]).unwrap();
            assert_eq!(utf8.unfinished(), unfinished);
        }
    }
}
