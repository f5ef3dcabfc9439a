//! Dotted names as nested objects.
//!
//! Elasticsearch refuses a name that is a value in one place and an object in another (`user` beside `user.id`). Such a
//! value moves to `user.value`, as in the Collector.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sluice_batch::Value;

use crate::json::Object;

/// Deepest object that one name makes; Elasticsearch's own limit for a document.
const MAX_DEPTH: usize = 20;
/// Where a value goes whose place is taken by an object.
const VALUE: &str = "value";

/// An object under construction.
#[derive(Default)]
pub(super) struct Tree<'a>(BTreeMap<Cow<'a, str>, Node<'a>>);

enum Node<'a> {
    Value(Value<'a>),
    Text(String),
    Object(Tree<'a>),
}

impl<'a> Tree<'a> {
    /// Puts a value under a dotted name; a map's entries each under theirs. What stood there before goes.
    pub(super) fn put(&mut self, name: &'a str, value: Value<'a>) {
        self.put_at(vec![name], value);
    }

    /// Puts a value as it is: no name in it is taken apart.
    pub(super) fn put_whole(&mut self, name: &'a str, value: Value<'a>) {
        self.set(&[name], Node::Value(value));
    }

    /// Puts a text, unless it is empty.
    pub(super) fn put_text(&mut self, name: &'a str, text: &str) {
        if !text.is_empty() {
            self.set(&[name], Node::Text(text.to_owned()));
        }
    }

    fn put_at(&mut self, names: Vec<&'a str>, value: Value<'a>) {
        match value {
            Value::Empty => {}
            Value::Map(map) => {
                for (name, value) in map.iter() {
                    self.put_at([&names[..], &[name]].concat(), value);
                }
            }
            value => self.set(&names, Node::Value(value)),
        }
    }

    fn set(&mut self, names: &[&'a str], node: Node<'a>) {
        let parts = names
            .iter()
            .flat_map(|name| name.split('.'))
            .filter(|part| !part.is_empty());
        let mut parts: Vec<Cow<'a, str>> = parts.map(Cow::Borrowed).collect();
        if parts.len() > MAX_DEPTH {
            let rest = parts.split_off(MAX_DEPTH - 1);
            parts.push(Cow::Owned(rest.join("_")));
        }
        let last = parts.pop().unwrap_or(Cow::Borrowed("unnamed"));
        let mut at = self;
        for part in parts {
            let slot =
                at.0.entry(part)
                    .or_insert_with(|| Node::Object(Tree::default()));
            if !matches!(slot, Node::Object(_)) {
                let value = std::mem::replace(slot, Node::Object(Tree::default()));
                if let Node::Object(object) = slot {
                    object.0.insert(Cow::Borrowed(VALUE), value);
                }
            }
            let Node::Object(object) = slot else { return };
            at = object;
        }
        match at.0.get_mut(&last) {
            Some(Node::Object(object)) => object.0.insert(Cow::Borrowed(VALUE), node),
            _ => at.0.insert(last, node),
        };
    }

    /// Writes the members in the order of their names.
    pub(super) fn write(&self, object: &mut Object<'_>) {
        for (name, node) in &self.0 {
            match node {
                Node::Value(value) => object.value(name, *value),
                Node::Text(text) => object.text(name, text),
                Node::Object(tree) => object.object(name, |inner| tree.write(inner)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entries: &[(&str, Value<'_>)]) -> String {
        let mut tree = Tree::default();
        for (name, value) in entries {
            tree.put(name, *value);
        }
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        tree.write(&mut object);
        object.close();
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_value_and_an_object_of_one_name_both_stay() {
        let (value, inner) = (("user", Value::Str("jane")), ("user.id", Value::Int(7)));
        let both = r#"{"user":{"id":7,"value":"jane"}}"#;
        assert_eq!(written(&[value, inner]), both);
        assert_eq!(written(&[inner, value]), both);
    }

    #[test]
    fn a_later_value_wins_and_names_without_letters_are_no_names() {
        assert_eq!(
            written(&[
                ("a.b", Value::Int(1)),
                ("a..b.", Value::Int(2)),
                ("", Value::Int(3)),
                ("x", Value::Empty)
            ]),
            r#"{"a":{"b":2},"unnamed":3}"#
        );
    }

    #[test]
    fn a_name_of_a_hundred_thousand_parts_makes_a_shallow_object() {
        let text = written(&[(&"a.".repeat(100_000), Value::Int(1))]);
        assert_eq!(text.matches('{').count(), MAX_DEPTH);
    }
}
