//! A proof as a file that an auditor can check without the log (c2sp.org/tlog-proof), suffix `.tlog-proof`.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra cGF5bG9hZA==              may be missing; nobody vouches for it
//! index 7
//! XcnaeacGWamtVZy3Ad7Zoqud…       the path, leaf level first, a hash a line
//!
//! example.com/audit/node1         the signed checkpoint
//! …
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::checkpoint::decimal;
use crate::{
    Checkpoint, CheckpointError, Hash, HashError, Note, NoteError, ProofError, VerifyingKey,
    verify_inclusion,
};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// No tree is higher, so no path is longer.
const MAX_PATH: usize = 64;

/// That a leaf is in a signed tree. [`ProofFile::verify`] tells whether it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// Anything the writer wants to give along, such as the record's salt; empty when there is nothing. Not covered by
    /// any signature.
    pub extra: Vec<u8>,
    /// The leaf's place in the log, from 0.
    pub index: u64,
    /// What [`Hashes::inclusion`](crate::Hashes::inclusion) gives for the leaf and the checkpoint's size.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

/// Why a proof file cannot be read, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofFileError {
    /// Not UTF-8.
    #[error("a proof file is not UTF-8")]
    Encoding,
    /// The first line is another one.
    #[error("a proof file begins with {FIRST_LINE}")]
    FirstLine,
    /// No empty line between proof and checkpoint.
    #[error("a proof file without a checkpoint")]
    NoCheckpoint,
    /// The extra line is not base64 of at least one byte.
    #[error("the extra line of a proof file is not base64")]
    Extra,
    /// The index line is missing, or no decimal number below 2^64 without leading zeros.
    #[error("a proof file without a readable index")]
    Index,
    /// A line of the path is not a hash.
    #[error("the path of a proof file")]
    Path(#[from] HashError),
    /// The path has more than 64 hashes.
    #[error("the path of a proof file is longer than any tree is high")]
    PathLength,
    /// The checkpoint is not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The checkpoint is not the log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the leaf to the checkpoint's root.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl ProofFile {
    /// Reads a proof file, and checks nothing that it says.
    ///
    /// # Errors
    /// The bytes are not exactly of the form above.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofFileError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ProofFileError::Encoding)?;
        let body = text
            .strip_prefix(FIRST_LINE)
            .and_then(|rest| rest.strip_prefix('\n'))
            .ok_or(ProofFileError::FirstLine)?;
        let (proof, checkpoint) = body
            .split_once("\n\n")
            .ok_or(ProofFileError::NoCheckpoint)?;

        let mut lines = proof.split('\n');
        let mut line = lines.next();
        let mut extra = Vec::new();
        if let Some(text) = line.and_then(|line| line.strip_prefix("extra ")) {
            extra = decode_extra(text)?;
            line = lines.next();
        }
        let index = line.and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(decimal).ok_or(ProofFileError::Index)?;
        let path = lines
            .map(Hash::from_base64)
            .collect::<Result<Vec<_>, _>>()?;
        if path.len() > MAX_PATH {
            return Err(ProofFileError::PathLength);
        }
        Ok(Self {
            extra,
            index,
            path,
            checkpoint: Note::parse(checkpoint.as_bytes())?,
        })
    }

    /// Checks that a log whose key is among `keys` signed a tree in which `leaf` stands at the index, and gives that
    /// tree's checkpoint. What witnesses say of it, [`Note::verify`] tells.
    ///
    /// # Errors
    /// The checkpoint is not signed as [`Checkpoint::verify`] asks, or the path does not lead from the leaf to its root.
    pub fn verify(&self, leaf: Hash, keys: &[VerifyingKey]) -> Result<Checkpoint, ProofFileError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, keys)?;
        let (size, root) = (checkpoint.size(), checkpoint.root());
        verify_inclusion(self.index, size, leaf, &self.path, root)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for ProofFile {
    /// The file's exact bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

fn decode_extra(text: &str) -> Result<Vec<u8>, ProofFileError> {
    let extra = STANDARD.decode(text).map_err(|_| ProofFileError::Extra)?;
    // Nothing to give along is said by leaving the line out.
    if extra.is_empty() {
        return Err(ProofFileError::Extra);
    }
    Ok(extra)
}
