//! Rows to request bytes. The one place where bytes leave a batch: by a row's text, or by the whole span of a record
//! that is as it came or only got attributes ([`Change`]).

use std::ops::Range;

use crate::batch::{Batch, Signal};
use crate::rows::{Cell, Change, LevelRow, MetricRow, RecordKind, RecordRow, Span};
use crate::value::{key_len, put_key_and_value};
use crate::wire::{Reader, kind, put_bytes, put_key, put_nested, put_varint, varint_len};

/// A key and a length, at most.
const FRAMING: usize = 1 + 5;

/// Appends the request of `records`. A whole batch keeps its empty resources and scopes, unless records were dropped.
pub(crate) fn request(batch: &Batch, records: Range<usize>, out: &mut Vec<u8>) {
    let whole = records == (0..batch.len()) && !batch.pruned;
    let lens: Vec<usize> = batch.records[records.clone()]
        .iter()
        .map(|row| len_hint(batch, row))
        .collect();
    // A request of a megabyte that grows as it is written is copied several times.
    let levels = batch.resources.iter().chain(&batch.scopes);
    let levels = levels.filter(|_| whole).map(|row| row.raw.len());
    let expected = lens.iter().copied().chain(levels);
    out.reserve(expected.map(|len| len + FRAMING).sum());
    let mut walk = Walk {
        batch,
        first: records.start,
        next: records.start,
        end: records.end,
        lens,
        whole,
        encoded: None,
    };
    let (mut scope, mut metric) = (0, 0);
    for (index, resource) in batch.resources.iter().enumerate() {
        let first_scope = scope;
        while batch
            .scopes
            .get(scope)
            .is_some_and(|s| s.parent as usize == index)
        {
            scope += 1;
        }
        let scopes = first_scope..scope;
        if !walk.wants_resource(index) {
            continue;
        }
        put_nested(
            out,
            1,
            walk.bytes_ahead(|row| batch.scopes[batch.scope_of(row)].parent as usize == index),
            |out| {
                put_level(batch, resource, 1, out);
                for scope in scopes {
                    if walk.wants_scope(scope) {
                        walk.put_scope(scope, &mut metric, out);
                    }
                }
                if !resource.schema_url.is_empty() {
                    put_bytes(out, 3, batch.bytes(resource.schema_url));
                }
            },
        );
    }
}

/// Goes once through the records that are to be written.
struct Walk<'b> {
    batch: &'b Batch,
    first: usize,
    next: usize,
    end: usize,
    /// About how long the records from `first` on are: used at each level.
    lens: Vec<usize>,
    whole: bool,
    /// The next record's message, when it was encoded before.
    encoded: Option<&'b [u8]>,
}

impl Walk<'_> {
    fn peek(&self) -> Option<&RecordRow> {
        if self.next < self.end {
            self.batch.records.get(self.next)
        } else {
            None
        }
    }

    fn wants_resource(&self, index: usize) -> bool {
        self.whole
            || self.peek().is_some_and(|row| {
                self.batch.scopes[self.batch.scope_of(row)].parent as usize == index
            })
    }

    fn wants_scope(&self, index: usize) -> bool {
        self.whole
            || self
                .peek()
                .is_some_and(|row| self.batch.scope_of(row) == index)
    }

    /// Length of the coming records for which `same` holds, for a guess at the enclosing length.
    fn bytes_ahead(&self, same: impl Fn(&RecordRow) -> bool) -> usize {
        let ahead = self.batch.records[self.next..self.end]
            .iter()
            .zip(&self.lens[self.next - self.first..]);
        ahead
            .take_while(|(row, _)| same(row))
            .map(|(_, len)| len + 3)
            .sum()
    }

    /// Writes the next record as field `tag`.
    fn put_next(&mut self, row: &RecordRow, tag: u32, out: &mut Vec<u8>) {
        match self.encoded {
            Some(message) => put_bytes(out, tag, message),
            None => put_record(self.batch, row, self.lens[self.next - self.first], tag, out),
        }
        self.next += 1;
    }

    fn put_scope(&mut self, index: usize, metric: &mut usize, out: &mut Vec<u8>) {
        let batch = self.batch;
        let scope = &batch.scopes[index];
        put_nested(
            out,
            2,
            self.bytes_ahead(|row| batch.scope_of(row) == index),
            |out| {
                put_level(batch, scope, 3, out);
                if batch.signal() == Signal::Metrics {
                    while batch
                        .metrics
                        .get(*metric)
                        .is_some_and(|m| (m.scope as usize) < index)
                    {
                        *metric += 1;
                    }
                    while let Some(row) = batch.metrics.get(*metric).filter(|m| {
                        m.scope as usize == index && (self.whole || self.next < self.end)
                    }) {
                        self.put_metric(*metric, row, out);
                        *metric += 1;
                    }
                } else {
                    while let Some(row) = self
                        .peek()
                        .copied()
                        .filter(|row| row.parent as usize == index)
                    {
                        self.put_next(&row, 2, out);
                    }
                }
                if !scope.schema_url.is_empty() {
                    put_bytes(out, 3, batch.bytes(scope.schema_url));
                }
            },
        );
    }

    fn put_metric(&mut self, index: usize, metric: &MetricRow, out: &mut Vec<u8>) {
        let batch = self.batch;
        if !self.whole && self.peek().is_none_or(|row| row.parent as usize != index) {
            return;
        }
        let hint = self.bytes_ahead(|row| row.parent as usize == index);
        put_nested(out, 2, hint + metric.name.len() + 8, |out| {
            copy_fields(batch.bytes(metric.raw), out, |tag| {
                !matches!(tag, 5 | 7 | 9 | 10 | 11)
            });
            if metric.data_tag == 0 {
                return;
            }
            put_nested(out, metric.data_tag, hint, |out| {
                while let Some(row) = self
                    .peek()
                    .copied()
                    .filter(|row| row.parent as usize == index)
                {
                    self.put_next(&row, 1, out);
                }
                copy_fields(batch.bytes(metric.data), out, |tag| tag != 1);
            });
        });
    }
}

