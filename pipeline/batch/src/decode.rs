//! Request bytes to rows, in one pass over canonical input: groups here, what is in them in the files below.

mod level;
mod record;
mod value;

use bytes::Bytes;

use crate::batch::{Batch, DecodeError, Signal};
use crate::rows::{LevelRow, MAX_BUFFER, RecordKind, RecordRow, Span, Text};
use crate::schema::{self};
use crate::wire::{DEPTH_LIMIT, Malformed, Reader, kind};

/// Rows may take this much, and four times the request on top: a request of empty records cannot blow up.
pub(crate) const ROWS_BASE_BYTES: usize = 16 << 20;
/// See [`ROWS_BASE_BYTES`].
pub(crate) const ROWS_PER_WIRE: usize = 4;
/// And never more than this, whatever the request's size: half a million records.
pub(crate) const ROWS_MAX_BYTES: usize = 64 << 20;

/// A request from a peer: its rows are bounded.
pub(crate) fn decode(signal: Signal, wire: Bytes) -> Result<Batch, DecodeError> {
    let budget = ROWS_MAX_BYTES.min(ROWS_BASE_BYTES + ROWS_PER_WIRE * wire.len());
    decode_within(budget, signal, wire)
}

/// What a batch of ours was encoded to. Its rows had room once; processors may have added more since they were counted.
pub(crate) fn decode_stored(signal: Signal, wire: Bytes) -> Result<Batch, DecodeError> {
    decode_within(usize::MAX, signal, wire)
}

fn decode_within(budget: usize, signal: Signal, wire: Bytes) -> Result<Batch, DecodeError> {
    if wire.len() > MAX_BUFFER {
        return Err(DecodeError::TooLarge("a request over 2 GiB".into()));
    }
    let mut batch = Batch::new(signal);
    batch.wire = wire.clone();
    let mut decoder = Decoder {
        batch: &mut batch,
        buf: &wire,
        in_side: false,
        budget,
        back: 0,
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
    /// How far back from the next attribute the one stands that has the same place in the record before: neighbours
    /// mostly have the same keys in the same order, and then share their bytes. 0: there is no record before.
    back: usize,
}

/// Room for attributes is made as if none were smaller on the wire: at most twice the request, and a spare row a record.
const SMALL_ATTRIBUTE: usize = 12;

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
        let records = self.reserve_records(start, end)?;
        let (first_record, first_attribute) =
            (self.batch.records.len(), self.batch.attributes.len());
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
                    if self.batch.records.len() == first_record + 1 {
                        // Records of a scope are alike: room for the attributes of all, by those of the first.
                        let each = self.batch.attributes.len() - first_attribute;
                        let likely = each * (records - 1);
                        let most = (reader.buf.len() - reader.pos) / SMALL_ATTRIBUTE + records;
                        self.batch.attributes.reserve(likely.min(most));
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
    fn reserve_records(&mut self, start: usize, end: usize) -> Result<usize, DecodeError> {
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
        Ok(records)
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
