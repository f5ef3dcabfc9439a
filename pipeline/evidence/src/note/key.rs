//! The public half of a key, and what key names and ids are.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Why a key cannot be read or made. No text of these holds any part of the key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not the fields of a key parted by `+`.
    #[error("a key is not of the form name+id+base64")]
    Form,
    /// The name is empty or holds a space, a `+` or a control character.
    #[error("a key's name is empty or holds a space, a plus or a control character")]
    Name,
    /// The id is not eight hex digits, or not the one that name and key give.
    #[error("a key's id does not belong to its name and key")]
    Id,
    /// The type byte is the value.
    #[error("keys of type {0:#04x} are unknown")]
    Type(u8),
    /// The key is not canonical base64 of a type byte and 32 bytes.
    #[error("a key is not base64 of a type and 32 bytes")]
    Bytes,
    /// The operating system gave no randomness.
    #[error("no key could be made: no randomness")]
    Randomness,
}

/// What a key signs; the value is its type byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// The text of a note.
    Log = 0x01,
    /// A time and the text of a note (c2sp.org/tlog-cosignature).
    Witness = 0x04,
}

/// An Ed25519 key of a log or of a witness, to check signatures with. As text:
/// `<name>+<8 hex digits of the id>+<base64 of type byte and key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    kind: Kind,
    id: u32,
    public_key: [u8; 32],
}

impl VerifyingKey {
    /// The key of a log (type 0x01).
    ///
    /// # Errors
    /// No key may have this name.
    pub fn log(name: &str, public_key: [u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, Kind::Log, public_key)
    }

    /// The key of a witness (type 0x04).
    ///
    /// # Errors
    /// No key may have this name.
    pub fn witness(name: &str, public_key: [u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, Kind::Witness, public_key)
    }

    fn new(name: &str, kind: Kind, public_key: [u8; 32]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        Ok(Self::named(name, kind, public_key))
    }

    /// The key under a name that is known to be one.
    pub(super) fn named(name: &str, kind: Kind, public_key: [u8; 32]) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            id: key_id(name, kind, &public_key),
            public_key,
        }
    }

    /// The name, which for a log's key is the log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes, big-endian, of `SHA-256(name, 0x0A, type byte, key)`.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The 32 bytes of the key.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// Whether this is the key of a witness, whose signatures hold a time.
    #[must_use]
    pub fn is_witness(&self) -> bool {
        self.kind == Kind::Witness
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn accepts(&self, message: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public_key)
            .verify(message.as_bytes(), signature)
            .is_ok()
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // The base64 may hold a plus itself.
        let mut fields = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(KeyError::Form);
        };
        let (kind, public_key) = decode_key(key)?;
        let key = Self::new(name, kind, public_key)?;
        if decode_id(id)? != key.id {
            return Err(KeyError::Id);
        }
        Ok(key)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = encode_key(self.kind, &self.public_key);
        write!(f, "{}+{:08x}+{key}", self.name, self.id)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({self})")
    }
}

/// Whether a key may have this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|char: char| char < ' ' || char == '+' || char.is_whitespace())
}

pub(super) fn key_id(name: &str, kind: Kind, public_key: &[u8; 32]) -> u32 {
    let digest: [u8; 32] = Sha256::new_with_prefix(name)
        .chain_update([b'\n', kind as u8])
        .chain_update(public_key)
        .finalize()
        .into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d])
}

pub(super) fn decode_id(text: &str) -> Result<u32, KeyError> {
    let mut id = [0; 4];
    hex::decode_to_slice(text, &mut id).map_err(|_| KeyError::Id)?;
    Ok(u32::from_be_bytes(id))
}

pub(super) fn encode_key(kind: Kind, key: &[u8; 32]) -> String {
    let mut bytes = [kind as u8; 33];
    bytes[1..].copy_from_slice(key);
    STANDARD.encode(bytes)
}

pub(super) fn decode_key(text: &str) -> Result<(Kind, [u8; 32]), KeyError> {
    let bytes = STANDARD.decode(text).map_err(|_| KeyError::Bytes)?;
    let (kind, key) = bytes.split_first().ok_or(KeyError::Bytes)?;
    let kind = match kind {
        0x01 => Kind::Log,
        0x04 => Kind::Witness,
        other => return Err(KeyError::Type(*other)),
    };
    Ok((kind, key.try_into().map_err(|_| KeyError::Bytes)?))
}
