//! What a component author holds: records, resources and scopes, to read and to change.

use crate::batch::Batch;
use crate::edit;
use crate::rows::{Change, LevelRow, RecordKind, RecordRow, Span};
use crate::{Value, rows};

/// The attributes of a record, scope or resource, in order. A key may stand twice; the first one counts.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    batch: &'a Batch,
    span: Span,
}

impl<'a> Attributes<'a> {
    /// The value of the first attribute named `key`.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.batch
            .find(self.span, key)
            .map(|at| self.batch.value(self.batch.attributes[at].value))
    }

    /// The keys.
    pub fn keys(self) -> impl ExactSizeIterator<Item = &'a str> {
        let batch = self.batch;
        batch.attributes[self.span.range()]
            .iter()
            .map(move |a| batch.text(a.key))
    }

    /// The value at a place.
    ///
    /// # Panics
    /// Past the end, as a slice does.
    #[must_use]
    // As a call it cannot be: see `Batch::value`.
    #[inline(always)]
    pub fn value_at(self, at: usize) -> Value<'a> {
        self.batch
            .value(self.batch.attributes[self.span.range()][at].value)
    }

    /// Whether these have the keys of `other` in the same order. Only neighbours in one batch are known to, for it is
    /// told without a look at the keys: `false` says nothing.
    #[must_use]
    #[inline]
    pub fn have_keys_of(self, other: Self) -> bool {
        let rows = |of: Self| &of.batch.attributes[of.span.range()];
        std::ptr::eq(self.batch, other.batch)
            && self.len() == other.len()
            // Mostly all are the same: without a decision for each.
            && rows(self)
                .iter()
                .zip(rows(other))
                .fold(0, |differ, (a, b)| differ | (a.key.bits() ^ b.key.bits()))
                == 0
    }

    /// Keys and values.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (&'a str, Value<'a>)> {
        let batch = self.batch;
        batch.attributes[self.span.range()]
            .iter()
            .map(move |a| (batch.text(a.key), batch.value(a.value)))
    }

    /// How many.
    #[must_use]
    pub fn len(self) -> usize {
        self.span.range().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A resource or a scope.
#[derive(Clone, Copy, Debug)]
pub struct Level<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) row: &'a LevelRow,
}

impl<'a> Level<'a> {
    /// Its attributes.
    #[must_use]
    pub fn attributes(self) -> Attributes<'a> {
        Attributes {
            batch: self.batch,
            span: self.row.attributes,
        }
    }

    /// The value of the first attribute named `key`.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.attributes().get(key)
    }

    /// A scope's name; empty for a resource.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.batch.text(self.row.name)
    }

    /// A scope's version; empty for a resource.
    #[must_use]
    pub fn version(self) -> &'a str {
        self.batch.text(self.row.version)
    }

    /// The schema URL of what it holds.
    #[must_use]
    pub fn schema_url(self) -> &'a str {
        self.batch.text(self.row.schema_url)
    }
}

/// A resource or a scope, to change it: the change shows in all its records.
#[derive(Debug)]
pub struct LevelMut<'a> {
    pub(crate) batch: &'a mut Batch,
    pub(crate) index: usize,
    pub(crate) is_scope: bool,
}

impl LevelMut<'_> {
    /// The value of the first attribute named `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        Level {
            batch: self.batch,
            row: self.row(),
        }
        .get(key)
    }

    /// Sets or adds an attribute.
    pub fn set(&mut self, key: &str, value: Value<'_>) {
        let span = self.row().attributes;
        let set = self.batch.set_attribute(span, false, key, value);
        self.touch().attributes = set.span;
    }

    /// Removes an attribute; says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let span = self.row().attributes;
        let Some(at) = self.batch.find(span, key) else {
            return false;
        };
        let span = self.batch.remove_attribute(span, at);
        self.touch().attributes = span;
        true
    }

    /// Names a scope.
    ///
    /// # Panics
    /// On a resource, which has no name.
    pub fn set_name(&mut self, name: &str) {
        assert!(self.is_scope, "a resource has no name");
        edit::set_scope_text(self.batch, self.index, 1, name);
    }

    fn row(&self) -> &LevelRow {
        if self.is_scope {
            &self.batch.scopes[self.index]
        } else {
            &self.batch.resources[self.index]
        }
    }

    fn touch(&mut self) -> &mut LevelRow {
        let rows = if self.is_scope {
            &mut self.batch.scopes
        } else {
            &mut self.batch.resources
        };
        let row = &mut rows[self.index];
        (row.present, row.dirty) = (true, true);
        row
    }
}

/// A log record, a span or a metric data point.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) row: &'a RecordRow,
    pub(crate) index: usize,
}

