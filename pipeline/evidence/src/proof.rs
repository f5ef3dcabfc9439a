//! Checking proofs by RFC 9162 (sections 2.1.3.2 and 2.1.4.2), which needs the proof, the roots and nothing else.

use thiserror::Error;

use crate::{Hash, node_hash};

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The leaf or the old tree lies outside the tree.
    #[error("{wanted} is outside a tree of size {size}")]
    OutOfRange {
        /// The leaf's index or the old size.
        wanted: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The proof ends below the root.
    #[error("the proof lacks hashes")]
    TooShort,
    /// The proof goes on above the root.
    #[error("the proof has too many hashes")]
    TooLong,
    /// The proof does not lead to the root of the tree.
    #[error("the proof leads to another root")]
    Root,
    /// The proof does not lead to the root of the old tree: the log was rewritten.
    #[error("the proof leads to another root of the old tree")]
    OldRoot,
}

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this root.
///
/// Size and root must come from the same checkpoint: some paths fit several sizes.
///
/// # Errors
/// The index is not below the size, the path has the wrong length, or it leads to another root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: Hash,
    path: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange {
            wanted: index,
            size,
        });
    }
    let mut climb = Climb::new(index, size);
    let mut reached = leaf;
    for sibling in path {
        reached = match climb.step()? {
            Side::Left => node_hash(*sibling, reached),
            Side::Right => node_hash(reached, *sibling),
        };
    }
    climb.finish()?;
    if reached == root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that the tree of `old_size` leaves with `old_root` is the beginning of the one of `new_size` with `new_root`.
///
/// Equal sizes need equal roots and an empty path; so does the empty tree, which begins every log.
///
/// # Errors
/// The old size is the larger one, the path has the wrong length, or it does not lead to both roots.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    old_root: Hash,
    new_root: Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old_size > new_size {
        return Err(ProofError::OutOfRange {
            wanted: old_size,
            size: new_size,
        });
    }
    if old_size == 0 || old_size == new_size {
        return if !path.is_empty() {
            Err(ProofError::TooLong)
        } else if old_size == 0 && old_root != Hash::EMPTY_TREE {
            Err(ProofError::OldRoot)
        } else if old_size == new_size && old_root != new_root {
            Err(ProofError::Root)
        } else {
            Ok(())
        };
    }
    let (first, rest) = path.split_first().ok_or(ProofError::TooShort)?;
    // An old tree that is a complete subtree is left out of the path, as its root is known.
    let (first, path) = if old_size.is_power_of_two() {
        (old_root, path)
    } else {
        (*first, rest)
    };
    let mut climb = Climb::new(old_size - 1, new_size);
    climb.skip_right_edges();
    let (mut old, mut new) = (first, first);
    for sibling in path {
        match climb.step()? {
            Side::Left => {
                old = node_hash(*sibling, old);
                new = node_hash(*sibling, new);
            }
            Side::Right => new = node_hash(new, *sibling),
        }
    }
    climb.finish()?;
    if old != old_root {
        Err(ProofError::OldRoot)
    } else if new != new_root {
        Err(ProofError::Root)
    } else {
        Ok(())
    }
}

/// On which side of the way up the next hash of a proof stands.
enum Side {
    Left,
    Right,
}

/// The way from a node up to the root; `node` and `last` are the RFC's `fn` and `sn`.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    fn new(index: u64, size: u64) -> Self {
        Self {
            node: index,
            last: size - 1,
        }
    }

    /// Goes up while the node is a right child, as the first hash of a consistency proof is a whole subtree.
    fn skip_right_edges(&mut self) {
        let levels = self.node.trailing_ones();
        self.node >>= levels;
        self.last >>= levels;
    }

    /// Goes up to the next node that has a sibling.
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::TooLong);
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // The last node of a level may have no sibling for some levels; it stays what it is.
            while self.node & 1 == 0 && self.node != 0 {
                self.up();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Ok(side)
    }

    fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    fn finish(&self) -> Result<(), ProofError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(ProofError::TooShort)
        }
    }
}
