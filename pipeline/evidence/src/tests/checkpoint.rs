use proptest::prelude::*;

use super::{ORIGIN, counting, ct_leaves, hash, log_key};
use crate::{Checkpoint, CheckpointError, Hash, Hashes as _, Note, SigningKey};

const SIGNED: &str = "example.com/audit/node1
8
XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

— example.com/audit/node1 M0UjU4MJoCv9pdXCc3DyUz8U5O1po67NS+gdI/8iCmx1OGrwd1R/1lLGnVpwg+lqFAOcNhMDBzwKEVtjoaVlvuD1SgY=
";

fn sheet_checkpoint() -> Checkpoint {
    Checkpoint::new(ORIGIN, 8, ct_leaves().root(8).unwrap()).unwrap()
}

fn witness() -> SigningKey {
    SigningKey::from_seed("witness.example/w1", &counting(0x20)).unwrap()
}

#[test]
fn the_checkpoint_of_the_contract_is_signed_byte_for_byte() {
    let note = sheet_checkpoint().sign(&[&log_key()]).unwrap();
    assert_eq!(note.to_string(), SIGNED);
    let opened = Checkpoint::open(SIGNED.as_bytes(), &[log_key().verifying_key()]);
    assert_eq!(opened, Ok(sheet_checkpoint()));
}

#[test]
fn the_witness_of_the_contract_cosigns_byte_for_byte() {
    let vkey = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
    assert_eq!(witness().witness_key().to_string(), vkey);
    let mut note = Note::parse(SIGNED.as_bytes()).unwrap();
    note.add(witness().cosign(note.text(), 1_776_709_800))
        .unwrap();
    let line = "— witness.example/w1 IDJKvgAAAABp5nCo5R55ogX6nJdZtGNZZG5DR2odeaV8uQpkgW9L0uG2aLEQj+umM0Pss1TaGkDHH4CCc1KFTHJ3n+fzPHEAqx3lAw==";
    assert_eq!(note.to_string(), format!("{SIGNED}{line}\n"));

    let keys = [vkey.parse().unwrap(), log_key().verifying_key()];
    let signers = note.verify(&keys).unwrap();
    let times: Vec<_> = signers
        .iter()
        .map(|signer| signer.witnessed_seconds)
        .collect();
    assert_eq!(times, [None, Some(1_776_709_800)]);
    assert_eq!(Checkpoint::verify(&note, &keys), Ok(sheet_checkpoint()));
}

#[test]
fn a_changed_time_of_a_witness_is_a_false_signature() {
    let mut note = Note::new(sheet_checkpoint().to_string()).unwrap();
    let good = witness().cosign(note.text(), 1_776_709_800).to_string();
    let changed = good.replace("p5nCo", "p5nCp");
    assert_ne!(good, changed);
    note.add(crate::Signature::from_line(&changed).unwrap())
        .unwrap();
    let error = note.verify(&[witness().witness_key()]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the signature of witness.example/w1 (20324abe) is false"
    );
}

#[test]
fn a_witness_alone_makes_no_checkpoint() {
    let mut note = Note::new(sheet_checkpoint().to_string()).unwrap();
    note.add(witness().cosign(note.text(), 5)).unwrap();
    let keys = [witness().witness_key(), log_key().verifying_key()];
    let error = CheckpointError::NotByOrigin(ORIGIN.to_owned());
    assert_eq!(Checkpoint::verify(&note, &keys), Err(error.clone()));
    // Nor does another log's key.
    note.sign(&witness()).unwrap();
    assert_eq!(
        Checkpoint::verify(&note, &[witness().verifying_key()]),
        Err(error.clone())
    );
    assert_eq!(sheet_checkpoint().sign(&[&witness()]), Err(error.clone()));
    assert_eq!(sheet_checkpoint().sign(&[]), Err(error));
}

