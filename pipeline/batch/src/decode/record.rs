//! Log records, spans, and metrics with their data points. Whatever is not canonical is rewritten once and read again.

use super::{Decoder, METRIC_DEPTH, POINT_DEPTH, RECORD_DEPTH, require};
use crate::batch::DecodeError;
use crate::rows::{MetricRow, RecordKind, RecordRow, Text};
use crate::schema;
use crate::wire::{DEPTH_LIMIT, Reader, kind};
use crate::{canon, check};

/// The byte before an attribute in a `LogRecord`: field 6, with a length.
const ATTRIBUTE: u8 = 0x32;

impl Decoder<'_> {
    /// A log record. Anything not canonical sends the whole record through the rewriter once.
    pub(super) fn log(&mut self, scope: u32, start: usize, end: usize) -> Result<(), DecodeError> {
        self.room(size_of::<RecordRow>())?;
        let first = self.begin_attributes();
        let mut row = RecordRow::new(RecordKind::Log, self.text(start, end), scope);
        let mut canonical = true;
        let mut seen = 0u32;
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let key = self.buf[reader.pos];
            // Every field of a LogRecord has a one-byte key; anything else takes the general path.
            let singular = match key {
                ATTRIBUTE => {
                    canonical &= self.log_attributes(&mut reader)?;
                    continue;
                }
                0x09 => {
                    reader.pos += 1;
                    row.time = reader.fixed64()?;
                    1 << 1
                }
                0x10 => {
                    reader.pos += 1;
                    row.severity_number = reader.varint()? as i32;
                    1 << 2
                }
                0x1a => {
                    reader.pos += 1;
                    row.severity_text = self.string(&mut reader)?;
                    1 << 3
                }
                0x2a => {
                    reader.pos += 1;
                    let (start, end) = reader.delimited()?;
                    row.body = self.any_value(start, end, RECORD_DEPTH - 1, &mut canonical)?;
                    1 << 5
                }
                0x38 => {
                    reader.pos += 1;
                    row.dropped = reader.varint()? as u32;
                    1 << 7
                }
                0x45 => {
                    reader.pos += 1;
                    row.flags = reader.fixed32()?;
                    1 << 8
                }
                0x4a => {
                    reader.pos += 1;
                    let (start, end) = reader.delimited()?;
                    row.trace_id = self.text(start, end);
                    1 << 9
                }
                0x52 => {
                    reader.pos += 1;
                    let (start, end) = reader.delimited()?;
                    row.span_id = self.text(start, end);
                    1 << 10
                }
                0x59 => {
                    reader.pos += 1;
                    row.observed = reader.fixed64()?;
                    1 << 11
                }
                0x62 => {
                    reader.pos += 1;
                    row.name = self.string(&mut reader)?;
                    1 << 12
                }
                _ => {
                    let (tag, wire) = reader.key()?;
                    match schema::LOG_RECORD.field(tag) {
                        Some(field) => {
                            check::value(field, wire, &mut reader, RECORD_DEPTH)?;
                        }
                        None => reader.skip(tag, wire, RECORD_DEPTH)?,
                    }
                    canonical = false;
                    continue;
                }
            };
            canonical &= seen & singular == 0;
            seen |= singular;
        }
        if !canonical && !self.in_side {
            self.batch.attributes.truncate(first as usize);
            let rewritten = canon::rewrite(&schema::LOG_RECORD, &self.buf[start..end]);
            return self
                .in_side(&rewritten, |side, start, end| side.log(scope, start, end))
                .map(drop);
        }
        self.end_attributes(&mut row, first)?;
        self.batch.records.push(row);
        Ok(())
    }

    /// The attributes that stand one behind another at the reader. Says whether all are canonical.
    // Most of the work, and most of the fields: by itself the compiler has registers for it.
    #[inline(never)]
    fn log_attributes(&mut self, at: &mut Reader<'_>) -> Result<bool, DecodeError> {
        let (mut reader, mut canonical) = (*at, true);
        while reader.buf.get(reader.pos) == Some(&ATTRIBUTE) {
            reader.pos += 1;
            let (start, end) = reader.delimited()?;
            canonical &= self.attribute(start, end, RECORD_DEPTH - 1)?;
        }
        *at = reader;
        Ok(canonical)
    }

    /// A span or a data point: attributes and a few fields as rows, the rest checked by its schema.
    pub(super) fn generic_record(
        &mut self,
        kind: RecordKind,
        parent: u32,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), DecodeError> {
        self.room(size_of::<RecordRow>())?;
        let first = self.begin_attributes();
        let mut row = RecordRow::new(kind, self.text(start, end), parent);
        let schema = kind.schema();
        let attributes_tag = kind.attributes_tag();
        let mut seen = check::Seen::default();
        let mut canonical = true;
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            let Some(field) = schema.field(tag) else {
                reader.skip(tag, wire, depth)?;
                canonical = false;
                continue;
            };
            canonical &= seen.first(field);
            if tag == attributes_tag {
                require(kind::LEN, wire, &reader)?;
                let (start, end) = reader.delimited()?;
                canonical &= self.attribute(start, end, depth - 1)?;
                continue;
            }
            let at = reader;
            canonical &= check::value(field, wire, &mut reader, depth)?;
            let mut value = at;
            match (kind, tag) {
                (RecordKind::Span, 1) => row.trace_id = self.delimited_text(&mut value)?,
                (RecordKind::Span, 2) => row.span_id = self.delimited_text(&mut value)?,
                (RecordKind::Span, 5) => row.name = self.delimited_text(&mut value)?,
                (RecordKind::Span, 7) => row.time = value.fixed64()?,
                (RecordKind::Span, 8) => row.observed = value.fixed64()?,
                (RecordKind::Span, 16) => row.flags = value.fixed32()?,
                (RecordKind::Span, _) => {}
                (_, 3) => row.time = value.fixed64()?,
                _ => {}
            }
        }
        if !canonical && !self.in_side {
            self.batch.attributes.truncate(first as usize);
            let rewritten = canon::rewrite(schema, &self.buf[start..end]);
            return self
                .in_side(&rewritten, |side, start, end| {
                    side.generic_record(kind, parent, start, end, depth)
                })
                .map(drop);
        }
        self.end_attributes(&mut row, first)?;
        self.batch.records.push(row);
        Ok(())
    }

    /// A metric: checked and made canonical as a whole, then its points as records.
    pub(super) fn metric(
        &mut self,
        scope: u32,
        start: usize,
        end: usize,
    ) -> Result<(), DecodeError> {
        self.room(size_of::<MetricRow>())?;
        if !check::message(
            &schema::METRIC,
            Reader::new(self.buf, start, end),
            METRIC_DEPTH,
        )? && !self.in_side
        {
            let rewritten = canon::rewrite(&schema::METRIC, &self.buf[start..end]);
            return self
                .in_side(&rewritten, |side, start, end| {
                    side.metric(scope, start, end)
                })
                .map(drop);
        }
        let index = self.batch.metrics.len() as u32;
        let mut row = MetricRow {
            scope,
            name: Text::default(),
            raw: self.text(start, end),
            data_tag: 0,
            data: Text::default(),
        };
        let mut data = None;
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            match tag {
                1 => row.name = self.delimited_text(&mut reader)?,
                5 | 7 | 9 | 10 | 11 => {
                    let (start, end) = reader.delimited()?;
                    (row.data_tag, row.data) = (tag, self.text(start, end));
                    data = Some((start, end));
                }
                _ => reader.skip(tag, wire, METRIC_DEPTH)?,
            }
        }
        self.batch.metrics.push(row);
        let Some((start, end)) = data else {
            return Ok(());
        };
        let kind = match row.data_tag {
            9 => RecordKind::Histogram,
            10 => RecordKind::ExponentialHistogram,
            11 => RecordKind::Summary,
            _ => RecordKind::Number,
        };
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            if tag == 1 {
                let (start, end) = reader.delimited()?;
                self.generic_record(kind, index, start, end, POINT_DEPTH)?;
            } else {
                reader.skip(tag, wire, DEPTH_LIMIT)?;
            }
        }
        Ok(())
    }
}
