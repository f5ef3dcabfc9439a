//! Whether stored tiles are those of a signed tree.

use thiserror::Error;

use super::{TileHashes, TileId, TileReadError, TileSource};
use crate::{Hash, Hashes as _};

/// Why stored tiles are not those of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileCheckError<E> {
    /// A tile cannot be read.
    #[error(transparent)]
    Read(#[from] TileReadError<E>),
    /// The partial tiles, which only the root covers, give another root. Which of them is false is not known.
    #[error("the partial tiles give another root")]
    Root,
    /// This tile has another root than the level above keeps of it.
    #[error("{0} is not the tile that the level above holds")]
    Tile(TileId),
}

/// Checks every tile of the tree of `size` leaves against its root, which comes from a signed checkpoint: the partial
/// tiles against the root, then each level against the one above, from the top to the leaves. Reads each tile about
/// once, in constant memory.
///
/// # Errors
/// The first tile that is false or cannot be read.
pub fn verify_tiles<S: TileSource>(
    source: S,
    size: u64,
    root: Hash,
) -> Result<(), TileCheckError<S::Error>> {
    let hashes = TileHashes::new(source, size);
    if hashes.root(size)? != root {
        return Err(TileCheckError::Root);
    }
    for level in (0..TileId::TOP_LEVEL).rev() {
        let above = 8 * (level + 1);
        for index in 0..size >> above {
            let Some(id) = TileId::within(size, level, index) else {
                continue;
            };
            if hashes.tile(id)?.root() != hashes.node(above, index)? {
                return Err(TileCheckError::Tile(id));
            }
        }
    }
    Ok(())
}
