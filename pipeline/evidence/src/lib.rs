#![doc = include_str!("../README.md")]

mod checkpoint;
mod commitments;
mod frontier;
mod hash;
mod leaf;
mod note;
mod pair;
mod proof;
mod proof_file;
mod tile;
mod tree;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use commitments::Commitments;
pub use frontier::{Frontier, FrontierError};
pub use hash::{Hash, HashError, leaf_hash, node_hash};
pub use leaf::{CommitmentHasher, Leaf, LeafError, Salt, Seed, commitment, salt};
pub use note::{
    KeyError, MAX_SIGNATURES, Note, NoteError, Signature, Signer, SigningKey, VerifyingKey,
};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use proof_file::{ProofFile, ProofFileError};
pub use tile::{
    Tile, TileCheckError, TileHashes, TileId, TileIdError, TileReadError, TileSource, Tiler, tiles,
    verify_tiles,
};
pub use tree::{Hashes, MissingNode, TreeError};

#[cfg(test)]
mod tests;