impl<'a> Record<'a> {
    /// Position in the batch.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// Its own attributes.
    #[must_use]
    pub fn attributes(self) -> Attributes<'a> {
        Attributes {
            batch: self.batch,
            span: self.row.attributes,
        }
    }

    /// The value of its first attribute named `key`.
    #[must_use]
    #[inline]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.attributes().get(key)
    }

    /// The resource it comes from.
    #[must_use]
    pub fn resource(self) -> Level<'a> {
        self.batch.resource(self.resource_index())
    }

    /// The scope it comes from.
    #[must_use]
    pub fn scope(self) -> Level<'a> {
        self.batch.scope(self.scope_index())
    }

    /// Position of its resource in the batch.
    #[must_use]
    pub fn resource_index(self) -> usize {
        self.batch.scopes[self.scope_index()].parent as usize
    }

    /// Position of its scope in the batch.
    #[must_use]
    pub fn scope_index(self) -> usize {
        self.batch.scope_of(self.row)
    }

    /// UTC nanoseconds since 1970; a span's start; 0: none.
    #[must_use]
    pub fn time(self) -> u64 {
        self.row.time
    }

    /// When a log record was first seen, a span's end; UTC nanoseconds since 1970; 0: none.
    #[must_use]
    pub fn observed_time(self) -> u64 {
        self.row.observed
    }

    /// [`Record::time`], else [`Record::observed_time`].
    #[must_use]
    pub fn event_time(self) -> u64 {
        if self.row.time != 0 {
            self.row.time
        } else {
            self.row.observed
        }
    }

    /// OTLP's severity number, 0: none.
    #[must_use]
    pub fn severity_number(self) -> i32 {
        self.row.severity_number
    }

    /// The severity as its source writes it.
    #[must_use]
    pub fn severity_text(self) -> &'a str {
        self.batch.text(self.row.severity_text)
    }

    /// A log record's event name, a span's name, the name of a data point's metric.
    #[must_use]
    pub fn name(self) -> &'a str {
        match self.row.kind {
            RecordKind::Log | RecordKind::Span => self.batch.text(self.row.name),
            _ => self
                .batch
                .text(self.batch.metrics[self.row.parent as usize].name),
        }
    }

    /// A span's kind by OTLP's number (1 internal, 2 server, 3 client, 4 producer, 5 consumer); 0: none, or no span.
    #[must_use]
    pub fn span_kind(self) -> i32 {
        if self.row.kind == RecordKind::Span {
            edit::number_field(self.batch.bytes(self.row.raw), 6) as i32
        } else {
            0
        }
    }

    /// A log record's body.
    #[must_use]
    pub fn body(self) -> Value<'a> {
        self.batch.value(self.row.body)
    }

    /// Flags; the low 8 bits are W3C trace flags.
    #[must_use]
    pub fn flags(self) -> u32 {
        self.row.flags
    }

    /// 16 bytes; empty when absent, all zero or of another length.
    #[must_use]
    pub fn trace_id(self) -> &'a [u8] {
        valid_id(self.batch.bytes(self.row.trace_id), 16)
    }

    /// 8 bytes; empty when absent, all zero or of another length.
    #[must_use]
    pub fn span_id(self) -> &'a [u8] {
        valid_id(self.batch.bytes(self.row.span_id), 8)
    }

    /// Bits that a processor leaves for later ones (what redaction found). They are not written out.
    #[must_use]
    pub fn marks(self) -> u64 {
        self.row.marks
    }
}

fn valid_id(bytes: &[u8], len: usize) -> &[u8] {
    if bytes.len() == len && bytes.iter().any(|b| *b != 0) {
        bytes
    } else {
        &[]
    }
}

/// A record, to change it. Only what changes is encoded again.
#[derive(Debug)]
pub struct RecordMut<'a> {
    pub(crate) batch: &'a mut Batch,
    pub(crate) index: usize,
}

impl RecordMut<'_> {
    /// The record as it is now.
    #[must_use]
    pub fn as_record(&self) -> Record<'_> {
        self.batch.record(self.index)
    }

    /// Sets or adds an attribute.
    pub fn set(&mut self, key: &str, value: Value<'_>) {
        let RecordRow {
            attributes,
            has_spare,
            ..
        } = *self.row();
        let set = self.batch.set_attribute(attributes, has_spare, key, value);
        let row = &mut self.batch.records[self.index];
        row.attributes = set.span;
        if set.is_new {
            row.has_spare = false;
            row.change = row.change.and_added();
        } else {
            row.change = Change::Edited;
        }
    }

    /// Removes an attribute; says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let span = self.row().attributes;
        let Some(at) = self.batch.find(span, key) else {
            return false;
        };
        let span = self.batch.remove_attribute(span, at);
        self.touch().attributes = span;
        true
    }

    /// Sets a log record's body.
    pub fn set_body(&mut self, value: Value<'_>) {
        self.require_log();
        let body = self.batch.keep_value(value);
        self.touch().body = body;
    }

    /// Sets a log record's time, UTC nanoseconds since 1970.
    pub fn set_time(&mut self, nanos: u64) {
        self.require_log();
        self.touch().time = nanos;
    }

    /// Sets when a log record was first seen, UTC nanoseconds since 1970.
    pub fn set_observed_time(&mut self, nanos: u64) {
        self.require_log();
        self.touch().observed = nanos;
    }

    /// Sets a log record's severity.
    pub fn set_severity(&mut self, number: i32, text: &str) {
        self.require_log();
        let text = self.batch.keep(text.as_bytes());
        let row = self.touch();
        (row.severity_number, row.severity_text) = (number, text);
    }

    /// Sets a log record's event name.
    pub fn set_name(&mut self, name: &str) {
        self.require_log();
        let name = self.batch.keep(name.as_bytes());
        self.touch().name = name;
    }

    /// Sets a log record's trace context: 16 and 8 bytes, or empty.
    pub fn set_trace(&mut self, trace_id: &[u8], span_id: &[u8], flags: u32) {
        self.require_log();
        let (trace_id, span_id) = (self.batch.keep(trace_id), self.batch.keep(span_id));
        let row = self.touch();
        (row.trace_id, row.span_id, row.flags) = (trace_id, span_id, flags);
    }

    /// Adds marks for later processors.
    pub fn mark(&mut self, bits: u64) {
        self.batch.records[self.index].marks |= bits;
    }

    fn row(&self) -> &rows::RecordRow {
        &self.batch.records[self.index]
    }

    fn touch(&mut self) -> &mut rows::RecordRow {
        let row = &mut self.batch.records[self.index];
        row.change = Change::Edited;
        row
    }

    fn require_log(&self) {
        assert_eq!(
            self.row().kind,
            RecordKind::Log,
            "only log records have this field to set"
        );
    }
}
