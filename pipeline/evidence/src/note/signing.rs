//! The private half of a key.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian as _, Curve25519SeedBin};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

use super::key::{Kind, decode_id, decode_key, encode_key, is_name, key_id};
use super::signature::cosigned;
use super::{KeyError, Signature, VerifyingKey};

const PREFIX: &str = "PRIVATE+KEY+";

/// An Ed25519 key that signs notes under a name. `Debug` shows name and id only.
pub struct SigningKey {
    name: String,
    pair: Ed25519KeyPair,
    public_key: [u8; 32],
}

impl SigningKey {
    /// The key that a secret of 32 random bytes gives.
    ///
    /// # Errors
    /// No key may have this name.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Bytes)?;
        Self::new(name, pair)
    }

    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// No key may have this name, or there is no randomness.
    pub fn generate(name: &str) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Randomness)?;
        Self::new(name, pair)
    }

    fn new(name: &str, pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let public_key = pair.public_key().as_ref();
        Ok(Self {
            name: name.to_owned(),
            public_key: public_key.try_into().map_err(|_| KeyError::Bytes)?,
            pair,
        })
    }

    /// Reads the text of a key file, without the newline at its end:
    /// `PRIVATE+KEY+<name>+<8 hex digits of the id>+<base64 of 0x01 and the seed>`.
    ///
    /// # Errors
    /// The text is of another form, or the id does not belong to name and key.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyError> {
        let fields = text.strip_prefix(PREFIX).ok_or(KeyError::Form)?;
        let mut fields = fields.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(KeyError::Form);
        };
        let key = match decode_key(key)? {
            (Kind::Log, seed) => Self::from_seed(name, &seed)?,
            (other, _) => return Err(KeyError::Type(other as u8)),
        };
        if decode_id(id)? != key.id() {
            return Err(KeyError::Id);
        }
        Ok(key)
    }

    /// The whole secret, for a key file that only its owner may read. Reads back with
    /// [`SigningKey::from_secret_text`].
    ///
    /// # Errors
    /// The cryptographic library does not give the seed away.
    pub fn to_secret_text(&self) -> Result<String, KeyError> {
        let seed = self.pair.seed().map_err(|_| KeyError::Bytes)?;
        let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| KeyError::Bytes)?;
        let seed = seed.as_ref().try_into().map_err(|_| KeyError::Bytes)?;
        let key = encode_key(Kind::Log, seed);
        Ok(format!("{PREFIX}{}+{:08x}+{key}", self.name, self.id()))
    }

    /// The same secret under another name: the key of a log's next epoch.
    ///
    /// # Errors
    /// No key may have this name, or the cryptographic library does not give the seed away.
    pub fn renamed(&self, name: &str) -> Result<Self, KeyError> {
        let seed = self.pair.seed().map_err(|_| KeyError::Bytes)?;
        let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| KeyError::Bytes)?;
        Self::from_seed(name, seed.as_ref().try_into().map_err(|_| KeyError::Bytes)?)
    }

    /// The name, which should be the origin of the log that the key signs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key as a log's.
    #[must_use]
    pub fn id(&self) -> u32 {
        key_id(&self.name, Kind::Log, &self.public_key)
    }

    /// The key that checks what [`SigningKey::sign`] makes.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::named(&self.name, Kind::Log, self.public_key)
    }

    /// The key that checks what [`SigningKey::cosign`] makes. It has another id.
    #[must_use]
    pub fn witness_key(&self) -> VerifyingKey {
        VerifyingKey::named(&self.name, Kind::Witness, self.public_key)
    }

    /// A signature over the text of a note.
    #[must_use]
    pub fn sign(&self, text: &str) -> Signature {
        let signature = self.pair.sign(text.as_bytes());
        Signature::new(&self.name, self.id(), signature.as_ref().to_vec())
    }

    /// A witness's signature (type 0x04): at this time, in seconds since 1970, `text` was the newest checkpoint seen.
    /// A witness has a key of its own: what is signed here does not name it. Times from 2^63 on are refused by readers.
    #[must_use]
    pub fn cosign(&self, text: &str, time_seconds: u64) -> Signature {
        let signature = self.pair.sign(cosigned(time_seconds, text).as_bytes());
        let id = key_id(&self.name, Kind::Witness, &self.public_key);
        let bytes = [&time_seconds.to_be_bytes(), signature.as_ref()].concat();
        Signature::new(&self.name, id, bytes)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}+{:08x})", self.name, self.id())
    }
}
