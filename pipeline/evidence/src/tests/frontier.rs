use proptest::prelude::*;

use super::leaves;
use crate::{Frontier, FrontierError, Hash, Hashes as _, node_hash};

/// RFC 6962 section 2.1, word for word.
fn recursive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_TREE,
        [leaf] => *leaf,
        _ => {
            let mut split = 1;
            while 2 * split < leaves.len() {
                split *= 2;
            }
            let (left, right) = leaves.split_at(split);
            node_hash(recursive_root(left), recursive_root(right))
        }
    }
}

#[test]
fn the_root_is_the_one_of_the_recursive_definition() {
    let leaves = leaves(300);
    let mut frontier = Frontier::empty();
    for size in 0..=leaves.len() {
        let expected = recursive_root(&leaves[..size]);
        assert_eq!(frontier.root(), expected, "size {size}");
        assert_eq!(leaves.root(size as u64), Ok(expected), "size {size}");
        assert_eq!(leaves.frontier(size as u64), Ok(frontier.clone()));
        assert_eq!(frontier.size(), size as u64);
        if let Some(leaf) = leaves.get(size) {
            frontier.push(*leaf);
        }
    }
}

#[test]
fn a_stored_frontier_goes_on_as_if_never_stored() {
    let leaves = leaves(100);
    let mut whole = Frontier::empty();
    for leaf in &leaves {
        let mut stored = Frontier::from_bytes(&whole.to_bytes()).unwrap();
        assert_eq!(stored, whole);
        stored.push(*leaf);
        whole.push(*leaf);
        assert_eq!(stored.root(), whole.root());
    }
}

#[test]
fn the_number_of_hashes_belongs_to_the_size() {
    let mut frontier = Frontier::empty();
    leaves(11).into_iter().for_each(|leaf| frontier.push(leaf));
    let bytes = frontier.to_bytes();
    assert_eq!(bytes.len(), 8 + 3 * 32);
    for wrong in [
        &bytes[..8 + 64],
        &bytes[..bytes.len() - 1],
        &[&bytes[..], &[0; 32]].concat(),
    ] {
        let found_bytes = wrong.len() - 8;
        let error = FrontierError::Hashes {
            size: 11,
            needed: 3,
            found_bytes,
        };
        assert_eq!(Frontier::from_bytes(wrong), Err(error));
    }
    assert_eq!(Frontier::from_bytes(&bytes[..7]), Err(FrontierError::Size));
    let endless = [&[0xff; 8][..], &[0; 64 * 32]].concat();
    assert_eq!(Frontier::from_bytes(&endless), Err(FrontierError::Size));
}

#[test]
fn the_largest_frontier_takes_one_more_leaf() {
    let bytes = [&Frontier::MAX_SIZE.to_be_bytes()[..], &[5; 63 * 32]].concat();
    let mut frontier = Frontier::from_bytes(&bytes).unwrap();
    assert_eq!(frontier.to_bytes(), bytes);
    frontier.push(Hash::EMPTY_TREE);
    assert_eq!(frontier.size(), 1 << 63);
    assert_eq!(frontier.subtrees().count(), 1);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frontier) = Frontier::from_bytes(&bytes) {
            prop_assert_eq!(frontier.to_bytes(), bytes);
        }
    }
}
