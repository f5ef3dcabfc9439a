//! The document of a record, in each mapping mode.
//!
//! `source` is the audit trail's own: the members of the source's object, `@timestamp`, and everything else that is
//! known under `otel`. The other modes are those of the OpenTelemetry Collector's exporter.

use std::borrow::Cow;

use jiff::Timestamp;
use sluice_batch::{Attributes, Value};

use super::config::MappingMode;
use super::ecs;
use crate::audit::AuditEvent;
use crate::json::{HexId, Object};
use crate::keys::Firsts;
use crate::names::Nested;
use crate::view::{Neighbours, View};

/// Writes a document on one line.
pub(super) fn write<'a>(
    record: View<'a>,
    mode: MappingMode,
    time: u64,
    neighbours: &mut Neighbours<'a>,
    out: &mut Vec<u8>,
) {
    let mut document = Object::open(out);
    match mode {
        MappingMode::Source => source(record, time, neighbours, &mut document),
        MappingMode::Otel => otel(record, time, neighbours, &mut document),
        MappingMode::None => plain(
            record,
            time,
            ["Attributes.", "Resource.", "Scope."],
            &mut document,
        ),
        MappingMode::Raw => plain(record, time, ["", "Resource.", "Scope."], &mut document),
        MappingMode::Ecs => ecs::write(record, time, &mut document),
        MappingMode::Bodymap => match record.body() {
            Value::Map(body) => {
                if body.get("@timestamp").is_none() {
                    document.text("@timestamp", &iso(time));
                }
                document.members(body, str::is_empty);
            }
            // The Collector drops these; here they keep the shape that loses nothing.
            _ => otel(record, time, neighbours, &mut document),
        },
    }
    document.close();
}

fn source<'a>(
    record: View<'a>,
    time: u64,
    neighbours: &mut Neighbours<'a>,
    document: &mut Object<'_>,
) {
    let body = record.body().as_map();
    let has = |key: &str| body.is_some_and(|body| body.get(key).is_some());
    if !has("@timestamp") {
        document.text("@timestamp", &iso(time));
    }
    match body {
        // An empty key is refused by Elasticsearch, so it goes beside.
        Some(body) => document.members(body, str::is_empty),
        None => document.value("body", record.body()),
    }
    let beside = if has("otel") { "_otel" } else { "otel" };
    document.object(beside, |otel| {
        otel.text_if_any("event_name", record.name());
        otel.text_if_any("severity_text", record.severity_text());
        if record.severity_number() != 0 {
            otel.number("severity_number", record.severity_number().into());
        }
        otel.text_if_any("trace_id", HexId::of(record.trace_id()).as_str());
        otel.text_if_any("span_id", HexId::of(record.span_id()).as_str());
        if record.observed_time() != 0 {
            otel.text("observed_timestamp", &iso(record.observed_time()));
        }
        otel.text_if_any(
            "event_id",
            &crate::audit::event_id(*record).unwrap_or_default(),
        );
        if let Some(unnamed) = body.and_then(|body| body.get("")) {
            otel.value("unnamed", unnamed);
        }
        if let Some(audit) = AuditEvent::of(record) {
            otel.object_if_any("attributes", |object| {
                let choice = u8::from(audit.has_view());
                own(record, choice, neighbours, object, |key| {
                    audit.is_further(key)
                });
            });
        }
        otel.object_if_any("resource", |object| {
            neighbours.resource.write(&record, 0, object, |object| {
                each(object, record.resource_attributes())
            });
        });
    });
}

fn otel<'a>(
    record: View<'a>,
    time: u64,
    neighbours: &mut Neighbours<'a>,
    document: &mut Object<'_>,
) {
    document.text("@timestamp", &iso(time));
    if record.observed_time() != 0 {
        document.text("observed_timestamp", &iso(record.observed_time()));
    }
    document.text_if_any("severity_text", record.severity_text());
    if record.severity_number() != 0 {
        document.number("severity_number", record.severity_number().into());
    }
    document.text_if_any("trace_id", HexId::of(record.trace_id()).as_str());
    document.text_if_any("span_id", HexId::of(record.span_id()).as_str());
    document.text_if_any("event_name", record.name());
    document.object_if_any("attributes", |object| {
        own(record, 2, neighbours, object, |key| !is_routing(key));
    });
    document.object("resource", |resource| {
        resource.object_if_any("attributes", |object| {
            neighbours.resource.write(&record, 1, object, |object| {
                let attributes = record.resource().attributes().iter();
                each(object, attributes.filter(|(key, _)| !is_routing(key)));
            });
        });
        resource.text_if_any("schema_url", record.resource().schema_url());
    });
    document.object("scope", |scope| {
        scope.text_if_any("name", record.scope().name());
        scope.text_if_any("version", record.scope().version());
        members(
            scope,
            "attributes",
            record
                .scope()
                .attributes()
                .iter()
                .filter(|(key, _)| !is_routing(key)),
        );
    });
    match record.body() {
        Value::Empty => {}
        body @ Value::Map(_) => document.object("body", |out| out.value("structured", body)),
        body @ Value::Array(array) => document.object("body", |out| {
            if array.iter().all(|item| item.as_map().is_some()) {
                out.value("structured", body);
            } else {
                out.object("structured", |out| out.value("value", body));
            }
        }),
        scalar => document.object("body", |out| out.text("text", &scalar.to_text())),
    }
}

