//! The names of attributes as JSON keys, written once for neighbours that have the same ones.

use std::borrow::Cow;

use sluice_batch::{Attributes, Value, write_json_string};

use crate::json::{Object, write_flat};

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
    /// Whose they are: attributes, and the caller's choice.
    of: Option<(Attributes<'a>, u8)>,
    /// `,"name":` of each attribute, one after another.
    bytes: Vec<u8>,
    /// The end of each in `bytes`, and the name itself; none for those that are left out.
    ends: Vec<(usize, Option<Cow<'a, str>>)>,
}

impl<'a> Names<'a> {
    /// Adds attributes as members. `name` is what a key is written as, asked in order; `None` leaves the attribute out.
    /// It may depend on the keys of this record and on `choice`, and on nothing else.
    pub(crate) fn write(
        &mut self,
        attributes: Attributes<'a>,
        choice: u8,
        nested: Nested,
        object: &mut Object<'_>,
        mut name: impl FnMut(&'a str) -> Option<Cow<'a, str>>,
    ) {
        let is_known = self
            .of
            .is_some_and(|(known, by)| by == choice && attributes.have_keys_of(known));
        if !is_known {
            self.learn(attributes, &mut name);
            self.of = Some((attributes, choice));
        }
        let mut start = 0;
        for (at, (end, name)) in self.ends.iter().enumerate() {
            let key = &self.bytes[std::mem::replace(&mut start, *end)..*end];
            let Some(name) = name else { continue };
            // By its place: out of an iterator of pairs a value is copied once more, which shows here.
            let value = attributes.value_at(at);
            match (value, nested) {
                (Value::Str(text), _) => write_json_string(text, object.written_key(key)),
                (value, Nested::Kept) => value.write_json(object.written_key(key)),
                (Value::Map(_), Nested::Flattened(depth)) => object.flattened(name, value, depth),
                (value, Nested::Flattened(_)) => write_flat(value, object.written_key(key)),
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
                self.bytes.push(b',');
                write_json_string(name, &mut self.bytes);
                self.bytes.push(b':');
            }
            self.ends.push((self.bytes.len(), name));
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_batch::{Batch, Signal, ValueBuf};

    use super::*;

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
        let (batch, mut names, mut asked) = (batch(), Names::default(), 0);
        let written = batch.records().map(|record| {
            let mut out = Vec::new();
            let mut object = Object::open(&mut out);
            names.write(record.attributes(), 0, nested, &mut object, |key| {
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
        let (batch, mut names) = (batch(), Names::default());
        let mut write = |choice: u8| {
            let mut out = Vec::new();
            let mut object = Object::open(&mut out);
            let attributes = batch.record(0).attributes();
            names.write(attributes, choice, Nested::Kept, &mut object, |key| {
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
