//! Records as Datadog logs.
//!
//! Of an audit event, the source's own object stands under `policy`, as in the vendors' sample payload, so that none of
//! its members is taken for a reserved attribute. Other records are flattened as the OpenTelemetry Collector does.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use sluice_batch::Batch;

use super::config::{Config, Stale};
use super::{MAX_LOG_BYTES, tags};
use crate::audit::{AuditEvent, event_id, is_host_of};
use crate::delivery::{MAX_ENCODED, Payload, Verdicts};
use crate::json::{HexId, Object};
use crate::names::Nested;
use crate::view::{Neighbours, View, text};

/// The intake takes logs up to 18 hours old, and about 2 hours ahead; the delivery itself needs a little of that.
const MAX_AGE: Duration = Duration::from_secs(18 * 3600 - 600);
const MAX_AHEAD: Duration = Duration::from_secs(2 * 3600 - 600);
/// Attributes nested deeper end up as JSON text.
const MAX_DEPTH: usize = 10;
const FLAT: Nested = Nested::Flattened(MAX_DEPTH);

/// Writes logs.
#[derive(Debug)]
pub(super) struct Encoder {
    hostname: String,
    service: String,
    ddsource: String,
    tags: String,
    stale: Stale,
}

impl Encoder {
    pub(super) fn new(config: &Config) -> Self {
        let mut tags = String::new();
        config
            .tags
            .iter()
            .for_each(|text| tags::add(&mut tags, text));
        Self {
            hostname: config.hostname.clone(),
            service: config.service.clone(),
            ddsource: config.ddsource.clone(),
            tags,
            stale: config.stale,
        }
    }

    /// The batch as logs; those that can never be sent, or not in this attempt, get their verdict here.
    pub(super) fn encode(
        &self,
        batch: &Batch,
        now: SystemTime,
        verdicts: &mut Verdicts,
    ) -> Payload<()> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut payload = Payload::with_room((), batch);
        let mut neighbours = Neighbours::default();
        let mut encoded = 0;
        for record in batch.records() {
            if encoded >= MAX_ENCODED {
                verdicts.next(record.index()..batch.len());
                break;
            }
            let position = u32::try_from(record.index()).unwrap_or(u32::MAX);
            let time = Duration::from_nanos(record.event_time());
            let is_stale = !time.is_zero()
                && (now.saturating_sub(time) > MAX_AGE || time.saturating_sub(now) > MAX_AHEAD);
            match self.stale {
                Stale::Drop | Stale::Divert if is_stale => {
                    let what = if time < now {
                        "older than 18 h"
                    } else {
                        "more than 2 h ahead"
                    };
                    let why = match self.stale {
                        Stale::Drop => ", dropped by `stale: drop`",
                        Stale::Restamp | Stale::Divert => ", which Datadog does not take",
                    };
                    verdicts.refuse([position], &format!("{what}{why}"));
                }
                Stale::Restamp | Stale::Drop | Stale::Divert => {
                    let stamp = if is_stale || time.is_zero() {
                        now
                    } else {
                        time
                    };
                    // The comma before a log is part of the array, not of the log.
                    let pushed = payload.push(record.index(), MAX_LOG_BYTES + 1, |out| {
                        out.push(b',');
                        let log = Log {
                            encoder: self,
                            record: neighbours.view(record),
                            stamp,
                            replayed: is_stale.then_some(time),
                        };
                        log.write(&mut neighbours, out);
                    });
                    if let Err(size) = pushed {
                        let size = size - 1;
                        let why = format!(
                            "the log takes {size} bytes, and Datadog silently cuts what is over {MAX_LOG_BYTES}"
                        );
                        verdicts.refuse([position], &why);
                    }
                    encoded += pushed.unwrap_or_else(|size| size);
                }
            }
        }
        payload
    }
}

/// One log to write.
struct Log<'a> {
    encoder: &'a Encoder,
    record: View<'a>,
    /// The date that Datadog files it under, since 1970.
    stamp: Duration,
    /// The true time, when `stamp` is not it.
    replayed: Option<Duration>,
}

impl<'a> Log<'a> {
    fn write(&self, neighbours: &mut Neighbours<'a>, out: &mut Vec<u8>) {
        let mut log = Object::open(out);
        match AuditEvent::of(self.record) {
            Some(audit) => self.audit(audit, neighbours, &mut log),
            None => self.other(neighbours, &mut log),
        }
        if let Some(time) = self.replayed {
            log.text("event.original_timestamp", &iso(time));
        }
        log.close();
    }

