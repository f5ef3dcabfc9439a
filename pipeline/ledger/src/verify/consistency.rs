//! Proofs that a log was only ever appended to.

use std::path::Path;
use std::sync::Arc;

use sluice_evidence::{Checkpoint, Hash, Hashes as _, verify_consistency};

use super::keys::Keys;
use super::proof::{ProofError, unchecked};
use crate::disk::{Disk, RealDisk};
use crate::tree::HashFiles;

/// That a log was only appended to between two checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// The earlier one.
    pub old: Checkpoint,
    /// The later one.
    pub new: Checkpoint,
    /// The hashes that lead from the one to the other, for whoever wants to check it again.
    pub path: Vec<Hash>,
}

/// Proves that the ledger in a directory was only appended to between two of its checkpoints, given as text.
///
/// # Errors
/// See [`ProofError`].
pub fn consistency(
    directory: &Path,
    keys: &Keys,
    old: &str,
    new: &str,
) -> Result<Consistency, ProofError> {
    consistency_on(Arc::new(RealDisk::new(directory)), keys, old, new)
}

/// The same for a ledger on a disk of the caller's.
///
/// # Errors
/// See [`ProofError`].
pub fn consistency_on(
    disk: Arc<dyn Disk>,
    keys: &Keys,
    old: &str,
    new: &str,
) -> Result<Consistency, ProofError> {
    let (old, new) = (keys.check(old)?, keys.check(new)?);
    if old.origin() != new.origin() {
        return Err(unchecked(format!(
            "the checkpoints are of two logs, {} and {}",
            old.origin(),
            new.origin()
        )));
    }
    if old.size() > new.size() {
        return Err(unchecked(format!(
            "the first checkpoint has {} records and the second only {}: give the older one first",
            old.size(),
            new.size()
        )));
    }
    let number = new.origin().rsplit_once('/');
    let number = number
        .and_then(|(_, number)| number.parse().ok())
        .ok_or_else(|| unchecked("the origin does not end in the number of an epoch"))?;
    let hashes = HashFiles::view(disk, number);
    let path = hashes
        .consistency(old.size(), new.size())
        .map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            unchecked(format!(
                "this ledger does not hold the hashes between the two: {}",
                cause.unwrap_or_else(|| error.to_string())
            ))
        })?;
    verify_consistency(old.size(), new.size(), old.root(), new.root(), &path).map_err(|error| {
        ProofError::Broken(format!("the log was rewritten between the two: {error}"))
    })?;
    Ok(Consistency { old, new, path })
}
