//! What an action does to the attributes of one record or resource.

use aws_lc_rs::digest::{SHA256, digest};
use processor_ottl::Pattern;
use sluice_batch::{Attributes, Batch, Sender, Value, ValueBuf};

use crate::ConvertedType;
use crate::context::Context;

/// A checked action.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put {
        key: String,
        source: Source,
        presence: Presence,
    },
    Delete {
        key: Option<String>,
        pattern: Option<Pattern>,
    },
    Hash {
        key: Option<String>,
        pattern: Option<Pattern>,
    },
    Extract {
        key: String,
        pattern: Pattern,
    },
    Convert {
        key: String,
        to: ConvertedType,
    },
}

/// Whether the key must be there for a value to be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Absent,
    Present,
    Any,
}

/// Where the value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Value(ValueBuf),
    Attribute {
        from: String,
        default: Option<ValueBuf>,
    },
    Context {
        from: Context,
        default: Option<ValueBuf>,
    },
}

/// The attributes that steps are applied to.
pub(crate) enum Target<'a> {
    Record(&'a mut Batch, usize),
    Resource(&'a mut Batch, usize),
}

impl Target<'_> {
    fn attributes(&self) -> Attributes<'_> {
        match self {
            Self::Record(batch, i) => batch.record(*i).attributes(),
            Self::Resource(batch, i) => batch.resource(*i).attributes(),
        }
    }

    fn sender(&self) -> Option<&Sender> {
        let (Self::Record(batch, _) | Self::Resource(batch, _)) = self;
        batch.sender()
    }

    fn set(&mut self, key: &str, value: Value<'_>) {
        match self {
            Self::Record(batch, i) => batch.record_mut(*i).set(key, value),
            Self::Resource(batch, i) => batch.resource_mut(*i).set(key, value),
        }
    }

    fn remove(&mut self, key: &str) -> bool {
        match self {
            Self::Record(batch, i) => batch.record_mut(*i).remove(key),
            Self::Resource(batch, i) => batch.resource_mut(*i).remove(key),
        }
    }

    fn remove_all(&mut self, key: &str) {
        while self.remove(key) {}
    }

    /// Sets `key`, of which no other copy is left: a second one would still show the value that was to be hidden.
    fn replace(&mut self, key: &str, value: Value<'_>) {
        let copies = self
            .attributes()
            .iter()
            .filter(|(name, _)| *name == key)
            .count();
        for _ in 1..copies {
            self.remove(key);
        }
        self.set(key, value);
    }

    fn keys_matching(&self, pattern: Option<&Pattern>) -> Vec<String> {
        let Some(pattern) = pattern else {
            return Vec::new();
        };
        self.attributes()
            .iter()
            .filter(|(key, _)| pattern.is_match(key))
            .map(|(key, _)| key.to_owned())
            .collect()
    }
}

impl Step {
    /// Applies the step.
    pub(crate) fn apply(&self, target: &mut Target<'_>) {
        match self {
            Self::Put {
                key,
                source,
                presence,
            } => put(target, key, source, *presence),
            Self::Delete { key, pattern } => {
                if let Some(key) = key {
                    target.remove_all(key);
                }
                for key in target.keys_matching(pattern.as_ref()) {
                    target.remove_all(&key);
                }
            }
            Self::Hash { key, pattern } => {
                // A key that both name is hashed once.
                let mut keys = target.keys_matching(pattern.as_ref());
                keys.extend(key.clone());
                keys.sort_unstable();
                keys.dedup();
                for key in keys {
                    if let Some(hash) = target.attributes().get(&key).map(hash) {
                        target.replace(&key, Value::Str(&hash));
                    }
                }
            }
            Self::Extract { key, pattern } => extract(target, key, pattern),
            Self::Convert { key, to } => {
                if let Some(value) = target
                    .attributes()
                    .get(key)
                    .and_then(|value| converted(value, *to))
                {
                    target.set(key, value.as_value());
                }
            }
        }
    }
}

fn put(target: &mut Target<'_>, key: &str, source: &Source, presence: Presence) {
    let is_there = target.attributes().get(key).is_some();
    let allowed = match presence {
        Presence::Absent => !is_there,
        Presence::Present => is_there,
        Presence::Any => true,
    };
    if !allowed {
        return;
    }
    match source {
        Source::Value(value) => target.set(key, value.as_value()),
        Source::Attribute { from, default } => {
            match (target.attributes().get(from).map(ValueBuf::new), default) {
                (Some(value), _) => target.set(key, value.as_value()),
                (None, Some(value)) => target.set(key, value.as_value()),
                (None, None) => {}
            }
        }
        Source::Context { from, default } => {
            let text = target.sender().and_then(|sender| from.of(sender));
            match (text, default) {
                (Some(text), _) => target.set(key, Value::Str(&text)),
                (None, Some(value)) => target.set(key, value.as_value()),
                (None, None) => {}
            }
        }
    }
}

/// SHA-256 in hex over the bytes that the Collector takes; an empty text stays empty, as there.
fn hash(value: Value<'_>) -> String {
    let hex = |bytes: &[u8]| {
        if bytes.is_empty() {
            String::new()
        } else {
            hex::encode(digest(&SHA256, bytes))
        }
    };
    match value {
        Value::Empty => String::new(),
        Value::Str(text) => hex(text.as_bytes()),
        Value::Bool(truth) => hex(&[u8::from(truth)]),
        Value::Int(number) => hex(&number.to_le_bytes()),
        Value::Double(number) => hex(&number.to_bits().to_le_bytes()),
        Value::Bytes(bytes) => hex(bytes),
        nested @ (Value::Array(_) | Value::Map(_)) => hex(nested.to_text().as_bytes()),
    }
}

fn extract(target: &mut Target<'_>, key: &str, pattern: &Pattern) {
    let found: Vec<(String, String)> = {
        let Some(Value::Str(text)) = target.attributes().get(key) else {
            return;
        };
        let Some(captures) = pattern.regex().captures(text) else {
            return;
        };
        let group = |name: &str| captures.name(name).map_or("", |m| m.as_str()).to_owned();
        pattern
            .regex()
            .capture_names()
            .flatten()
            .map(|name| (name.to_owned(), group(name)))
            .collect()
    };
    for (name, text) in found {
        target.set(&name, Value::Str(&text));
    }
}

fn converted(value: Value<'_>, to: ConvertedType) -> Option<ValueBuf> {
    let value = match (to, value) {
        (ConvertedType::String, Value::Str(_))
        | (ConvertedType::Int, Value::Int(_))
        | (ConvertedType::Double, Value::Double(_)) => return None,
        (ConvertedType::String, other) => return Some(ValueBuf::new(Value::Str(&other.to_text()))),
        (ConvertedType::Int, Value::Double(number)) => Value::Int(number as i64),
        (ConvertedType::Int, Value::Bool(truth)) => Value::Int(truth.into()),
        (ConvertedType::Int, Value::Str(text)) => Value::Int(text.parse().ok()?),
        (ConvertedType::Double, Value::Int(number)) => Value::Double(number as f64),
        (ConvertedType::Double, Value::Bool(truth)) => Value::Double(truth.into()),
        (ConvertedType::Double, Value::Str(text)) => Value::Double(text.parse().ok()?),
        _ => return None,
    };
    Some(ValueBuf::new(value))
}
