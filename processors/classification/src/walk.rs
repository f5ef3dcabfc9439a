//! Every text and number of a record in which evidence may stand: attributes and body, however deep.

use sluice_batch::{Record, Value};

/// The field of an audit event's body in which its source classifies it (Policy Gateway's `data_classification`).
pub(crate) const BODY_KEY: &str = "data_classification";

/// What the walk comes by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<'a> {
    /// The key of an attribute or of a map's entry.
    Key(&'a str),
    /// A scalar under the nearest key; empty for a body without keys.
    Value(&'a str, Value<'a>),
}

/// Shows everything but the values of the attributes named in `skip` and of [`BODY_KEY`]: those are tags, no evidence.
pub(crate) fn walk<'a>(record: Record<'a>, skip: &[String], see: &mut dyn FnMut(Seen<'a>)) {
    for (key, value) in record.attributes().iter() {
        if !skip.iter().any(|skipped| skipped == key) {
            see(Seen::Key(key));
            inside(key, value, see);
        }
    }
    match record.body() {
        Value::Map(map) => {
            for (key, value) in map.iter().filter(|(key, _)| *key != BODY_KEY) {
                see(Seen::Key(key));
                inside(key, value, see);
            }
        }
        other => inside("", other, see),
    }
}

/// Nesting is bounded: a batch refuses what is nested deeper than protobuf's own limit.
fn inside<'a>(key: &'a str, value: Value<'a>, see: &mut dyn FnMut(Seen<'a>)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| inside(key, item, see)),
        Value::Map(map) => {
            for (key, value) in map.iter() {
                see(Seen::Key(key));
                inside(key, value, see);
            }
        }
        scalar => see(Seen::Value(key, scalar)),
    }
}
