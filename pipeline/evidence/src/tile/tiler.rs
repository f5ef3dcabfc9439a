//! Tiles of a growing tree.

use super::reader::{TileHashes, TileReadError, TileSource};
use super::{Tile, TileId};
use crate::{Frontier, Hash, Hashes as _, TreeError};

const LEVELS: usize = TileId::TOP_LEVEL as usize + 1;

/// Cuts a growing tree into tiles. Holds the right edge and the tiles that are not full: at most 64 KiB, all of it
/// reused.
#[derive(Debug, Clone, Default)]
pub struct Tiler {
    frontier: Frontier,
    /// Of each level, the hashes behind the last full tile.
    partial: [Vec<u8>; LEVELS],
}

impl Tiler {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on with a tree of `size` leaves, of which `source` is asked for the partial tiles. Nothing says that they
    /// are true: compare [`Frontier::root`] of [`Tiler::frontier`] with the signed checkpoint of that size.
    ///
    /// # Errors
    /// A tile cannot be had or has another length, or `size` is beyond [`Frontier::MAX_SIZE`].
    pub fn resume<S: TileSource>(
        size: u64,
        source: S,
    ) -> Result<Self, TreeError<TileReadError<S::Error>>> {
        let hashes = TileHashes::new(source, size);
        let mut tiler = Self {
            frontier: hashes.frontier(size)?,
            ..Self::default()
        };
        for (level, partial) in (0..).zip(&mut tiler.partial) {
            let full = (size >> (8 * level)) / u64::from(TileId::FULL_WIDTH);
            if let Some(id) = TileId::within(size, level, full) {
                partial.extend_from_slice(hashes.tile(id)?.as_bytes());
            }
        }
        Ok(tiler)
    }

    /// Appends a leaf. Every tile that it fills is handed to `filled` with its 8,192 bytes, from level 0 upwards.
    pub fn push(&mut self, leaf: Hash, mut filled: impl FnMut(TileId, &[u8])) {
        let size = self.frontier.size() + 1;
        let partial = &mut self.partial;
        self.frontier.push_with(leaf, |level, subtree| {
            // Subtrees of 1, 256, 65536, … leaves are what tiles are made of.
            if level % 8 != 0 {
                return;
            }
            let tile = &mut partial[usize::from(level / 8)];
            tile.extend_from_slice(subtree.as_bytes());
            let index = ((size >> level) - 1) / u64::from(TileId::FULL_WIDTH);
            let id = TileId::within(size, level / 8, index);
            if let Some(id) = id.filter(TileId::is_full) {
                filled(id, tile);
                tile.clear();
            }
        });
    }

    /// The partial tiles of the tree as it is now, from level 0 upwards, to be stored before its checkpoint. None when
    /// the size is a multiple of 256^8, which includes 0.
    pub fn partial(&self) -> impl Iterator<Item = Tile> {
        let size = self.frontier.size();
        (0..).zip(&self.partial).filter_map(move |(level, bytes)| {
            let full = (size >> (8 * level)) / u64::from(TileId::FULL_WIDTH);
            Tile::new(TileId::within(size, level, full)?, bytes.clone())
        })
    }

    /// The right edge, with size and root of the tree.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}
