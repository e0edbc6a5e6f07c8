//! What a run draws from its input.

use std::io::IoSlice;

use arbitrary::Unstructured;

use crate::utf8::Utf8;

/// The bytes that the fuzzer has made. Where they are used up, it goes on with zeros.
pub struct Input<'a>(Unstructured<'a>);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Input(Unstructured::new(data))
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn left(&self) -> usize {
        self.0.len()
    }

    pub fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or(0)
    }

    /// 0 to `n - 1`.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n.max(1) - 1;
        self.0.int_in_range(0..=n).unwrap_or(0)
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// The next bytes, as many as there are, at most `n`.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let n = n.min(self.left());
        self.0.bytes(n).unwrap_or_default()
    }

    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// A length: mostly short, now and then beside one of the limits that the stream has.
    pub fn length(&mut self) -> usize {
        match self.byte() {
            n @ 0..=219 => usize::from(n % 24),
            220..=235 => 120 + self.below(12),
            236..=249 => self.below(1200),
            250..=252 => 4090 + self.below(12),
            253 => 16_370 + self.below(40),
            254 => 65_520 + self.below(40),
            255 => 262_130 + self.below(40),
        }
    }
}

/// Bytes that differ everywhere, from one run to the next of the same kind.
pub fn pattern(serial: usize, len: usize) -> Vec<u8> {
    let serial = serial as u64;
    (0..len as u64).map(|i| ((i ^ serial << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Text of code points of 1 to 4 bytes, exactly so many bytes of it: the last may be cut.
pub fn text(serial: usize, len: usize) -> Vec<u8> {
    const POINTS: [char; 7] = ['a', 'z', 'é', '€', '\u{d7ff}', '😀', '\u{10ffff}'];
    let mut text = String::new();
    let mut i = serial;
    while text.len() < len {
        text.push(POINTS[i * 5 % 7]);
        i += 1 + i % 3;
    }
    let mut bytes = text.into_bytes();
    bytes.truncate(len);
    bytes
}

/// Text that goes on where `tail`, the start of a code point, has ended.
pub fn text_behind(tail: &[u8], serial: usize, len: usize) -> Vec<u8> {
    let mut utf8 = Utf8::default();
    tail.iter().for_each(|octet| assert!(utf8.take(*octet)));
    let mut bytes = Vec::new();
    while utf8.unfinished() > 0 {
        bytes.extend((0x80..=0xbf).find(|octet| utf8.take(*octet)));
    }
    bytes.extend(text(serial, len));
    bytes.truncate(len);
    bytes
}

/// The bytes in slices of these lengths.
pub fn slices<'a>(mut bytes: &'a [u8], lengths: &[usize]) -> Vec<IoSlice<'a>> {
    let slice = |length: &usize| {
        let (slice, rest) = bytes.split_at(*length);
        bytes = rest;
        IoSlice::new(slice)
    };
    lengths.iter().map(slice).collect()
}
