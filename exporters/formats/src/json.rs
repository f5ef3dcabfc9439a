//! Records as JSON objects: one array of them, or one a line.

use std::io::{self, BufWriter, Write};

use sluice_batch::Batch;

use crate::Error;
use crate::object::Object;
use crate::row::{self, Row, RowInfo, rfc3339};

/// A buffer that one record made larger than this is given back.
const KEPT_BYTES: usize = 1 << 20;

/// How objects stand next to one another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `[`, objects with commas between them, `]`.
    Array,
    /// A line break after each object.
    Lines,
}

/// Writes objects.
pub(crate) struct Sink<W: Write> {
    layout: Layout,
    out: BufWriter<W>,
    object: Vec<u8>,
    is_empty: bool,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(layout: Layout, out: W) -> Self {
        Self {
            layout,
            out: BufWriter::with_capacity(1 << 16, out),
            object: Vec::new(),
            is_empty: true,
        }
    }

    pub(crate) fn write(&mut self, batch: &Batch, infos: &[RowInfo<'_>]) -> Result<(), Error> {
        row::each(batch, infos, |row| {
            let is_first = std::mem::take(&mut self.is_empty);
            self.object.clear();
            self.object.shrink_to(KEPT_BYTES);
            match self.layout {
                Layout::Array if is_first => self.object.extend_from_slice(b"[\n"),
                Layout::Array => self.object.extend_from_slice(b",\n"),
                Layout::Lines => {}
            }
            write_object(row, &mut self.object);
            if self.layout == Layout::Lines {
                self.object.push(b'\n');
            }
            Ok(self.out.write_all(&self.object)?)
        })
    }

    pub(crate) fn finish(mut self) -> Result<W, Error> {
        match self.layout {
            Layout::Array if self.is_empty => self.out.write_all(b"[]\n")?,
            Layout::Array => self.out.write_all(b"\n]\n")?,
            Layout::Lines => {}
        }
        Ok(self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?)
    }
}

/// Appends a record. What it does not have is left out; `resource`, `attributes` and `body` are always there.
fn write_object(row: &Row<'_>, out: &mut Vec<u8>) {
    let record = row.record;
    let mut object = Object::open(out);
    object.json("sequence", &row.info.sequence.to_string());
    object.text("pipeline", row.info.pipeline);
    for (key, nanos) in [
        ("accepted_time", row.info.accepted_ns),
        ("time", record.time()),
        ("observed_time", record.observed_time()),
    ] {
        if let Some(time) = rfc3339(nanos) {
            object.text(key, &time);
        }
    }
    object.text("signal", row.batch.signal().name());
    object.text_if_any("event_name", record.name());
    object.text_if_any("severity", record.severity_text());
    if record.severity_number() != 0 {
        object.json("severity_number", &record.severity_number().to_string());
    }
    object.text_if_any("trace_id", &hex::encode(record.trace_id()));
    object.text_if_any("span_id", &hex::encode(record.span_id()));
    object.json("resource", row.resource);
    if let Some(scope) = row.scope {
        object.json("scope", scope);
    }
    object.json("attributes", &row.attributes());
    row.body_into(object.key("body"));
    if let Some(leaf) = row.leaf_hash() {
        let mut audit = Object::open(object.key("audit"));
        audit.text("leaf_hash", &leaf);
        audit.close();
    }
    object.close();
}
