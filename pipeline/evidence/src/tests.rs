//! Vectors, attacks and properties. The vectors were computed by other implementations than this one.

mod attacks;
mod checkpoint;
mod commitments;
mod frontier;
mod hash;
mod leaf;
mod note;
mod proof_file;
mod tile;
mod tiler;
mod tree;

use crate::{Hash, Leaf, SigningKey, leaf_hash};

/// The eight leaves that Certificate Transparency implementations test with.
pub(crate) fn ct_leaves() -> Vec<Hash> {
    [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    .map(|hex| leaf_hash(&hex::decode(hex).unwrap()))
    .to_vec()
}

/// `count` leaves of which no two are equal.
pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|number| leaf_hash(&number.to_be_bytes()))
        .collect()
}

/// A record of this number, with a payload of its own.
pub(crate) fn record(sequence: u64) -> (Leaf, String) {
    let payload = format!("{{\"decision\":\"allow\",\"number\":{sequence}}}");
    let leaf = Leaf {
        sequence,
        observed_ns: 1_776_709_801_000_000_000 + sequence,
        commitment: crate::commitment(&[7; 16], payload.as_bytes()),
    };
    (leaf, payload)
}

pub(crate) fn hash(hex: &str) -> Hash {
    hex.parse().unwrap()
}

pub(crate) const ORIGIN: &str = "example.com/audit/node1";

/// The seed 00 01 .. 1f.
pub(crate) fn log_key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, &counting(0)).unwrap()
}

pub(crate) fn counting(first: u8) -> [u8; 32] {
    std::array::from_fn(|place| first + place as u8)
}
