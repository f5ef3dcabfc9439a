//! The hash tree on disk.
//!
//! ```text
//!  tree/<epoch>-0-<shard>   the leaf hashes, one behind the other
//!  tree/<epoch>-1-<shard>   one hash for every 256 of the level below
//!  …
//!  checkpoint               the newest signed checkpoint
//!  checkpoints.log          all of them, a line of JSON each
//!  epoch.json               which log this is, and since which record
//! ```
//!
//! Tile `N` of level `L` of the C2SP layout is the 8 KiB at `N * 8192` of level `L` here.

mod beginning;
mod epoch;
mod hashes;
mod keys;
mod signed;

pub(crate) use beginning::Beginning;
pub use epoch::Epoch;
pub use hashes::HashFiles;
pub use keys::{load_key, make_key};
pub use signed::Signed;
pub(crate) use signed::{
    CHECKPOINT, CHECKPOINTS, Lines, checkpoints, current, cut_torn_line, is_signed, newest,
    signed_end,
};

/// The directory of the hashes.
pub(crate) const DIRECTORY: &str = "tree";
