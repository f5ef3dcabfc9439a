//! A stored tree, read through its tiles.

use std::cell::RefCell;
use std::fmt;

use thiserror::Error;

use super::{Tile, TileId, root_of};
use crate::{Hash, Hashes, MissingNode};

/// Where tiles are kept. A closure from [`TileId`] to the bytes is one.
pub trait TileSource {
    /// Why a tile cannot be had.
    type Error;

    /// The bytes of a tile: `width` hashes of 32 bytes, or more of them where a partial tile is gone and a wider one of
    /// its place exists.
    ///
    /// # Errors
    /// The tile is not there, or its storage fails.
    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error>;
}

impl<F, E> TileSource for F
where
    F: Fn(TileId) -> Result<Vec<u8>, E>,
{
    type Error = E;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, E> {
        self(id)
    }
}

/// The complete subtrees of a tree of `size` leaves, out of its tiles. Proofs made of false tiles do not verify.
///
/// The last tile of each level is kept, so that a proof reads hardly more than one tile a level, and reading a level
/// from left to right reads each tile once. At most 64 KiB.
pub struct TileHashes<S> {
    source: S,
    size: u64,
    last: RefCell<[Option<Tile>; TileId::TOP_LEVEL as usize + 1]>,
}

/// Why a subtree cannot be read out of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileReadError<E> {
    /// The tree has no such subtree.
    #[error(transparent)]
    Missing(#[from] MissingNode),
    /// A tile is too short, longer than a full one, or no whole number of hashes.
    #[error("{id} has {found_bytes} bytes")]
    Length {
        /// The tile.
        id: TileId,
        /// The bytes it has.
        found_bytes: usize,
    },
    /// A tile cannot be had.
    #[error("{id} cannot be read")]
    Source {
        /// The tile.
        id: TileId,
        /// What its source says.
        source: E,
    },
}

impl<S: TileSource> TileHashes<S> {
    /// A reader of the tree of `size` leaves. Reads nothing yet.
    #[must_use]
    pub fn new(source: S, size: u64) -> Self {
        Self {
            source,
            size,
            last: RefCell::default(),
        }
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// A tile, whatever it holds.
    ///
    /// # Errors
    /// It cannot be had, or has another length.
    pub fn tile(&self, id: TileId) -> Result<Tile, TileReadError<S::Error>> {
        let bytes = self
            .source
            .tile(id)
            .map_err(|source| TileReadError::Source { id, source })?;
        let found_bytes = bytes.len();
        Tile::new(id, bytes).ok_or(TileReadError::Length { id, found_bytes })
    }
}

impl<S: TileSource> Hashes for TileHashes<S> {
    type Error = TileReadError<S::Error>;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let missing = MissingNode { level, index };
        if level >= 64 || index >= self.size >> level {
            return Err(missing.into());
        }
        // The subtree's hash is the root over 1 to 128 hashes of one tile.
        let (tile_level, height) = (level / 8, level % 8);
        let first = index << height;
        let tile_index = first / u64::from(TileId::FULL_WIDTH);
        let id = TileId::within(self.size, tile_level, tile_index).ok_or(missing)?;

        let mut last = self.last.borrow_mut();
        let kept = &mut last[usize::from(tile_level)];
        let tile = match kept.take() {
            Some(tile) if tile.id() == id => kept.insert(tile),
            _ => kept.insert(self.tile(id)?),
        };
        let place = usize::try_from(first % u64::from(TileId::FULL_WIDTH)).map_err(|_| missing)?;
        let bytes = place * Hash::LEN..(place + (1 << height)) * Hash::LEN;
        Ok(root_of(tile.as_bytes().get(bytes).ok_or(missing)?))
    }
}

impl<S> fmt::Debug for TileHashes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TileHashes")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
