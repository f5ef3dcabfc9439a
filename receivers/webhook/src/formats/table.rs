//! What a format's fields are called in the normalised view, as data.

use sluice_batch::{Map, RecordMut, Value};

use super::Normalise;
use super::judgement::Judgement;

/// A format: the table of its fields and what follows from several of them together.
pub(super) struct Source {
    /// Every field that the mapping looks at, in the order in which attributes are written.
    pub(super) fields: &'static [Field],
    /// Fields that say of an object that it is an event and not a wrapper around one. None: nothing is unwrapped.
    pub(super) marks: &'static [&'static str],
    /// Where the event's id stands; the first that is there.
    pub(super) uid: &'static [&'static str],
    /// Where its time stands; the first that is there.
    pub(super) time: &'static [&'static str],
    /// Whether an event without a readable time is told of by `ai.audit.time_error`.
    pub(super) has_time: bool,
    /// Scope name of its records.
    pub(super) scope: &'static str,
    /// Severity, event name, subject, derived attributes.
    pub(super) judge: for<'v> fn(&Fields<'v>) -> Judgement<'v>,
}

/// A row of the table.
pub(super) struct Field {
    /// The source's name; a dot leads into an object (and is also found in a flat name, as CSV exports have it).
    pub(super) path: &'static str,
    /// The attribute's name; empty: read, but not written.
    pub(super) attribute: &'static str,
    /// The least setting of `normalise` that writes it.
    pub(super) from: Normalise,
    pub(super) kind: Kind,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number or bool becomes text.
    Text,
    /// A list of texts becomes one, joined by commas.
    Joined,
    /// As it is.
    Same,
}

/// A text that is in the short view.
pub(super) const fn short(path: &'static str, attribute: &'static str) -> Field {
    Field {
        path,
        attribute,
        from: Normalise::Short,
        kind: Kind::Text,
    }
}

/// A text that is in the full view only.
pub(super) const fn full(path: &'static str, attribute: &'static str) -> Field {
    Field {
        path,
        attribute,
        from: Normalise::Full,
        kind: Kind::Text,
    }
}

/// A list or an object that is in the full view only.
pub(super) const fn same(path: &'static str, attribute: &'static str) -> Field {
    Field {
        path,
        attribute,
        from: Normalise::Full,
        kind: Kind::Same,
    }
}

/// Looked at, not written.
pub(super) const fn read(path: &'static str) -> Field {
    Field {
        path,
        attribute: "",
        from: Normalise::Full,
        kind: Kind::Same,
    }
}

/// Fields that every format may have.
static COMMON: &[Field] = &[
    read("trace_id"),
    read("span_id"),
    read("traceparent"),
    read("tags"),
    read("env"),
];

/// An event's values by the rows of its table, read in one pass over the object.
pub(super) struct Fields<'v> {
    rows: &'static [Field],
    values: Vec<Option<Value<'v>>>,
}

impl<'v> Fields<'v> {
    pub(super) fn read(rows: &'static [Field], event: Map<'v>) -> Self {
        let mut values = vec![None; rows.len() + COMMON.len()];
        for (key, value) in event.iter() {
            for (row, slot) in rows.iter().chain(COMMON).zip(&mut values) {
                let found = match row.path.strip_prefix(key) {
                    Some("") => Some(value),
                    Some(rest) => rest
                        .strip_prefix('.')
                        .and_then(|inner| value.as_map()?.get(inner)),
                    None => None,
                };
                if slot.is_none() {
                    *slot = found.filter(|value| !value.is_empty());
                }
            }
        }
        Self { rows, values }
    }

    /// The value of the row with this path. `null` is absent.
    pub(super) fn get(&self, path: &str) -> Option<Value<'v>> {
        let at = self
            .rows
            .iter()
            .chain(COMMON)
            .position(|row| row.path == path);
        debug_assert!(at.is_some(), "{path} has no row");
        at.and_then(|at| self.values[at])
    }

    /// The first of these that is there.
    pub(super) fn first(&self, paths: &[&str]) -> Option<Value<'v>> {
        paths.iter().find_map(|path| self.get(path))
    }

    /// Its text, if it is one.
    pub(super) fn text(&self, path: &str) -> Option<&'v str> {
        self.get(path)?.as_str()
    }

    /// Writes the attributes that the table gives.
    pub(super) fn write(&self, normalise: Normalise, record: &mut RecordMut<'_>) {
        for (row, value) in self.rows.iter().zip(&self.values) {
            let Some(value) = value.filter(|_| !row.attribute.is_empty() && row.from <= normalise)
            else {
                continue;
            };
            match (row.kind, value) {
                (Kind::Text | Kind::Joined, Value::Int(_) | Value::Double(_) | Value::Bool(_)) => {
                    record.set(row.attribute, Value::Str(&value.to_text()));
                }
                (Kind::Joined, Value::Array(list)) => {
                    let joined = list
                        .iter()
                        .map(Value::to_text)
                        .collect::<Vec<_>>()
                        .join(",");
                    record.set(row.attribute, Value::Str(&joined));
                }
                _ => record.set(row.attribute, value),
            }
        }
    }
}