#[test]
fn two_keys_sign_while_one_follows_the_other() {
    let new = SigningKey::from_seed(ORIGIN, &counting(9)).unwrap();
    let note = sheet_checkpoint().sign(&[&log_key(), &new]).unwrap();
    for key in [log_key(), new] {
        assert_eq!(
            Checkpoint::verify(&note, &[key.verifying_key()]),
            Ok(sheet_checkpoint())
        );
    }
}

#[test]
fn malformed_checkpoints_are_refused() {
    let good = sheet_checkpoint().to_string();
    for (bad, error) in [
        (String::new(), CheckpointError::Lines),
        ("a\n8\n".to_owned(), CheckpointError::Lines),
        (good.trim_end().to_owned(), CheckpointError::Lines),
        (format!("{good}\n"), CheckpointError::Lines),
        (format!("{good}ext\n\next\n"), CheckpointError::Lines),
        (good.replace(ORIGIN, ""), CheckpointError::Origin),
        (good.replace("\n8\n", "\n08\n"), CheckpointError::Size),
        (good.replace("\n8\n", "\n+8\n"), CheckpointError::Size),
        (good.replace("\n8\n", "\n-8\n"), CheckpointError::Size),
        (good.replace("\n8\n", "\n 8\n"), CheckpointError::Size),
        (good.replace("\n8\n", "\n0x8\n"), CheckpointError::Size),
        (good.replace("\n8\n", "\n\n"), CheckpointError::Size),
        (
            good.replace("\n8\n", "\n18446744073709551616\n"),
            CheckpointError::Size,
        ),
        (good.replace("\n8\n", "\n00\n"), CheckpointError::Size),
        (good.replace("\n8\n", "\n0\n"), CheckpointError::EmptyTree),
        (
            good.replace("Qyg=", "Qyg"),
            CheckpointError::Root(crate::HashError::Base64),
        ),
        (
            good.replace("Qyg=", "Qyh="),
            CheckpointError::Root(crate::HashError::Base64),
        ),
        (
            good.replace("RgQyg=", "RgQw=="),
            CheckpointError::Root(crate::HashError::Length(31)),
        ),
        (good.replace('\n', "\r\n"), CheckpointError::Size),
    ] {
        assert_eq!(Checkpoint::parse(&bad), Err(error), "{bad:?}");
    }
    let root = Hash::EMPTY_TREE;
    for origin in ["", "a\nb"] {
        assert_eq!(
            Checkpoint::new(origin, 0, root),
            Err(CheckpointError::Origin)
        );
    }
}

#[test]
fn extension_lines_are_signed_and_passed_over() {
    let text = format!("{}extension one\nextension two\n", sheet_checkpoint());
    assert_eq!(Checkpoint::parse(&text), Ok(sheet_checkpoint()));
    let mut note = Note::new(text).unwrap();
    note.sign(&log_key()).unwrap();
    let keys = [log_key().verifying_key()];
    assert_eq!(Checkpoint::verify(&note, &keys), Ok(sheet_checkpoint()));
    let cut = note.to_string().replace("extension two\n", "");
    assert!(Checkpoint::open(cut.as_bytes(), &keys).is_err());
}

#[test]
fn the_first_checkpoint_of_a_log_is_of_no_leaves() {
    let first = Checkpoint::new(ORIGIN, 0, Hash::EMPTY_TREE).unwrap();
    assert_eq!(Checkpoint::parse(&first.to_string()), Ok(first));
    let other = hash("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    assert_eq!(
        Checkpoint::new(ORIGIN, 0, other),
        Err(CheckpointError::EmptyTree)
    );
}

proptest! {
    #[test]
    fn checkpoints_read_back(size in 1u64.., root in any::<[u8; 32]>()) {
        let checkpoint = Checkpoint::new(ORIGIN, size, Hash::new(root)).unwrap();
        prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
    }

    #[test]
    fn arbitrary_text_is_read_or_refused(text in "(o\n)?[0-9]{0,3}\n?([A-Za-z]{43}=)?\n?[ -~\n]{0,9}") {
        let _ = Checkpoint::parse(&text);
        let _ = Checkpoint::open(text.as_bytes(), &[log_key().verifying_key()]);
    }
}
