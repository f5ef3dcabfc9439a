use sha2::{Digest as _, Sha256};

use super::hash;
use crate::{Hash, HashError, leaf_hash, node_hash};

#[test]
fn the_empty_tree_is_the_hash_of_nothing() {
    let nothing: [u8; 32] = Sha256::digest([]).into();
    assert_eq!(Hash::EMPTY_TREE, Hash::new(nothing));
}

#[test]
fn leaves_and_nodes_have_their_prefixes() {
    let prefixed = |bytes: &[u8]| Hash::new(Sha256::digest(bytes).into());
    let (left, right) = (leaf_hash(b"a"), leaf_hash(b"b"));
    assert_eq!(left, prefixed(b"\x00a"));
    let node = [&[1], left.as_bytes().as_slice(), right.as_bytes()].concat();
    assert_eq!(node_hash(left, right), prefixed(&node));
}

#[test]
fn hex_and_base64_read_back() {
    let leaf = leaf_hash(b"a");
    assert_eq!(hash(&leaf.to_string()), leaf);
    assert_eq!(Hash::from_base64(&leaf.to_base64()), Ok(leaf));
    assert_eq!(format!("{leaf:?}"), leaf.to_string());
}

#[test]
fn other_lengths_and_alphabets_are_refused() {
    assert_eq!("00".parse::<Hash>(), Err(HashError::Length(1)));
    assert_eq!("zz".parse::<Hash>(), Err(HashError::Hex));
    assert_eq!(Hash::from_base64("AA=="), Err(HashError::Length(1)));
    // Bits that no byte uses, a missing pad, the alphabet of URLs.
    let text = Hash::EMPTY_TREE.to_base64();
    for other in [
        text.replace("FU=", "FV="),
        text.replace('=', ""),
        text.replace('+', "-"),
        format!("{text}\n"),
    ] {
        assert_ne!(other, text);
        assert_eq!(Hash::from_base64(&other), Err(HashError::Base64), "{other}");
    }
}
