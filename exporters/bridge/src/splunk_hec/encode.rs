//! Records as event envelopes: `time host source sourcetype index event fields`, concatenated.
//!
//! Keys and their order are those of the vendors' sample payload; a collector silently drops what follows an envelope
//! with any other key. An audit event's `event` is its source's own object. `fields` of other records are as in the
//! OpenTelemetry Collector: all attributes, nested maps flattened.

use std::borrow::Cow;
use std::io::Write as _;

use sluice_batch::{Batch, Record, Signal, Value};
use sluice_component::Secret;

use super::config::{Config, HecFields, HecMetadata};
use crate::audit::{AuditEvent, attribute, event_id, resource_attributes, text};
use crate::delivery::{Payload, Verdicts};
use crate::json::{Object, flatten, hex_id};

/// The resource attribute that holds a token of its own.
const TOKEN_ATTRIBUTE: &str = "com.splunk.hec.access_token";
/// Maps deeper than this end up as JSON text in `fields`.
const MAX_DEPTH: usize = 10;

/// What the events of one body have in common.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The index; empty: the token's default.
    pub(crate) index: String,
    /// Whether that is the configured index.
    pub(crate) is_own_index: bool,
    /// The token of the records' resource, if it brings one.
    pub(crate) token: Option<Secret>,
}

/// Writes envelopes.
#[derive(Debug)]
pub(super) struct Encoder {
    host: String,
    source: String,
    sourcetype: String,
    index: String,
    metadata: HecMetadata,
    fields: HecFields,
    export_raw: bool,
    max_event_bytes: usize,
}

