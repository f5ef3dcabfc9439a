//! The leaf hash of each record, whichever epoch of the log it belongs to.

use std::collections::BTreeMap;
use std::io;

use sluice_ledger::{HashFiles, View};

/// The stored hashes of all epochs.
pub(super) struct Leaves {
    /// By the sequence number of leaf 0: up to which leaf they hold, and the hashes.
    epochs: BTreeMap<u64, (u64, HashFiles)>,
}

impl Leaves {
    /// Those of a ledger; none when it has no tree.
    pub(super) fn of(view: &View) -> io::Result<Self> {
        let mut epochs = BTreeMap::new();
        // An ended epoch holds as far as it was signed: what was written beyond is no part of any log. A damaged list
        // takes the hashes of ended epochs from the export, and no record.
        for signed in view.checkpoints().unwrap_or_default() {
            let Ok(checkpoint) = signed.read() else {
                continue;
            };
            let number = checkpoint.origin().rsplit('/').next();
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                let (size, _) = epochs
                    .entry(signed.first)
                    .or_insert_with(|| (0, view.hashes(number)));
                *size = checkpoint.size().max(*size);
            }
        }
        if let Some(epoch) = view.epoch()? {
            epochs.insert(epoch.first, (u64::MAX, view.hashes(epoch.number)));
        }
        Ok(Self { epochs })
    }

    /// The hash of a record. The newest ones may not be in the tree yet.
    pub(super) fn hash(&self, sequence: u64) -> Option<[u8; 32]> {
        let (first, (size, hashes)) = self.epochs.range(..=sequence).next_back()?;
        let index = sequence - first;
        if index >= *size {
            return None;
        }
        hashes.leaf(index).ok().map(|hash| *hash.as_bytes())
    }
}
