//! OTLP/JSON to protobuf in one streaming pass.
//!
//! What is taken, beyond the letter of the protocol because the Go Collector takes it too: snake_case keys, enum names,
//! 64-bit integers as numbers, integers written as `1.0` or `1e3`, base64 of either alphabet with or without padding.
//! `null` is an absent field; unknown keys are skipped. A key that stands twice in an object, also once in either
//! spelling, and a second member of a oneof are refused, as Go's `protojson` does: such a record says two things.
//!
//! Errors name message, field, line and column, and never quote the input, which may hold secrets.

mod slot;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use slot::Slot;

use crate::schema::{Field, Kind, Label, Schema};

/// Translates an OTLP/JSON document into the protobuf encoding of `schema`. Fields keep the order of the document.
///
/// Nesting is bounded by `serde_json`'s 128 levels. The result is bounded by twice the document (or 1 MiB): only
/// lists of short numbers grow that much.
///
/// # Errors
/// Text to show the sender: what is wrong, with line and column.
pub(crate) fn to_protobuf(schema: &'static Schema, json: &[u8]) -> Result<Vec<u8>, String> {
    // Checked here once, so that skipped values are UTF-8 as well.
    let text = simdutf8::compat::from_utf8(json)
        .map_err(|e| format!("invalid UTF-8 at byte {}", e.valid_up_to()))?;
    // Asked here, because serde's own "invalid type" would quote what stands there instead.
    if !text.trim_start().starts_with('{') {
        return Err(format!(
            "expected a JSON object ({}) at the start",
            schema.name
        ));
    }
    let mut out = Vec::with_capacity(json.len() / 2);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let root = Root {
        schema,
        limit: (json.len() * 2).max(1 << 20),
        out: &mut out,
    };
    root.deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|e| e.to_string())?;
    Ok(out)
}

/// The outermost message: an object and nothing else.
struct Root<'o> {
    schema: &'static Schema,
    limit: usize,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an {} object", self.schema.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        members(self.schema, map, self.limit, self.out)
    }
}

/// Writes the members of an object as the fields of a message.
fn members<'de, A: MapAccess<'de>>(
    schema: &'static Schema,
    mut map: A,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), A::Error> {
    let mut seen = 0u32;
    let mut oneof_is_set = false;
    let mut guess = 0;
    while let Some(index) = map.next_key_seed(Name { schema, guess })? {
        let Some(index) = index else {
            map.next_value::<IgnoredAny>()?;
            continue;
        };
        let field = &schema.fields[index];
        let bit = 1 << index;
        if seen & bit != 0 {
            return Err(A::Error::custom(format_args!(
                "{}.{}: stands twice in one object",
                schema.name, field.json
            )));
        }
        seen |= bit;
        guess = index + 1;
        let before = out.len();
        map.next_value_seed(Slot {
            schema,
            field,
            is_element: false,
            limit,
            out: &mut *out,
        })?;
        if field.label == Label::OneOf && out.len() > before {
            if oneof_is_set {
                return Err(A::Error::custom(format_args!(
                    "{}.{}: a second value where only one may stand",
                    schema.name, field.json
                )));
            }
            oneof_is_set = true;
        }
    }
    Ok(())
}

/// Finds a key's field; `None` for an unknown one. Keys mostly come in the schema's order, so `guess` is tried first.
struct Name {
    schema: &'static Schema,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<usize>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        let fields = self.schema.fields;
        let is_named = |field: &Field| {
            (field.json == key || field.snake == key) && !matches!(field.kind, Kind::Ignored)
        };
        if fields.get(self.guess).is_some_and(is_named) {
            return Ok(Some(self.guess));
        }
        Ok(fields.iter().position(is_named))
    }
}
