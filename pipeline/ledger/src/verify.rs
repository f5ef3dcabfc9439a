//! Checking a ledger from outside, offline, without a lock and without changing anything: whether it is what was signed.
//!
//! ```text
//!  checkpoints ── signatures ──▶ what was signed, epoch by epoch
//!  segments ── checksums ──▶ records ──▶ leaves ──▶ root, held against each signed one
//!                                          └──── held against the stored leaf hashes: which record it was
//! ```
//!
//! The checkpoints are read first: what they cover was durable before they were signed. So a ledger can be verified
//! while a process writes to it.

mod anchor;
mod begun;
mod blame;
mod chain;
mod consistency;
mod ends;
mod epochs;
mod erased;
mod finding;
mod keys;
mod proof;
mod records;
mod run;
mod scan;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::disk::{Disk, RealDisk};
pub use consistency::{Consistency, consistency, consistency_on};
pub use finding::{Fault, Finding, Severity, Verdict};
pub use keys::Keys;
pub use proof::{Proof, ProofError, prove, prove_on};

/// What is to be checked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The first record; the oldest that is kept unless said otherwise.
    pub from_sequence: Option<u64>,
    /// The last record; the newest unless said otherwise.
    pub to_sequence: Option<u64>,
    /// A checkpoint that was kept elsewhere, as text. The log must have grown out of it, and only the records that came
    /// after it are read.
    pub from_checkpoint: Option<String>,
}

/// How far a verification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of segments that were read.
    pub bytes: u64,
    /// Bytes of segments in all.
    pub total_bytes: u64,
    /// The record that was read last.
    pub sequence: u64,
}

/// Whose word the signatures were held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// There was no key.
    None,
    /// The key that lies beside the ledger: whoever can rewrite the one can rewrite the other.
    BesideTheLedger,
    /// A key from outside.
    Given,
}

/// One epoch of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EpochSummary {
    /// What its checkpoints name.
    pub origin: String,
    /// Sequence number of its first record.
    pub first: u64,
    /// Records in its newest checkpoint.
    pub signed: u64,
    /// Good checkpoints.
    pub checkpoints: u64,
}

/// The result of a verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// In one word.
    pub verdict: Verdict,
    /// Sequence number of the first record that is not as it was signed, as near as it can be told.
    pub first_bad: Option<u64>,
    /// The origin of the newest checkpoint.
    pub origin: Option<String>,
    /// Every epoch, oldest first.
    pub epochs: Vec<EpochSummary>,
    /// The records that were read: the first one's sequence number, and the one behind the last.
    pub sequences: Range<u64>,
    /// Records that a signed root covers.
    pub covered: u64,
    /// Records that came after the newest checkpoint: of these only the checksums are known to be right.
    pub not_covered: u64,
    /// Of all of these, those that were erased.
    pub erased: u64,
    /// Checkpoints whose root was made again.
    pub checkpoints: u64,
    /// Checkpoints that are signed, and whose root cannot be made any more because their records were deleted.
    pub only_signed: u64,
    /// Segments that were read.
    pub segments: u64,
    /// When the newest checkpoint was made, unix nanoseconds: the node's claim.
    pub newest_checkpoint: Option<u64>,
    /// Whose word the signatures were held against.
    pub key: KeySource,
    /// What was found, in the order of the log.
    pub findings: Vec<Finding>,
}

/// Verifies the ledger in a directory. `progress` is called every now and then.
pub fn verify(
    directory: &Path,
    keys: &Keys,
    request: &Request,
    progress: impl FnMut(Progress),
) -> Verification {
    verify_on(Arc::new(RealDisk::new(directory)), keys, request, progress)
}

/// Verifies a ledger on a disk of the caller's.
pub fn verify_on(
    disk: Arc<dyn Disk>,
    keys: &Keys,
    request: &Request,
    progress: impl FnMut(Progress),
) -> Verification {
    let mut run = run::Run::new(disk, keys, request, progress);
    if let Err(error) = run.run() {
        run.unreadable(&error);
    }
    run.finish()
}

/// The text of a checkpoint from what an auditor may have kept: the note itself, or a copy of the file `checkpoint`, or
/// a line of `checkpoints.log`.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when it is neither.
pub fn read_checkpoint(text: &str) -> io::Result<String> {
    if text.trim_start().starts_with('{') {
        let signed: crate::Signed = serde_json::from_str(text.trim())?;
        return Ok(signed.note);
    }
    Ok(text.to_owned())
}
