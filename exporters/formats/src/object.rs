//! JSON objects, written straight into a buffer.

use std::collections::HashSet;

use sluice_batch::{Attributes, Level, write_json_string};

/// An object under construction. Members come in the order in which they are written; [`Object::close`] ends it.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            is_empty: true,
        }
    }

    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    /// Writes a key; the caller appends its value.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        write_json_string(key, self.out);
        self.out.push(b':');
        self.out
    }

    pub(crate) fn text(&mut self, key: &str, text: &str) {
        write_json_string(text, self.key(key));
    }

    /// A text member, unless it is empty.
    pub(crate) fn text_if_any(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    /// A member that is JSON already.
    pub(crate) fn json(&mut self, key: &str, json: &str) {
        self.key(key).extend_from_slice(json.as_bytes());
    }
}

/// Appends attributes as an object. A key that stands twice is written once with its first value, the one that counts:
/// most readers of JSON would take the last.
pub(crate) fn attributes_into(attributes: Attributes<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    let mut keys = HashSet::with_capacity(attributes.len());
    for (key, value) in attributes.iter() {
        if keys.insert(key) {
            value.write_json(object.key(key));
        }
    }
    object.close();
}

/// Appends a scope as an object.
pub(crate) fn scope_into(scope: Level<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.text_if_any("name", scope.name());
    object.text_if_any("version", scope.version());
    if !scope.attributes().is_empty() {
        attributes_into(scope.attributes(), object.key("attributes"));
    }
    object.close();
}
