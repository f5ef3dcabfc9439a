use proptest::prelude::*;

use super::counting;
use crate::{Commitments, Hash, commitment, salt};

/// Each payload committed to alone.
fn alone(payloads: &[Vec<u8>]) -> Vec<Hash> {
    (0..)
        .zip(payloads)
        .map(|(place, payload)| commitment(&salt(&counting(0), place), payload))
        .collect()
}

fn together(payloads: &[Vec<u8>]) -> Vec<Hash> {
    let mut commitments = Commitments::with_capacity(&counting(0), payloads.len());
    payloads
        .iter()
        .for_each(|payload| commitments.push(payload));
    commitments.finish()
}

#[test]
fn payloads_of_every_two_lengths_up_to_four_blocks_are_committed_to_as_each_alone() {
    let bytes: Vec<u8> = (0..=255).collect();
    for one in 0..bytes.len() {
        for other in 0..bytes.len() {
            let payloads = [bytes[..one].to_vec(), bytes[bytes.len() - other..].to_vec()];
            assert_eq!(together(&payloads), alone(&payloads), "{one} and {other}");
        }
    }
}

proptest! {
    #[test]
    fn any_number_of_payloads_is_committed_to_as_each_alone(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..9),
    ) {
        prop_assert_eq!(together(&payloads), alone(&payloads));
    }
}
