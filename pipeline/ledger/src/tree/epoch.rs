//! Which log this is. A log that is found shorter than what was signed of it never goes on under its name: a new epoch
//! begins, with a tree of its own.

use std::io;

use serde::{Deserialize, Serialize};

use super::Beginning;
use crate::disk::{self, Disk};

const FILE: &str = "epoch.json";

/// `epoch.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The log's identity without the epoch: `<deployment>/<node>`.
    pub base: String,
    /// From 1.
    pub number: u64,
    /// Sequence number of its first record, which is leaf 0.
    pub first: u64,
    /// Why it began, until the log itself says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) untold: Option<Beginning>,
}

impl Epoch {
    /// The origin that its checkpoints name.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}/{}", self.base, self.number)
    }

    /// The stored one; `None` in a new ledger or when it is damaged.
    ///
    /// # Errors
    /// Of the file system.
    pub fn read(disk: &dyn Disk) -> io::Result<Option<Self>> {
        match disk::read(disk, FILE, 1 << 16) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        disk::replace(
            disk,
            "",
            FILE,
            &serde_json::to_vec(self).map_err(io::Error::other)?,
        )
    }
}