    fn audit(&self, audit: AuditEvent<'a>, neighbours: &mut Neighbours<'a>, log: &mut Object<'_>) {
        let source = audit.source();
        let source = source.as_deref().unwrap_or("policy-gateway");
        let service = Some(self.encoder.service.as_str()).filter(|text| !text.is_empty());
        let ddsource = Some(self.encoder.ddsource.as_str()).filter(|text| !text.is_empty());
        log.text("message", &audit.message());
        log.number("timestamp", millis(self.stamp));
        log.text("status", status(self.record.severity_number()));
        log.text("service", service.unwrap_or(source));
        log.text("ddsource", ddsource.unwrap_or(source));
        log.text_if_any(
            "ddtags",
            &self.tags(audit.project().map(|id| format!("project:{id}")).as_slice()),
        );
        log.text(
            "hostname",
            &self.hostname().unwrap_or(Cow::Borrowed(source)),
        );
        match audit.object {
            Some(_) => log.value("policy", self.record.body()),
            None => log.value("body", self.record.body()),
        }
        log.text_if_any("event_id", &event_id(*self.record).unwrap_or_default());
        self.trace(log);
        // One level down, where no name is reserved.
        log.object_if_any("attributes", |object| {
            let choice = u8::from(audit.has_view());
            neighbours
                .names
                .write(&self.record, choice, FLAT, object, |key| {
                    audit.is_further(key).then_some(Cow::Borrowed(key))
                });
        });
        let service = text(self.record.of_resource("service.name"));
        let service_is_said = service.is_some_and(|service| is_host_of(source, &service));
        log.object_if_any("resource", |object| {
            neighbours
                .resource
                .write(&self.record, u8::from(service_is_said), object, |object| {
                    self.record
                        .resource_attributes()
                        .filter(|(key, _)| !(service_is_said && *key == "service.name"))
                        .for_each(|(key, value)| object.flattened(key, value, MAX_DEPTH));
                });
        });
    }

    fn other(&self, neighbours: &mut Neighbours<'a>, log: &mut Object<'_>) {
        let record = self.record;
        let named = |names: &[&str]| {
            let found = record
                .attributes()
                .iter()
                .find(|(key, _)| names.iter().any(|name| key.eq_ignore_ascii_case(name)));
            text(found.map(|(_, value)| value))
        };
        let message = named(&["msg", "message", "log"]);
        log.text(
            "message",
            message.as_deref().unwrap_or(&record.body().to_text()),
        );
        log.number("timestamp", millis(self.stamp));
        let severity = named(&["status", "severity", "level", "syslog.severity"]);
        let severity = severity
            .or_else(|| Some(Cow::Borrowed(record.severity_text())).filter(|s| !s.is_empty()));
        log.text(
            "status",
            severity
                .as_deref()
                .unwrap_or_else(|| status_word(record.severity_number())),
        );
        let configured = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let service = configured(&self.encoder.service)
            .or_else(|| record.attribute("service.name").map(Cow::into_owned));
        log.text_if_any("service", &service.unwrap_or_default());
        let ddsource = configured(&self.encoder.ddsource)
            .or_else(|| record.attribute("datadog.log.source").map(Cow::into_owned));
        log.text(
            "ddsource",
            ddsource.as_deref().unwrap_or("otlp_log_ingestion"),
        );
        log.text("ddtags", &self.tags(&self.collector_tags()));
        log.text_if_any("hostname", &self.hostname().unwrap_or_default());
        if message.is_some() && !record.body().is_empty() {
            log.flattened("body", record.body(), MAX_DEPTH);
        }
        self.trace(log);
        log.text_if_any("otel.severity_text", record.severity_text());
        if record.severity_number() != 0 {
            log.text(
                "otel.severity_number",
                &record.severity_number().to_string(),
            );
        }
        if record.event_time() != 0 {
            log.text("otel.timestamp", &record.event_time().to_string());
        }
        log.text_if_any("otel.event_name", record.name());
        let mut write = |key, value| log.flattened(&unreserved(key), value, MAX_DEPTH);
        record
            .resource_attributes()
            .for_each(|(key, value)| write(key, value));
        for (key, value) in record.scope().attributes().iter() {
            if !record.has(key) {
                write(key, value);
            }
        }
        // Neighbours that are audit events have the choices 0 and 1.
        neighbours
            .names
            .write(&record, 2, FLAT, log, |key| Some(unreserved(key)));
    }

