//! The right edge of a growing tree: all that is needed to append and to know the root.

use std::fmt;

use thiserror::Error;

use crate::{Hash, node_hash};

/// The compact range of a tree: the hashes of the complete subtrees of which its leaves consist, one for each bit set
/// in the size. 2 KiB, no heap.
///
/// ```text
///  size 7 = 0b111      ┌───┴───┐
///                    ┌─┴─┐   ┌─┴─┐   ┌─┴─┐
///                    0   1   2   3   4   5   6
///                    └─ level 2 ─┘ level 1 level 0
/// ```
#[derive(Clone)]
pub struct Frontier {
    size: u64,
    /// The subtree of 2^level leaves stands at `[level]`, where that bit of `size` is set; other places are stale.
    subtrees: [Hash; 64],
}

/// Why bytes are no [`Frontier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrontierError {
    /// Not even the eight bytes of the size, or more leaves than [`Frontier::MAX_SIZE`].
    #[error("a frontier without a possible size")]
    Size,
    /// The number of bytes behind the size is not 32 for each bit set in it.
    #[error("a frontier of size {size} holds {needed} hashes, not {found_bytes} bytes")]
    Hashes {
        /// The number of leaves the bytes speak of.
        size: u64,
        /// The hashes that such a tree has.
        needed: u32,
        /// The bytes found instead.
        found_bytes: usize,
    },
}

impl Frontier {
    /// The largest number of leaves that is read from bytes, 2^63 - 1: appending never runs out of numbers.
    pub const MAX_SIZE: u64 = u64::MAX >> 1;

    /// The tree without leaves.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            size: 0,
            subtrees: [Hash::EMPTY_TREE; 64],
        }
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf. On average one node is hashed; at most 63.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _| {});
    }

    /// Appends a leaf and tells of every subtree that it completes, with its level: first the leaf itself, level 0.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u8, Hash)) {
        let full = self.size.trailing_ones();
        let mut subtree = leaf;
        completed(0, subtree);
        for (level, left) in (1..).zip(&self.subtrees[..full as usize]) {
            subtree = node_hash(*left, subtree);
            completed(level, subtree);
        }
        self.subtrees[full as usize] = subtree;
        self.size += 1;
    }

    /// The root of the tree; [`Hash::EMPTY_TREE`] when there are no leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.subtrees()
            .rev()
            .reduce(|right, left| node_hash(left, right))
            .unwrap_or(Hash::EMPTY_TREE)
    }

    /// The complete subtrees from left to right, which is from the largest to the smallest.
    pub fn subtrees(&self) -> impl DoubleEndedIterator<Item = Hash> {
        levels(self.size).map(|level| self.subtrees[usize::from(level)])
    }

    /// The size (u64 big-endian), then the subtrees from left to right, 32 bytes each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        for subtree in self.subtrees() {
            bytes.extend_from_slice(subtree.as_bytes());
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] writes. Nothing says that the hashes are true: compare [`Frontier::root`]
    /// with a signed checkpoint.
    ///
    /// # Errors
    /// The size is missing or too large, or the number of hashes does not belong to it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let (size, hashes) = bytes.split_first_chunk().ok_or(FrontierError::Size)?;
        let size = u64::from_be_bytes(*size);
        if size > Self::MAX_SIZE {
            return Err(FrontierError::Size);
        }
        let needed = size.count_ones();
        if hashes.len() != needed as usize * Hash::LEN {
            return Err(FrontierError::Hashes {
                size,
                needed,
                found_bytes: hashes.len(),
            });
        }
        let mut frontier = Self::empty();
        for (level, subtree) in levels(size).zip(Hash::each(hashes)) {
            frontier.set(level, subtree);
        }
        Ok(frontier)
    }

    /// Says that the tree has the subtree of this level, which it had not.
    pub(crate) fn set(&mut self, level: u8, subtree: Hash) {
        self.size |= 1 << level;
        self.subtrees[usize::from(level)] = subtree;
    }
}

/// The levels of the complete subtrees of a tree of `size`, from left to right.
pub(crate) fn levels(size: u64) -> impl DoubleEndedIterator<Item = u8> {
    (0..64).rev().filter(move |level| size >> level & 1 == 1)
}

impl Default for Frontier {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialEq for Frontier {
    fn eq(&self, other: &Self) -> bool {
        self.size == other.size && self.subtrees().eq(other.subtrees())
    }
}

impl Eq for Frontier {}

impl fmt::Debug for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frontier")
            .field("size", &self.size)
            .field("subtrees", &self.subtrees().collect::<Vec<_>>())
            .finish()
    }
}
