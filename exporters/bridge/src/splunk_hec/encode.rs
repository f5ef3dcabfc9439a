//! Records as event envelopes: `time host source sourcetype index event fields`, concatenated.
//!
//! Keys and their order are those of the vendors' sample payload; a collector silently drops what follows an envelope
//! with any other key. An audit event's `event` is its source's own object. `fields` of other records are as in the
//! OpenTelemetry Collector: all attributes, nested maps flattened.

use std::borrow::Cow;

use sluice_batch::{Batch, Record, Signal, Value};
use sluice_component::Secret;
use sluice_component::audit::is_masked;

use super::beside::Beside;
use super::config::{Config, HecFields, HecMetadata};
use super::head::{Head, Shown};
use crate::audit::{AuditEvent, is_host_of};
use crate::delivery::{MAX_ENCODED, Payload, Verdicts};
use crate::json::{Object, written};
use crate::keys::Keys;
use crate::names::Nested;
use crate::view::{Neighbours, OfShape, Shape, View, text};

/// The resource attribute that holds a token of its own.
const TOKEN_ATTRIBUTE: &str = "com.splunk.hec.access_token";
/// The resource attribute that names the service.
const SERVICE: &str = "service.name";
/// Maps deeper than this end up as JSON text in `fields`.
const MAX_DEPTH: usize = 10;
const FLAT: Nested = Nested::Flattened(MAX_DEPTH);

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

/// What the records of one batch have in common.
#[derive(Debug)]
struct Common<'a, 'c> {
    neighbours: Neighbours<'a>,
    head: Head,
    beside: Beside<'c>,
    named: OfShape<Named>,
}

/// Which metadata a record or its resource names itself.
#[derive(Clone, Copy, Debug)]
struct Named {
    index: bool,
    token: bool,
    /// Whether the record itself, and not only its resource, names any that stands in the head.
    by_itself: bool,
}

impl Named {
    fn of(record: &View<'_>, names: &HecMetadata) -> Self {
        let in_head = [&names.host, &names.source, &names.sourcetype, &names.index];
        Self {
            by_itself: in_head.iter().any(|name| record.get(name).is_some()),
            index: record.has(&names.index),
            token: record.of_resource(TOKEN_ATTRIBUTE).is_some(),
        }
    }
}

/// Writes envelopes.
#[derive(Debug)]
pub(super) struct Encoder {
    host: String,
    source: String,
    sourcetype: String,
    index: String,
    metadata: HecMetadata,
    /// The attributes that may stand in the envelope and not in `fields`.
    metadata_keys: Keys,
    fields: HecFields,
    export_raw: bool,
    max_event_bytes: usize,
}

impl Encoder {
    pub(super) fn new(config: &Config) -> Self {
        let metadata = config.metadata();
        Self {
            metadata_keys: [
                &metadata.source,
                &metadata.sourcetype,
                &metadata.index,
                &metadata.host,
                TOKEN_ATTRIBUTE,
            ]
            .into_iter()
            .collect(),
            host: config.host.clone(),
            source: config.source.clone(),
            sourcetype: config.sourcetype.clone(),
            index: config.index.clone(),
            metadata: metadata.clone(),
            fields: config.otel_to_hec_fields.clone(),
            export_raw: config.export_raw,
            max_event_bytes: config.max_event_bytes(),
        }
    }

    /// One payload for each index and token; records that can never be sent, or not in this attempt, get their verdict
    /// here.
    pub(super) fn encode(&self, batch: &Batch, verdicts: &mut Verdicts) -> Vec<Payload<Route>> {
        let mut payloads: Vec<Payload<Route>> = Vec::new();
        let mut common = Common {
            neighbours: Neighbours::default(),
            head: Head::default(),
            beside: Beside::new(&self.fields),
            named: OfShape::default(),
        };
        let mut encoded = 0;
        for record in batch.records() {
            let position = record.index();
            if encoded >= MAX_ENCODED {
                verdicts.next(position..batch.len());
                break;
            }
            let record = common.neighbours.view(record);
            let named = common
                .named
                .get(&record, || Named::of(&record, &self.metadata));
            let own_index = if named.index {
                record.attribute(&self.metadata.index)
            } else {
                None
            };
            let index = own_index.as_deref().unwrap_or(&self.index);
            let token = if named.token {
                own_token(&record)
            } else {
                None
            };
            let same = |payload: &Payload<Route>| {
                payload.route.index == index
                    && payload.route.token.as_ref().map(Secret::expose) == token.as_deref()
            };
            // Neighbours mostly go the same way, so the last payload is asked first.
            let at = payloads.iter().rposition(same).unwrap_or_else(|| {
                let route = Route {
                    index: index.to_owned(),
                    is_own_index: index == self.index,
                    token: token.as_deref().map(Secret::new),
                };
                payloads.push(if payloads.is_empty() {
                    Payload::with_room(route, batch)
                } else {
                    Payload::new(route)
                });
                payloads.len() - 1
            });
            let pushed = payloads[at].push(position, self.max_event_bytes, |out| {
                if self.export_raw {
                    raw(*record, out)
                } else {
                    self.envelope(batch, record, named, index, &mut common, out)
                }
            });
            if let Err(size) = pushed {
                let why = format!(
                    "the event takes {size} bytes, more than max_event_size of {}",
                    self.max_event_bytes
                );
                verdicts.refuse([u32::try_from(position).unwrap_or(u32::MAX)], &why);
            }
            encoded += pushed.unwrap_or_else(|size| size);
        }
        payloads
    }