    fn trace(&self, log: &mut Object<'_>) {
        let (trace, span) = (self.record.trace_id(), self.record.span_id());
        for (id, names) in [
            (trace, ["trace_id", "otel.trace_id", "dd.trace_id"]),
            (span, ["span_id", "otel.span_id", "dd.span_id"]),
        ] {
            let Some(low) = id.last_chunk::<8>() else {
                continue;
            };
            let hex = HexId::of(id);
            if !self.record.has(names[0]) {
                log.text(names[0], hex.as_str());
            }
            log.text(names[1], hex.as_str());
            log.text(names[2], &u64::from_be_bytes(*low).to_string());
        }
    }

    fn hostname(&self) -> Option<Cow<'_, str>> {
        let of = |key| {
            self.record
                .attribute(key)
                .filter(|name| !is_loopback_name(name))
        };
        Some(Cow::Borrowed(self.encoder.hostname.as_str()))
            .filter(|name| !name.is_empty())
            .or_else(|| {
                ["host", "datadog.host.name", "host.name", "host.id"]
                    .into_iter()
                    .find_map(of)
            })
    }

    fn tags(&self, more: &[String]) -> String {
        let mut list = self.encoder.tags.clone();
        more.iter().for_each(|text| tags::add(&mut list, text));
        if self.replayed.is_some() {
            tags::add(&mut list, "replayed:true");
        }
        list
    }

    /// The tags that the Collector derives.
    fn collector_tags(&self) -> Vec<String> {
        let pairs = [
            ("env", "deployment.environment.name"),
            ("env", "deployment.environment"),
            ("service", "service.name"),
            ("version", "service.version"),
        ];
        let mut tags: Vec<String> = Vec::new();
        for (tag, key) in pairs {
            if let Some(value) = self.record.attribute(key)
                && !tags
                    .iter()
                    .any(|earlier| earlier.starts_with(&format!("{tag}:")))
            {
                tags.push(format!("{tag}:{value}"));
            }
        }
        let own = text(self.record.get("ddtags")).unwrap_or_default();
        tags.extend(
            own.split(',')
                .filter(|tag| !tag.trim().is_empty())
                .map(|tag| tag.trim().to_owned()),
        );
        tags.push("otel_source:datadog_exporter".to_owned());
        tags
    }
}

/// Top-level names that Datadog, or this encoder, gives a meaning.
fn is_reserved(key: &str) -> bool {
    const RESERVED: [&str; 21] = [
        "message",
        "timestamp",
        "@timestamp",
        "_timestamp",
        "Timestamp",
        "eventTime",
        "date",
        "published_date",
        "status",
        "service",
        "ddsource",
        "ddtags",
        "host",
        "hostname",
        "dd.trace_id",
        "dd.span_id",
        "body",
        "event.original_timestamp",
        "otel.timestamp",
        "otel.trace_id",
        "otel.span_id",
    ];
    RESERVED.contains(&key)
}

/// A name for an attribute that nothing else is called by.
fn unreserved(key: &str) -> Cow<'_, str> {
    if is_reserved(key) {
        Cow::Owned(format!("otel.{key}"))
    } else {
        Cow::Borrowed(key)
    }
}

fn is_loopback_name(name: &str) -> bool {
    [
        "localhost",
        "localhost.localdomain",
        "127.0.0.1",
        "::1",
        "0.0.0.0",
    ]
    .contains(&name)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// ISO 8601 with the precision that the time has.
fn iso(time: Duration) -> String {
    i128::try_from(time.as_nanos())
        .ok()
        .and_then(|nanos| Timestamp::from_nanosecond(nanos).ok())
        .unwrap_or_default()
        .to_string()
}

/// Datadog's status of an audit event, from the severity that its effective decision gave it.
fn status(severity_number: i32) -> &'static str {
    match severity_number {
        1..=8 => "debug",
        11 | 12 => "notice",
        13..=16 => "warn",
        17..=20 => "error",
        21.. => "critical",
        _ => "info",
    }
}

/// The Collector's word for a severity range.
fn status_word(severity_number: i32) -> &'static str {
    match severity_number {
        1..=4 => "trace",
        5..=8 => "debug",
        13..=16 => "warn",
        17..=20 => "error",
        21.. => "fatal",
        _ => "info",
    }
}
