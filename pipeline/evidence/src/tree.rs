//! Proofs out of complete subtrees, wherever those are kept (RFC 6962 sections 2.1.1 and 2.1.2).

use thiserror::Error;

use crate::frontier::levels;
use crate::{Frontier, Hash, node_hash};

/// The complete subtrees of a log, from which roots and proofs of every size up to the log's are made.
///
/// Each method asks for O(log size) subtrees.
pub trait Hashes {
    /// Why a subtree cannot be had.
    type Error;

    /// The root of the leaves `index * 2^level .. (index + 1) * 2^level`.
    ///
    /// # Errors
    /// The log does not reach so far, or its storage fails.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;

    /// The root when the log had `size` leaves.
    ///
    /// # Errors
    /// A subtree cannot be had.
    fn root(&self, size: u64) -> Result<Hash, Self::Error> {
        if size == 0 {
            return Ok(Hash::EMPTY_TREE);
        }
        span(self, 0, size)
    }

    /// The right edge when the log had `size` leaves, to append from there on or to check a range that begins there.
    ///
    /// # Errors
    /// A subtree cannot be had, or `size` is beyond [`Frontier::MAX_SIZE`].
    fn frontier(&self, size: u64) -> Result<Frontier, TreeError<Self::Error>> {
        if size > Frontier::MAX_SIZE {
            return Err(TreeError::OutOfRange {
                wanted: size,
                size: Frontier::MAX_SIZE,
            });
        }
        let mut frontier = Frontier::empty();
        for level in levels(size) {
            frontier.set(level, self.node(level, (size >> level) - 1)?);
        }
        Ok(frontier)
    }

    /// That leaf `index` is in the tree of `size`: the siblings on the way up, leaf level first.
    ///
    /// # Errors
    /// `index` is not below `size`, or a subtree cannot be had.
    fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError<Self::Error>> {
        if index >= size {
            return Err(TreeError::OutOfRange {
                wanted: index,
                size,
            });
        }
        let mut path = Vec::new();
        let (mut start, mut leaves) = (0, size);
        while leaves > 1 {
            let left = split(leaves);
            if index - start < left {
                path.push(span(self, start + left, leaves - left)?);
                leaves = left;
            } else {
                path.push(span(self, start, left)?);
                start += left;
                leaves -= left;
            }
        }
        // Collected from the root downwards.
        path.reverse();
        Ok(path)
    }

    /// That the tree of `old` leaves is the beginning of the tree of `new` leaves. Empty when `old` is 0 or `new`.
    ///
    /// # Errors
    /// `old` is more than `new`, or a subtree cannot be had.
    fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, TreeError<Self::Error>> {
        if old > new {
            return Err(TreeError::OutOfRange {
                wanted: old,
                size: new,
            });
        }
        let mut path = Vec::new();
        if old == 0 {
            return Ok(path);
        }
        let (mut start, mut leaves) = (0, new);
        while old - start < leaves {
            let left = split(leaves);
            if old - start <= left {
                path.push(span(self, start + left, leaves - left)?);
                leaves = left;
            } else {
                path.push(span(self, start, left)?);
                start += left;
                leaves -= left;
            }
        }
        // An old tree that is a subtree of the new one is known to whoever checks.
        if start > 0 {
            path.push(span(self, start, leaves)?);
        }
        // Collected from the root downwards.
        path.reverse();
        Ok(path)
    }
}

/// Why a proof cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError<E> {
    /// What is asked for lies outside the tree.
    #[error("{wanted} is outside a tree of size {size}")]
    OutOfRange {
        /// The leaf or the smaller size that was asked for.
        wanted: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A subtree cannot be had.
    #[error("a subtree cannot be read")]
    Source(#[from] E),
}

/// A subtree lies outside the leaves that are at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no complete subtree {index} at level {level}")]
pub struct MissingNode {
    /// The level of the subtree, 0 for a leaf.
    pub level: u8,
    /// Its place in the level, from 0.
    pub index: u64,
}

/// All leaf hashes in memory, hashed anew at each call: for tests and for small ranges.
impl Hashes for [Hash] {
    type Error = MissingNode;

    fn node(&self, level: u8, index: u64) -> Result<Hash, MissingNode> {
        let missing = MissingNode { level, index };
        if level >= 64 || index >= (self.len() as u64) >> level {
            return Err(missing);
        }
        if level == 0 {
            let place = usize::try_from(index).map_err(|_| missing)?;
            return self.get(place).copied().ok_or(missing);
        }
        Ok(node_hash(
            self.node(level - 1, 2 * index)?,
            self.node(level - 1, 2 * index + 1)?,
        ))
    }
}

/// The largest power of two below `leaves`, which is more than 1: the leaves in the left subtree.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The root of the leaves `start .. start + leaves`, where a subtree of the whole tree begins at `start`.
fn span<H: Hashes + ?Sized>(hashes: &H, start: u64, leaves: u64) -> Result<Hash, H::Error> {
    let mut end = start + leaves;
    let mut root = None;
    for level in levels(leaves).rev() {
        end -= 1 << level;
        let left = hashes.node(level, end >> level)?;
        root = Some(root.map_or(left, |right| node_hash(left, right)));
    }
    Ok(root.unwrap_or(Hash::EMPTY_TREE))
}
