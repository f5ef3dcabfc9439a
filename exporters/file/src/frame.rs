//! A batch as the bytes that are appended to the file in one write.

use std::io;

use jiff::Timestamp;
use sluice_batch::{Attributes, Batch, Level, Record, Signal, Value, write_json_string};

use crate::config::Format;

/// How batches become bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framing {
    pub(crate) format: Format,
    /// `None`: no compression.
    pub(crate) zstd_level: Option<i32>,
}

impl Framing {
    /// Whether the file consists of text lines; else of frames with their length in front.
    pub(crate) fn is_lines(self) -> bool {
        self.zstd_level.is_none() && self.format != Format::Proto
    }

    /// The bytes of a batch: lines, or one frame.
    ///
    /// # Errors
    /// The compressor ran out of memory, or the frame passes 4 GiB.
    pub(crate) fn encode(self, batch: &Batch) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.format {
            Format::Proto => batch.encode_into(0..batch.len(), &mut bytes),
            Format::PlainJson if batch.signal() == Signal::Logs => {
                for record in batch.records() {
                    plain_json(record, &mut bytes);
                    bytes.push(b'\n');
                }
            }
            Format::Json | Format::PlainJson => {
                batch.encode_json_into(0..batch.len(), &mut bytes);
                if self.is_lines() || self.format == Format::PlainJson {
                    bytes.push(b'\n');
                }
            }
        }
        if self.is_lines() {
            return Ok(bytes);
        }
        let content = match self.zstd_level {
            Some(level) => zstd::bulk::compress(&bytes, level)?,
            None => bytes,
        };
        let len = u32::try_from(content.len()).map_err(|_| {
            io::Error::other("a frame of more than 4 GiB: configure smaller batches")
        })?;
        let mut frame = Vec::with_capacity(content.len() + 4);
        frame.extend_from_slice(&len.to_be_bytes());
        frame.extend_from_slice(&content);
        Ok(frame)
    }
}

/// Appends a log record as one JSON object. What a record does not have is left out.
fn plain_json(record: Record<'_>, out: &mut Vec<u8>) {
    let mut object = Object {
        out,
        is_empty: true,
    };
    object.out.push(b'{');
    object.time("time", record.time());
    object.time("observed_time", record.observed_time());
    object.text("severity", record.severity_text());
    if record.severity_number() != 0 {
        object.value(
            "severity_number",
            Value::Int(i64::from(record.severity_number())),
        );
    }
    object.text("event_name", record.name());
    if !record.body().is_empty() {
        object.value("body", record.body());
    }
    object.attributes("attributes", record.attributes());
    object.attributes("resource", record.resource().attributes());
    object.scope(record.scope());
    object.id("trace_id", record.trace_id());
    object.id("span_id", record.span_id());
    object.out.push(b'}');
}

/// An object under construction.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl Object<'_> {
    fn key(&mut self, key: &str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        write_json_string(key, self.out);
        self.out.push(b':');
    }

    fn value(&mut self, key: &str, value: Value<'_>) {
        self.key(key);
        value.write_json(self.out);
    }

    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.value(key, Value::Str(text));
        }
    }

    /// RFC 3339 in UTC, to the nanosecond.
    fn time(&mut self, key: &str, nanos: u64) {
        if nanos != 0
            && let Ok(time) = Timestamp::from_nanosecond(i128::from(nanos))
        {
            self.text(key, &time.to_string());
        }
    }

    fn id(&mut self, key: &str, id: &[u8]) {
        if !id.is_empty() {
            let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            self.text(key, &hex);
        }
    }

    fn attributes(&mut self, key: &str, attributes: Attributes<'_>) {
        if attributes.is_empty() {
            return;
        }
        self.key(key);
        self.out.push(b'{');
        let mut inner = Object {
            out: self.out,
            is_empty: true,
        };
        for (key, value) in attributes.iter() {
            inner.value(key, value);
        }
        self.out.push(b'}');
    }

    fn scope(&mut self, scope: Level<'_>) {
        if scope.name().is_empty() && scope.version().is_empty() && scope.attributes().is_empty() {
            return;
        }
        self.key("scope");
        self.out.push(b'{');
        let mut inner = Object {
            out: self.out,
            is_empty: true,
        };
        inner.text("name", scope.name());
        inner.text("version", scope.version());
        inner.attributes("attributes", scope.attributes());
        self.out.push(b'}');
    }
}
