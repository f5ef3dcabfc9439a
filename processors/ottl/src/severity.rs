//! Severity numbers 1 to 24 and their names (OpenTelemetry logs data model, "Severity Fields").

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// The names of severity numbers 1 to 24; 0 is "unspecified".
const NAMES: [&str; 24] = [
    "TRACE", "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4", "INFO", "INFO2",
    "INFO3", "INFO4", "WARN", "WARN2", "WARN3", "WARN4", "ERROR", "ERROR2", "ERROR3", "ERROR4",
    "FATAL", "FATAL2", "FATAL3", "FATAL4",
];

/// The number of a name such as `WARN`, `error2` or `SEVERITY_NUMBER_INFO`; `UNSPECIFIED` is 0. Any case.
#[must_use]
pub fn number(name: &str) -> Option<i32> {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix(ENUM_PREFIX).unwrap_or(&name);
    if name == "UNSPECIFIED" {
        return Some(0);
    }
    (1..)
        .zip(NAMES)
        .find(|(_, known)| *known == name)
        .map(|(number, _)| number)
}

/// The name of a number from 1 to 24: `WARN` for 13.
#[must_use]
pub fn name(number: i32) -> Option<&'static str> {
    usize::try_from(number)
        .ok()?
        .checked_sub(1)
        .and_then(|i| NAMES.get(i))
        .copied()
}

/// What OTTL writes before a severity's name.
pub(crate) const ENUM_PREFIX: &str = "SEVERITY_NUMBER_";

/// All names from 1 to 24, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

/// A severity in a configuration: a name such as `WARN` or `ERROR2`, or a number from 1 to 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(i32);

impl Level {
    /// The level of a number from 1 to 24.
    #[must_use]
    pub fn new(number: i32) -> Option<Self> {
        name(number).map(|_| Self(number))
    }

    /// 1 to 24.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// `TRACE` to `FATAL4`.
    #[must_use]
    pub fn name(self) -> &'static str {
        name(self.0).expect("a level is made from a number that has a name")
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrNumber;
        impl Visitor<'_> for NameOrNumber {
            type Value = Level;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a severity such as `WARN` or `ERROR2`, or its number from 1 to 24")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Level, E> {
                number(text)
                    .or_else(|| text.parse().ok())
                    .and_then(Level::new)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Level, E> {
                i32::try_from(number)
                    .ok()
                    .and_then(Level::new)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Level, E> {
                i32::try_from(number)
                    .ok()
                    .and_then(Level::new)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
        }
        deserializer.deserialize_any(NameOrNumber)
    }
}

impl JsonSchema for Level {
    fn schema_name() -> Cow<'static, str> {
        "SeverityLevel".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "description": "WARN, ERROR2, or a number from 1 to 24"})
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, name, names, number};

    #[test]
    fn a_level_is_written_as_name_or_number() {
        let read = |json: &str| serde_json::from_str::<Level>(json);
        assert_eq!(read("\"warn\"").unwrap(), read("13").unwrap());
        assert_eq!(read("\"24\"").unwrap().name(), "FATAL4");
        for wrong in ["0", "25", "-1", "\"warning\"", "\"UNSPECIFIED\"", "true"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains("from 1 to 24"), "{error}");
        }
    }

    #[test]
    fn every_name_has_its_number_and_back() {
        assert_eq!(number("SEVERITY_NUMBER_WARN"), Some(13));
        assert_eq!(number("error2"), Some(18));
        assert_eq!(number("unspecified"), Some(0));
        assert_eq!(number("warning"), None);
        for (i, text) in (1..=24).zip(names()) {
            assert_eq!((number(text), name(i)), (Some(i), Some(text)));
        }
        assert_eq!((name(0), name(25), name(i32::MIN)), (None, None, None));
    }
}
