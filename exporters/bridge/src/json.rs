//! JSON members, written straight into a request's body.

use sluice_batch::{Array, Map, Value, write_json_string};

use crate::keys::Firsts;

/// The name of a member.
pub(crate) trait Key {
    /// Appends it with its colon, and a comma before it if it is not the first.
    fn write(self, is_first: bool, out: &mut Vec<u8>);
}

impl<T: AsRef<str> + ?Sized> Key for &T {
    fn write(self, is_first: bool, out: &mut Vec<u8>) {
        if !is_first {
            out.push(b',');
        }
        write_json_string(self.as_ref(), out);
        out.push(b':');
    }
}

/// A name that is written already: `,"name":`. See [`written!`] and [`write_key`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written<'a>(pub(crate) &'a [u8]);

/// Appends a name as [`Written`] takes it.
pub(crate) fn write_key(name: &str, out: &mut Vec<u8>) {
    name.write(false, out);
}

impl Key for Written<'_> {
    #[inline]
    fn write(self, is_first: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0[usize::from(is_first)..]);
    }
}

/// A literal name that needs no escape, as [`Written`].
macro_rules! written {
    ($name:literal) => {
        $crate::json::Written(concat!(",\"", $name, "\":").as_bytes())
    };
}
pub(crate) use written;

/// An object under construction at the end of a body. Members come in the order in which they are written.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    /// Opens an object.
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// Members alone, without braces, to be put into an object with [`Object::written`].
    pub(crate) fn bare(out: &'o mut Vec<u8>) -> Self {
        Self {
            out,
            is_empty: true,
        }
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    /// Writes a key; the caller appends its value.
    #[inline]
    pub(crate) fn key(&mut self, key: impl Key) -> &mut Vec<u8> {
        key.write(std::mem::take(&mut self.is_empty), self.out);
        self.out
    }

    /// A member.
    pub(crate) fn value(&mut self, key: impl Key, value: Value<'_>) {
        match value {
            Value::Str(text) => self.text(key, text),
            other => other.write_json(self.key(key)),
        }
    }

    /// A member as indexed fields and flat attributes take it, or several: maps end up as `a.b.c` members, to `depth`
    /// levels; everything else as [`write_flat`] does it.
    pub(crate) fn flattened(&mut self, key: &str, value: Value<'_>, depth: usize) {
        match value {
            Value::Map(map) if depth > 0 && !map.is_empty() => {
                for (inner, value) in map.iter() {
                    self.flattened(&format!("{key}.{inner}"), value, depth - 1);
                }
            }
            value => write_flat(value, self.key(key)),
        }
    }

    /// A text member.
    pub(crate) fn text(&mut self, key: impl Key, text: &str) {
        write_json_string(text, self.key(key));
    }

    /// A text member, unless it is empty.
    pub(crate) fn text_if_any(&mut self, key: impl Key, text: &str) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    /// A whole number.
    pub(crate) fn number(&mut self, key: impl Key, number: i64) {
        self.value(key, Value::Int(number));
    }

    /// Members of a map, each key once (its first value): a second `a` makes an object that some destinations refuse.
    /// Keys that `skip` names are left out.
    pub(crate) fn members(&mut self, map: Map<'_>, skip: impl Fn(&str) -> bool) {
        let mut firsts = Firsts::default();
        for (key, value) in map.iter() {
            if firsts.is_first(key) && !skip(key) {
                self.value(key, value);
            }
        }
    }

    /// A nested object.
    pub(crate) fn object(&mut self, key: impl Key, fill: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::open(self.key(key));
        fill(&mut inner);
        inner.close();
    }

    /// A nested object, unless nothing is filled in.
    pub(crate) fn object_if_any(&mut self, key: impl Key, fill: impl FnOnce(&mut Object<'_>)) {
        let (start, was_empty) = (self.out.len(), self.is_empty);
        let mut inner = Object::open(self.key(key));
        fill(&mut inner);
        if inner.is_empty {
            self.out.truncate(start);
            self.is_empty = was_empty;
        } else {
            inner.close();
        }
    }

    /// Members that [`Object::bare`] wrote.
    pub(crate) fn written(&mut self, members: &[u8]) {
        if !members.is_empty() {
            if !std::mem::take(&mut self.is_empty) {
                self.out.push(b',');
            }
            self.out.extend_from_slice(members);
        }
    }
}

/// An id of at most 16 bytes in lower-case hex; nothing for a longer one, which no trace or span has.
pub(crate) struct HexId {
    digits: [u8; 32],
    len: usize,
}

impl HexId {
    pub(crate) fn of(id: &[u8]) -> Self {
        let mut digits = [0; 32];
        let len = id.len() * 2;
        let fits = digits
            .get_mut(..len)
            .is_some_and(|digits| hex::encode_to_slice(id, digits).is_ok());
        Self {
            digits,
            len: if fits { len } else { 0 },
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[..self.len]).unwrap_or_default()
    }
}

/// The value of one flat member: arrays of scalars as arrays of texts, all other arrays and maps as JSON text; nothing as
/// `""`.
pub(crate) fn write_flat(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Empty => out.extend_from_slice(b"\"\""),
        Value::Map(_) => write_json_string(&as_json(value), out),
        Value::Array(array) => write_flat_array(array, out),
        scalar => scalar.write_json(out),
    }
}

fn write_flat_array(array: Array<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(b'[');
    for (at, item) in array.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match item {
            Value::Str(text) => write_json_string(text, out),
            Value::Map(_) | Value::Array(_) | Value::Empty => {
                // Seldom, so nobody looks for one of these first.
                out.truncate(start);
                write_json_string(&as_json(Value::Array(array)), out);
                return;
            }
            scalar => write_json_string(&scalar.to_text(), out),
        }
    }
    out.push(b']');
}

/// A value as JSON text.
pub(crate) fn as_json(value: Value<'_>) -> String {
    let mut out = Vec::new();
    value.write_json(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_batch::ValueBuf;

    fn flat(json: &str) -> String {
        let value = ValueBuf::from_json(json.as_bytes()).expect("JSON");
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.flattened("k", value.as_value(), 2);
        object.close();
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn nested_values_become_flat_members_and_nothing_is_lost() {
        for (json, expected) in [
            ("1", r#"{"k":1}"#),
            ("null", r#"{"k":""}"#),
            ("{}", r#"{"k":"{}"}"#),
            ("[]", r#"{"k":[]}"#),
            (r#"["a","b"]"#, r#"{"k":["a","b"]}"#),
            (r#"[1,true]"#, r#"{"k":["1","true"]}"#),
            (r#"[1,[2]]"#, r#"{"k":"[1,[2]]"}"#),
            (r#"[{"a":1}]"#, r#"{"k":"[{\"a\":1}]"}"#),
            (
                r#"{"a":{"b":1,"c":{"d":2}}}"#,
                r#"{"k.a.b":1,"k.a.c":"{\"d\":2}"}"#,
            ),
        ] {
            assert_eq!(flat(json), expected, "{json}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_written_once_with_its_first_value() {
        let map = ValueBuf::map([
            ("a", Value::Int(1)),
            ("b", Value::Int(2)),
            ("a", Value::Int(3)),
        ]);
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.members(map.as_value().as_map().expect("a map"), |key| key == "b");
        object.close();
        assert_eq!(out, br#"{"a":1}"#);
    }
}
