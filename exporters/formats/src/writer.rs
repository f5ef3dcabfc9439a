//! The writer: one format, one file.

use std::fmt;
use std::io::Write;

use sluice_batch::Batch;

use crate::json::Layout;
use crate::parquet::Limits;
use crate::{Error, Format, RowInfo, csv, json, otlp, parquet};

/// Writes batches to one file, in memory that does not grow with their number.
///
/// Batches of several signals may follow one another. The file is complete only when [`Writer::finish`] returned Ok;
/// after an error it is torn, and every further call answers [`Error::Torn`].
///
/// ```
/// use exporter_formats::{Format, RowInfo, Writer};
/// use sluice_batch::{Batch, Signal, Value};
///
/// let mut batch = Batch::new(Signal::Logs);
/// batch.push_log().set_body(Value::Str("started"));
/// let info = RowInfo { sequence: 1, pipeline: "logs", leaf_hash: None, accepted_ns: 0 };
///
/// let mut writer = Writer::new(Format::Ndjson, Vec::new())?;
/// writer.write(&batch, &[info])?;
/// let file = writer.finish()?;
/// assert_eq!(
///     file,
///     b"{\"sequence\":1,\"pipeline\":\"logs\",\"signal\":\"logs\",\"resource\":{},\"attributes\":{},\"body\":\"started\"}\n"
/// );
/// # Ok::<(), exporter_formats::Error>(())
/// ```
#[must_use = "a file is complete only after `finish`"]
pub struct Writer<W: Write + Send> {
    format: Format,
    sink: Sink<W>,
    is_torn: bool,
}

enum Sink<W: Write + Send> {
    Json(json::Sink<W>),
    Csv(Box<csv::Sink<W>>),
    Parquet(Box<parquet::Sink<W>>),
    Otlp(otlp::Sink<W>),
}

impl<W: Write + Send> Writer<W> {
    /// Starts a file. It does its own buffering.
    ///
    /// # Errors
    /// What `out` answers to the file's first bytes.
    pub fn new(format: Format, out: W) -> Result<Self, Error> {
        let sink = match format {
            Format::Json => Sink::Json(json::Sink::new(Layout::Array, out)),
            Format::Ndjson => Sink::Json(json::Sink::new(Layout::Lines, out)),
            Format::Csv => Sink::Csv(Box::new(csv::Sink::new(out)?)),
            Format::Parquet => Sink::Parquet(Box::new(parquet::Sink::new(out, Limits::default())?)),
            Format::Otlp => Sink::Otlp(otlp::Sink::new(out)),
        };
        Ok(Self {
            format,
            sink,
            is_torn: false,
        })
    }

    /// The file's format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes all records of a batch; `infos` says of each, in order, what the ledger knows of it. To leave records
    /// out, [`Batch::retain`] the others first.
    ///
    /// # Errors
    /// [`Error::RowCount`] before anything is written; anything else leaves the file torn.
    pub fn write(&mut self, batch: &Batch, infos: &[RowInfo<'_>]) -> Result<(), Error> {
        if self.is_torn {
            return Err(Error::Torn);
        }
        if batch.len() != infos.len() {
            return Err(Error::RowCount {
                records: batch.len(),
                infos: infos.len(),
            });
        }
        let written = match &mut self.sink {
            Sink::Json(sink) => sink.write(batch, infos),
            Sink::Csv(sink) => sink.write(batch, infos),
            Sink::Parquet(sink) => sink.write(batch, infos),
            Sink::Otlp(sink) => sink.write(batch),
        };
        self.is_torn = written.is_err();
        written
    }

    /// Ends the file and hands back what it was written to, flushed. Whether it is on the disk is the caller's to see
    /// to.
    ///
    /// # Errors
    /// What the last bytes met, and [`Error::Torn`].
    pub fn finish(self) -> Result<W, Error> {
        if self.is_torn {
            return Err(Error::Torn);
        }
        let mut out = match self.sink {
            Sink::Json(sink) => sink.finish(),
            Sink::Csv(sink) => sink.finish(),
            Sink::Parquet(sink) => sink.finish(),
            Sink::Otlp(sink) => sink.finish(),
        }?;
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write + Send> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("format", &self.format)
            .field("is_torn", &self.is_torn)
            .finish_non_exhaustive()
    }
}
