//! Runs of bytes of one class, over the borders of blocks. What is done for every block is a few operations on its word and
//! its neighbours', without branches, so that it can be compiled for vectors.

use crate::block::{BLOCK, Blocks, Masks};

/// `now` moved down by `n` (1 to 63) bits, filled from `next`.
#[inline(always)]
pub(super) fn down(now: u64, next: u64, n: usize) -> u64 {
    now >> n | next << (BLOCK - n)
}

/// A block's word, and the one before it, of whose lowest bits nothing is said.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    before: u64,
    pub(super) now: u64,
}

/// The words of one class at block `i` (1 or more).
#[inline(always)]
pub(super) fn pair(class: &[u64], i: usize) -> Pair {
    Pair {
        before: class[i - 1],
        now: class[i],
    }
}

impl Pair {
    #[inline(always)]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            before: self.before & other.before,
            now: self.now & other.now,
        }
    }

    #[inline(always)]
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            before: self.before | other.before,
            now: self.now | other.now,
        }
    }

    /// Moved up by `n` (0 to 63) bits.
    #[inline(always)]
    pub(super) fn up(self, n: usize) -> Self {
        Self {
            before: self.before << n,
            now: self.now << n | self.before >> 1 >> (BLOCK - 1 - n),
        }
    }

    /// Of the ends of runs of some length those that end runs of `n` more, at most as many again.
    #[inline(always)]
    pub(super) fn longer(self, n: usize) -> Self {
        self.and(self.up(n))
    }

    /// The bytes that end a run of `length` (at most 32) bytes.
    #[inline(always)]
    pub(super) fn run_of(self, length: usize) -> Self {
        let (mut bits, mut have) = (self, 1);
        while have < length {
            let more = have.min(length - have);
            bits = bits.longer(more);
            have += more;
        }
        bits
    }

    /// The first of bytes that follow one another.
    #[inline(always)]
    pub(super) fn first(self) -> u64 {
        self.now & !self.up(1).now
    }
}

/// Knows what has a mark before it in its run, fed with one word after another.
#[derive(Default)]
pub(super) struct Marks {
    /// Whether the word before ended in a run with a mark.
    open: bool,
}

impl Marks {
    /// The bytes of runs from the first mark on; `marks` are bytes of runs.
    #[inline(always)]
    pub(super) fn since(&mut self, runs: u64, marks: u64) -> u64 {
        // Adding a bit to a run of bits turns all above it in the run.
        let (sum, over) = runs.overflowing_add(marks);
        let (sum, over_again) = sum.overflowing_add(u64::from(self.open));
        self.open = over | over_again;
        runs & (sum ^ runs | marks)
    }
}

/// The masks around one block.
#[derive(Clone, Copy)]
pub(super) struct Near<'b> {
    pub(super) blocks: &'b Blocks,
    /// Which of the blocks; neither the first nor the last.
    pub(super) block: usize,
    /// Where it starts.
    pub(super) base: usize,
}

/// The masks around block `i` of a turn that begins at `base`.
#[inline(always)]
pub(super) fn near(blocks: &Blocks, base: usize, i: usize) -> Near<'_> {
    Near {
        blocks,
        block: i + 1,
        base: base + i * BLOCK,
    }
}

impl Near<'_> {
    #[inline(always)]
    pub(super) fn now(&self) -> Masks {
        self.blocks.get(self.block)
    }

    #[inline(always)]
    pub(super) fn next(&self) -> Masks {
        self.blocks.get(self.block + 1)
    }

    /// One class for the 64 bytes up to `at`, which is in the block.
    pub(super) fn up_to(&self, at: usize, class: impl Fn(&Masks) -> u64) -> u64 {
        let behind = self.base + BLOCK - 1 - at;
        let before = if behind == 0 {
            0
        } else {
            class(&self.blocks.get(self.block - 1)) >> (BLOCK - behind)
        };
        class(&self.now()) << behind | before
    }

    /// One class for 64 bytes from `at`, which is in the block or up to 63 bytes before it.
    pub(super) fn from(&self, at: usize, class: impl Fn(&Masks) -> u64) -> u64 {
        let (first, second, skip) = if at >= self.base {
            (self.block, self.block + 1, at - self.base)
        } else {
            (self.block - 1, self.block, at + BLOCK - self.base)
        };
        let second = if skip == 0 {
            0
        } else {
            class(&self.blocks.get(second)) << (BLOCK - skip)
        };
        class(&self.blocks.get(first)) >> skip | second
    }
}

/// The lowest `n` (at most 64) bits.
pub(super) fn lowest(n: usize) -> u64 {
    if n >= BLOCK { u64::MAX } else { (1 << n) - 1 }
}

/// Whether `length` (at least 1) set bits follow one another.
pub(super) fn has_run(mut bits: u64, length: usize) -> bool {
    let mut have = 1;
    while have < length {
        let more = have.min(length - have);
        bits &= bits >> more;
        have += more;
    }
    bits != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_long_run_with_a_mark_is_known_once_from_both_on(
            lengths in prop::collection::vec((1..90usize, any::<bool>()), 1..12),
            marked in prop::collection::vec(prop::bool::weighted(0.03), 1200),
        ) {
            let mut class: Vec<bool> = lengths.iter().flat_map(|(n, is)| vec![*is; *n]).collect();
            class.resize(class.len().next_multiple_of(BLOCK), false);
            let mask = |block: usize, is: &dyn Fn(usize) -> bool| {
                (0..BLOCK).fold(0, |m, i| m | u64::from(is(block * BLOCK + i)) << i)
            };
            let mut marks = Marks::default();
            let (mut of_class, mut since, mut got) = (vec![0], vec![0], Vec::new());
            for block in 0..class.len() / BLOCK {
                of_class.push(mask(block, &|i| class[i]));
                since.push(marks.since(of_class[block + 1], mask(block, &|i| class[i] && marked[i])));
                let first = pair(&of_class, block + 1).run_of(16).and(pair(&since, block + 1)).first();
                got.extend((0..BLOCK).filter(|i| first >> i & 1 != 0).map(|i| block * BLOCK + i));
            }
            let mut expected = Vec::new();
            let mut start = 0;
            for run in class.chunk_by(|a, b| a == b) {
                if run[0] {
                    let mark = (start..start + run.len()).find(|i| marked[*i]);
                    let at = mark.map(|m| m.max(start + 15));
                    expected.extend(at.filter(|at| *at < start + run.len()));
                }
                start += run.len();
            }
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn the_masks_around_a_byte_are_put_together() {
        let mut blocks = Blocks::default();
        blocks.digit[..3].copy_from_slice(&[1 << 63, 0b1011, 0b1]);
        let near = Near {
            blocks: &blocks,
            block: 1,
            base: 640,
        };
        assert_eq!(near.from(639, |m| m.digit), 0b10111);
        assert_eq!(near.from(640, |m| m.digit), 0b1011);
        assert_eq!(near.from(641, |m| m.digit), 0b101 | 1 << 63);
        assert_eq!(near.up_to(703, |m| m.digit), 0b1011);
        assert_eq!(near.up_to(640, |m| m.digit), 0b11 << 62);
        assert_eq!(lowest(64), u64::MAX);
        assert_eq!(lowest(3), 0b111);
        assert!(has_run(0b0111_0110, 3) && !has_run(0b0110_0110, 3));
    }
}
