//! Records whose keys are the same share their bytes. That must show in nothing but speed.

use bytes::Bytes;
use proptest::prelude::*;

use crate::{Batch, Edit, Editor, Place, Signal, Value};

fn decoded(records: &[&[&str]]) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("service.name", Value::Str("s"))], "scope");
    for (n, keys) in records.iter().enumerate() {
        let mut record = batch.push_log();
        record.set_body(Value::Str(&"x".repeat(100)));
        for key in *keys {
            record.set(key, Value::Str(&format!("{key}{n}")));
        }
    }
    Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid")
}

/// For each record but the first: whether its keys are known to be those of the one before.
fn known(batch: &Batch) -> Vec<bool> {
    let attributes = |i: usize| batch.record(i).attributes();
    (1..batch.len())
        .map(|i| attributes(i).have_keys_of(attributes(i - 1)))
        .collect()
}

fn keys(batch: &Batch) -> Vec<Vec<String>> {
    let own = |i: usize| batch.record(i).attributes().keys().map(str::to_owned);
    (0..batch.len()).map(|i| own(i).collect()).collect()
}

#[test]
fn neighbours_are_known_to_have_the_same_keys_and_others_never_are() {
    let batch = decoded(&[
        &["a", "bé"],
        &["a", "bé"],
        &["bé", "a"],
        &["a", "bé"],
        &["a"],
        &["a", "bé", "c"],
    ]);
    assert_eq!(known(&batch), [true, false, false, false, false]);
    let other = decoded(&[&["a", "bé"]]);
    let theirs = other.record(0).attributes();
    assert!(
        !batch.record(0).attributes().have_keys_of(theirs),
        "two batches"
    );
}

#[test]
fn a_key_that_is_added_to_all_of_them_leaves_them_alike() {
    let mut batch = decoded(&[&["a", "b"], &["a", "b"], &["a", "b"]]);
    for i in 0..3 {
        batch.record_mut(i).set("tag", Value::Str("t"));
        batch.record_mut(i).set("level", Value::Int(i as i64));
    }
    assert_eq!(known(&batch), [true, true]);
    batch.record_mut(1).remove("tag");
    assert_eq!(known(&batch), [false, false]);
    assert_eq!(batch.record(2).get("level"), Some(Value::Int(2)));
}

#[test]
fn a_slice_that_copies_its_bytes_keeps_them_alike_and_stays_small() {
    let record: &[&str] = &["first.key.of.a.record", "second.key.of.a.record"];
    let batch = decoded(&[record; 100]);
    let slice = batch.slice(40..44);
    assert_eq!(known(&slice), [true; 3]);
    assert_eq!(keys(&slice), keys(&batch)[40..44]);
    let alone: usize = (40..44).map(|i| batch.record_bytes(i)).sum();
    assert!(
        slice.side.len() < alone + 200,
        "{} for {alone}",
        slice.side.len()
    );
    let mut merged = slice.clone();
    merged.append(&slice);
    assert_eq!(
        known(&merged),
        [true, true, true, false, true, true, true],
        "where two batches meet nothing is known"
    );
}

/// Renames a key, once.
struct RenameOnce(bool);

impl Editor for RenameOnce {
    fn value(&mut self, _: Place, _: &str, _: usize, _: Value<'_>) -> Edit {
        Edit::Keep
    }

    fn key(&mut self, _: Place, key: &str, _: usize) -> Option<String> {
        (key == "secret" && !std::mem::replace(&mut self.0, true)).then(|| "gone".to_owned())
    }
}

#[test]
fn a_key_renamed_in_the_record_whose_bytes_others_share_is_renamed_there_alone() {
    let mut batch = decoded(&[&["secret", "b"], &["secret", "b"], &["secret", "b"]]);
    batch.edit_record(0, &mut RenameOnce(false));
    assert_eq!(
        keys(&batch),
        [["gone", "b"], ["secret", "b"], ["secret", "b"]]
    );
    assert_eq!(known(&batch), [false, true]);
    let again = Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid");
    assert_eq!(keys(&again), keys(&batch));
    let last = batch.slice(2..3);
    assert_eq!(keys(&last), [["secret", "b"]]);
}

proptest! {
    #[test]
    fn whatever_is_known_is_true(
        records in prop::collection::vec(prop::collection::vec("[ab]{1,2}", 0..4), 1..8),
        cut in 0..8usize,
    ) {
        let records: Vec<Vec<&str>> = records.iter().map(|keys| keys.iter().map(String::as_str).collect()).collect();
        let all: Vec<&[&str]> = records.iter().map(Vec::as_slice).collect();
        let batch = decoded(&all);
        let mut merged = batch.slice(cut.min(batch.len())..batch.len());
        merged.append(&batch);
        for batch in [&batch, &merged] {
            let keys = keys(batch);
            for (i, known) in known(batch).into_iter().enumerate() {
                prop_assert!(!known || keys[i] == keys[i + 1]);
            }
        }
    }
}
