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

mod epoch;
mod hashes;
mod keys;

pub use epoch::Epoch;
pub use hashes::HashFiles;
pub use keys::{load_key, make_key};

use std::io;

use serde::{Deserialize, Serialize};
use sluice_evidence::{Checkpoint, Note, VerifyingKey};

use crate::disk::{self, Disk};

/// The directory of the hashes.
pub(crate) const DIRECTORY: &str = "tree";
pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const CHECKPOINTS: &str = "checkpoints.log";

/// A line of `checkpoints.log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// When, unix nanoseconds: the node's claim.
    pub time: u64,
    /// Sequence number of the epoch's first record: the record of leaf 0.
    pub first: u64,
    /// The signed note.
    pub note: String,
}

impl Signed {
    /// What it says, once its signature is found to be that of one of `keys`.
    ///
    /// # Errors
    /// Why it does not count, in words.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<Checkpoint, String> {
        Checkpoint::open(self.note.as_bytes(), keys).map_err(|error| error.to_string())
    }

    /// What it says, whoever signed it.
    ///
    /// # Errors
    /// Text that is no checkpoint.
    pub fn read(&self) -> Result<Checkpoint, String> {
        let note = Note::parse(self.note.as_bytes()).map_err(|e| e.to_string())?;
        Checkpoint::parse(note.text()).map_err(|e| e.to_string())
    }
}

/// All signed checkpoints of a directory, in the order in which they were made. The last line may be torn.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::InvalidData`] names the first line that is none.
pub(crate) fn checkpoints(disk: &dyn Disk) -> io::Result<Vec<Signed>> {
    let bytes = match disk::read(disk, CHECKPOINTS, u64::from(u32::MAX)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes?,
    };
    let mut signed = Vec::new();
    let mut lines = bytes
        .split_inclusive(|b| *b == b'\n')
        .enumerate()
        .peekable();
    while let Some((i, line)) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(checkpoint) if line.ends_with(b"\n") => signed.push(checkpoint),
            // Cut off by a crash before it counted.
            _ if lines.peek().is_none() && !line.ends_with(b"\n") => {}
            _ => {
                let why = format!("line {} of {CHECKPOINTS} is damaged", i + 1);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
    }
    Ok(signed)
}

/// The newest signed checkpoint.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::InvalidData`] when it is damaged.
pub(crate) fn newest(disk: &dyn Disk) -> io::Result<Option<Signed>> {
    match disk::read(disk, CHECKPOINT, 1 << 20) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
