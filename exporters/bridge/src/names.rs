//! The names of attributes as JSON keys, written once for neighbours that have the same ones.

use std::borrow::Cow;

use sluice_batch::{Attributes, Value, write_json_string};

use crate::json::{Object, Written, write_flat, write_key};
use crate::view::View;

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nested {
    /// As JSON.
    Kept,
    /// As several members, or as text: see [`Object::flattened`].
    Flattened(usize),
}

/// The names that one record's attributes were written under.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    /// Whose they are: the number of their keys ([`Shape::keys`]), and the caller's choice.
    ///
    /// [`Shape::keys`]: crate::view::Shape::keys
    of: Option<(usize, u8)>,
    /// `,"name":` of each attribute, one after another.
    bytes: Vec<u8>,
    /// The end of each in `bytes`, and the name itself; none for those that are left out.
    ends: Vec<(usize, Option<Cow<'a, str>>)>,
}

impl<'a> Names<'a> {
    /// Adds a record's attributes as members. `name` is what a key is written as, asked in order; `None` leaves the
    /// attribute out. It may depend on the keys of this record and on `choice`, and on nothing else.
    pub(crate) fn write(
        &mut self,
        record: &View<'a>,
        choice: u8,
        nested: Nested,
        object: &mut Object<'_>,
        mut name: impl FnMut(&'a str) -> Option<Cow<'a, str>>,
    ) {
        let attributes = record.attributes();
        let of = Some((record.shape().keys, choice));
        if self.of != of {
            self.learn(attributes, &mut name);
            self.of = of;
        }
        self.add(attributes, nested, object);
    }

    // Within its callers, which keep much at hand, it would have no register left.
    #[inline(never)]
    fn add(&self, attributes: Attributes<'a>, nested: Nested, object: &mut Object<'_>) {
        let mut start = 0;
        for (at, (end, name)) in self.ends.iter().enumerate() {
            let key = Written(&self.bytes[std::mem::replace(&mut start, *end)..*end]);
            let Some(name) = name else { continue };
            // By its place: out of an iterator of pairs a value is copied once more, which shows here.
            let value = attributes.value_at(at);
            match (value, nested) {
                (Value::Str(text), _) => write_json_string(text, object.key(key)),
                (value, Nested::Kept) => value.write_json(object.key(key)),
                (Value::Map(_), Nested::Flattened(depth)) => object.flattened(name, value, depth),
                (value, Nested::Flattened(_)) => write_flat(value, object.key(key)),
            }
        }
    }

    fn learn(
        &mut self,
        attributes: Attributes<'a>,
        name: &mut impl FnMut(&'a str) -> Option<Cow<'a, str>>,
    ) {
        self.bytes.clear();
        self.ends.clear();
        for key in attributes.keys() {
            let name = name(key);
            if let Some(name) = &name {
                write_key(name, &mut self.bytes);
            }
            self.ends.push((self.bytes.len(), name));
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_batch::{Batch, Signal, ValueBuf};

    use super::*;
    use crate::view::Neighbours;

    /// Two records with the same keys, one with others, and one like the first again.
    fn batch() -> Batch {
        let mut batch = Batch::new(Signal::Logs);
        let nested = ValueBuf::from_json(br#"{"x":{"y":1},"z":[true]}"#).expect("JSON");
        for (first, second) in [
            ("a", "q\"uote"),
            ("a", "q\"uote"),
            ("b", "c"),
            ("a", "q\"uote"),
        ] {
            let mut log = batch.push_log();
            log.set(first, Value::Int(1));
            log.set(second, nested.as_value());
            log.set("hidden", Value::Str("h"));
            log.set("last", Value::Str("\n"));
        }
        Batch::decode(Signal::Logs, batch.encode().into()).expect("valid")
    }

    fn written(nested: Nested) -> (Vec<String>, usize) {
        let (batch, mut neighbours, mut asked) = (batch(), Neighbours::default(), 0);
        let written = batch.records().map(|record| {
            let mut out = Vec::new();
            let mut object = Object::open(&mut out);
            let record = neighbours.view(record);
            let names = &mut neighbours.names;
            names.write(&record, 0, nested, &mut object, |key| {
                asked += 1;
                match key {
                    "hidden" => None,
                    "last" => Some("first".into()),
                    key => Some(key.into()),
                }
            });
            object.close();
            String::from_utf8(out).expect("UTF-8")
        });
        (written.collect(), asked)
    }

    #[test]
    fn names_are_asked_once_for_neighbours_with_the_same_keys_and_belong_to_the_right_values() {
        let like_a = r#"{"a":1,"q\"uote":{"x":{"y":1},"z":[true]},"first":"\n"}"#;
        let like_b = r#"{"b":1,"c":{"x":{"y":1},"z":[true]},"first":"\n"}"#;
        assert_eq!(
            written(Nested::Kept),
            (
                [like_a, like_a, like_b, like_a].map(String::from).to_vec(),
                12
            )
        );
    }

    #[test]
    fn nested_values_are_flattened_under_the_name() {
        let (written, _) = written(Nested::Flattened(1));
        assert_eq!(
            written[0],
            r#"{"a":1,"q\"uote.x":"{\"y\":1}","q\"uote.z":["true"],"first":"\n"}"#
        );
    }

    #[test]
    fn another_choice_asks_again() {
        let (batch, mut neighbours) = (batch(), Neighbours::default());
        let record = neighbours.view(batch.record(0));
        let mut write = |choice: u8| {
            let mut out = Vec::new();
            let mut object = Object::open(&mut out);
            let names = &mut neighbours.names;
            names.write(&record, choice, Nested::Kept, &mut object, |key| {
                (key == "a" || choice == 1 && key == "last").then_some(key.into())
            });
            object.close();
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(write(0), r#"{"a":1}"#);
        assert_eq!(write(1), r#"{"a":1,"last":"\n"}"#);
        assert_eq!(write(0), r#"{"a":1}"#);
    }
}
