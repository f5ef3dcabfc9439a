//! Which tiles a tree has, and where they lie.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Hash;

/// A tile's level, place in the level, and width. Shown as its path: `tile/<level>/<index>`, with `.p/<width>` behind
/// it unless the tile is full. The index is written in groups of three digits, all but the last behind an `x`: 1234067
/// is `x001/x234/067`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
    width: u16,
}

/// Why there is no such tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileIdError {
    /// A width that is not 1 to 256, or leaves beyond the number 2^64 - 1.
    #[error("no tree has such a tile")]
    Impossible,
    /// The text is not the one path of a tile.
    #[error("not the path of a tile")]
    Path,
}

impl TileId {
    /// The number of hashes in a full tile.
    pub const FULL_WIDTH: u16 = 256;

    /// Levels above this would count more leaves than there are numbers.
    pub(super) const TOP_LEVEL: u8 = 7;

    /// The tile at `index` (from 0) of `level`, with `width` hashes.
    ///
    /// # Errors
    /// The width is not 1 to 256, or the tile ends beyond leaf 2^64 - 1.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TileIdError> {
        let end = (u128::from(index) << 8) + u128::from(width);
        let possible = (1..=Self::FULL_WIDTH).contains(&width)
            && level <= Self::TOP_LEVEL
            && end <= u128::from(u64::MAX >> (8 * level));
        if possible {
            Ok(Self {
                level,
                index,
                width,
            })
        } else {
            Err(TileIdError::Impossible)
        }
    }

    /// The tile of this place as it is in a tree of `size` leaves; `None` if that tree does not reach it.
    #[must_use]
    pub fn within(size: u64, level: u8, index: u64) -> Option<Self> {
        if level > Self::TOP_LEVEL {
            return None;
        }
        let hashes = size >> (8 * level);
        let start = index.checked_mul(Self::FULL_WIDTH.into())?;
        let width = hashes.checked_sub(start)?.min(Self::FULL_WIDTH.into());
        Self::new(level, index, u16::try_from(width).ok()?).ok()
    }

    /// The level, 0 for a tile of leaves.
    #[must_use]
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// The place in the level, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The number of hashes, 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile will never change.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == Self::FULL_WIDTH
    }

    /// The size of the tile's file.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        self.width as usize * Hash::LEN
    }

    /// Where the leaves' data lie whose hashes this tile has: `tile/entries/<index>[.p/<width>]`, a sequence of entries
    /// with their length in front as u16 big-endian. `None` above level 0.
    #[must_use]
    pub fn entries_path(&self) -> Option<String> {
        (self.level == 0).then(|| format!("tile/entries/{}", Place(*self)))
    }
}

/// Every tile of a tree of `size` leaves: from level 0 upwards, from left to right, the partial one of a level last.
pub fn tiles(size: u64) -> impl Iterator<Item = TileId> {
    (0..=TileId::TOP_LEVEL).flat_map(move |level| {
        let hashes = size >> (8 * level);
        let count = hashes.div_ceil(TileId::FULL_WIDTH.into());
        (0..count).filter_map(move |index| TileId::within(size, level, index))
    })
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/{}", self.level, Place(*self))
    }
}

/// The part of a path that does not depend on what the tile is of.
struct Place(TileId);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.index.to_string();
        let groups = digits.len().div_ceil(3);
        let digits = format!("{digits:0>width$}", width = 3 * groups);
        for place in 0..groups {
            let group = &digits[3 * place..3 * place + 3];
            if place + 1 < groups {
                write!(f, "x{group}/")?;
            } else {
                f.write_str(group)?;
            }
        }
        if !self.0.is_full() {
            write!(f, ".p/{}", self.0.width)?;
        }
        Ok(())
    }
}

impl FromStr for TileId {
    type Err = TileIdError;

    fn from_str(path: &str) -> Result<Self, TileIdError> {
        let id = Self::from_any_path(path).ok_or(TileIdError::Path)?;
        // There is one way to write a path: zeros that say nothing, and signs, are caught here.
        if id.to_string() == path {
            Ok(id)
        } else {
            Err(TileIdError::Path)
        }
    }
}

impl TileId {
    fn from_any_path(path: &str) -> Option<Self> {
        let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match place.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok()?),
            None => (place, Self::FULL_WIDTH),
        };
        let digits: String = index
            .split('/')
            .map(|group| group.trim_start_matches('x'))
            .collect();
        Self::new(level.parse().ok()?, digits.parse().ok()?, width).ok()
    }
}
