use proptest::prelude::*;

use super::{counting, hash};
use crate::{CommitmentHasher, Leaf, LeafError, commitment, salt};

fn sheet_leaf() -> Leaf {
    let salt = std::array::from_fn(|place| place as u8);
    Leaf {
        sequence: 7,
        observed_ns: 1_776_709_801_000_000_000,
        commitment: commitment(&salt, b"{\"decision\":\"refuse\"}"),
    }
}

#[test]
fn the_leaf_of_the_contract_has_its_hash() {
    let leaf = sheet_leaf();
    let expected = "24f0bee6d8face6879381eb5c9cf5e273e294981823b01724c63f03433e34f88";
    assert_eq!(leaf.commitment, hash(expected));
    let expected = "759396c2daec55fa200ee45165e20f4166223c482f91a8d3562605c99499fb65";
    assert_eq!(leaf.hash(), hash(expected));
}

#[test]
fn leaf_data_reads_back_and_nothing_else_does() {
    let data = sheet_leaf().data();
    assert_eq!(Leaf::from_data(&data), Ok(sheet_leaf()));
    assert_eq!(Leaf::from_data(&data[1..]), Err(LeafError::Length(48)));
    let mut other = data;
    other[0] = 2;
    assert_eq!(Leaf::from_data(&other), Err(LeafError::Version(2)));
}

#[test]
fn salts_differ_by_seed_and_place() {
    // First half of SHA-256("audit-salt/v1", 00, 00 01 .. 1f, 00 00 00 05).
    let first = salt(&counting(0), 5);
    assert_eq!(hex::encode(first), SALT_OF_PLACE_5);
    assert_ne!(first, salt(&counting(0), 6));
    assert_ne!(first, salt(&counting(1), 5));
}

const SALT_OF_PLACE_5: &str = "51e1d95489b530b4b6d60c66746b0fce";

proptest! {
    #[test]
    fn a_commitment_does_not_depend_on_where_the_payload_is_cut(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..8),
        salt in any::<[u8; 16]>(),
    ) {
        let mut hasher = CommitmentHasher::new(&salt);
        for piece in &pieces {
            hasher.update(piece);
        }
        prop_assert_eq!(hasher.finish(), commitment(&salt, &pieces.concat()));
    }

    #[test]
    fn every_field_is_in_the_leaf(sequence in any::<u64>(), observed_ns in any::<u64>(), bit in 0usize..392) {
        let leaf = Leaf { sequence, observed_ns, commitment: sheet_leaf().commitment };
        prop_assert_eq!(Leaf::from_data(&leaf.data()), Ok(leaf));
        let mut data = leaf.data();
        data[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(crate::leaf_hash(&data), leaf.hash());
    }
}
