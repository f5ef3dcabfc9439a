//! The attacks of the contract that a tree, a note or a leaf can answer alone, by their numbers there.

use super::{ORIGIN, leaves, log_key, record};
use crate::{
    Checkpoint, CheckpointError, Frontier, Hash, Hashes as _, Leaf, Note, NoteError, ProofError,
    SigningKey, commitment, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};

fn records(count: u64) -> Vec<Hash> {
    (0..count).map(|number| record(number).0.hash()).collect()
}

#[test]
fn attack_1_a_changed_byte_of_a_record_is_found_at_its_sequence() {
    let log = records(20);
    let root = log.root(20).unwrap();
    let (leaf, payload) = record(13);
    let path = log.inclusion(13, 20).unwrap();
    for place in 0..payload.len() {
        let mut changed = payload.clone().into_bytes();
        changed[place] ^= 1;
        let changed = Leaf {
            commitment: commitment(&[7; 16], &changed),
            ..leaf
        };
        let verified = verify_inclusion(13, 20, changed.hash(), &path, root);
        assert_eq!(verified, Err(ProofError::Root));
    }
    let later = Leaf {
        observed_ns: leaf.observed_ns + 1,
        ..leaf
    };
    assert_eq!(
        verify_inclusion(13, 20, later.hash(), &path, root),
        Err(ProofError::Root)
    );
}

#[test]
fn attack_1_a_changed_byte_of_a_checkpoint_is_found_at_the_signature() {
    let checkpoint = Checkpoint::new(ORIGIN, 20, records(20).root(20).unwrap()).unwrap();
    let signed = checkpoint.sign(&[&log_key()]).unwrap().to_string();
    let keys = [log_key().verifying_key()];
    assert_eq!(Checkpoint::open(signed.as_bytes(), &keys), Ok(checkpoint));
    for place in 0..signed.len() {
        let mut changed = signed.clone().into_bytes();
        changed[place] ^= 1;
        assert!(Checkpoint::open(&changed, &keys).is_err(), "byte {place}");
    }
    let other_size = signed.replace("\n20\n", "\n21\n");
    let error = NoteError::FalseSignature {
        name: ORIGIN.to_owned(),
        id: keys[0].id(),
    };
    assert_eq!(
        Checkpoint::open(other_size.as_bytes(), &keys),
        Err(CheckpointError::Note(error))
    );
}

#[test]
fn attack_2_a_log_that_lost_its_end_is_not_consistent_with_its_checkpoint() {
    let log = records(20);
    let (anchored, shorter) = (log.root(20).unwrap(), log.root(17).unwrap());
    let outside = ProofError::OutOfRange {
        wanted: 20,
        size: 17,
    };
    assert_eq!(
        verify_consistency(20, 17, anchored, shorter, &[]),
        Err(outside)
    );
    assert!(log[..17].consistency(20, 17).is_err());
    assert!(log[..17].root(20).is_err());
}

#[test]
fn attack_3_two_swapped_records_give_another_root() {
    let log = records(20);
    for place in 0..19 {
        let mut swapped = log.clone();
        swapped.swap(place, place + 1);
        assert_ne!(swapped.root(20), log.root(20), "{place}");
    }
}

#[test]
fn attack_4_an_interior_node_is_no_leaf() {
    let log = leaves(4);
    let root = log.root(4).unwrap();
    let children = [log[0].as_bytes().as_slice(), log[1].as_bytes()].concat();
    let node = node_hash(log[0], log[1]);
    let path = log.inclusion(0, 4).unwrap();
    for data in [children.clone(), [&[1], children.as_slice()].concat()] {
        assert_ne!(leaf_hash(&data), node);
        assert!(Leaf::from_data(&data).is_err());
        for path in [&path[..], &path[1..]] {
            assert!(verify_inclusion(0, 4, leaf_hash(&data), path, root).is_err());
        }
    }
    // Nor does the node's own hash pass, as the path is too short for a tree of four.
    assert_eq!(
        verify_inclusion(0, 4, node, &path[1..], root),
        Err(ProofError::TooShort)
    );
}

