//! Random numbers that stay the same for ever: splitmix64.

#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `n - 1`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A length: mostly short, now and then at one of the limits.
    pub fn length(&mut self, large: bool) -> usize {
        match self.below(if large { 12 } else { 9 }) {
            0 => self.below(3),
            1..=6 => self.below(24),
            7 => 120 + self.below(12),
            8 => self.below(600),
            9 => 4090 + self.below(12),
            10 => 16_370 + self.below(40),
            _ => 65_520 + self.below(40),
        }
    }

    /// Text of code points of 1 to 4 bytes, at least so many bytes.
    pub fn text(&mut self, len: usize) -> String {
        let mut text = String::new();
        while text.len() < len {
            text.push(self.pick(&['a', 'z', 'é', '€', '\u{d7ff}', '😀', '\u{10ffff}']));
        }
        text
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}
