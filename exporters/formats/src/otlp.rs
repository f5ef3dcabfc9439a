//! OTLP/JSON: requests as lines, and single records out of them.

use std::io::{self, BufWriter, Write};
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_batch::Batch;

use crate::Error;

/// A longer line is cut between records. The Collector's `otlpjsonfile` receiver reads 1 MiB of a line unless its
/// `max_log_size` says otherwise (`pkg/stanza/fileconsumer`, read November 2026).
const LINE_BYTES: usize = 1_000_000;

/// Writes requests, one a line.
pub(crate) struct Sink<W: Write> {
    out: BufWriter<W>,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 16, out),
        }
    }

    /// Writes a batch as one line, or as several where one would be too long for its readers.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), Error> {
        self.write_part(batch, 0..batch.len())
    }

    fn write_part(&mut self, batch: &Batch, part: Range<usize>) -> Result<(), Error> {
        if part.is_empty() {
            return Ok(());
        }
        if part.len() == 1 || wire_bytes(batch, part.clone()) <= LINE_BYTES {
            let mut line = Vec::new();
            batch.encode_json_into(part.clone(), &mut line);
            line.push(b'\n');
            if part.len() == 1 || line.len() <= LINE_BYTES {
                return Ok(self.out.write_all(&line)?);
            }
        }
        let middle = part.start + part.len() / 2;
        self.write_part(batch, part.start..middle)?;
        self.write_part(batch, middle..part.end)
    }

    pub(crate) fn finish(self) -> Result<W, Error> {
        Ok(self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?)
    }
}

/// About how many bytes these records take in a protobuf request, which is less than they take as JSON.
fn wire_bytes(batch: &Batch, part: Range<usize>) -> usize {
    let mut scope = usize::MAX;
    part.map(|i| {
        let its_scope = batch.record(i).scope_index();
        if std::mem::replace(&mut scope, its_scope) == its_scope {
            batch.record_bytes(i)
        } else {
            batch.record_bytes_alone(i)
        }
    })
    .sum()
}

/// Appends a record as OTLP/JSON without its resource and scope: a `Span`, or a `Metric` with one data point.
pub(crate) fn record_into(batch: &Batch, i: usize, out: &mut Vec<u8>) {
    let mut request = Vec::new();
    batch.encode_json_into(i..i + 1, &mut request);
    let record = serde_json::from_slice::<Request<'_>>(&request)
        .ok()
        .and_then(Request::into_record);
    out.extend_from_slice(record.map_or(&request, |record| record.get().as_bytes()));
}

#[derive(Deserialize)]
struct Request<'j> {
    #[serde(borrow, alias = "resourceSpans", alias = "resourceMetrics")]
    resources: Vec<Resource<'j>>,
}

#[derive(Deserialize)]
struct Resource<'j> {
    #[serde(borrow, default, alias = "scopeSpans", alias = "scopeMetrics")]
    scopes: Vec<Scope<'j>>,
}

#[derive(Deserialize)]
struct Scope<'j> {
    #[serde(borrow, default, alias = "spans", alias = "metrics")]
    records: Vec<&'j RawValue>,
}

impl<'j> Request<'j> {
    fn into_record(self) -> Option<&'j RawValue> {
        self.resources
            .into_iter()
            .flat_map(|resource| resource.scopes)
            .flat_map(|scope| scope.records)
            .next()
    }
}