#[test]
fn attack_5_a_proof_of_another_length_or_outside_the_tree_is_refused() {
    let log = leaves(7);
    let root = log.root(7).unwrap();
    let path = log.inclusion(6, 7).unwrap();
    let longer = [&path[..], &[root]].concat();
    let verify = |index, size, path: &[Hash]| verify_inclusion(index, size, log[6], path, root);
    assert_eq!(verify(6, 7, &path), Ok(()));
    assert_eq!(verify(6, 7, &longer), Err(ProofError::TooLong));
    assert_eq!(verify(6, 7, &path[1..]), Err(ProofError::TooShort));
    let outside = |wanted, size| Err(ProofError::OutOfRange { wanted, size });
    assert_eq!(verify(7, 7, &path), outside(7, 7));
    assert_eq!(verify(0, 0, &[]), outside(0, 0));

    let old = log.root(3).unwrap();
    let path = log.consistency(3, 7).unwrap();
    let longer = [&path[..], &[root]].concat();
    let verify = |path: &[Hash]| verify_consistency(3, 7, old, root, path);
    assert_eq!(verify(&path), Ok(()));
    assert_eq!(verify(&longer), Err(ProofError::TooLong));
    assert_eq!(verify(&path[..2]), Err(ProofError::TooShort));
    assert_eq!(verify(&[]), Err(ProofError::TooShort));
    assert_eq!(
        verify_consistency(0, 7, old, root, &[]),
        Err(ProofError::OldRoot)
    );
    assert_eq!(
        verify_consistency(0, 7, Hash::EMPTY_TREE, root, &[root]),
        Err(ProofError::TooLong)
    );
    assert_eq!(
        verify_consistency(7, 7, old, root, &[]),
        Err(ProofError::Root)
    );
    assert_eq!(
        verify_consistency(4, 7, log.root(4).unwrap(), root, &[]),
        Err(ProofError::TooShort)
    );
}

#[test]
fn attack_6_a_checkpoint_in_another_spelling_is_refused_and_a_strange_signature_is_not() {
    let keys = [log_key().verifying_key()];
    let signed_text = |text: &str| {
        let mut note = Note::new(text).unwrap();
        note.sign(&log_key()).unwrap();
        note.to_string()
    };
    let text = Checkpoint::new(ORIGIN, 8, leaves(8).root(8).unwrap())
        .unwrap()
        .to_string();
    let open = |note: &str| Checkpoint::open(note.as_bytes(), &keys);

    let zero = signed_text(&text.replace("\n8\n", "\n08\n"));
    assert_eq!(open(&zero), Err(CheckpointError::Size));
    let good = signed_text(&text);
    let crlf = open(&good.replace('\n', "\r\n"));
    assert_eq!(
        crlf,
        Err(CheckpointError::Note(NoteError::ControlCharacter))
    );
    let unfinished = open(good.trim_end());
    assert_eq!(
        unfinished,
        Err(CheckpointError::Note(NoteError::NoSignatures))
    );
    let strange = SigningKey::from_seed("strange", &[9; 32])
        .unwrap()
        .sign("something else\n");
    assert!(open(&format!("{good}{strange}\n")).is_ok());
}

#[test]
fn attack_7_a_false_signature_under_a_known_key_beside_a_good_one_is_refused() {
    let new = SigningKey::from_seed(ORIGIN, &[9; 32]).unwrap();
    let keys = [log_key().verifying_key(), new.verifying_key()];
    let checkpoint = Checkpoint::new(ORIGIN, 8, leaves(8).root(8).unwrap()).unwrap();
    let mut note = checkpoint.sign(&[&log_key()]).unwrap();
    note.add(new.sign("another text\n")).unwrap();
    let error = NoteError::FalseSignature {
        name: ORIGIN.to_owned(),
        id: new.id(),
    };
    assert_eq!(
        Checkpoint::verify(&note, &keys),
        Err(CheckpointError::Note(error))
    );
}

#[test]
fn attack_8_a_log_that_went_on_from_an_old_image_contradicts_the_anchored_checkpoint() {
    let anchored = records(20);
    let mut forked = Frontier::empty();
    anchored[..15].iter().for_each(|leaf| forked.push(*leaf));
    let mut fork = anchored[..15].to_vec();
    for number in 100..110 {
        let leaf = record(number).0.hash();
        fork.push(leaf);
        forked.push(leaf);
    }
    let (old, new) = (anchored.root(20).unwrap(), forked.root());
    assert_eq!(fork.root(25), Ok(new));
    let path = fork.consistency(20, 25).unwrap();
    let verified = verify_consistency(20, 25, old, new, &path);
    assert_eq!(verified, Err(ProofError::OldRoot));
}

#[test]
fn attack_10_an_erased_record_is_still_in_the_tree() {
    let mut log = Frontier::empty();
    let all = records(20);
    let (leaf, _) = record(13);
    for (number, hash) in (0..).zip(&all) {
        // Of record 13 only what its leaf says is left.
        log.push(if number == 13 { leaf.hash() } else { *hash });
    }
    let path = all.inclusion(13, 20).unwrap();
    assert_eq!(
        verify_inclusion(13, 20, leaf.hash(), &path, log.root()),
        Ok(())
    );
    assert_ne!(leaf.commitment, commitment(&[7; 16], b""));
}
