//! Signed notes (c2sp.org/signed-note, v1.0.0): a text, an empty line, and one line a signature.
//!
//! ```text
//! example.com/audit/node1                        text, always ends in a newline
//! 8
//!                                                the last empty line of the note
//! — example.com/audit/node1 M0UjU4MJoCv9pdXC…    name, base64 of key id and signature
//! ```

mod key;
mod signature;
mod signing;

use std::fmt;

use thiserror::Error;

pub use key::{KeyError, VerifyingKey};
pub use signature::{Signature, Signer};
pub use signing::SigningKey;

/// The most signatures a note may have; more is an attempt to keep a reader busy.
pub const MAX_SIGNATURES: usize = 100;

/// A text with signatures that nobody has checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// Why bytes are no note, or a note is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Not UTF-8.
    #[error("a note is not UTF-8")]
    Encoding,
    /// A character below U+0020 other than a newline; a carriage return is one.
    #[error("a note holds control characters")]
    ControlCharacter,
    /// The text of a note to be signed does not end in a newline.
    #[error("the text of a note does not end in a newline")]
    UnfinishedText,
    /// No empty line, or no signature below it, or no newline at the end of the last one.
    #[error("a note does not end in signature lines")]
    NoSignatures,
    /// The signature line of this number, from 1, is malformed.
    #[error("signature line {0} is malformed")]
    SignatureLine(usize),
    /// More than [`MAX_SIGNATURES`].
    #[error("a note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A known key's signature does not belong to this text. Good signatures beside it do not help.
    #[error("the signature of {name} ({id:08x}) is false")]
    FalseSignature {
        /// The key's name.
        name: String,
        /// The key's id.
        id: u32,
    },
    /// Two known keys share name and id, so it is not known which of them signed.
    #[error("two known keys are called {name} ({id:08x})")]
    AmbiguousKey {
        /// The name of both keys.
        name: String,
        /// The id of both keys.
        id: u32,
    },
    /// No signature is by a known key.
    #[error("no known key signed the note")]
    NoKnownSignature,
}

impl Note {
    /// An unsigned note. `text` may hold empty lines and must end in a newline.
    ///
    /// # Errors
    /// No newline at the end, or control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        check_characters(&text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::UnfinishedText);
        }
        Ok(Self {
            text,
            signatures: Vec::new(),
        })
    }

    /// Reads a note with at least one signature, and checks none of them.
    ///
    /// # Errors
    /// The bytes are not exactly of the form above.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Encoding)?;
        check_characters(note)?;
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = signatures
            .strip_suffix('\n')
            .ok_or(NoteError::NoSignatures)?;
        let mut note = Self::new(format!("{text}\n"))?;
        for (line, number) in lines.split('\n').zip(1..) {
            let signature = Signature::from_line(line).ok_or(NoteError::SignatureLine(number))?;
            note.add(signature)?;
        }
        Ok(note)
    }

    /// The signed text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in the order of their lines.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a line below the others, as a witness's answer.
    ///
    /// # Errors
    /// There are [`MAX_SIGNATURES`] already.
    pub fn add(&mut self, signature: Signature) -> Result<(), NoteError> {
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Adds the signature of `key` over the text.
    ///
    /// # Errors
    /// There are [`MAX_SIGNATURES`] already.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), NoteError> {
        self.add(key.sign(&self.text))
    }

    /// Checks every signature that names one of `keys` by name and id; others are passed over. Gives each of the keys
    /// that signed once, in the order of the lines.
    ///
    /// # Errors
    /// A signature of a known key is false, no signature is by a known key, or two different keys share name and id.
    pub fn verify<'k>(&self, keys: &'k [VerifyingKey]) -> Result<Vec<Signer<'k>>, NoteError> {
        let mut signers: Vec<Signer<'k>> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = known(signature, keys)? else {
                continue;
            };
            let signer =
                signature
                    .check(key, &self.text)
                    .ok_or_else(|| NoteError::FalseSignature {
                        name: key.name().to_owned(),
                        id: key.id(),
                    })?;
            if !signers.iter().any(|earlier| earlier.key == key) {
                signers.push(signer);
            }
        }
        if signers.is_empty() {
            return Err(NoteError::NoKnownSignature);
        }
        Ok(signers)
    }
}

impl fmt::Display for Note {
    /// The note's exact bytes. Without signatures they end in the empty line, and do not parse.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// The key that a signature claims to be by.
fn known<'k>(
    signature: &Signature,
    keys: &'k [VerifyingKey],
) -> Result<Option<&'k VerifyingKey>, NoteError> {
    let mut named = keys
        .iter()
        .filter(|key| key.name() == signature.name() && key.id() == signature.key_id());
    let key = named.next();
    if named.any(|other| Some(other) != key) {
        return Err(NoteError::AmbiguousKey {
            name: signature.name().to_owned(),
            id: signature.key_id(),
        });
    }
    Ok(key)
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::ControlCharacter);
    }
    Ok(())
}
