//! What makes a record an audit event, and which id it goes by: one rule for the engine, `dedupe` and every exporter.

use std::borrow::Cow;

use sluice_batch::{Record, Value};

/// Whether a log record is an audit event: its event name begins with `ai.`, or it has a `decision` among its
/// attributes or in its body.
#[must_use]
pub fn is_event(record: Record<'_>) -> bool {
    record.name().starts_with("ai.")
        || record.get("decision").is_some()
        || record
            .body()
            .as_map()
            .is_some_and(|body| body.get("decision").is_some())
}

/// The id by which a record is known as itself: `log.record.uid`, else `event_id` of its attributes, else of its body.
/// What redaction masked is no id: it would make all events one.
#[must_use]
pub fn event_id<'a>(record: Record<'a>) -> Option<Cow<'a, str>> {
    usable(record.get("log.record.uid"))
        .or_else(|| usable(record.get("event_id")))
        .or_else(|| usable(record.body().as_map().and_then(|body| body.get("event_id"))))
}

fn usable(value: Option<Value<'_>>) -> Option<Cow<'_, str>> {
    match value? {
        Value::Empty | Value::Array(_) | Value::Map(_) => None,
        scalar => Some(scalar.to_text()).filter(|id| !id.is_empty() && !is_masked(id)),
    }
}

/// Whether a text carries the mark of a redaction.
#[must_use]
pub fn is_masked(text: &str) -> bool {
    text.contains("****") || text.contains("[REDACTED")
}
