//! Writes one event as a log record.

use std::borrow::Cow;

use sluice_batch::{Batch, Map, RecordMut, Signal, Value};

use super::judgement::severity_text;
use super::table::{Fields, Source};
use super::time::nanoseconds;
use super::{Delivery, Mapping, Normalise, trace, uid, wrapper};

/// An event whose time is farther than this from its receipt is marked.
const SKEW_NANOS: i128 = 300_000_000_000;

/// The batch of a request while it is written.
pub(super) struct Writer<'m> {
    pub(super) batch: Batch,
    mapping: &'m Mapping,
    source: &'m Source,
    received: u64,
    delivery: Option<&'m Delivery>,
    /// The last record's resource: one that follows with the same joins it.
    resource: Option<[String; 3]>,
}

impl<'m> Writer<'m> {
    pub(super) fn new(
        mapping: &'m Mapping,
        source: &'m Source,
        received: u64,
        delivery: Option<&'m Delivery>,
    ) -> Self {
        Self {
            batch: Batch::new(Signal::Logs),
            mapping,
            source,
            received,
            delivery,
            resource: None,
        }
    }

    /// Adds `event`. `envelope` is what it was wrapped in, and whether it was alone there:
    /// only then is the envelope's id the event's.
    pub(super) fn write<'v>(&mut self, event: Map<'v>, envelope: Option<(Map<'v>, bool)>) {
        let Self {
            mapping,
            source,
            received,
            delivery,
            ..
        } = *self;
        let position = self.batch.len();
        let fields = Fields::read(source.fields, event);
        let judgement = (source.judge)(&fields);
        self.enter([
            judgement.service.as_ref(),
            judgement.instance.unwrap_or_default(),
            environment(&fields).unwrap_or_default(),
        ]);

        let mut record = self.batch.push_log();
        record.set_observed_time(received);
        record.set_body(Value::Map(event));
        if !judgement.event_name.is_empty() {
            record.set_name(judgement.event_name);
        }
        if judgement.severity > 0 {
            record.set_severity(judgement.severity, severity_text(judgement.severity));
        }
        if let Some((trace_id, span_id, flags)) = trace::context(&fields) {
            record.set_trace(&trace_id, span_id.as_ref().map_or(&[][..], |id| id), flags);
        }
        let envelope_value = |names: &[&str]| {
            envelope.and_then(|(envelope, _)| {
                names
                    .iter()
                    .find_map(|name| envelope.get(name).filter(|v| !v.is_empty()))
            })
        };
        let uid = source
            .uid
            .iter()
            .find_map(|path| fields.get(path).and_then(id_text));
        let uid = uid.or_else(|| {
            envelope
                .filter(|(_, is_alone)| *is_alone)
                .and_then(|_| id_text(envelope_value(&["event_id", "id"])?))
        });
        record.set(
            "log.record.uid",
            Value::Str(&uid.unwrap_or_else(|| uid::uid(delivery, position).into())),
        );

        let time = fields
            .first(source.time)
            .or_else(|| envelope_value(&["created_at", "timestamp", "time"]));
        let nanos = time.and_then(nanoseconds);
        record.set_time(nanos.unwrap_or(0));
        if let Some((envelope, _)) = envelope {
            for (key, value) in wrapper::rest(envelope) {
                record.set(&format!("webhook.envelope.{key}"), value);
            }
        }
        if mapping.normalise == Normalise::Off {
            return;
        }
        fields.write(mapping.normalise, &mut record);
        let subject = mapping
            .subject_field
            .as_deref()
            .and_then(|path| at(event, path))
            .or(judgement.subject);
        if let Some(text) = subject.and_then(id_text) {
            record.set("user.id", Value::Str(&text));
        }
        for (name, value, from) in judgement.derived {
            if from <= mapping.normalise {
                record.set(name, value);
            }
        }
        if judgement.is_inconsistent {
            record.set("ai.audit.inconsistent", Value::Bool(true));
        }
        note_time(
            &mut record,
            time.is_some(),
            nanos,
            source.has_time,
            received,
        );
    }

    /// Opens a resource unless the last one is the same.
    fn enter(&mut self, resource: [&str; 3]) {
        if self.resource.as_ref().is_some_and(|last| *last == resource) {
            return;
        }
        let names = [
            "service.name",
            "service.instance.id",
            "deployment.environment.name",
        ];
        let attributes: Vec<_> = names
            .into_iter()
            .zip(resource)
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| (name, Value::Str(text)))
            .collect();
        self.batch.push_scope(&attributes, self.source.scope);
        self.resource = Some(resource.map(str::to_owned));
    }
}

/// Says what is odd about an event's time. The time itself is kept.
fn note_time(
    record: &mut RecordMut<'_>,
    is_there: bool,
    nanos: Option<u64>,
    must_be_there: bool,
    received: u64,
) {
    match nanos {
        Some(nanos) => {
            let skew = i128::from(nanos) - i128::from(received);
            if skew.abs() > SKEW_NANOS {
                record.set(
                    "ai.audit.clock_skew_ms",
                    Value::Int(i64::try_from(skew / 1_000_000).unwrap_or(i64::MAX)),
                );
            }
        }
        None if is_there => record.set("ai.audit.time_error", Value::Str("unparseable")),
        None if must_be_there => record.set("ai.audit.time_error", Value::Str("missing")),
        None => {}
    }
}

/// What can identify something: a text that is not blank, or a number.
fn id_text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Str(text) => Some(text.trim())
            .filter(|text| !text.is_empty())
            .map(Cow::Borrowed),
        Value::Int(_) | Value::Double(_) => Some(value.to_text()),
        _ => None,
    }
}

fn at<'v>(event: Map<'v>, path: &str) -> Option<Value<'v>> {
    event
        .get(path)
        .or_else(|| {
            path.split('.')
                .try_fold(Value::Map(event), |value, name| value.as_map()?.get(name))
        })
        .filter(|value| !value.is_empty())
}

/// From the tag `env`, however tags are written: `env`, `tags: {env: …}`, `tags: ["env:…"]`.
fn environment<'v>(fields: &Fields<'v>) -> Option<&'v str> {
    fields.text("env").or_else(|| match fields.get("tags")? {
        Value::Map(tags) => tags.get("env")?.as_str(),
        Value::Array(tags) => tags
            .iter()
            .find_map(|tag| tag.as_str()?.strip_prefix("env:")),
        _ => None,
    })
}
