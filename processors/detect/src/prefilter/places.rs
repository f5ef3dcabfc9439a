//! Where in some blocks something is nominated, in one list: to judge it in one go is faster than block by block.

use super::runs::Near;
use crate::block::{BLOCK, Masks};

/// Blocks that are judged together.
pub(super) const AHEAD: usize = 14;

/// Some blocks that are judged together.
pub(super) struct Turn<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) masks: &'b [Masks; AHEAD + 2],
    /// Where the first block (that of the second mask) starts.
    pub(super) base: usize,
}

impl<'b> Turn<'b> {
    pub(super) fn blocks(&self) -> impl Iterator<Item = &'b Masks> + use<'b> {
        self.masks[1..=AHEAD].iter()
    }

    pub(super) fn near(&self, i: usize) -> Near<'b> {
        Near {
            before: &self.masks[i],
            now: &self.masks[i + 1],
            next: &self.masks[i + 2],
            base: self.base + i * BLOCK,
        }
    }
}

/// Places in a turn.
pub(super) struct Places {
    at: [u16; AHEAD * BLOCK + 1],
    count: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            at: [0; AHEAD * BLOCK + 1],
            count: 0,
        }
    }
}

impl Places {
    /// The set bits of one mask a block. Most have none or one, so one is written without asking.
    #[inline(always)]
    pub(super) fn collect(&mut self, masks: impl Iterator<Item = u64>) {
        let mut n = 0;
        for (block, mask) in masks.take(AHEAD).enumerate() {
            let mut place = |n: usize, mask: u64| {
                self.at[n] = (block * BLOCK) as u16 + mask.trailing_zeros() as u16;
            };
            place(n, mask);
            n += usize::from(mask != 0);
            let mut rest = mask & mask.wrapping_sub(1);
            while rest != 0 {
                place(n, rest);
                n += 1;
                rest &= rest - 1;
            }
        }
        self.count = n;
    }

    /// The block of each place, and the place in it.
    pub(super) fn iter<'b>(&self, turn: &Turn<'b>) -> impl Iterator<Item = (Near<'b>, usize)> {
        self.at[..self.count].iter().map(|at| {
            let at = usize::from(*at);
            (turn.near(at / BLOCK), at % BLOCK)
        })
    }
}
