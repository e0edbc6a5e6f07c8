//! Masking (RFC 6455, section 5.3): `transformed[i] = original[i] XOR key[i MOD 4]`.
//!
//! Both loops copy and mask in one pass over the data.

use std::cell::RefCell;

use fearless_simd::{Level, Simd, dispatch};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A masking key, rotated so that its first octet is for the next octet of payload.
///
/// A word and not four octets: it is moved as one, and an `Option` of it is two aligned words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key(u32);

/// From here on it pays to ask the processor for its widest vectors.
const WIDE: usize = 768;

/// From here on the loop below moves bytes by the length of a header faster than the C library, which takes smaller steps
/// where source and destination are so close.
const CLOSE: usize = 2 * 1024;

impl Key {
    /// A fresh masking key.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
    //# the client MUST pick a fresh masking key from the set of allowed 32-bit values.
    //= https://www.rfc-editor.org/rfc/rfc6455#section-10.3
    //# Clients MUST choose a new masking key for each frame,
    #[inline]
    pub(crate) fn fresh() -> Self {
        KEYS.with_borrow_mut(|keys| {
            if keys.used == keys.block.len() {
                keys.refill();
            }
            let key = keys.block[keys.used];
            keys.used += 1;
            Key(key)
        })
    }

    /// Gives up the keys that were drawn before a `fork`: parent and child would send the same ones.
    ///
    /// For a stream that begins. One that was there before is shared by both processes anyway.
    pub(crate) fn forget_those_of_a_parent() {
        #[cfg(unix)]
        KEYS.with_borrow_mut(|keys| keys.belong_to(std::process::id()));
    }

    /// Makes the keys that this thread has drawn those of another process, and returns what they would have been.
    #[cfg(all(test, unix))]
    pub(crate) fn pretend_to_have_forked() -> Vec<[u8; 4]> {
        KEYS.with_borrow_mut(|keys| {
            keys.refill();
            keys.process = std::process::id().wrapping_add(1);
            keys.block.iter().map(|key| key.to_le_bytes()).collect()
        })
    }

    /// Twice in a row.
    #[inline]
    fn twice(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.0)
    }

    /// As on the wire.
    #[inline]
    pub(crate) fn octets(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    /// The key for the payload that follows `n` octets later.
    #[inline]
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // 0 to 3.
    pub(crate) fn rotate(self, n: usize) -> Self {
        // Little-endian, the first octet is the lowest.
        Key(self.0.rotate_right(8 * (n & 3) as u32))
    }
}

impl From<[u8; 4]> for Key {
    #[inline]
    fn from(octets: [u8; 4]) -> Self {
        Key(u32::from_le_bytes(octets))
    }
}

/// Keys that have been drawn and not been used: reaching the generator costs more than drawing.
struct Keys {
    block: [u32; 64],
    used: usize,
    /// ChaCha, seeded by the operating system. Not `rand::thread_rng`: that one is gone while a thread ends, when a stream
    /// may still be dropped.
    generator: Option<StdRng>,
    /// The process that it was made in.
    process: u32,
}

impl Keys {
    const NONE: Self = Keys { block: [0; 64], used: 64, generator: None, process: 0 };

    #[cfg_attr(not(unix), expect(dead_code))]
    fn belong_to(&mut self, process: u32) {
        if self.process != process {
            *self = Keys { process, ..Keys::NONE };
        }
    }

    #[cold]
    fn refill(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
        //# the masking key MUST be derived from a strong source of entropy
        //= https://www.rfc-editor.org/rfc/rfc6455#section-5.3
        //# the masking key for a given frame MUST NOT make it simple for a server/proxy to predict the masking
        //# key for a subsequent frame.
        self.generator.get_or_insert_with(StdRng::from_entropy).fill(&mut self.block[..]);
        self.used = 0;
    }
}

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(Keys::NONE) };
}

/// Then they outlive whatever a thread has to drop.
const _: () = assert!(!std::mem::needs_drop::<Keys>());

/// Copies `from` to `to`, which are of one length, and masks on the way.
#[inline(always)]
pub(crate) fn copy(from: &[u8], to: &mut [u8], key: Key) {
    debug_assert_eq!(from.len(), to.len());
    if from.len() < WIDE {
        copy_loop(from, to, key);
    } else {
        copy_wide(from, to, key);
    }
}

