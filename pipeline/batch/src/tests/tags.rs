//! Setting, removing and walking over attributes, record by record beside its neighbours.

use bytes::Bytes;
use proptest::prelude::*;

use crate::{Batch, Edit, Editor, Place, Signal, Value};

type Model = Vec<Vec<(String, i64)>>;

/// Logs with these attributes, as decoded: all rows stand close together.
fn decoded(model: &Model) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    for attributes in model {
        let mut record = batch.push_log();
        for (key, value) in attributes {
            record.set(key, Value::Int(*value));
        }
    }
    Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid")
}

fn contents(batch: &Batch) -> Model {
    let of = |attributes: crate::Attributes<'_>| {
        let number = |value| match value {
            Value::Int(number) => number,
            other => panic!("{other:?}"),
        };
        let each = attributes
            .iter()
            .map(|(key, value)| (key.to_owned(), number(value)));
        each.collect()
    };
    batch
        .records()
        .map(|record| of(record.attributes()))
        .collect()
}

/// Takes one key away in a walk, as redaction does.
struct Without(String);

impl Editor for Without {
    fn value(&mut self, _: Place, key: &str, _: usize, _: Value<'_>) -> Edit {
        if key == self.0 {
            Edit::Remove
        } else {
            Edit::Keep
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Set(i64),
    Remove,
    Walk,
    /// Cuts the batch in two and puts it together again.
    Cut,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..100i64).prop_map(Op::Set),
        2 => Just(Op::Remove),
        1 => Just(Op::Walk),
        1 => Just(Op::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_change_of_one_record_is_all_that_changes(
        keys in prop::collection::vec(prop::collection::btree_set(0..4u8, 0..4), 1..6),
        ops in prop::collection::vec((any::<prop::sample::Index>(), 0..6u8, op()), 0..30),
    ) {
        let start = |keys: &std::collections::BTreeSet<u8>| keys.iter().map(|k| (format!("k{k}"), i64::from(*k))).collect();
        let mut model: Model = keys.iter().map(start).collect();
        let mut batch = decoded(&model);
        for (record, key, op) in ops {
            let (i, key) = (record.index(model.len()), format!("k{key}"));
            let attributes = &mut model[i];
            let at = attributes.iter().position(|(k, _)| *k == key);
            match op {
                Op::Set(value) => {
                    batch.record_mut(i).set(&key, Value::Int(value));
                    match at {
                        Some(at) => attributes[at].1 = value,
                        None => attributes.push((key, value)),
                    }
                }
                Op::Remove => {
                    prop_assert_eq!(batch.record_mut(i).remove(&key), at.is_some());
                    at.map(|at| attributes.remove(at));
                }
                Op::Walk => {
                    batch.edit_record(i, &mut Without(key));
                    at.map(|at| attributes.remove(at));
                }
                Op::Cut => {
                    let mut parts = batch.slice(0..i);
                    parts.append(&batch.slice(i..batch.len()));
                    batch = parts;
                }
            }
            prop_assert_eq!(contents(&batch), model.clone());
        }
        let again = Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid");
        prop_assert_eq!(contents(&again), model);
    }
}

#[test]
fn a_tag_for_each_record_takes_no_more_memory_than_its_text() {
    let attributes: Vec<(String, i64)> = (0..20).map(|n| (format!("k{n}"), n)).collect();
    let mut batch = decoded(&vec![attributes; 500]);
    let before = batch.memory();
    for i in 0..batch.len() {
        batch.record_mut(i).set("tag", Value::Str("internal"));
    }
    let grown = batch.memory() - before;
    // The buffer of edits may be twice as large as what is in it.
    assert!(
        grown <= 2 * (500 * "internal".len() + "tag".len()),
        "{grown} bytes"
    );
}
