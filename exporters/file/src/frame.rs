//! A batch as the bytes that are appended to the file, piece by piece.

use std::io;

use jiff::Timestamp;
use sluice_batch::{Attributes, Batch, Level, Record, Signal, Value, write_json_string};

use crate::config::Format;

/// A piece that has this many bytes before compression is complete. Plain JSON repeats the resource with each record,
/// so a batch can be many times larger in the file than in memory.
pub(crate) const PIECE_BYTES: usize = 16 << 20;

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

    /// The bytes of a batch: lines or frames, whole ones in each piece. A batch of plain JSON has as many pieces of
    /// [`PIECE_BYTES`] (and at most the record that completes it) as it takes, any other has one.
    pub(crate) fn pieces(self, batch: &Batch) -> Pieces<'_> {
        Pieces {
            framing: self,
            batch,
            next: 0,
        }
    }

    /// What is written: `bytes` as they are when they are lines, else as one frame.
    fn frame(self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
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

/// The bytes of a batch, piece by piece; every pass over them gives the same. A piece is an error when the compressor
/// runs out of memory or a frame passes 4 GiB.
#[derive(Clone)]
pub(crate) struct Pieces<'b> {
    framing: Framing,
    batch: &'b Batch,
    /// The first record of the next piece.
    next: usize,
}

impl Iterator for Pieces<'_> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self { framing, batch, .. } = *self;
        if self.next == batch.len() {
            return None;
        }
        let mut bytes = Vec::new();
        match framing.format {
            Format::PlainJson if batch.signal() == Signal::Logs => {
                while self.next < batch.len() && bytes.len() < PIECE_BYTES {
                    plain_json(batch.record(self.next), &mut bytes);
                    bytes.push(b'\n');
                    self.next += 1;
                }
            }
            Format::Proto => {
                batch.encode_into(0..batch.len(), &mut bytes);
                self.next = batch.len();
            }
            Format::Json | Format::PlainJson => {
                batch.encode_json_into(0..batch.len(), &mut bytes);
                if framing.is_lines() || framing.format == Format::PlainJson {
                    bytes.push(b'\n');
                }
                self.next = batch.len();
            }
        }
        Some(framing.frame(bytes))
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
