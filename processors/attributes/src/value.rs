//! Any value in a configuration: text, number, boolean, list or map.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use sluice_batch::{Value, ValueBuf};

/// A value written in a configuration; its type is the one that YAML gives it (`5` is an integer, `"5"` a text).
#[derive(Clone, Debug, PartialEq)]
pub struct AnyValue(pub ValueBuf);

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything).map(Self)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = ValueBuf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, number, boolean, list or map")
    }
    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<ValueBuf, E> {
        Ok(ValueBuf::new(Value::Bool(truth)))
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<ValueBuf, E> {
        Ok(ValueBuf::new(Value::Int(number)))
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<ValueBuf, E> {
        let number = i64::try_from(number)
            .map_err(|_| E::custom(format!("{number} does not fit into 64 bits with a sign")))?;
        self.visit_i64(number)
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<ValueBuf, E> {
        Ok(ValueBuf::new(Value::Double(number)))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<ValueBuf, E> {
        Ok(ValueBuf::new(Value::Str(text)))
    }
    fn visit_unit<E: de::Error>(self) -> Result<ValueBuf, E> {
        Ok(ValueBuf::new(Value::Empty))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ValueBuf, A::Error> {
        let mut values = Vec::new();
        while let Some(AnyValue(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(ValueBuf::array(values.iter().map(ValueBuf::as_value)))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<ValueBuf, A::Error> {
        let mut values = Vec::new();
        while let Some((key, AnyValue(value))) = entries.next_entry::<String, AnyValue>()? {
            values.push((key, value));
        }
        Ok(ValueBuf::map(
            values
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_value())),
        ))
    }
}

impl JsonSchema for AnyValue {
    fn schema_name() -> Cow<'static, str> {
        "AnyValue".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "a text, number, boolean, list or map"})
    }
}
