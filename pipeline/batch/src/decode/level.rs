//! Resources and scopes: checked as a whole, attributes as rows; merged when they stand in a group more than once.

use super::{Decoder, EMPTY_LEVEL};
use crate::batch::DecodeError;
use crate::rows::{LevelRow, MAX_BUFFER, Text};
use crate::schema::Schema;
use crate::wire::{DEPTH_LIMIT, Reader};
use crate::{canon, check};

impl Decoder<'_> {
    /// A `Resource` or an `InstrumentationScope`: checked as a whole, attributes as rows.
    pub(super) fn level(
        &mut self,
        schema: &Schema,
        attributes_tag: u32,
        start: usize,
        end: usize,
        depth: u32,
        canonical: &mut bool,
    ) -> Result<LevelRow, DecodeError> {
        if !check::message(schema, Reader::new(self.buf, start, end), depth)? {
            // Rows come from the rewriting that follows.
            *canonical = false;
            return Ok(EMPTY_LEVEL);
        }
        let mut row = LevelRow {
            present: true,
            raw: self.text(start, end),
            ..EMPTY_LEVEL
        };
        row.attributes.start = self.batch.attributes.len() as u32;
        // No record stands before a level: its keys are its own.
        self.back = 0;
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            if tag == attributes_tag {
                let (start, end) = reader.delimited()?;
                self.attribute(start, end, depth - 1)?;
            } else if attributes_tag == 3 && tag == 1 {
                row.name = self.string(&mut reader)?;
            } else if attributes_tag == 3 && tag == 2 {
                row.version = self.string(&mut reader)?;
            } else {
                reader.skip(tag, wire, depth)?;
            }
        }
        row.attributes.end = self.batch.attributes.len() as u32;
        Ok(row)
    }

    /// The resource or scope of a group was not canonical: merges every occurrence, as the protocol says, and reads
    /// the result.
    pub(super) fn rewrite_level(
        &mut self,
        index: usize,
        schema: &'static Schema,
        start: usize,
        end: usize,
        attributes_tag: u32,
    ) -> Result<(), DecodeError> {
        let mut parts = Vec::new();
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            if tag == 1 {
                parts.push(reader.bytes()?);
            } else {
                reader.skip(tag, wire, DEPTH_LIMIT)?;
            }
        }
        if parts.is_empty() {
            return Ok(());
        }
        let mut canonical = Vec::new();
        canon::message(schema, &parts, &mut canonical);
        let (row, _) = self.in_side(&canonical, |side, start, end| {
            side.level(schema, attributes_tag, start, end, DEPTH_LIMIT, &mut true)
        })?;
        let rows = if attributes_tag == 1 {
            &mut self.batch.resources
        } else {
            &mut self.batch.scopes
        };
        let old = rows[index];
        rows[index] = LevelRow {
            schema_url: old.schema_url,
            parent: old.parent,
            ..row
        };
        Ok(())
    }

    /// Appends `canonical` to the side buffer and reads it there.
    pub(super) fn in_side<R>(
        &mut self,
        canonical: &[u8],
        read: impl FnOnce(&mut Decoder<'_>, usize, usize) -> Result<R, DecodeError>,
    ) -> Result<(R, Text), DecodeError> {
        let mut side = std::mem::take(&mut self.batch.side);
        let start = side.len();
        if start + canonical.len() > MAX_BUFFER {
            return Err(DecodeError::TooLarge(
                "a request whose rewriting is over 2 GiB".into(),
            ));
        }
        side.extend_from_slice(canonical);
        let end = side.len();
        let mut decoder = Decoder {
            batch: self.batch,
            buf: &side,
            in_side: true,
            budget: self.budget,
            back: 0,
        };
        let result = read(&mut decoder, start, end);
        self.budget = decoder.budget;
        self.batch.side = side;
        result.map(|row| (row, Text::side(start, end)))
    }
}