fn copy_wide(from: &[u8], to: &mut [u8], key: Key) {
    let level = Level::new();
    dispatch!(level, simd => simd.vectorize(#[inline(always)] || copy_loop(from, to, key)));
}

/// Moves `bytes[from..from + n]` down to `bytes[to..to + n]`, `to <= from`, and masks on the way.
#[inline]
pub(crate) fn shift(bytes: &mut [u8], from: usize, to: usize, n: usize, key: Key) {
    debug_assert!(to <= from);
    let (bytes, gap) = (&mut bytes[to..from + n], from - to);
    if n < WIDE {
        shift_loop(bytes, gap, key);
    } else {
        shift_wide(bytes, gap, key);
    }
}

/// The same without a key.
#[inline]
pub(crate) fn shift_plain(bytes: &mut [u8], from: usize, to: usize, n: usize) {
    if n < CLOSE {
        bytes.copy_within(from..from + n, to);
    } else {
        shift(bytes, from, to, n, Key::default());
    }
}

fn shift_wide(bytes: &mut [u8], gap: usize, key: Key) {
    let level = Level::new();
    dispatch!(level, simd => simd.vectorize(#[inline(always)] || shift_loop(bytes, gap, key)));
}

/// By words, not by octets: that is what the compiler turns into vectors of any width.
#[inline(always)]
fn copy_loop(from: &[u8], to: &mut [u8], key: Key) {
    let mut key = key.twice();
    let (words_from, from) = from.as_chunks::<8>();
    let (words_to, to) = to.as_chunks_mut::<8>();
    for (from, to) in words_from.iter().zip(words_to) {
        *to = (u64::from_le_bytes(*from) ^ key).to_le_bytes();
    }
    // At most 7 are left.
    for (from, to) in from.iter().zip(to) {
        *to = from ^ key.to_le_bytes()[0];
        key >>= 8;
    }
}

/// `bytes` is `gap` octets longer than what is moved to its start.
///
/// Going upwards is what makes the overlap harmless: a chunk is read whole before it is written `gap` octets
/// lower, where nothing unread can be.
#[inline(always)]
fn shift_loop(bytes: &mut [u8], gap: usize, key: Key) {
    let n = bytes.len() - gap;
    let (mut key, mut at) = (key.twice(), 0);
    at = shift_chunks::<64>(bytes, gap, key, at, n);
    at = shift_chunks::<8>(bytes, gap, key, at, n);
    // At most 7 are left.
    for at in at..n.min(at + 7) {
        bytes[at] = bytes[at + gap] ^ key.to_le_bytes()[0];
        key >>= 8;
    }
}

#[inline(always)]
fn shift_chunks<const N: usize>(bytes: &mut [u8], gap: usize, key: u64, mut at: usize, n: usize) -> usize {
    while at + N <= n {
        if let Some(chunk) = bytes[at + gap..].first_chunk::<N>() {
            let mut chunk = *chunk;
            for word in chunk.as_chunks_mut().0 {
                *word = (u64::from_le_bytes(*word) ^ key).to_le_bytes();
            }
            bytes[at..at + N].copy_from_slice(&chunk);
        }
        at += N;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_another_process_are_given_up_with_their_generator() {
        let mut keys = Keys::NONE;
        keys.belong_to(1);
        keys.refill();
        let drawn = keys.block;
        keys.belong_to(1);
        assert_eq!((keys.block, keys.used), (drawn, 0), "the same process goes on with them");
        keys.belong_to(2);
        assert!(keys.used == keys.block.len() && keys.generator.is_none());
        keys.refill();
        assert_ne!(keys.block, drawn);
    }

    fn reference(bytes: &[u8], key: Key) -> Vec<u8> {
        bytes.iter().enumerate().map(|(i, octet)| octet ^ key.octets()[i % 4]).collect()
    }

    /// Section 5.7.
    #[test]
    fn payload_of_the_rfcs_example_is_masked_as_there() {
        let key = Key::from([0x37, 0xfa, 0x21, 0x3d]);
        let mut bytes = [0; 5];
        copy(b"Hello", &mut bytes, key);
        assert_eq!(bytes, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        shift(&mut bytes, 0, 0, 5, key);
        assert_eq!(&bytes, b"Hello");
    }

    #[test]
    fn both_loops_agree_with_the_formula_at_every_length_and_gap() {
        let key = Key::from([0x37, 0xfa, 0x21, 0x3d]);
        let data: Vec<u8> = (0..3000_u32).map(|i| (i * 7 + i / 256).to_le_bytes()[0]).collect();
        for n in (0..300).chain([WIDE - 1, WIDE, WIDE + 1, 2047, 2048, 2900]) {
            let mut copied = vec![0; n];
            copy(&data[..n], &mut copied, key);
            assert_eq!(copied, reference(&data[..n], key), "copy of {n}");
            for gap in [0, 1, 2, 3, 4, 6, 8, 10, 14, 63, 64, 65, 99] {
                let mut bytes = data.clone();
                shift(&mut bytes, gap, 0, n, key);
                assert_eq!(bytes[..n], reference(&data[gap..gap + n], key), "shift of {n} by {gap}");
                assert_eq!(bytes[gap + n..], data[gap + n..]);
                let mut bytes = data.clone();
                shift_plain(&mut bytes, gap, 0, n);
                assert_eq!(bytes[..n], data[gap..gap + n], "plain shift of {n} by {gap}");
            }
        }
    }

    #[test]
    fn rotated_key_continues_where_the_payload_was_cut() {
        let key = Key::from([1, 2, 3, 4]);
        let data: Vec<u8> = (0..32).collect();
        for cut in 0..=data.len() {
            let mut out = vec![0; data.len()];
            copy(&data[..cut], &mut out[..cut], key);
            copy(&data[cut..], &mut out[cut..], key.rotate(cut));
            assert_eq!(out, reference(&data, key));
        }
    }

    /// Up to four of the widest vectors, and around where those are chosen.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..=4 * 64).chain(WIDE - 2..=WIDE + 66)
    }

    const ROTATIONS: [[u8; 4]; 4] = [
        [0x37, 0xfa, 0x21, 0x3d],
        [0xfa, 0x21, 0x3d, 0x37],
        [0x21, 0x3d, 0x37, 0xfa],
        [0x3d, 0x37, 0xfa, 0x21],
    ];

    /// What section 5.3 makes of these bytes by each rotation of the key.
    fn references(data: &[u8]) -> [Vec<u8>; 4] {
        ROTATIONS.map(|key| reference(data, Key::from(key)))
    }

    #[test]
    fn copy_is_the_formula_at_every_alignment_of_both_sides_length_and_rotation_of_the_key() {
        let data: Vec<u8> = (0..1024_u32).map(|i| (i * 7 + i / 256).to_le_bytes()[0]).collect();
        let references = references(&data);
        let (mut from, mut to) = (vec![0; 1200], vec![0; 1200]);
        let starts = [from.as_ptr().align_offset(64), to.as_ptr().align_offset(64)];
        let mut cases = 0;
        for alignment in 0..64 {
            // Each side against an aligned one, and both together.
            for (left, right) in [(alignment, 0), (0, alignment), (alignment, alignment)] {
                let (left, right) = (starts[0] + left, starts[1] + right);
                from[left..left + data.len()].copy_from_slice(&data);
                for n in lengths() {
                    for (key, reference) in ROTATIONS.iter().zip(&references) {
                        to[right + n] = 0xee;
                        copy(&from[left..left + n], &mut to[right..right + n], Key::from(*key));
                        assert!(
                            to[right..right + n] == reference[..n] && to[right + n] == 0xee,
                            "{n} at {alignment}"
                        );
                        cases += 1;
                    }
                }
            }
        }
        println!("{cases} copies");
    }

    #[test]
    fn shift_is_the_formula_at_every_alignment_gap_of_a_header_length_and_rotation_of_the_key() {
        let data: Vec<u8> = (0..1024_u32).map(|i| (i * 7 + i / 256).to_le_bytes()[0]).collect();
        let references = references(&data);
        let mut bytes = vec![0; 1200];
        let start = bytes.as_ptr().align_offset(64);
        let mut cases = 0;
        for to in start..start + 64 {
            // Headers have 2, 4, 6, 8, 10 and 14 octets, and several may come without payload.
            for gap in 0..=14 {
                for n in lengths() {
                    // Each rotation in turn, so that each meets each alignment and each gap.
                    let turn = (to + gap + n) % 4;
                    let from = to + gap;
                    bytes[from..from + n].copy_from_slice(&data[..n]);
                    bytes[from + n] = 0xee;
                    shift(&mut bytes, from, to, n, Key::from(ROTATIONS[turn]));
                    assert!(bytes[to..to + n] == references[turn][..n], "{n} at {to} from {gap} above");
                    assert_eq!(bytes[from + n], 0xee);
                    cases += 1;
                }
            }
        }
        println!("{cases} shifts");
    }

    #[test]
    fn every_key_is_rotated_octet_by_octet() {
        for at in 0..4 {
            for octet in 0..=255 {
                let mut key = [1, 2, 3, 4];
                key[at] = octet;
                for n in 0..9 {
                    let mut rotated = key;
                    rotated.rotate_left(n % 4);
                    assert_eq!(Key::from(key).rotate(n).octets(), rotated);
                }
            }
        }
    }
}
