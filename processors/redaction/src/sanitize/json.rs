//! MongoDB, OpenSearch and Elasticsearch: JSON, of which the keys and the nesting stay and every value becomes `?`.
//!
//! What is not JSON to its last byte (a shell's notation, a statement that was cut) is hidden whole.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;

use super::HIDDEN;

/// Longest key that is shown.
const MAX_KEY: usize = 128;

/// The shape of one JSON document, or of several after one another as `_bulk` and `_msearch` have them.
pub(super) fn sanitised(text: &str) -> String {
    let mut out = String::new();
    let mut documents = Deserializer::from_str(text);
    loop {
        if Shape(&mut out).deserialize(&mut documents).is_err() {
            return HIDDEN.to_owned();
        }
        if documents.end().is_ok() {
            return out;
        }
        out.push('\n');
    }
}

/// Writes the shape of the value that it reads.
struct Shape<'o>(&'o mut String);

impl Shape<'_> {
    fn hidden<E>(self) -> Result<(), E> {
        self.0.push_str("\"?\"");
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Shape<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.hidden()
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.hidden()
    }
    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.hidden()
    }
    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.hidden()
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.hidden()
    }
    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.hidden()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let out = self.0;
        out.push('[');
        let start = out.len();
        loop {
            let before = out.len();
            if before > start {
                out.push(',');
            }
            if items.next_element_seed(Shape(out))?.is_none() {
                out.truncate(before);
                out.push(']');
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let out = self.0;
        out.push('{');
        let mut is_first = true;
        while let Some(key) = entries.next_key::<String>()? {
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            out.push('"');
            out.push_str(if is_name(&key) { &key } else { HIDDEN });
            out.push_str("\":");
            entries.next_value_seed(Shape(out))?;
        }
        out.push('}');
        Ok(())
    }
}

/// Whether a key names a field or an operator, and is not itself data. No such key needs an escape in JSON.
fn is_name(key: &str) -> bool {
    key.len() <= MAX_KEY
        && key.bytes().any(|b| b.is_ascii_alphabetic())
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$' | b'-' | b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_and_every_value_goes() {
        for (text, left) in [
            (
                r#"{"find":"users","filter":{"name":"john","age":{"$gt":30}}}"#,
                r#"{"find":"?","filter":{"name":"?","age":{"$gt":"?"}}}"#,
            ),
            (
                r#" [ 1, true, null, "x", [], {} , -1.5e300] "#,
                r#"["?","?","?","?",[],{},"?"]"#,
            ),
            (r#""secret""#, r#""?""#),
            (
                "{\"index\":{\"_id\":\"1\"}}\n{\"user\":\"jane\"}\n",
                "{\"index\":{\"_id\":\"?\"}}\n{\"user\":\"?\"}",
            ),
            (
                r#"{"jane@example.com":1,"42":2,"a\"b":3,"ok":4}"#,
                r#"{"?":"?","?":"?","?":"?","ok":"?"}"#,
            ),
        ] {
            assert_eq!(sanitised(text), left);
        }
    }

    #[test]
    fn what_is_not_json_to_the_end_is_hidden_whole() {
        for text in [
            r#"{"find":"users","filter":{"name":"jo"#,
            r#"db.users.find({name: "john"})"#,
            r#"{"a":1} secret"#,
            "{'a': 'secret'}",
            "find users",
            " ",
            &"[".repeat(1_000_000),
        ] {
            assert_eq!(sanitised(text), "?");
        }
    }
}
