//! The keys that a log's checkpoints are checked with.

use std::io;
use std::path::Path;

use sluice_evidence::{Checkpoint, CheckpointError, Note, NoteError, VerifyingKey};

/// Keys to check checkpoints with. A log signs every epoch under a name of its own (`<origin base>/<epoch>`) with one
/// secret, so a key stands for the log and all its epochs.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<VerifyingKey>,
    /// Found beside the signing key: its bytes count, whatever it is called.
    is_own: bool,
}

/// Why a checkpoint is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// The text is none, or its signature is false.
    False(String),
    /// Somebody else signed it.
    Stranger(String),
}

impl Keys {
    /// No keys: everything is checked but who signed.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Keys that came from outside, a line each: `<name>+<id>+<base64>`. The name is the log's origin, with or without
    /// the epoch. Empty lines and lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// A line that is no key, or no line at all.
    pub fn given(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = line.parse().map_err(|e| format!("line {number}: {e}"))?;
            keys.push(key);
        }
        if keys.is_empty() {
            return Err("it holds no key".into());
        }
        Ok(Self {
            keys,
            is_own: false,
        })
    }

    /// The public half that stands beside the ledger's signing key. Whoever can rewrite the ledger can replace it too.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::InvalidData`] when it holds no key.
    pub fn beside(signing_key: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(signing_key.with_extension("pub"))?;
        let given = Self::given(&text);
        let given = given.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        Ok(Self {
            is_own: true,
            ..given
        })
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether they came from outside the ledger.
    #[must_use]
    pub fn are_given(&self) -> bool {
        !self.is_own && !self.is_empty()
    }

    /// The keys of the log with this origin.
    #[must_use]
    pub fn of(&self, origin: &str) -> Vec<VerifyingKey> {
        let mut keys = Vec::new();
        for key in &self.keys {
            let is_base = origin
                .strip_prefix(key.name())
                .is_some_and(|rest| rest.starts_with('/'));
            if key.is_witness() || key.name() == origin {
                keys.push(key.clone());
            } else if (is_base || self.is_own)
                && let Ok(key) = VerifyingKey::log(origin, *key.public_key())
            {
                keys.push(key);
            }
        }
        keys
    }

    /// What a note says, checked as far as there are keys.
    pub(crate) fn check(&self, note: &str) -> Result<Checkpoint, Distrust> {
        let broken = |error: &dyn std::fmt::Display| Distrust::False(error.to_string());
        let note = Note::parse(note.as_bytes()).map_err(|e| broken(&e))?;
        let checkpoint = Checkpoint::parse(note.text()).map_err(|e| broken(&e))?;
        if self.is_empty() {
            return Ok(checkpoint);
        }
        let origin = checkpoint.origin();
        let keys = self.of(origin);
        match Checkpoint::verify(&note, &keys) {
            Ok(checkpoint) => Ok(checkpoint),
            Err(
                CheckpointError::Note(NoteError::NoKnownSignature)
                | CheckpointError::NotByOrigin(_),
            ) => Err(Distrust::Stranger(self.stranger(origin, &note))),
            Err(error) => Err(broken(&error)),
        }
    }

    /// Says whose signature is missing.
    fn stranger(&self, origin: &str, note: &Note) -> String {
        let by = note.signatures().first();
        let by = by.map_or_else(String::new, |s| format!("{}+{:08x}", s.name(), s.key_id()));
        let names: Vec<&str> = self.keys.iter().map(VerifyingKey::name).collect();
        if self.of(origin).is_empty() {
            return format!(
                "it is of the log {origin}, and the key is for {}: give the key of this log",
                names.join(", ")
            );
        }
        format!(
            "it is signed by {by}, which is another key than the one given: either that is not this log's key, or the \
             checkpoint was made by someone else"
        )
    }
}
