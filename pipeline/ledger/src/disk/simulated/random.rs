//! The dice.

/// SplitMix64 (Steele, Lea, Flood 2014): a seed means the same on every machine and with every release of a library.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.draw()) * bound as u128;
        (wide >> 64) as usize
    }

    pub(super) fn coin(&mut self) -> bool {
        self.draw() >> 63 == 1
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        // The upper 53 bits are a fraction that a double holds exactly.
        ((self.draw() >> 11) as f64) < probability * (1_u64 << 53) as f64
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