/// A `Resource` or `InstrumentationScope` as field 1.
fn put_level(batch: &Batch, level: &LevelRow, attributes_tag: u32, out: &mut Vec<u8>) {
    if !level.present {
        return;
    }
    let raw = batch.bytes(level.raw);
    if !level.dirty {
        return put_bytes(out, 1, raw);
    }
    put_nested(out, 1, attributes_len(batch, level.attributes), |out| {
        copy_fields(raw, out, |tag| tag != attributes_tag);
        put_attributes(batch, level.attributes, attributes_tag, out);
    });
}

/// One record as field `tag`; `len` is about how long it is.
fn put_record(batch: &Batch, row: &RecordRow, len: usize, tag: u32, out: &mut Vec<u8>) {
    let raw = batch.bytes(row.raw);
    let attributes_tag = row.kind.attributes_tag();
    match (row.change, row.kind) {
        (Change::None, _) => put_bytes(out, tag, raw),
        (Change::Added(count), _) => put_nested(out, tag, len, |out| {
            out.extend_from_slice(raw);
            put_attributes(batch, row.last_attributes(count), attributes_tag, out);
        }),
        (Change::Edited, RecordKind::Log) => {
            put_nested(out, tag, len, |out| put_log(batch, row, out));
        }
        (Change::Edited, _) => put_nested(out, tag, len, |out| {
            copy_fields(raw, out, |tag| tag != attributes_tag);
            put_attributes(batch, row.attributes, attributes_tag, out);
        }),
    }
}

fn put_log(batch: &Batch, row: &RecordRow, out: &mut Vec<u8>) {
    if row.time != 0 {
        put_key(out, 1, kind::I64);
        out.extend_from_slice(&row.time.to_le_bytes());
    }
    if row.severity_number != 0 {
        put_key(out, 2, kind::VARINT);
        put_varint(out, i64::from(row.severity_number) as u64);
    }
    if !row.severity_text.is_empty() {
        put_bytes(out, 3, batch.bytes(row.severity_text));
    }
    if row.body != Cell::Absent {
        let body = batch.value(row.body);
        put_nested(out, 5, body.encoded_len(), |out| body.encode(out));
    }
    put_attributes(batch, row.attributes, 6, out);
    if row.dropped != 0 {
        put_key(out, 7, kind::VARINT);
        put_varint(out, u64::from(row.dropped));
    }
    if row.flags != 0 {
        put_key(out, 8, kind::I32);
        out.extend_from_slice(&row.flags.to_le_bytes());
    }
    for (tag, id) in [(9, row.trace_id), (10, row.span_id)] {
        if !id.is_empty() {
            put_bytes(out, tag, batch.bytes(id));
        }
    }
    if row.observed != 0 {
        put_key(out, 11, kind::I64);
        out.extend_from_slice(&row.observed.to_le_bytes());
    }
    if !row.name.is_empty() {
        put_bytes(out, 12, batch.bytes(row.name));
    }
}