/// Modes `none` and `raw`: everything at the top level under prefixed names.
fn plain(
    record: View<'_>,
    time: u64,
    [attributes, resource, scope]: [&str; 3],
    document: &mut Object<'_>,
) {
    const OWN: [&str; 7] = [
        "@timestamp",
        "SeverityText",
        "SeverityNumber",
        "TraceId",
        "SpanId",
        "TraceFlags",
        "Body",
    ];
    document.text("@timestamp", &iso(time));
    document.text_if_any("SeverityText", record.severity_text());
    if record.severity_number() != 0 {
        document.number("SeverityNumber", record.severity_number().into());
    }
    document.text_if_any("TraceId", HexId::of(record.trace_id()).as_str());
    document.text_if_any("SpanId", HexId::of(record.span_id()).as_str());
    document.number("TraceFlags", record.flags().into());
    if !record.body().is_empty() {
        document.value("Body", record.body());
    }
    for (key, value) in unique(record.attributes()).filter(|(key, _)| !is_routing(key)) {
        let name: Cow<'_, str> = if attributes.is_empty() && (OWN.contains(&key) || key.is_empty())
        {
            Cow::Owned(format!("Attributes.{key}"))
        } else {
            Cow::Owned(format!("{attributes}{key}"))
        };
        document.value(&name, value);
    }
    for (key, value) in unique(record.resource().attributes()).filter(|(key, _)| !is_routing(key)) {
        document.value(&format!("{resource}{key}"), value);
    }
    document.text_if_any(&format!("{scope}name"), record.scope().name());
    document.text_if_any(&format!("{scope}version"), record.scope().version());
    for (key, value) in
        unique(record.scope().attributes()).filter(|(key, _)| !["name", "version"].contains(key))
    {
        document.value(&format!("{scope}{key}"), value);
    }
}

/// The record's own attributes as members, each key once. `choice`: what `is_wanted` depends on besides the key.
fn own<'a>(
    record: View<'a>,
    choice: u8,
    neighbours: &mut Neighbours<'a>,
    object: &mut Object<'_>,
    is_wanted: impl Fn(&str) -> bool,
) {
    let mut firsts = Firsts::default();
    neighbours
        .names
        .write(&record, choice, Nested::Kept, object, |key| {
            let name = if key.is_empty() { "unnamed" } else { key };
            (is_wanted(key) && firsts.is_first(key)).then_some(Cow::Borrowed(name))
        });
}

/// An object of attributes, each key once; nothing when there is none.
fn members<'a>(
    object: &mut Object<'_>,
    key: &str,
    attributes: impl Iterator<Item = (&'a str, Value<'a>)>,
) {
    object.object_if_any(key, |object| each(object, attributes));
}

/// Attributes as members, each key once.
fn each<'a>(object: &mut Object<'_>, attributes: impl Iterator<Item = (&'a str, Value<'a>)>) {
    let mut firsts = Firsts::default();
    for (key, value) in attributes {
        if firsts.is_first(key) {
            object.value(if key.is_empty() { "unnamed" } else { key }, value);
        }
    }
}

/// Attributes, each key once: Elasticsearch refuses an object with the same key twice.
fn unique<'a>(attributes: Attributes<'a>) -> impl Iterator<Item = (&'a str, Value<'a>)> {
    let mut firsts = Firsts::default();
    attributes
        .iter()
        .filter(move |(key, _)| firsts.is_first(key))
}

/// Attributes that say where a document goes and are no part of it.
pub(super) fn is_routing(key: &str) -> bool {
    key.starts_with("data_stream.")
        || key.starts_with("elastic.mapping.")
        || matches!(
            key,
            "elasticsearch.index" | "elasticsearch.document_id" | "elasticsearch.ingest_pipeline"
        )
}

/// RFC 3339 with the precision that the time has; every date mapping reads it.
pub(super) fn iso(nanos: u64) -> String {
    Timestamp::from_nanosecond(i128::from(nanos))
        .unwrap_or_default()
        .to_string()
}
