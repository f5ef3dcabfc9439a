//! Records as `_bulk` lines: the action, then the document.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use sluice_batch::Batch;
use sluice_component::BuildError;

use super::config::{Config, IdMode, MappingMode};
use super::document;
use super::index::{IndexPattern, data_stream, sanitised};
use crate::audit::{AuditEvent, event_id};
use crate::delivery::{MAX_ENCODED, Payload, Verdicts};
use crate::json::Object;
use crate::view::{Neighbours, View, text};

/// Elasticsearch's longest `_id`, in bytes.
const MAX_ID: usize = 512;
/// A larger document is refused, well before it meets `http.max_content_length` (100 MB, on small clusters 10 MiB).
const MAX_DOCUMENT: usize = 10 << 20;
/// Attributes of record, resource or scope that name the index, or a part of it.
const ROUTING: [&str; 3] = [
    "elasticsearch.index",
    "data_stream.dataset",
    "data_stream.namespace",
];

/// What the documents of one request have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// Whether index and pipeline come from the configuration; otherwise the records named one of them.
    pub(crate) is_own: bool,
}

/// Writes bulk lines.
#[derive(Debug)]
pub(super) struct Encoder {
    index: Option<IndexPattern>,
    /// Separator and date behind a name that the record gives (`logstash_format`).
    suffix: Option<(String, IndexPattern)>,
    mode: Option<MappingMode>,
    dynamic_id: bool,
    id_from_event: bool,
    dynamic_pipeline: bool,
}

impl Encoder {
    pub(super) fn new(config: &Config) -> Result<Self, BuildError> {
        let wrong = |key: &'static str| move |error: String| BuildError(format!("{key}: {error}"));
        let suffix = if config.logstash_format.enabled && config.index_text().is_none() {
            let date = IndexPattern::parse(&config.logstash_format.date_format)
                .map_err(wrong("logstash_format.date_format"))?;
            Some((config.logstash_format.prefix_separator.clone(), date))
        } else {
            None
        };
        Ok(Self {
            index: config
                .index_text()
                .map(|text| IndexPattern::parse(&text))
                .transpose()
                .map_err(wrong("index"))?,
            suffix,
            mode: config.mapping.mode,
            dynamic_id: config.logs_dynamic_id.enabled,
            id_from_event: config.id_mode == IdMode::Event,
            dynamic_pipeline: config.logs_dynamic_pipeline.enabled,
        })
    }

