//! The dice of the model: a generator where they have a seed, the fuzzer's input where that is [`THROWN`].

use std::cell::RefCell;

/// So many bytes are in all lengths together: a run is to take no longer than a second.
pub const BUDGET: usize = 60_000;

/// The seed that stands for the input.
pub const THROWN: u64 = u64::MAX;

thread_local! {
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What the next dice with the seed [`THROWN`] show.
pub fn throw(data: &[u8]) {
    INPUT.set(data.to_vec());
}

#[derive(Clone)]
pub struct Dice {
    /// The input, backwards.
    left: Vec<u8>,
    state: u64,
    /// What is left of [`BUDGET`].
    budget: usize,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice { left: Vec::new(), state: seed, budget: BUDGET };
        if seed == THROWN {
            dice.left = INPUT.with_borrow(|input| input.iter().rev().copied().collect());
            // Once it is used up, chance goes on, the same for the same input.
            dice.state = dice
                .left
                .iter()
                .fold(0, |state, octet| (state ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3));
        }
        dice
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `n - 1`: one octet of the input, or two where there may be more.
    pub fn below(&mut self, n: usize) -> usize {
        let Some(low) = self.left.pop() else { return (self.next() % n as u64) as usize };
        let high = if n > 256 { self.left.pop().unwrap_or(0) } else { 0 };
        (usize::from(high) << 8 | usize::from(low)) % n
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A length: mostly short, now and then at one of the limits.
    pub fn length(&mut self, large: bool) -> usize {
        let length = match self.below(if large { 12 } else { 9 }) {
            0 => self.below(3),
            1..=6 => self.below(24),
            7 => 120 + self.below(12),
            8 => self.below(600),
            9 => 4090 + self.below(12),
            10 => 16_370 + self.below(40),
            _ => 65_520 + self.below(40),
        };
        let length = length.min(self.budget);
        self.budget -= length;
        length
    }

    /// Text of code points of 1 to 4 bytes, at least so many bytes.
    pub fn text(&mut self, len: usize) -> String {
        let mut text = String::new();
        while text.len() < len {
            const POINTS: [char; 7] = ['a', 'z', 'é', '€', '\u{d7ff}', '😀', '\u{10ffff}'];
            text.push(POINTS[(self.next() % 7) as usize]);
        }
        text
    }

    /// Bytes that nothing depends on.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}
