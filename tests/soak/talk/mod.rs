//! Conversations in which every byte is known to both ends, and the ways in which they end. The example `soak` of `bench` has the same.
#![allow(dead_code)]

pub mod ask;
pub mod client;
pub mod dice;
pub mod server;
pub mod tally;

/// Bytes of a known sequence are sent and compared by slices of this.
const BLOCK: usize = 64 * 1024;

/// A sequence without an end, of which each conversation has a place of its own. It is text as well, with code points of one to four
/// bytes.
pub struct Sequence {
    bytes: Vec<u8>,
    period: usize,
}

impl Sequence {
    pub fn new() -> Self {
        let mut dice = dice::Dice::new(1);
        let mut text = String::new();
        while text.len() < 61_000 {
            let char = match dice.below(4) {
                0 => dice.below(0x60) as u32 + 0x20,
                1 => dice.below(0x700) as u32 + 0x80,
                2 => dice.below(0xc000) as u32 + 0x800,
                _ => dice.below(0x10_0000) as u32 + 0x1_0000,
            };
            text.extend(char::from_u32(char));
        }
        let period = text.len();
        // Any block can be had in one piece.
        let bytes = text.repeat(1 + BLOCK.div_ceil(period)).into_bytes();
        Sequence { bytes, period }
    }

    /// A block, or less, from this place on.
    pub fn at(&self, place: u64, length: usize) -> &[u8] {
        let start = (place % self.period as u64) as usize;
        &self.bytes[start..start + length.min(BLOCK)]
    }

    /// The next place where a code point begins.
    pub fn boundary(&self, mut place: u64) -> u64 {
        // At most 3 turns.
        while self.at(place, 1)[0] & 0xc0 == 0x80 {
            place += 1;
        }
        place
    }
}

/// A place in the sequence, and how much of it has been gone over.
pub struct Check<'a> {
    sequence: &'a Sequence,
    place: u64,
    pub done: u64,
}

impl<'a> Check<'a> {
    pub fn new(sequence: &'a Sequence, place: u64) -> Self {
        Check { sequence, place, done: 0 }
    }

    /// Whether these bytes are the next ones.
    pub fn goes_on_with(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let expected = self.sequence.at(self.place + self.done, bytes.len());
            let (now, later) = bytes.split_at(expected.len());
            if now != expected {
                return false;
            }
            self.done += now.len() as u64;
            bytes = later;
        }
        true
    }

    /// The next bytes, at most so many.
    pub fn next(&mut self, most: u64) -> &'a [u8] {
        let bytes = self.sequence.at(self.place + self.done, usize::try_from(most).unwrap_or(BLOCK));
        self.done += bytes.len() as u64;
        bytes
    }
}
