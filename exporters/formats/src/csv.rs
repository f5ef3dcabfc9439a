//! Records as lines of cells (RFC 4180, with `\n` line ends).

use std::io::Write;

use csv::WriterBuilder;
use sluice_batch::Batch;

use crate::Error;
use crate::columns::{COLUMNS, Cell};
use crate::guard::guard;
use crate::row::{self, RowInfo, rfc3339};

/// Writes a header line, then one line a record.
pub(crate) struct Sink<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W) -> Result<Self, Error> {
        let mut out = WriterBuilder::new()
            .buffer_capacity(1 << 16)
            .from_writer(out);
        out.write_record(COLUMNS.iter().map(|column| column.name))?;
        Ok(Self { out })
    }

    pub(crate) fn write(&mut self, batch: &Batch, infos: &[RowInfo<'_>]) -> Result<(), Error> {
        row::each(batch, infos, |row| {
            for column in COLUMNS {
                match (column.cell)(row) {
                    Cell::Nothing => self.out.write_field(b"")?,
                    Cell::Number(number) => self.out.write_field(number.to_string())?,
                    Cell::Small(number) => self.out.write_field(number.to_string())?,
                    Cell::Time(nanos) => {
                        self.out.write_field(rfc3339(nanos).unwrap_or_default())?
                    }
                    Cell::Flag(truth) => self.out.write_field(truth.to_string())?,
                    Cell::Text(text) => self.out.write_field(guard(&text).as_bytes())?,
                }
            }
            Ok(self.out.write_record(None::<&[u8]>)?)
        })
    }

    pub(crate) fn finish(self) -> Result<W, Error> {
        Ok(self
            .out
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?)
    }
}
