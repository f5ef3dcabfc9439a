//! Records as Parquet: Arrow columns, zstd, row groups bounded by rows and by bytes.
//!
//! ```text
//!  rows ──▶ builders ──1024 rows or 8 MiB──▶ encoder ──128 Ki rows or 64 MiB──▶ row group in the file
//! ```
//!
//! What grows with the file is the footer alone: some kilobytes a row group.

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sluice_batch::Batch;

use crate::arrays::{self, Builder};
use crate::columns::{COLUMNS, Cell, Kind};
use crate::row::{self, Row, RowInfo};
use crate::{Error, Format};

/// What is held in memory, and what Parquet's 32-bit lengths can take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Rows that wait to be encoded together.
    pub(crate) pending_rows: usize,
    /// Bytes of text that wait to be encoded together, and at most one record more.
    pub(crate) pending_bytes: usize,
    /// Rows of a row group.
    pub(crate) group_rows: usize,
    /// Encoded bytes of a row group, about.
    pub(crate) group_bytes: usize,
    /// Bytes of one text.
    pub(crate) text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending_rows: 1024,
            pending_bytes: 8 << 20,
            group_rows: 128 << 10,
            group_bytes: 64 << 20,
            text_bytes: 512 << 20,
        }
    }
}

/// Writes row groups.
pub(crate) struct Sink<W: Write + Send> {
    limits: Limits,
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
    bytes: usize,
    out: ArrowWriter<W>,
}

impl<W: Write + Send> Sink<W> {
    pub(crate) fn new(out: W, limits: Limits) -> Result<Self, Error> {
        let schema = Arc::new(Schema::new(
            COLUMNS.iter().map(arrays::field).collect::<Vec<_>>(),
        ));
        let out = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties(limits)?))?;
        Ok(Self {
            limits,
            schema,
            builders: COLUMNS
                .iter()
                .map(|column| Builder::new(column.kind))
                .collect(),
            rows: 0,
            bytes: 0,
            out,
        })
    }

    pub(crate) fn write(&mut self, batch: &Batch, infos: &[RowInfo<'_>]) -> Result<(), Error> {
        row::each(batch, infos, |row| self.push(row))
    }

    fn push(&mut self, row: &Row<'_>) -> Result<(), Error> {
        let cells: Vec<Cell<'_>> = COLUMNS.iter().map(|column| (column.cell)(row)).collect();
        let lens = cells.iter().map(|cell| match cell {
            Cell::Text(text) => text.len(),
            _ => 0,
        });
        let largest = lens.clone().max().unwrap_or(0);
        if largest > self.limits.text_bytes {
            return Err(Error::TooLarge {
                sequence: row.info.sequence,
                bytes: largest,
                format: Format::Parquet,
            });
        }
        let bytes: usize = lens.sum();
        if self.rows == self.limits.pending_rows || self.bytes + bytes > self.limits.pending_bytes {
            self.encode()?;
        }
        for (builder, cell) in self.builders.iter_mut().zip(&cells) {
            builder.push(cell)?;
        }
        self.rows += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// Hands the rows that wait to the encoder, which writes a row group when it is full.
    fn encode(&mut self) -> Result<(), Error> {
        if self.rows > 0 {
            let arrays = self.builders.iter_mut().map(Builder::finish).collect();
            (self.rows, self.bytes) = (0, 0);
            self.out
                .write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<W, Error> {
        self.encode()?;
        Ok(self.out.into_inner()?)
    }

    /// Bytes held back, for tests of the bound.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.bytes + self.out.memory_size()
    }
}

fn properties(limits: Limits) -> Result<WriterProperties, Error> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(limits.group_rows))
        .set_max_row_group_bytes(Some(limits.group_bytes))
        // An index of pages would be held until the end, and grow with the file.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for column in COLUMNS.iter().filter(|column| column.kind == Kind::Text) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column.name), false);
    }
    Ok(properties.build())
}
