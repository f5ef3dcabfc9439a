//! What a record is in the tree: 49 bytes that say when and as which number it came, and commit to its payload without
//! telling it. With the payload and the salt gone (an erasure request) the leaf stays valid and says nothing more.

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{Hash, leaf_hash};

/// 16 bytes that stop anyone from guessing a payload by its commitment.
pub type Salt = [u8; 16];
/// 32 random bytes from which the salts of one frame are derived.
pub type Seed = [u8; 32];

const VERSION: u8 = 0x01;
/// What a commitment begins with, so that no other hash passes for one.
const COMMITMENT: &[u8] = b"audit-leaf/v1\0";
/// Bytes that are hashed in front of a payload: that, and the salt.
pub(crate) const COMMITMENT_HEAD: usize = COMMITMENT.len() + size_of::<Salt>();

/// A record's leaf, apart from its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The record's number in its log, from 0.
    pub sequence: u64,
    /// When the record was accepted, in nanoseconds since 1970, UTC. A claim of this node, not evidence.
    pub observed_ns: u64,
    /// What [`commitment`] gives for the payload as stored.
    pub commitment: Hash,
}

/// Why bytes are no [`Leaf`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LeafError {
    /// The number of bytes is the value.
    #[error("a leaf has 49 bytes, not {0}")]
    Length(usize),
    /// The first byte is the value.
    #[error("leaf version {0} is unknown")]
    Version(u8),
}

impl Leaf {
    /// The number of bytes of a leaf's data.
    pub const LEN: usize = 49;

    /// What is hashed: version 0x01, sequence and time big-endian, commitment. Also the leaf's entry in an entry
    /// bundle.
    #[must_use]
    pub fn data(&self) -> [u8; Self::LEN] {
        let mut data = [VERSION; Self::LEN];
        data[1..9].copy_from_slice(&self.sequence.to_be_bytes());
        data[9..17].copy_from_slice(&self.observed_ns.to_be_bytes());
        data[17..].copy_from_slice(self.commitment.as_bytes());
        data
    }

    /// Reads what [`Leaf::data`] writes.
    ///
    /// # Errors
    /// The length or the version is another one.
    pub fn from_data(data: &[u8]) -> Result<Self, LeafError> {
        let data: &[u8; Self::LEN] = data.try_into().map_err(|_| LeafError::Length(data.len()))?;
        if data[0] != VERSION {
            return Err(LeafError::Version(data[0]));
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&data[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        let mut commitment = [0; Hash::LEN];
        commitment.copy_from_slice(&data[17..]);
        Ok(Self {
            sequence: number(1),
            observed_ns: number(9),
            commitment: Hash::new(commitment),
        })
    }

    /// The leaf in the tree.
    #[must_use]
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.data())
    }
}

/// `SHA-256("audit-leaf/v1", 00, salt, payload)`, where `payload` are the bytes as stored.
#[must_use]
pub fn commitment(salt: &Salt, payload: &[u8]) -> Hash {
    let mut hasher = CommitmentHasher::new(salt);
    hasher.update(payload);
    hasher.finish()
}

/// [`commitment`] of a payload that comes in pieces; where it is cut makes no difference.
#[derive(Debug, Clone)]
pub struct CommitmentHasher {
    state: Sha256,
}

impl CommitmentHasher {
    /// A commitment under `salt` to nothing yet.
    #[must_use]
    pub fn new(salt: &Salt) -> Self {
        Self {
            state: Sha256::new_with_prefix(head(salt)),
        }
    }

    /// Goes on with the next piece of the payload.
    pub fn update(&mut self, piece: &[u8]) {
        self.state.update(piece);
    }

    /// The commitment to all pieces.
    #[must_use]
    pub fn finish(self) -> Hash {
        Hash::finish(self.state)
    }
}

/// What is hashed in front of a payload.
pub(crate) fn head(salt: &Salt) -> [u8; COMMITMENT_HEAD] {
    let mut head = [0; COMMITMENT_HEAD];
    let (name, end) = head.split_at_mut(COMMITMENT.len());
    name.copy_from_slice(COMMITMENT);
    end.copy_from_slice(salt);
    head
}

/// The salt of the record at `place` (from 0) of the frame with this seed: the first 16 bytes of
/// `SHA-256("audit-salt/v1", 00, seed, place as u32 big-endian)`. One salt tells nothing about another.
#[must_use]
pub fn salt(seed: &Seed, place: u32) -> Salt {
    let digest: [u8; 32] = Sha256::new_with_prefix(b"audit-salt/v1\0")
        .chain_update(seed)
        .chain_update(place.to_be_bytes())
        .finalize()
        .into();
    let mut salt = [0; 16];
    salt.copy_from_slice(&digest[..16]);
    salt
}