    fn envelope<'a>(
        &self,
        batch: &'a Batch,
        record: View<'a>,
        named: Named,
        index: &str,
        common: &mut Common<'a, '_>,
        out: &mut Vec<u8>,
    ) {
        let audit = if batch.signal() == Signal::Logs {
            AuditEvent::of(record)
        } else {
            None
        };
        // Without values of the record itself the head is the same for all of its shape that are audit events, or none.
        let is_general = !named.by_itself && audit.is_none_or(|audit| audit.object.is_none());
        let alike = is_general.then_some((record.shape(), audit.is_some()));
        let shown = alike
            .and_then(|alike| common.head.of(alike))
            .unwrap_or_else(|| self.set_head(&mut common.head, alike, &record, audit, index));

        let mut envelope = Object::open(out);
        if record.event_time() != 0 {
            write_seconds(envelope.key(written!("time")), record.event_time());
        }
        envelope.written(common.head.members());
        if batch.signal() == Signal::Logs {
            event(*record, envelope.key(written!("event")));
        } else {
            // Spans and data points as the OTLP/JSON that they are.
            batch.encode_json_into(
                record.index()..record.index() + 1,
                envelope.key(written!("event")),
            );
        }
        let is_field =
            |key: &str| !(self.metadata_keys.may_hold(key) && self.is_metadata(key, shown.host));
        envelope.object_if_any(written!("fields"), |fields| {
            common.beside.write(&record, audit, fields);
            let choice = u8::from(shown.host) | u8::from(shown.service) << 1;
            common
                .neighbours
                .resource
                .write(&record, choice, fields, |fields| {
                    record
                        .resource_attributes()
                        .filter(|(key, _)| is_field(key) && !(shown.service && *key == SERVICE))
                        .for_each(|(key, value)| fields.flattened(key, value, MAX_DEPTH));
                });
            let has_view = audit.is_some_and(|audit| audit.has_view());
            let choice = u8::from(shown.host) | u8::from(has_view) << 1;
            common
                .neighbours
                .names
                .write(&record, choice, FLAT, fields, |key| {
                    let is_further = audit.is_none_or(|audit| audit.is_further(key));
                    (is_further && is_field(key)).then_some(Cow::Borrowed(key))
                });
        });
        envelope.close();
    }

    /// Finds out where a record comes from and goes to. `alike`: which records have the same head.
    fn set_head(
        &self,
        head: &mut Head,
        alike: Option<(Shape, bool)>,
        record: &View<'_>,
        audit: Option<AuditEvent<'_>>,
        index: &str,
    ) -> Shown {
        let own_source = audit.and_then(|audit| audit.source());
        let service = text(record.of_resource(SERVICE));
        let attribute_host = record.attribute(&self.metadata.host);
        let configured = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let host = configured(&self.host)
            .or(own_source.as_deref())
            .or(attribute_host.as_deref())
            .or(service.as_deref())
            .unwrap_or("unknown");
        let attribute_source = record.attribute(&self.metadata.source);
        let source = attribute_source
            .as_deref()
            .or(configured(&self.source))
            .or(own_source.as_deref())
            .or(service.as_deref())
            .unwrap_or_default();
        let attribute_sourcetype = record.attribute(&self.metadata.sourcetype);
        let sourcetype = attribute_sourcetype.as_deref().unwrap_or(&self.sourcetype);
        let shown = Shown {
            host: attribute_host.as_deref() == Some(host),
            // An audit event's service is its source.
            service: audit.is_some()
                && service
                    .as_deref()
                    .is_some_and(|service| is_host_of(source, service)),
        };
        head.set([host, source, sourcetype, index], shown, alike);
        shown
    }

    /// Whether an attribute stands in the envelope already.
    fn is_metadata(&self, key: &str, host_is_shown: bool) -> bool {
        let metadata = &self.metadata;
        [&metadata.source, &metadata.sourcetype, &metadata.index]
            .iter()
            .any(|name| *name == key)
            || (key == metadata.host && host_is_shown)
            || key == TOKEN_ATTRIBUTE
    }
}

/// The token that a record's resource brings. One that redaction masked, or that no header can hold, is none.
fn own_token<'a>(record: &View<'a>) -> Option<Cow<'a, str>> {
    text(record.of_resource(TOKEN_ATTRIBUTE))
        .filter(|token| !is_masked(token) && super::authorization(token).is_some())
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
fn write_seconds(out: &mut Vec<u8>, nanos: u64) {
    let millis = nanos / 1_000_000 + u64::from(nanos % 1_000_000 >= 500_000);
    out.extend_from_slice(itoa::Buffer::new().format(millis / 1000).as_bytes());
    let part = millis % 1000;
    if part != 0 {
        let digit = |unit: u64| b'0' + u8::try_from(part / unit % 10).unwrap_or(0);
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }
}