impl Encoder {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            host: config.host.clone(),
            source: config.source.clone(),
            sourcetype: config.sourcetype.clone(),
            index: config.index.clone(),
            metadata: config.metadata().clone(),
            fields: config.otel_to_hec_fields.clone(),
            export_raw: config.export_raw,
            max_event_bytes: config.max_event_bytes(),
        }
    }

    /// One payload for each index and token; records that can never be sent get their verdict here.
    pub(super) fn encode(&self, batch: &Batch, verdicts: &mut Verdicts) -> Vec<Payload<Route>> {
        let mut payloads: Vec<Payload<Route>> = Vec::new();
        for record in batch.records() {
            let named = attribute(record, &self.metadata.index);
            let index = named.as_deref().unwrap_or(&self.index);
            let token = text(record.resource().get(TOKEN_ATTRIBUTE));
            let same = |payload: &Payload<Route>| {
                payload.route.index == index
                    && payload.route.token.as_ref().map(Secret::expose) == token.as_deref()
            };
            // Neighbours mostly go the same way, so the last payload is asked first.
            let at = payloads.iter().rposition(same).unwrap_or_else(|| {
                let is_own_index = named.is_none();
                let route = Route {
                    index: index.to_owned(),
                    is_own_index,
                    token: token.as_deref().map(Secret::new),
                };
                payloads.push(Payload::new(route));
                payloads.len() - 1
            });
            let pushed = payloads[at].push(record.index(), self.max_event_bytes, |out| {
                if self.export_raw {
                    raw(record, out)
                } else {
                    self.envelope(batch, record, index, out)
                }
            });
            if let Err(size) = pushed {
                let why = format!(
                    "the event takes {size} bytes, more than max_event_size of {}",
                    self.max_event_bytes
                );
                verdicts.refuse([u32::try_from(record.index()).unwrap_or(u32::MAX)], &why);
            }
        }
        payloads
    }

    fn envelope(&self, batch: &Batch, record: Record<'_>, index: &str, out: &mut Vec<u8>) {
        let audit = if batch.signal() == Signal::Logs {
            AuditEvent::of(record)
        } else {
            None
        };
        let own_source = audit.and_then(|audit| audit.source());
        let service = || text(record.resource().get("service.name"));
        let attribute_host = attribute(record, &self.metadata.host);
        let host: Cow<'_, str> = if self.host.is_empty() {
            own_source
                .as_deref()
                .map(Cow::Borrowed)
                .or_else(|| attribute_host.clone())
                .or_else(service)
                .unwrap_or(Cow::Borrowed("unknown"))
        } else {
            Cow::Borrowed(&self.host)
        };
        let source = attribute(record, &self.metadata.source)
            .or_else(|| Some(Cow::Borrowed(self.source.as_str())).filter(|s| !s.is_empty()))
            .or_else(|| own_source.as_deref().map(Cow::Borrowed))
            .or_else(service)
            .unwrap_or_default();
        let sourcetype =
            attribute(record, &self.metadata.sourcetype).unwrap_or(Cow::Borrowed(&self.sourcetype));

        let mut envelope = Object::open(out);
        if record.event_time() != 0 {
            let _ = write_seconds(envelope.key("time"), record.event_time());
        }
        envelope.text("host", &host);
        envelope.text_if_any("source", &source);
        envelope.text_if_any("sourcetype", &sourcetype);
        envelope.text_if_any("index", index);
        if batch.signal() == Signal::Logs {
            event(record, envelope.key("event"));
        } else {
            // Spans and data points as the OTLP/JSON that they are.
            batch.encode_json_into(record.index()..record.index() + 1, envelope.key("event"));
        }
        let host_is_shown = attribute_host.is_some_and(|shown| shown == host);
        let source_is_shown = |value: Value<'_>| value.to_text().replace('_', "-") == *source;
        let mut fields = Vec::new();
        let mut object = Object::open(&mut fields);
        self.severity_and_ids(record, audit, &mut object);
        let is_metadata = |key: &str| {
            let metadata = &self.metadata;
            [&metadata.source, &metadata.sourcetype, &metadata.index]
                .iter()
                .any(|name| *name == key)
                || (key == metadata.host && host_is_shown)
                || key == TOKEN_ATTRIBUTE
        };
        let mut write = |key: &str, value: Value<'_>| {
            flatten(key, value, MAX_DEPTH, &mut |k, v| object.value(k, v))
        };
        for (key, value) in resource_attributes(record) {
            // An audit event's service is its source, which stands above.
            let is_shown = audit.is_some() && key == "service.name" && source_is_shown(value);
            if !is_shown && !is_metadata(key) {
                write(key, value);
            }
        }
        match audit {
            Some(audit) => audit
                .further_attributes()
                .filter(|(key, _)| !is_metadata(key))
                .for_each(|(k, v)| write(k, v)),
            None => record
                .attributes()
                .iter()
                .filter(|(key, _)| !is_metadata(key))
                .for_each(|(k, v)| write(k, v)),
        }
        object.close();
        if fields.len() > 2 {
            envelope.key("fields").extend_from_slice(&fields);
        }
        envelope.close();
    }

    /// What `fields` holds beside attributes. A name that an attribute of the record has is the attribute's.
    fn severity_and_ids(
        &self,
        record: Record<'_>,
        audit: Option<AuditEvent<'_>>,
        fields: &mut Object<'_>,
    ) {
        let mut field = |key: &str, text: &str| {
            if !text.is_empty() && record.get(key).is_none() && record.resource().get(key).is_none()
            {
                fields.text(key, text);
            }
        };
        if let Some(audit) = audit {
            field("event_id", &event_id(record).unwrap_or_default());
            field("decision", &audit.decision().unwrap_or_default());
            field("severity", record.severity_text());
        }
        field("trace_id", &hex_id(record.trace_id()));
        field("span_id", &hex_id(record.span_id()));
        field(&self.fields.severity_text, record.severity_text());
        if record.severity_number() != 0 && record.get(&self.fields.severity_number).is_none() {
            fields.number(
                &self.fields.severity_number,
                record.severity_number().into(),
            );
        }
        if audit.is_none() && !record.name().is_empty() && record.get("otel.log.name").is_none() {
            fields.text("otel.log.name", record.name());
        }
    }
}

/// A log record's body; one that a collector would refuse as blank is told by the record's name or attributes.
fn event(record: Record<'_>, out: &mut Vec<u8>) {
    match record.body() {
        Value::Empty | Value::Str("") if !record.name().is_empty() => {
            Value::Str(record.name()).write_json(out)
        }
        Value::Empty | Value::Str("") => {
            let mut object = Object::open(out);
            for (at, (key, value)) in record.attributes().iter().enumerate() {
                if !record
                    .attributes()
                    .iter()
                    .take(at)
                    .any(|(earlier, _)| earlier == key)
                {
                    object.value(key, value);
                }
            }
            object.close();
        }
        body => body.write_json(out),
    }
}

/// A body alone, on a line.
fn raw(record: Record<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(record.body().to_text().as_bytes());
    out.push(b'\n');
}

/// Seconds since 1970, rounded to milliseconds, which are left out when they are 0.
fn write_seconds(out: &mut Vec<u8>, nanos: u64) -> std::io::Result<()> {
    let millis = nanos / 1_000_000 + u64::from(nanos % 1_000_000 >= 500_000);
    match millis % 1000 {
        0 => write!(out, "{}", millis / 1000),
        part => write!(out, "{}.{part:03}", millis / 1000),
    }
}
