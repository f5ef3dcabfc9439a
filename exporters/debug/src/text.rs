//! Batches as text for people.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value as Json;
use sluice_batch::{Attributes, Batch, Record, Signal, Value};

/// What a record of a signal is called.
fn noun(signal: Signal) -> (&'static str, &'static str) {
    match signal {
        Signal::Logs => ("log record", "LogRecord"),
        Signal::Traces => ("span", "Span"),
        Signal::Metrics => ("data point", "DataPoint"),
    }
}

/// One line: how many records, from how many resources and scopes.
pub(crate) fn basic(batch: &Batch) -> String {
    let count = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    let runs = |index: fn(Record<'_>) -> usize| {
        let mut seen: Vec<usize> = batch.records().map(index).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    };
    format!(
        "{}: {} of {} in {}\n",
        batch.signal().name(),
        count(batch.len(), noun(batch.signal()).0),
        count(runs(|record| record.resource_index()), "resource"),
        count(runs(|record| record.scope_index()), "scope"),
    )
}

/// One line a record: time, severity, name, body, ids, a data point's numbers, attributes.
pub(crate) fn normal(batch: &Batch) -> String {
    let mut out = String::new();
    for record in batch.records() {
        let mut line = Vec::new();
        if record.event_time() != 0 {
            line.push(time(record.event_time()));
        }
        line.extend(
            [record.severity_text(), record.name()]
                .into_iter()
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
        );
        if !record.body().is_empty() {
            line.push(record.body().to_text().into_owned());
        }
        line.extend(
            [record.trace_id(), record.span_id()]
                .into_iter()
                .filter(|id| !id.is_empty())
                .map(hex),
        );
        if batch.signal() == Signal::Metrics {
            line.extend(numbers(batch, record.index()));
        }
        line.extend(
            record
                .attributes()
                .iter()
                .map(|(key, value)| format!("{key}={}", value.to_text())),
        );
        out.push_str(&visible(&line.join(" ")));
        out.push('\n');
    }
    out
}

/// Every field of every record, log records as the Collector shows them.
pub(crate) fn detailed(batch: &Batch) -> String {
    let mut out = String::new();
    let (mut resource, mut scope) = (None, None);
    for record in batch.records() {
        if resource != Some(record.resource_index()) {
            resource = Some(record.resource_index());
            line(
                &mut out,
                format_args!("Resource #{}", record.resource_index()),
            );
            field(
                &mut out,
                "Resource SchemaURL",
                record.resource().schema_url(),
            );
            attributes(
                &mut out,
                "Resource attributes",
                record.resource().attributes(),
            );
        }
        if scope != Some(record.scope_index()) {
            scope = Some(record.scope_index());
            line(&mut out, format_args!("Scope #{}", record.scope_index()));
            field(&mut out, "Scope SchemaURL", record.scope().schema_url());
            let name = format!("{} {}", record.scope().name(), record.scope().version());
            field(&mut out, "InstrumentationScope", name.trim());
            attributes(&mut out, "Scope attributes", record.scope().attributes());
        }
        line(
            &mut out,
            format_args!("{} #{}", noun(batch.signal()).1, record.index()),
        );
        if batch.signal() == Signal::Logs {
            log_record(&mut out, record);
        } else {
            whole(&mut out, batch, record.index());
        }
    }
    out
}

fn log_record(out: &mut String, record: Record<'_>) {
    if record.observed_time() != 0 {
        field(out, "ObservedTimestamp", &time(record.observed_time()));
    }
    if record.time() != 0 {
        field(out, "Timestamp", &time(record.time()));
    }
    field(out, "SeverityText", record.severity_text());
    if record.severity_number() != 0 {
        field(out, "SeverityNumber", &record.severity_number().to_string());
    }
    field(out, "EventName", record.name());
    if !record.body().is_empty() {
        field(out, "Body", &typed(record.body()));
    }
    attributes(out, "Attributes", record.attributes());
    field(out, "Trace ID", &hex(record.trace_id()));
    field(out, "Span ID", &hex(record.span_id()));
    if record.flags() != 0 {
        field(out, "Flags", &record.flags().to_string());
    }
}

/// A span, or a metric with one data point, as indented OTLP/JSON: all that its message holds.
fn whole(out: &mut String, batch: &Batch, record: usize) {
    for text in serde_json::to_string_pretty(&message(batch, record))
        .unwrap_or_default()
        .lines()
    {
        line(out, format_args!("{text}"));
    }
}

/// What a data point measured.
fn numbers(batch: &Batch, record: usize) -> Vec<String> {
    let metric = message(batch, record);
    let points = metric
        .as_object()
        .into_iter()
        .flat_map(|metric| metric.values())
        .filter_map(|data| data.pointer("/dataPoints/0"));
    let shown = |point: &Json, key: &str| {
        point.get(key).map(|n| {
            format!(
                "{key}={}",
                n.as_str().map_or_else(|| n.to_string(), str::to_owned)
            )
        })
    };
    points
        .flat_map(|point| {
            ["asInt", "asDouble", "count", "sum"]
                .into_iter()
                .filter_map(|key| shown(point, key))
        })
        .collect()
}

/// The OTLP/JSON of a span, or of a metric with one data point.
fn message(batch: &Batch, record: usize) -> Json {
    let mut json = Vec::new();
    batch.encode_json_into(record..record + 1, &mut json);
    let mut json: Json = serde_json::from_slice(&json).unwrap_or_default();
    let pointer = match batch.signal() {
        Signal::Metrics => "/resourceMetrics/0/scopeMetrics/0/metrics/0",
        _ => "/resourceSpans/0/scopeSpans/0/spans/0",
    };
    json.pointer_mut(pointer).map(Json::take).unwrap_or(json)
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&visible(&text.to_string()));
    out.push('\n');
}

/// `Name: value`, unless there is no value.
fn field(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        line(out, format_args!("{name}: {value}"));
    }
}

fn attributes(out: &mut String, title: &str, attributes: Attributes<'_>) {
    if attributes.is_empty() {
        return;
    }
    line(out, format_args!("{title}:"));
    for (key, value) in attributes.iter() {
        line(out, format_args!("     -> {key}: {}", typed(value)));
    }
}

/// A value with its type, as the Collector writes it: `Str(refuse)`.
fn typed(value: Value<'_>) -> String {
    let name = match value {
        Value::Empty => "Empty",
        Value::Str(_) => "Str",
        Value::Bool(_) => "Bool",
        Value::Int(_) => "Int",
        Value::Double(_) => "Double",
        Value::Bytes(_) => "Bytes",
        Value::Array(_) => "Slice",
        Value::Map(_) => "Map",
    };
    format!("{name}({})", value.to_text())
}

fn time(nanos: u64) -> String {
    Timestamp::from_nanosecond(i128::from(nanos))
        .map_or_else(|_| nanos.to_string(), |time| time.to_string())
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Text that cannot act on a terminal: control characters, and those that change the direction of writing, escaped.
fn visible(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    if !text.contains(acts) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
    }
    out
}
