//! Tiles (c2sp.org/tlog-tiles): the tree in files of 256 hashes that never change once they are full.
//!
//! ```text
//!  level 1      tile/1/000 ┌─┬─┬─                    each hash is the root of a full tile below
//!                          │ └──────────┐
//!  level 0      tile/0/000 └▶ 256 leaves └▶ tile/0/001 …            tile/0/272.p/112
//! ```

mod check;
mod id;
mod reader;
mod tiler;

use crate::{Frontier, Hash};

pub use check::{TileCheckError, verify_tiles};
pub use id::{TileId, TileIdError, tiles};
pub use reader::{TileHashes, TileReadError, TileSource};
pub use tiler::Tiler;

/// A tile with its content, which nobody vouches for: 1 to 256 hashes, 32 bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    id: TileId,
    bytes: Vec<u8>,
}

impl Tile {
    /// The tile with these bytes. Those of a wider tile of the same place do: the partial tile is their beginning, and
    /// may be gone once the full one exists.
    ///
    /// `None` when the bytes are too few, more than a full tile's, or no whole number of hashes.
    #[must_use]
    pub fn new(id: TileId, mut bytes: Vec<u8>) -> Option<Self> {
        let full_bytes = usize::from(TileId::FULL_WIDTH) * Hash::LEN;
        let readable = (id.len_bytes()..=full_bytes).contains(&bytes.len())
            && bytes.len().is_multiple_of(Hash::LEN);
        if !readable {
            return None;
        }
        bytes.truncate(id.len_bytes());
        Some(Self { id, bytes })
    }

    /// Which tile this is.
    #[must_use]
    pub const fn id(&self) -> TileId {
        self.id
    }

    /// Its hashes, 32 bytes each.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its hashes from left to right.
    pub fn hashes(&self) -> impl Iterator<Item = Hash> {
        Hash::each(&self.bytes)
    }

    /// The root over its hashes; of a full tile, the hash in the level above.
    #[must_use]
    pub fn root(&self) -> Hash {
        root_of(&self.bytes)
    }

    /// Whether `lower` is a full tile of the level below, stands below this one, and has the root that is kept here.
    #[must_use]
    pub fn holds(&self, lower: &Self) -> bool {
        let place = lower.id.index() % u64::from(TileId::FULL_WIDTH);
        lower.id.is_full()
            && lower.id.level() + 1 == self.id.level()
            && lower.id.index() / u64::from(TileId::FULL_WIDTH) == self.id.index()
            && (self.hashes().zip(0..)).any(|(hash, at)| at == place && hash == lower.root())
    }
}

/// The root over the hashes that stand one behind the other in `bytes`.
fn root_of(bytes: &[u8]) -> Hash {
    let mut frontier = Frontier::empty();
    Hash::each(bytes).for_each(|hash| frontier.push(hash));
    frontier.root()
}