fn put_attributes(batch: &Batch, span: Span, tag: u32, out: &mut Vec<u8>) {
    for attribute in &batch.attributes[span.range()] {
        let value = (attribute.value != Cell::Absent).then(|| batch.value(attribute.value));
        let value_len = value.map_or(0, |v| nested_len(v.encoded_len()));
        put_key(out, tag, kind::LEN);
        put_varint(out, (key_len(attribute.key.len()) + value_len) as u64);
        put_key_and_value(out, batch.text(attribute.key), value);
    }
}

/// A guess at a record's message that costs nothing: only the width of the length in front depends on it, and edits
/// seldom change that.
fn len_hint(batch: &Batch, row: &RecordRow) -> usize {
    if row.raw.is_empty() || matches!(row.change, Change::Added(_)) {
        record_len(batch, row)
    } else {
        row.raw.len()
    }
}

/// About how long a record's message is: exact but for an edited span or point.
pub(crate) fn record_len(batch: &Batch, row: &RecordRow) -> usize {
    match (row.change, row.kind) {
        (Change::Added(count), _) => {
            return row.raw.len() + attributes_len(batch, row.last_attributes(count));
        }
        (Change::Edited, RecordKind::Log) => {}
        _ => return row.raw.len(),
    }
    let text = |len: usize| if len == 0 { 0 } else { nested_len(len) };
    let fixed = |value: u64| if value == 0 { 0 } else { 9 };
    fixed(row.time)
        + fixed(row.observed)
        + if row.severity_number == 0 {
            0
        } else {
            1 + varint_len(i64::from(row.severity_number) as u64)
        }
        + if row.dropped == 0 {
            0
        } else {
            1 + varint_len(u64::from(row.dropped))
        }
        + if row.flags == 0 { 0 } else { 5 }
        + text(row.severity_text.len())
        + text(row.name.len())
        + text(row.trace_id.len())
        + text(row.span_id.len())
        + if row.body == Cell::Absent {
            0
        } else {
            nested_len(batch.value(row.body).encoded_len())
        }
        + attributes_len(batch, row.attributes)
}

/// About how long a resource or scope is: exact when clean.
pub(crate) fn level_len(batch: &Batch, level: &LevelRow) -> usize {
    if level.dirty {
        attributes_len(batch, level.attributes)
    } else {
        level.raw.len()
    }
}

fn attributes_len(batch: &Batch, span: Span) -> usize {
    batch.attributes[span.range()]
        .iter()
        .map(|a| {
            let value = if a.value == Cell::Absent {
                0
            } else {
                nested_len(batch.value(a.value).encoded_len())
            };
            nested_len(key_len(a.key.len()) + value)
        })
        .sum()
}

/// Length of a length-delimited field with a one-byte key.
fn nested_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// Copies the fields of a canonical message for which `wanted` holds.
pub(crate) fn copy_fields(raw: &[u8], out: &mut Vec<u8>, wanted: impl Fn(u32) -> bool) {
    let mut reader = Reader::new(raw, 0, raw.len());
    while !reader.is_empty() {
        let start = reader.pos;
        let Ok((tag, wire)) = reader.key() else {
            return;
        };
        if reader.skip(tag, wire, u32::MAX).is_err() {
            return;
        }
        if wanted(tag) {
            out.extend_from_slice(&raw[start..reader.pos]);
        }
    }
}

/// Appends the request that holds record `i` alone, with its resource and scope. The same bytes as [`request`] of that
/// one record, without a look at the other resources and scopes. `encoded` is the record's message, if there is one.
pub(crate) fn alone(batch: &Batch, i: usize, encoded: Option<&[u8]>, out: &mut Vec<u8>) {
    let row = &batch.records[i];
    let scope = &batch.scopes[batch.scope_of(row)];
    let resource = &batch.resources[scope.parent as usize];
    let len = encoded.map_or_else(|| record_len(batch, row), <[u8]>::len);
    let mut walk = Walk {
        batch,
        first: i,
        next: i,
        end: i + 1,
        lens: vec![len],
        whole: false,
        encoded,
    };
    let hint = len + level_len(batch, scope) + level_len(batch, resource) + 16;
    put_nested(out, 1, hint, |out| {
        put_level(batch, resource, 1, out);
        let mut metric = row.parent as usize;
        walk.put_scope(batch.scope_of(row), &mut metric, out);
        if !resource.schema_url.is_empty() {
            put_bytes(out, 3, batch.bytes(resource.schema_url));
        }
    });
}
