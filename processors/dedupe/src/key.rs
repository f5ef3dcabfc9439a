//! Where a record's id stands.

use std::borrow::Cow;

use sluice_batch::{Record, Value};

/// A place in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordKey {
    /// An attribute of this name, else the body's entry of this name.
    Anywhere(String),
    /// An attribute.
    Attribute(String),
    /// An entry of the body; further names lead into nested maps. Never empty.
    Body(Vec<String>),
}

/// Text that is neither a name nor a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KeyError {
    /// Byte of the text where it went wrong.
    pub offset: usize,
    /// What went wrong.
    pub message: &'static str,
}

impl RecordKey {
    /// Parses `name`, `attributes["name"]` or `body["name"]["inner"]`. A text with a bracket is a path.
    ///
    /// # Errors
    /// The text is empty or a malformed path.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let wrong = |offset, message| KeyError { offset, message };
        if text.trim().is_empty() {
            return Err(wrong(0, "is empty"));
        }
        let Some(bracket) = text.find('[') else {
            return Ok(Self::Anywhere(text.to_owned()));
        };
        let mut names = Vec::new();
        let mut at = bracket;
        while at < text.len() {
            let inner = text[at..]
                .strip_prefix("[\"")
                .ok_or(wrong(at, "expected `[\"`"))?;
            let end = inner
                .find("\"]")
                .ok_or(wrong(at, "this bracket is not closed with `\"]`"))?;
            if end == 0 {
                return Err(wrong(at + 2, "expected a name"));
            }
            names.push(inner[..end].to_owned());
            at += end + 4;
        }
        match (&text[..bracket], names.len()) {
            ("attributes", 1) => Ok(Self::Attribute(names.remove(0))),
            ("attributes", _) => Err(wrong(bracket, "an id cannot stand inside an attribute")),
            ("body", _) => Ok(Self::Body(names)),
            _ => Err(wrong(0, "expected `attributes[\"…\"]` or `body[\"…\"]`")),
        }
    }

    /// The id of `record`, if a usable one stands here.
    pub(crate) fn id<'r>(&self, record: Record<'r>) -> Option<Cow<'r, [u8]>> {
        match self {
            Self::Anywhere(name) => record
                .get(name)
                .and_then(usable)
                .or_else(|| usable(record.body().as_map()?.get(name)?)),
            Self::Attribute(name) => usable(record.get(name)?),
            Self::Body(names) => usable(
                names
                    .iter()
                    .try_fold(record.body(), |value, name| value.as_map()?.get(name))?,
            ),
        }
    }
}

/// Text and numbers identify an event. A bool, a list or a map does not, nor an empty or a masked text: taken as ids,
/// they would make one event of many.
fn usable(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    match value {
        Value::Str(text) if text.trim().is_empty() || is_masked(text) => None,
        Value::Str(text) => Some(Cow::Borrowed(text.as_bytes())),
        Value::Int(_) | Value::Double(_) => {
            Some(Cow::Owned(value.to_text().into_owned().into_bytes()))
        }
        Value::Bytes([]) | Value::Empty | Value::Bool(_) | Value::Array(_) | Value::Map(_) => None,
        Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
    }
}

fn is_masked(text: &str) -> bool {
    text.contains("****") || text.contains("[REDACTED")
}

#[cfg(test)]
mod tests {
    use super::RecordKey;

    #[test]
    fn a_name_is_looked_up_anywhere_and_a_path_in_one_place() {
        assert_eq!(
            RecordKey::parse("log.record.uid"),
            Ok(RecordKey::Anywhere("log.record.uid".into()))
        );
        assert_eq!(
            RecordKey::parse(r#"attributes["a.b"]"#),
            Ok(RecordKey::Attribute("a.b".into()))
        );
        assert_eq!(
            RecordKey::parse(r#"body["a"]["b"]"#),
            Ok(RecordKey::Body(vec!["a".into(), "b".into()]))
        );
    }

    #[test]
    fn a_malformed_path_is_refused_with_its_column() {
        for (text, offset) in [
            ("", 0),
            ("  ", 0),
            ("body[x]", 4),
            (r#"body["x"#, 4),
            (r#"body["x"]y"#, 9),
            (r#"body[""]"#, 6),
            (r#"resource["x"]"#, 0),
            (r#"attributes["x"]["y"]"#, 10),
        ] {
            assert_eq!(RecordKey::parse(text).unwrap_err().offset, offset, "{text}");
        }
    }
}
