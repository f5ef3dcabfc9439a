//! One line below a note.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::VerifyingKey;
use super::key::{Kind, is_name};

/// The last time that a witness may name.
const LAST_SECOND: u64 = u64::MAX >> 1;
const DASH: &str = "\u{2014} ";

/// A signature that says whose it is; whether that is true, [`Note::verify`](crate::Note::verify) tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    key_id: u32,
    bytes: Vec<u8>,
}

/// A key whose signature under a note is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signer<'k> {
    /// The key.
    pub key: &'k VerifyingKey,
    /// When a witness saw this note as the newest of its log, in seconds since 1970; `None` for the log's own keys.
    pub witnessed_seconds: Option<u64>,
}

impl Signature {
    pub(super) fn new(name: &str, key_id: u32, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            key_id,
            bytes,
        }
    }

    /// Reads a signature line, which stands without its newline. `None` unless it is `— <name> <base64>` with a name
    /// that a key may have, and canonical base64 of a key id and at least one byte more.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let (name, payload) = line.strip_prefix(DASH)?.split_once(' ')?;
        if !is_name(name) {
            return None;
        }
        let payload = STANDARD.decode(payload).ok()?;
        let (key_id, bytes) = payload.split_first_chunk()?;
        if bytes.is_empty() {
            return None;
        }
        Some(Self::new(name, u32::from_be_bytes(*key_id), bytes.to_vec()))
    }

    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key, which tells keys of one name apart.
    #[must_use]
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The signer, if `key` made this signature over `text`.
    pub(super) fn check<'k>(&self, key: &'k VerifyingKey, text: &str) -> Option<Signer<'k>> {
        let witnessed_seconds = match key.kind() {
            Kind::Log => {
                key.accepts(text, &self.bytes).then_some(())?;
                None
            }
            Kind::Witness => {
                let (time, signature) = self.bytes.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                (time <= LAST_SECOND).then_some(())?;
                key.accepts(&cosigned(time, text), signature)
                    .then_some(())?;
                Some(time)
            }
        };
        Some(Signer {
            key,
            witnessed_seconds,
        })
    }
}

impl fmt::Display for Signature {
    /// The line without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = [&self.key_id.to_be_bytes(), self.bytes.as_slice()].concat();
        write!(f, "{DASH}{} {}", self.name, STANDARD.encode(payload))
    }
}

/// What a witness signs (c2sp.org/tlog-cosignature, v1.0.1).
pub(super) fn cosigned(time_seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time_seconds}\n{text}")
}
