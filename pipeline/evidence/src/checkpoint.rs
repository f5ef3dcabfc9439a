//! Checkpoints (c2sp.org/tlog-checkpoint, v1.0.0): the size and the root of a log, to be signed as a note.

use std::fmt;

use thiserror::Error;

use crate::{Hash, HashError, Note, NoteError, SigningKey, VerifyingKey};

/// What a log had become: everything before `size` is fixed by `root`.
///
/// Its text is three lines: the origin, the size in decimal, the root in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

/// Why a text is no checkpoint, or a checkpoint is not the log's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// Not three lines, or an empty one or an unfinished one behind them.
    #[error("a checkpoint has the lines origin, size, root")]
    Lines,
    /// The origin is empty or holds control characters.
    #[error("a checkpoint's origin is empty or holds control characters")]
    Origin,
    /// The size is not a decimal number below 2^64 without leading zeros.
    #[error("a checkpoint's size is no decimal number")]
    Size,
    /// The root is not the base64 of 32 bytes.
    #[error("a checkpoint's root")]
    Root(#[source] HashError),
    /// A log without leaves has only one root, and this is another.
    #[error("a checkpoint of size 0 has the root of another tree")]
    EmptyTree,
    /// The checkpoint is not a note, or a signature is false.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// No log key whose name is the origin signed it; witnesses alone do not make a checkpoint.
    #[error("a checkpoint of {0} is not signed by a key of that name")]
    NotByOrigin(String),
}

impl Checkpoint {
    /// A checkpoint to be signed.
    ///
    /// # Errors
    /// The origin is not one line, or the tree without leaves has another root.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.contains(|char: char| char < ' ') {
            return Err(CheckpointError::Origin);
        }
        if size == 0 && root != Hash::EMPTY_TREE {
            return Err(CheckpointError::EmptyTree);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
        })
    }

    /// Reads the text of a checkpoint's note. Lines below the root are passed over, if they are not empty.
    ///
    /// # Errors
    /// The text is not exactly of this form.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = text.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointError::Lines);
        };
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Lines);
        }
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = Hash::from_base64(root).map_err(CheckpointError::Root)?;
        Self::new(origin, size, root)
    }

    /// The log's identity.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree of that size.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// The note with the signatures of these keys; two during the change from one to the other. Only the caller can
    /// know that it is consistent with all that was signed before.
    ///
    /// # Errors
    /// No key is given, a key has another name than the origin, or there are too many.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Note, CheckpointError> {
        if keys.is_empty() || keys.iter().any(|key| key.name() != self.origin) {
            return Err(CheckpointError::NotByOrigin(self.origin.clone()));
        }
        let mut note = Note::new(self.to_string())?;
        for key in keys {
            note.sign(key)?;
        }
        Ok(note)
    }

    /// Reads a signed checkpoint and checks it against `keys`, as [`Checkpoint::verify`] does.
    ///
    /// # Errors
    /// The bytes are no note, no known key of the log signed it, or its text is no checkpoint.
    pub fn open(bytes: &[u8], keys: &[VerifyingKey]) -> Result<Self, CheckpointError> {
        Self::verify(&Note::parse(bytes)?, keys)
    }

    /// The checkpoint in a note that one of `keys` with the name of the origin signed. Keys of other logs do not count,
    /// nor do witnesses; but their false signatures reject the note too.
    ///
    /// # Errors
    /// No known key of the log signed the note, a signature of a known key is false, or the text is no checkpoint.
    pub fn verify(note: &Note, keys: &[VerifyingKey]) -> Result<Self, CheckpointError> {
        let signers = note.verify(keys)?;
        let checkpoint = Self::parse(note.text())?;
        let by_origin = signers
            .iter()
            .any(|signer| !signer.key.is_witness() && signer.key.name() == checkpoint.origin);
        if by_origin {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::NotByOrigin(checkpoint.origin))
        }
    }
}

impl fmt::Display for Checkpoint {
    /// The text that is signed, with its last newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = self.root.to_base64();
        writeln!(f, "{}\n{}\n{root}", self.origin, self.size)
    }
}

/// A decimal number as checkpoints write it: digits only, no zero in front of others.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}
