//! UTF-8 (RFC 3629, section 4), octet by octet.

/// ```text
/// UTF8-2 = %xC2-DF UTF8-tail
/// UTF8-3 = %xE0 %xA0-BF UTF8-tail / %xE1-EC 2( UTF8-tail ) / %xED %x80-9F UTF8-tail / %xEE-EF 2( UTF8-tail )
/// UTF8-4 = %xF0 %x90-BF 2( UTF8-tail ) / %xF1-F3 3( UTF8-tail ) / %xF4 %x80-8F 2( UTF8-tail )
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8 {
    /// Octets of the current code point: those that have come, and those that must.
    come: usize,
    left: usize,
    /// What the next one may be.
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Takes an octet, if it may come.
    pub fn take(&mut self, octet: u8) -> bool {
        if self.left > 0 {
            if octet < self.low || octet > self.high {
                return false;
            }
            (self.come, self.left, self.low, self.high) = (self.come + 1, self.left - 1, 0x80, 0xbf);
            return true;
        }
        (self.left, self.low, self.high) = match octet {
            0x00..=0x7f => (0, 0, 0),
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return false,
        };
        self.come = 1;
        true
    }

    /// How many octets have come of a code point that is not complete.
    pub fn unfinished(&self) -> usize {
        if self.left > 0 { self.come } else { 0 }
    }
}
