//! Request bytes to rows, in one pass over canonical input.

use bytes::Bytes;

use crate::batch::{Batch, DecodeError, Signal};
use crate::rows::{
    Attribute, Cell, LevelRow, MAX_BUFFER, MetricRow, RecordKind, RecordRow, Span, Text,
};
use crate::schema::{self, Schema};
use crate::wire::{DEPTH_LIMIT, Malformed, Reader, is_utf8, kind};
use crate::{canon, check};

/// Rows may take this much, and four times the request on top: a request of empty records cannot blow up.
pub(crate) const ROWS_BASE_BYTES: usize = 16 << 20;
/// See [`ROWS_BASE_BYTES`].
pub(crate) const ROWS_PER_WIRE: usize = 4;
/// And never more than this, whatever the request's size: half a million records.
pub(crate) const ROWS_MAX_BYTES: usize = 64 << 20;

pub(crate) fn decode(signal: Signal, wire: Bytes) -> Result<Batch, DecodeError> {
    if wire.len() > MAX_BUFFER {
        return Err(DecodeError::TooLarge("a request over 2 GiB".into()));
    }
    let mut batch = Batch::new(signal);
    batch.wire = wire.clone();
    let budget = ROWS_MAX_BYTES.min(ROWS_BASE_BYTES + ROWS_PER_WIRE * wire.len());
    let mut decoder = Decoder {
        batch: &mut batch,
        buf: &wire,
        in_side: false,
        budget,
    };
    decoder.request(0, wire.len())?;
    Ok(batch)
}

/// One pass over one buffer: the request, or the canonical rewriting of a part of it.
struct Decoder<'d> {
    batch: &'d mut Batch,
    buf: &'d [u8],
    /// Whether `buf` will stand in the batch's side buffer (at the same offsets).
    in_side: bool,
    budget: usize,
}

const TOO_MANY: &str = "more records and attributes than one request may have";

/// Depth left inside each level: the request opens with [`DEPTH_LIMIT`].
const GROUP_DEPTH: u32 = DEPTH_LIMIT - 1;
const SCOPE_DEPTH: u32 = DEPTH_LIMIT - 2;
const RECORD_DEPTH: u32 = DEPTH_LIMIT - 3;
const METRIC_DEPTH: u32 = DEPTH_LIMIT - 3;
const POINT_DEPTH: u32 = DEPTH_LIMIT - 5;

