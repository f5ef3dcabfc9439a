//! Runs of bytes of one class, over the borders of blocks.

use crate::block::{BLOCK, Masks};

/// `now` moved up by `n` (1 to 63) bits, filled from `before`.
pub(super) fn up(now: u64, before: u64, n: usize) -> u64 {
    now << n | before >> (BLOCK - n)
}

/// Finds runs of at least `N` (2 to 64) bytes of one class, fed with one block after another.
pub(super) struct Runs<const N: usize> {
    before: [u64; 7],
    in_run: bool,
}

impl<const N: usize> Default for Runs<N> {
    fn default() -> Self {
        Self {
            before: [0; 7],
            in_run: false,
        }
    }
}

impl<const N: usize> Runs<N> {
    /// The `N`th byte of every run, each run once: it began `N - 1` bytes earlier, perhaps in the block before.
    pub(super) fn nth_bytes(&mut self, class: u64) -> u64 {
        self.first_bytes(class, u64::MAX)
    }

    /// The first byte of every run that has `N - 1` of the run before it and is one of `wanted`. Where a byte of a run is
    /// wanted, all that follow must be.
    pub(super) fn first_bytes(&mut self, class: u64, wanted: u64) -> u64 {
        let (mut bits, mut have, mut step) = (class, 1, 0);
        // Bit i says that the `have` bytes up to i are of the class.
        while have < N {
            let more = have.min(N - have);
            let moved = up(bits, self.before[step], more);
            self.before[step] = bits;
            bits &= moved;
            have += more;
            step += 1;
        }
        bits &= wanted;
        let first = bits & !(bits << 1 | u64::from(self.in_run));
        self.in_run = bits >> 63 != 0;
        first
    }
}

/// Knows what has a mark before it in its run, fed with one block after another.
#[derive(Default)]
pub(super) struct Marks {
    /// Whether the block before ended in a run with a mark.
    open: bool,
}

impl Marks {
    /// The bytes of runs from the first mark on; `marks` are bytes of runs.
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
pub(super) struct Near<'m> {
    pub(super) before: &'m Masks,
    pub(super) now: &'m Masks,
    pub(super) next: &'m Masks,
    /// Where the block starts.
    pub(super) base: usize,
}

impl Near<'_> {
    /// One class for the 64 bytes up to `at`, which is in the block.
    pub(super) fn up_to(&self, at: usize, class: impl Fn(&Masks) -> u64) -> u64 {
        let behind = self.base + BLOCK - 1 - at;
        let before = if behind == 0 {
            0
        } else {
            class(self.before) >> (BLOCK - behind)
        };
        class(self.now) << behind | before
    }

    /// One class for 64 bytes from `at`, which is in the block or up to 63 bytes before it.
    pub(super) fn from(&self, at: usize, class: impl Fn(&Masks) -> u64) -> u64 {
        let (first, second, skip) = if at >= self.base {
            (self.now, self.next, at - self.base)
        } else {
            (self.before, self.now, at + BLOCK - self.base)
        };
        let second = if skip == 0 {
            0
        } else {
            class(second) << (BLOCK - skip)
        };
        class(first) >> skip | second
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
            let (mut runs, mut marks) = (Runs::<16>::default(), Marks::default());
            let mut got = Vec::new();
            for block in 0..class.len() / BLOCK {
                let of_class = mask(block, &|i| class[i]);
                let since = marks.since(of_class, mask(block, &|i| class[i] && marked[i]));
                let first = runs.first_bytes(of_class, since);
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
        let mask = |digit| Masks {
            digit,
            ..Masks::default()
        };
        let (before, now, next) = (mask(1 << 63), mask(0b1011), mask(0b1));
        let near = Near {
            before: &before,
            now: &now,
            next: &next,
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