    /// The batch as bulk lines, those of records that name index or pipeline themselves apart; documents that can never
    /// be sent, or not in this attempt, get their verdict here.
    pub(super) fn encode(&self, batch: &Batch, verdicts: &mut Verdicts) -> [Payload<Route>; 2] {
        let mut own = Payload::with_room(Route { is_own: true }, batch);
        let mut named = Payload::new(Route { is_own: false });
        let mut neighbours = Neighbours::default();
        let mut encoded = 0;
        // Index names of one batch are few: the last one is kept for the next record of the same hour.
        let mut last: Option<(u64, String)> = None;
        for record in batch.records() {
            let position = record.index();
            if encoded >= MAX_ENCODED {
                verdicts.next(position..batch.len());
                break;
            }
            let record = neighbours.view(record);
            let time = match record.event_time() {
                // `@timestamp` must be there; a record without any time has never been anywhere else.
                0 => SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
                time => time,
            };
            let mode = self.mode(record);
            let mut is_own = true;
            let index: Cow<'_, str> = match (&self.index, &mut last) {
                (Some(pattern), last) => {
                    let hour = time / 3_600_000_000_000;
                    if last.as_ref().is_none_or(|(of, _)| *of != hour) {
                        *last = Some((hour, pattern.name(time).into_owned()));
                    }
                    last.as_ref()
                        .map_or(Cow::Borrowed(""), |(_, name)| Cow::Borrowed(name.as_str()))
                }
                (None, _) => {
                    is_own = !ROUTING.iter().any(|key| routed(&record, key).is_some());
                    Cow::Owned(self.dynamic_index(record, mode, time))
                }
            };
            let pipeline = if self.dynamic_pipeline {
                record.attribute("elasticsearch.ingest_pipeline")
            } else {
                None
            };
            is_own &= pipeline.is_none();
            let payload = if is_own { &mut own } else { &mut named };
            let pushed = payload.push(position, MAX_DOCUMENT, |out| {
                self.action(record, &index, pipeline.as_deref(), out);
                out.push(b'\n');
                document::write(record, mode, time, &mut neighbours, out);
                out.push(b'\n');
            });
            if let Err(size) = pushed {
                let position = u32::try_from(position).unwrap_or(u32::MAX);
                verdicts.refuse(
                    [position],
                    &format!("the document takes {size} bytes, more than {MAX_DOCUMENT}"),
                );
            }
            encoded += pushed.unwrap_or_else(|size| size);
        }
        [own, named]
    }

    fn mode(&self, record: View<'_>) -> MappingMode {
        self.mode.unwrap_or_else(|| match AuditEvent::of(record) {
            Some(AuditEvent {
                object: Some(_), ..
            }) => MappingMode::Source,
            _ => MappingMode::Otel,
        })
    }

    fn action(&self, record: View<'_>, index: &str, pipeline: Option<&str>, out: &mut Vec<u8>) {
        let mut line = Object::open(out);
        line.object("create", |action| {
            action.text("_index", index);
            let written = self
                .dynamic_id
                .then(|| record.attribute("elasticsearch.document_id"))
                .flatten();
            let id = written.or_else(|| {
                if self.id_from_event {
                    event_id(*record)
                } else {
                    None
                }
            });
            if let Some(id) = id {
                action.text("_id", &bounded(id));
            }
            if let Some(pipeline) = pipeline {
                action.text("pipeline", pipeline);
            }
        });
        line.close();
    }

    /// The index that the record names, else a data stream for what it is.
    fn dynamic_index(&self, record: View<'_>, mode: MappingMode, time: u64) -> String {
        let name = match routed(&record, "elasticsearch.index") {
            Some(name) => sanitised(&name),
            None => {
                let audit = AuditEvent::of(record)
                    .and_then(|audit| audit.source())
                    .map(|source| format!("{source}.audit"));
                let mut dataset = routed(&record, "data_stream.dataset")
                    .map(Cow::into_owned)
                    .or(audit)
                    .unwrap_or_else(|| "generic".to_owned());
                if mode == MappingMode::Otel && !dataset.ends_with(".otel") {
                    // The stock template of OpenTelemetry-native documents matches this name.
                    dataset.push_str(".otel");
                }
                data_stream(
                    &dataset,
                    &routed(&record, "data_stream.namespace").unwrap_or(Cow::Borrowed("default")),
                )
            }
        };
        match &self.suffix {
            Some((separator, date)) => format!("{name}{separator}{}", date.name(time)),
            None => name,
        }
    }
}

/// An attribute of the record, else of its resource, else of its scope.
fn routed<'a>(record: &View<'a>, key: &str) -> Option<Cow<'a, str>> {
    record
        .attribute(key)
        .or_else(|| text(record.scope().get(key)))
}

/// An id that Elasticsearch takes: a longer one is told by its SHA-256.
fn bounded(id: Cow<'_, str>) -> Cow<'_, str> {
    if id.len() <= MAX_ID {
        id
    } else {
        Cow::Owned(hex::encode(digest::digest(&digest::SHA256, id.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_512_bytes_stays_and_one_of_513_becomes_its_hash() {
        let longest = "x".repeat(512);
        assert_eq!(bounded(Cow::Borrowed(&longest)), longest);
        assert_eq!(bounded(Cow::Owned("x".repeat(513))).len(), 64);
    }
}
