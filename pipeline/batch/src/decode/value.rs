//! Attributes and values: the hot path. Nearly every field here has a one-byte key; anything else takes the general way.

use super::Decoder;
use crate::batch::DecodeError;
use crate::rows::{Attribute, Cell, RecordRow, Span, Text};
use crate::same::is_same;
use crate::wire::{Malformed, Reader, is_utf8};
use crate::words::is_ascii;
use crate::{check, schema};

impl Decoder<'_> {
    /// A `KeyValue` as a row. Says whether it is canonical.
    // Inlined: the call and its stack frame cost more than the short case itself. The general case stays out of line.
    #[inline(always)]
    pub(super) fn attribute(
        &mut self,
        start: usize,
        end: usize,
        depth: u32,
    ) -> Result<bool, DecodeError> {
        if depth > 0
            && let Some((key, at)) = self.short_key(start, end)
        {
            self.room(size_of::<Attribute>())?;
            let mut canonical = true;
            let value = match self.short_text(at, end) {
                Some(text) => Cell::Str(text),
                None => self.any_value(at, end, depth - 1, &mut canonical)?,
            };
            self.batch.attributes.push(Attribute { key, value });
            return Ok(canonical);
        }
        self.any_attribute(start, end, depth)
    }

    /// [`Decoder::attribute`] of any shape.
    #[inline(never)]
    fn any_attribute(&mut self, start: usize, end: usize, depth: u32) -> Result<bool, DecodeError> {
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
                    let text = self.string(&mut reader)?;
                    let is_known = |earlier: &Text| {
                        is_same(&self.buf[earlier.range()], &self.buf[text.range()])
                    };
                    key = self.earlier().filter(is_known).unwrap_or(text);
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

    /// The key of a `KeyValue` that is a short key (ASCII, or the neighbour's), then a value of less than 128 bytes and
    /// nothing more; and where the content of that begins.
    #[inline(always)]
    fn short_key(&self, start: usize, end: usize) -> Option<(Text, usize)> {
        let &[0x0a, key_len, ref rest @ ..] = &self.buf[start..end] else {
            return None;
        };
        let (key, value) = rest.split_at_checked(usize::from(key_len))?;
        let (head, value) = value.split_first_chunk()?;
        // Then each length is one byte.
        let value_len = u8::try_from(value.len()).ok()?;
        if key_len >= 128 || value_len >= 128 || *head != [0x12, value_len] {
            return None;
        }
        let at = start + 2;
        let key = match self.earlier() {
            // What stands there was checked.
            Some(earlier) if is_same(&self.buf[earlier.range()], key) => earlier,
            _ if is_ascii(key) => self.text(at, at + key.len()),
            _ => return None,
        };
        Some((key, end - value.len()))
    }

    /// The text of an `AnyValue` of less than 128 bytes that is an ASCII text and nothing more.
    #[inline(always)]
    fn short_text(&self, start: usize, end: usize) -> Option<Text> {
        let &[0x0a, text_len, ref text @ ..] = &self.buf[start..end] else {
            return None;
        };
        (text.len() == usize::from(text_len) && is_ascii(text))
            .then(|| self.text(end - text.len(), end))
    }

    /// Opens a record's attributes; the position of the first.
    #[inline]
    pub(super) fn begin_attributes(&mut self) -> u32 {
        let first = self.batch.attributes.len() as u32;
        let before = self.batch.records.last();
        self.back = before.map_or(0, |row| (first - row.attributes.start) as usize);
        first
    }

    /// Closes the attributes of the last record, of which `first` is the first, and leaves a row behind them for a tag.
    #[inline]
    pub(super) fn end_attributes(
        &mut self,
        row: &mut RecordRow,
        first: u32,
    ) -> Result<(), DecodeError> {
        let end = self.batch.attributes.len() as u32;
        row.attributes = Span { start: first, end };
        // A record without attributes is not made larger than it is: a request may be full of them.
        if end > first {
            self.room(size_of::<Attribute>())?;
            self.batch.attributes.push(Attribute::SPARE);
            row.has_spare = true;
        }
        Ok(())
    }

    /// The key that the next attribute has, too, if this record is like the one before. Then it gets the very same bytes:
    /// they are in the cache, and [`Attributes::have_keys_of`] tells by them that both records have the same keys.
    ///
    /// [`Attributes::have_keys_of`]: crate::Attributes::have_keys_of
    #[inline]
    fn earlier(&self) -> Option<Text> {
        let at = self.batch.attributes.len().wrapping_sub(self.back);
        let earlier = self.batch.attributes.get(at)?.key;
        (earlier.is_side() == self.in_side).then_some(earlier)
    }

    /// An `AnyValue` as a cell; nested values are checked and stay raw.
    // The short texts do not come here, and in the loop over attributes it would take their registers.
    #[inline(never)]
    pub(super) fn any_value(
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
    pub(super) fn string(&self, reader: &mut Reader<'_>) -> Result<Text, DecodeError> {
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

    pub(super) fn delimited_text(&self, reader: &mut Reader<'_>) -> Result<Text, DecodeError> {
        let (start, end) = reader.delimited()?;
        Ok(self.text(start, end))
    }
}