impl Decoder<'_> {
    #[inline]
    fn text(&self, start: usize, end: usize) -> Text {
        if self.in_side {
            Text::side(start, end)
        } else {
            Text::wire(start, end)
        }
    }

    fn request(&mut self, start: usize, end: usize) -> Result<(), DecodeError> {
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            if tag == 1 {
                require(kind::LEN, wire, &reader)?;
                let (start, end) = reader.delimited()?;
                self.group(start, end)?;
            } else {
                reader.skip(tag, wire, DEPTH_LIMIT)?;
            }
        }
        Ok(())
    }

    /// `ResourceLogs`, `ResourceSpans`, `ResourceMetrics`.
    fn group(&mut self, start: usize, end: usize) -> Result<(), DecodeError> {
        let index = self.batch.resources.len() as u32;
        self.room(size_of::<LevelRow>())?;
        self.batch.resources.push(EMPTY_LEVEL);
        let mut canonical = true;
        let (mut resources, mut urls) = (0, 0);
        let mut reader = Reader::new(self.buf, start, end);
        // Scopes come after their resource on nearly every wire; rows do not care about the order.
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            match tag {
                1 => {
                    require(kind::LEN, wire, &reader)?;
                    let (start, end) = reader.delimited()?;
                    resources += 1;
                    let row = self.level(
                        &schema::RESOURCE,
                        1,
                        start,
                        end,
                        GROUP_DEPTH - 1,
                        &mut canonical,
                    )?;
                    let url = self.batch.resources[index as usize].schema_url;
                    self.batch.resources[index as usize] = LevelRow {
                        schema_url: url,
                        ..row
                    };
                }
                2 => {
                    require(kind::LEN, wire, &reader)?;
                    let (start, end) = reader.delimited()?;
                    self.scope_group(index, start, end)?;
                }
                3 => {
                    require(kind::LEN, wire, &reader)?;
                    urls += 1;
                    self.batch.resources[index as usize].schema_url = self.string(&mut reader)?;
                }
                _ => {
                    reader.skip(tag, wire, GROUP_DEPTH)?;
                }
            }
        }
        if resources > 1 || urls > 1 || !canonical {
            self.rewrite_level(index as usize, &schema::RESOURCE, start, end, 1)?;
        }
        Ok(())
    }

    /// `ScopeLogs`, `ScopeSpans`, `ScopeMetrics`.
    fn scope_group(&mut self, resource: u32, start: usize, end: usize) -> Result<(), DecodeError> {
        let index = self.batch.scopes.len() as u32;
        self.room(size_of::<LevelRow>())?;
        self.batch.scopes.push(LevelRow {
            parent: resource,
            ..EMPTY_LEVEL
        });
        self.reserve_records(start, end)?;
        let mut canonical = true;
        let (mut scopes, mut urls) = (0, 0);
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            match tag {
                1 => {
                    require(kind::LEN, wire, &reader)?;
                    let (start, end) = reader.delimited()?;
                    scopes += 1;
                    let row = self.level(
                        &schema::SCOPE,
                        3,
                        start,
                        end,
                        SCOPE_DEPTH - 1,
                        &mut canonical,
                    )?;
                    let url = self.batch.scopes[index as usize].schema_url;
                    self.batch.scopes[index as usize] = LevelRow {
                        schema_url: url,
                        parent: resource,
                        ..row
                    };
                }
                2 => {
                    require(kind::LEN, wire, &reader)?;
                    let (start, end) = reader.delimited()?;
                    match self.batch.signal() {
                        Signal::Logs => self.log(index, start, end)?,
                        Signal::Traces => {
                            self.generic_record(RecordKind::Span, index, start, end, RECORD_DEPTH)?
                        }
                        Signal::Metrics => self.metric(index, start, end)?,
                    }
                }
                3 => {
                    require(kind::LEN, wire, &reader)?;
                    urls += 1;
                    self.batch.scopes[index as usize].schema_url = self.string(&mut reader)?;
                }
                _ => {
                    reader.skip(tag, wire, SCOPE_DEPTH)?;
                }
            }
        }
        if scopes > 1 || urls > 1 || !canonical {
            self.rewrite_level(index as usize, &schema::SCOPE, start, end, 3)?;
        }
        Ok(())
    }

    /// Makes room for a scope's records at once: a request with more of them than it may have is refused before any row
    /// is made, and none is moved while they grow.
    fn reserve_records(&mut self, start: usize, end: usize) -> Result<(), DecodeError> {
        let mut reader = Reader::new(self.buf, start, end);
        let mut records = 0;
        while !reader.is_empty() {
            let (tag, wire) = reader.key()?;
            reader.skip(tag, wire, SCOPE_DEPTH)?;
            records += usize::from(tag == 2);
        }
        if records * size_of::<RecordRow>() > self.budget {
            return Err(DecodeError::TooLarge(TOO_MANY.into()));
        }
        // Doubling keeps many small scopes cheap; for a large one it would double the memory.
        if records < 1024 {
            self.batch.records.reserve(records);
        } else {
            self.batch.records.reserve_exact(records);
        }
        Ok(())
    }

    /// A `Resource` or an `InstrumentationScope`: checked as a whole, attributes as rows.
    fn level(
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
    fn rewrite_level(
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
    fn in_side<R>(
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
        };
        let result = read(&mut decoder, start, end);
        self.budget = decoder.budget;
        self.batch.side = side;
        result.map(|row| (row, Text::side(start, end)))
    }

    /// A log record. Anything not canonical sends the whole record through the rewriter once.
    fn log(&mut self, scope: u32, start: usize, end: usize) -> Result<(), DecodeError> {
        self.room(size_of::<RecordRow>())?;
        let first = self.batch.attributes.len() as u32;
        let mut row = RecordRow::new(RecordKind::Log, self.text(start, end), scope);
        let mut canonical = true;
        let mut seen = 0u32;
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            let key = self.buf[reader.pos];
            // Every field of a LogRecord has a one-byte key; anything else takes the general path.
            let singular = match key {
                0x32 => {
                    reader.pos += 1;
                    let (start, end) = reader.delimited()?;
                    canonical &= self.attribute(start, end, RECORD_DEPTH - 1)?;
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
        row.attributes = Span {
            start: first,
            end: self.batch.attributes.len() as u32,
        };
        self.batch.records.push(row);
        Ok(())
    }

    /// A span or a data point: attributes and a few fields as rows, the rest checked by its schema.
    fn generic_record(
        &mut self,
        kind: RecordKind,
        parent: u32,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<(), DecodeError> {
        self.room(size_of::<RecordRow>())?;
        let first = self.batch.attributes.len() as u32;
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
        row.attributes = Span {
            start: first,
            end: self.batch.attributes.len() as u32,
        };
        self.batch.records.push(row);
        Ok(())
    }

    /// A metric: checked and made canonical as a whole, then its points as records.
    fn metric(&mut self, scope: u32, start: usize, end: usize) -> Result<(), DecodeError> {
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

    /// A `KeyValue` as a row. Says whether it is canonical.
    #[inline]
    fn attribute(&mut self, start: usize, end: usize, depth: u32) -> Result<bool, DecodeError> {
        self.room(size_of::<Attribute>())?;
        let mut canonical = true;
        let mut key = Text::default();
        let mut value = Cell::Absent;
        let (mut keys, mut values) = (0, 0);
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            match self.buf[reader.pos] {
                0x0a => {
                    reader.pos += 1;
                    key = self.string(&mut reader)?;
                    keys += 1;
                }
                0x12 => {
                    reader.pos += 1;
                    let (start, end) = reader.delimited()?;
                    if depth == 0 {
                        return Err(reader
                            .malformed("messages nested more than 100 deep")
                            .into());
                    }
                    value = self.any_value(start, end, depth - 1, &mut canonical)?;
                    values += 1;
                }
                _ => {
                    let (tag, wire) = reader.key()?;
                    match schema::KEY_VALUE.field(tag) {
                        Some(field) => {
                            check::value(field, wire, &mut reader, depth)?;
                        }
                        None => reader.skip(tag, wire, depth)?,
                    }
                    canonical = false;
                }
            }
        }
        self.batch.attributes.push(Attribute { key, value });
        Ok(canonical && keys <= 1 && values <= 1)
    }

    /// An `AnyValue` as a cell; nested values are checked and stay raw.
    #[inline]
    fn any_value(
        &mut self,
        start: usize,
        end: usize,
        depth: u32,
        canonical: &mut bool,
    ) -> Result<Cell, DecodeError> {
        let mut cell = Cell::Empty;
        let mut members = 0;
        let mut reader = Reader::new(self.buf, start, end);
        while !reader.is_empty() {
            members += 1;
            cell = match self.buf[reader.pos] {
                0x0a => {
                    reader.pos += 1;
                    Cell::Str(self.string(&mut reader)?)
                }
                0x10 => {
                    reader.pos += 1;
                    Cell::Bool(reader.varint()? != 0)
                }
                0x18 => {
                    reader.pos += 1;
                    Cell::Int(reader.varint()? as i64)
                }
                0x21 => {
                    reader.pos += 1;
                    Cell::Double(f64::from_bits(reader.fixed64()?))
                }
                key @ (0x2a | 0x32) => {
                    reader.pos += 1;
                    let (start, end) = reader.delimited()?;
                    if depth == 0 {
                        return Err(reader
                            .malformed("messages nested more than 100 deep")
                            .into());
                    }
                    let inner = Reader::new(self.buf, start, end);
                    let text = self.text(start, end);
                    if key == 0x2a {
                        *canonical &= check::message(&schema::ARRAY_VALUE, inner, depth - 1)?;
                        Cell::Array(text)
                    } else {
                        *canonical &= check::message(&schema::KEY_VALUE_LIST, inner, depth - 1)?;
                        Cell::Map(text)
                    }
                }
                0x3a => {
                    reader.pos += 1;
                    let (start, end) = reader.delimited()?;
                    Cell::Bytes(self.text(start, end))
                }
                _ => {
                    let (tag, wire) = reader.key()?;
                    match schema::ANY_VALUE.field(tag) {
                        Some(field) => {
                            check::value(field, wire, &mut reader, depth)?;
                        }
                        None => reader.skip(tag, wire, depth)?,
                    }
                    *canonical = false;
                    Cell::Empty
                }
            };
        }
        *canonical &= members <= 1;
        Ok(cell)
    }

    #[inline]
    fn string(&self, reader: &mut Reader<'_>) -> Result<Text, DecodeError> {
        let (start, end) = reader.delimited()?;
        if is_utf8(&self.buf[start..end]) {
            Ok(self.text(start, end))
        } else {
            Err(Malformed {
                offset: start,
                what: "a string that is not UTF-8",
            }
            .into())
        }
    }

    fn delimited_text(&self, reader: &mut Reader<'_>) -> Result<Text, DecodeError> {
        let (start, end) = reader.delimited()?;
        Ok(self.text(start, end))
    }

    #[inline]
    fn room(&mut self, bytes: usize) -> Result<(), DecodeError> {
        match self.budget.checked_sub(bytes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => Err(DecodeError::TooLarge(TOO_MANY.into())),
        }
    }
}

const EMPTY_LEVEL: LevelRow = LevelRow {
    present: false,
    dirty: false,
    raw: EMPTY_TEXT,
    attributes: Span { start: 0, end: 0 },
    name: EMPTY_TEXT,
    version: EMPTY_TEXT,
    schema_url: EMPTY_TEXT,
    parent: 0,
};
const EMPTY_TEXT: Text = Text::EMPTY;

impl LevelRow {
    pub(crate) const ABSENT: Self = EMPTY_LEVEL;
}

fn require(expected: u32, wire: u32, reader: &Reader<'_>) -> Result<(), Malformed> {
    if wire == expected {
        Ok(())
    } else {
        Err(reader.malformed("a field with a wrong wire type"))
    }
}

impl From<Malformed> for DecodeError {
    fn from(error: Malformed) -> Self {
        Self::Protobuf {
            offset: error.offset,
            what: error.what,
        }
    }
}
