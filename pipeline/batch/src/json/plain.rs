//! Plain JSON documents as `AnyValue`s and back: what webhooks bring and SIEMs take.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::text::{write_base64, write_double, write_integer, write_string};
use crate::value::Value;
use crate::wire::{put_bytes, put_nested};

/// How many protobuf messages a document may nest. An object inside an object costs three, an array inside an array
/// two. The rest of the 100 levels that OTLP readers accept is left to where the value is put.
const NESTING: u32 = 84;

/// Field numbers of `AnyValue`'s containers.
const ARRAY: u32 = 5;
const MAP: u32 = 6;

/// Translates one JSON document into the encoding of an `AnyValue`.
///
/// Objects keep the order of their keys and a key that stands twice; `null` is the empty value; `[]` and `{}` stay. An
/// integer that fits 64 bits signed is an int, a larger one a string of its exact digits; every other number is a
/// double. Nesting is bounded to 28 objects or 42 arrays, so that every OTLP reader can take the result.
///
/// # Errors
/// The document is not JSON (RFC 8259) in UTF-8, has a number beyond the range of a double, or is nested too deep. The
/// text has line and column and never quotes the document.
pub(crate) fn any_value_from_json(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let text = simdutf8::compat::from_utf8(json).map_err(|e| {
        serde_json::Error::custom(format_args!("invalid UTF-8 at byte {}", e.valid_up_to()))
    })?;
    let mut out = Vec::with_capacity(json.len());
    let mut numbers = BigNumbers { json, at: 0 };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Node {
        out: &mut out,
        numbers: &mut numbers,
        nesting: NESTING,
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(out)
}

/// Finds the exact text of numbers that `serde_json` could only hand over as a double. They are met in document order,
/// so one walk over the text serves them all, and documents without one never pay for it.
struct BigNumbers<'j> {
    json: &'j [u8],
    at: usize,
}

/// From here on a double cannot tell an integer that fits `i64` from one that does not.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

impl<'j> BigNumbers<'j> {
    /// The next number that is neither `i64` nor `u64` and at least 2⁶³ in size.
    fn next(&mut self) -> Option<&'j str> {
        loop {
            let rest = &self.json[self.at..];
            let skip = rest
                .iter()
                .position(|&b| b == b'"' || b == b'-' || b.is_ascii_digit())?;
            self.at += skip;
            let rest = &rest[skip..];
            if rest[0] == b'"' {
                self.at += string_len(rest);
                continue;
            }
            let len = rest
                .iter()
                .position(|b| !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
                .unwrap_or(rest.len());
            self.at += len;
            let number = str::from_utf8(&rest[..len]).ok()?;
            if number.parse::<i64>().is_err()
                && number.parse::<u64>().is_err()
                && number.parse::<f64>().is_ok_and(|n| n.abs() >= TWO_TO_63)
            {
                return Some(number);
            }
        }
    }
}

/// The length of the JSON string at the start of `json`, with both quotes.
fn string_len(json: &[u8]) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', json.get(at..).unwrap_or_default()) {
        at += found;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

/// Where one JSON value goes: `out` gets the content of one `AnyValue`.
struct Node<'o, 'j> {
    out: &'o mut Vec<u8>,
    numbers: &'o mut BigNumbers<'j>,
    nesting: u32,
}

impl Node<'_, '_> {
    fn deeper<E: Error>(&self, levels: u32) -> Result<u32, E> {
        self.nesting.checked_sub(levels).ok_or_else(|| {
            E::custom("nested too deep: at most 28 objects or 42 arrays inside one another")
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        Value::Bool(value).encode(self.out);
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        Value::Int(number).encode(self.out);
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => self.visit_str(itoa::Buffer::new().format(number)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        if number.abs() >= TWO_TO_63
            && let Some(text) = self.numbers.next()
            && text.bytes().all(|b| b == b'-' || b.is_ascii_digit())
        {
            return self.visit_str(text);
        }
        Value::Double(number).encode(self.out);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        Value::Str(text).encode(self.out);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let nesting = self.deeper(2)?;
        let Self { out, numbers, .. } = self;
        let mut result = Ok(());
        put_nested(out, ARRAY, 0, |out| {
            result = (|| {
                while seq
                    .next_element_seed(Nested {
                        tag: 1,
                        node: Node {
                            out: &mut *out,
                            numbers: &mut *numbers,
                            nesting,
                        },
                    })?
                    .is_some()
                {}
                Ok(())
            })();
        });
        result
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let nesting = self.deeper(3)?;
        let Self { out, numbers, .. } = self;
        let mut result = Ok(());
        put_nested(out, MAP, 0, |out| {
            result = (|| {
                while let Some(key) = map.next_key_seed(Key)? {
                    let mut entry = Ok(());
                    put_nested(out, 1, 0, |out| {
                        if !key.is_empty() {
                            put_bytes(out, 1, key.as_bytes());
                        }
                        entry = map.next_value_seed(Nested {
                            tag: 2,
                            node: Node {
                                out,
                                numbers: &mut *numbers,
                                nesting,
                            },
                        });
                    });
                    entry?;
                }
                Ok(())
            })();
        });
        result
    }
}

/// An `AnyValue` that is field `tag` of the message around it.
struct Nested<'o, 'j> {
    tag: u32,
    node: Node<'o, 'j>,
}

impl<'de> DeserializeSeed<'de> for Nested<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Node {
            out,
            numbers,
            nesting,
        } = self.node;
        let mut result = Ok(());
        put_nested(out, self.tag, 0, |out| {
            result = Node {
                out,
                numbers,
                nesting,
            }
            .deserialize(deserializer)
        });
        result
    }
}

/// An object's key, borrowed from the document unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// Appends a value as plain JSON: the empty value is `null`, bytes are base64, `NaN` and the infinities are strings.
pub(crate) fn write_value(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Empty => out.extend_from_slice(b"null"),
        Value::Str(text) => write_string(text, out),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => write_integer(number, out),
        Value::Double(number) => write_double(number, out),
        Value::Bytes(bytes) => write_base64(bytes, out),
        Value::Array(array) => {
            out.push(b'[');
            for (i, element) in array.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(element, out);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.push(b'{');
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write_value(value, out);
            }
            out.push(b'}');
        }
    }
}
