//! The batch: its buffers, its rows, and how to reach them.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::record::{Level, LevelMut, Record, RecordMut};
use crate::rows::{
    Attribute, Cell, Change, LevelRow, MAX_BUFFER, MetricRow, RecordKind, RecordRow, Span, Text,
};
use crate::same::is_same;
use crate::text::checked_before;
use crate::value::{Array, Map};
use crate::{Sender, Value, decode, encode, json};

/// Which of OTLP's signals a batch carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Log records.
    Logs,
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Traces, Self::Metrics];

    /// `logs`, `traces`, `metrics`: the word in a configuration and in an OTLP path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }

    pub(crate) fn schema(self) -> &'static crate::schema::Schema {
        match self {
            Self::Logs => &crate::schema::LOGS_REQUEST,
            Self::Traces => &crate::schema::TRACES_REQUEST,
            Self::Metrics => &crate::schema::METRICS_REQUEST,
        }
    }
}

/// Why a request is not a batch. Never quotes the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not the protobuf of an export request.
    #[error("invalid protobuf at byte {offset}: {what}")]
    Protobuf {
        /// Byte offset in the request.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// Not an OTLP/JSON export request.
    #[error("invalid OTLP/JSON: {0}")]
    Json(String),
    /// Valid perhaps, but its rows would not stay in proportion to its bytes.
    #[error("too large: {0}")]
    TooLarge(String),
}

/// How many added keys are remembered: about as many as all processors together add to each record.
const MAX_ADDED: usize = 16;

/// Records of one signal with their resources and scopes.
///
/// Rows are in wire order: a resource's scopes follow one another, and so do a scope's records.
#[derive(Clone)]
pub struct Batch {
    signal: Signal,
    /// The request as it arrived. Bytes leave it only as a row's text, or as the whole of a record from which nothing was
    /// taken and in which nothing was changed.
    pub(crate) wire: Bytes,
    /// Edits, and everything that was not on the wire.
    pub(crate) side: Vec<u8>,
    pub(crate) resources: Vec<LevelRow>,
    pub(crate) scopes: Vec<LevelRow>,
    pub(crate) metrics: Vec<MetricRow>,
    pub(crate) records: Vec<RecordRow>,
    pub(crate) attributes: Vec<Attribute>,
    /// Keys that edits added, where they stand: records that get the same one share its bytes.
    pub(crate) added: Vec<Text>,
    /// Whether records were taken out: then what they leave empty is not written.
    pub(crate) pruned: bool,
    /// See [`Batch::searched`].
    pub(crate) searched: u64,
    /// See [`Batch::sender`].
    pub(crate) sender: Option<Arc<Sender>>,
}

impl Batch {
    /// An empty batch, to be filled with [`Batch::push_scope`] and [`Batch::push_log`].
    #[must_use]
    pub fn new(signal: Signal) -> Self {
        Self {
            signal,
            wire: Bytes::new(),
            side: Vec::new(),
            resources: Vec::new(),
            scopes: Vec::new(),
            metrics: Vec::new(),
            records: Vec::new(),
            attributes: Vec::new(),
            added: Vec::new(),
            pruned: false,
            searched: 0,
            sender: None,
        }
    }

    /// Decodes the protobuf of an `Export{Logs,Trace,Metrics}ServiceRequest`. Strings stay in `wire`.
    ///
    /// Rows take at most 16 MiB and four times the request, and never more than 64 MiB.
    ///
    /// # Errors
    /// Whatever `prost` refuses, and rows over that bound.
    pub fn decode(signal: Signal, wire: Bytes) -> Result<Self, DecodeError> {
        decode::decode(signal, wire)
    }

    /// Decodes what [`Batch::encode`] made. Unlike [`Batch::decode`], whatever the number of its rows: what was taken in
    /// once can always be read again.
    ///
    /// # Errors
    /// Whatever `prost` refuses.
    pub fn decode_stored(signal: Signal, wire: Bytes) -> Result<Self, DecodeError> {
        decode::decode_stored(signal, wire)
    }

    /// Decodes an OTLP/JSON request.
    ///
    /// # Errors
    /// Text that breaks the rules of OTLP/JSON; unknown keys do not.
    pub fn decode_json(signal: Signal, json: &[u8]) -> Result<Self, DecodeError> {
        let wire = json::to_protobuf(signal.schema(), json).map_err(DecodeError::Json)?;
        decode::decode(signal, Bytes::from(wire))
    }

    /// The protobuf request of the whole batch.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(0..self.len(), &mut out);
        out
    }

    /// Appends the protobuf request of these records. Untouched records are copied byte for byte.
    pub fn encode_into(&self, records: Range<usize>, out: &mut Vec<u8>) {
        encode::request(self, records, out);
    }

    /// Appends the protobuf request that holds record `i` alone, with its resource and scope: its bytes are what a
    /// ledger commits to. The same as [`Batch::encode_into`] of that one record, and quick in a large batch too.
    ///
    /// # Panics
    /// Past the end, as a slice does.
    pub fn encode_record_into(&self, i: usize, out: &mut Vec<u8>) {
        encode::alone(self, i, None, out);
    }

    /// Appends the OTLP/JSON request of these records, on one line.
    pub fn encode_json_into(&self, records: Range<usize>, out: &mut Vec<u8>) {
        let mut wire = Vec::new();
        self.encode_into(records, &mut wire);
        json::from_protobuf(self.signal.schema(), &wire, out);
    }

    /// Which signal.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of memory that this batch keeps alive, the whole request included.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.wire.len()
            + self.side.capacity()
            + self.records.capacity() * size_of::<RecordRow>()
            + self.attributes.capacity() * size_of::<Attribute>()
            + (self.resources.capacity() + self.scopes.capacity()) * size_of::<LevelRow>()
            + self.metrics.capacity() * size_of::<MetricRow>()
            + self.sender.as_ref().map_or(0, |sender| sender.memory())
    }

    /// Who sent the request that it came with, while it is on its way through the steps of a pipeline.
    #[must_use]
    pub fn sender(&self) -> Option<&Sender> {
        self.sender.as_deref()
    }

    /// Says who sent it, or lets go of who did.
    pub fn set_sender(&mut self, sender: Option<Arc<Sender>>) {
        self.sender = sender;
    }

    /// About how many bytes record `i` takes in an OTLP request, without its resource and scope.
    #[must_use]
    pub fn record_bytes(&self, i: usize) -> usize {
        encode::record_len(self, &self.records[i])
    }

    /// About how many bytes record `i` takes together with its resource and scope: what a destination gets that is told
    /// them with every record.
    #[must_use]
    pub fn record_bytes_alone(&self, i: usize) -> usize {
        let row = &self.records[i];
        let scope = &self.scopes[self.scope_of(row)];
        let resource = &self.resources[scope.parent as usize];
        encode::record_len(self, row)
            + encode::level_len(self, scope)
            + encode::level_len(self, resource)
    }

    /// Record `i`.
    ///
    /// # Panics
    /// Past the end, as a slice does.
    #[must_use]
    pub fn record(&self, i: usize) -> Record<'_> {
        Record {
            batch: self,
            row: &self.records[i],
            index: i,
        }
    }

    /// Record `i`, to change it.
    ///
    /// # Panics
    /// Past the end, as a slice does.
    pub fn record_mut(&mut self, i: usize) -> RecordMut<'_> {
        assert!(
            i < self.records.len(),
            "record {i} of {}",
            self.records.len()
        );
        RecordMut {
            batch: self,
            index: i,
        }
    }

    /// All records in order.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.records.iter().enumerate().map(|(index, row)| Record {
            batch: self,
            row,
            index,
        })
    }

    /// Number of resources.
    #[must_use]
    pub fn resource_count(&self) -> usize {
        self.resources.len()
    }

    /// Resource `i`.
    #[must_use]
    pub fn resource(&self, i: usize) -> Level<'_> {
        Level {
            batch: self,
            row: &self.resources[i],
        }
    }

    /// Resource `i`, to change it.
    pub fn resource_mut(&mut self, i: usize) -> LevelMut<'_> {
        LevelMut {
            batch: self,
            index: i,
            is_scope: false,
        }
    }

    /// Number of scopes.
    #[must_use]
    pub fn scope_count(&self) -> usize {
        self.scopes.len()
    }

    /// Scope `i`.
    #[must_use]
    pub fn scope(&self, i: usize) -> Level<'_> {
        Level {
            batch: self,
            row: &self.scopes[i],
        }
    }

    /// Scope `i`, to change it.
    pub fn scope_mut(&mut self, i: usize) -> LevelMut<'_> {
        LevelMut {
            batch: self,
            index: i,
            is_scope: true,
        }
    }

    /// Adds a resource with these attributes and one scope; records pushed from now on belong to it.
    pub fn push_scope(&mut self, resource: &[(&str, Value<'_>)], scope_name: &str) {
        let parent = self.resources.len() as u32;
        self.resources.push(LevelRow {
            present: true,
            dirty: true,
            ..LevelRow::ABSENT
        });
        self.scopes.push(LevelRow {
            present: true,
            dirty: true,
            parent,
            ..LevelRow::ABSENT
        });
        for (key, value) in resource {
            self.resource_mut(parent as usize).set(key, *value);
        }
        if !scope_name.is_empty() {
            let last = self.scopes.len() - 1;
            self.scope_mut(last).set_name(scope_name);
        }
    }

    /// Adds an empty log record to the last scope (an unnamed one if there is none) and returns it.
    ///
    /// # Panics
    /// In a batch of another signal.
    pub fn push_log(&mut self) -> RecordMut<'_> {
        assert_eq!(
            self.signal,
            Signal::Logs,
            "only a batch of logs takes log records"
        );
        if self.scopes.is_empty() {
            self.push_scope(&[], "");
        }
        let parent = (self.scopes.len() - 1) as u32;
        self.searched = 0;
        self.records.push(RecordRow {
            change: Change::Edited,
            ..RecordRow::new(RecordKind::Log, Text::EMPTY, parent)
        });
        let index = self.records.len() - 1;
        RecordMut { batch: self, index }
    }

    /// The marks for which every value of every record was searched: a record without such a mark holds nothing of it.
    #[must_use]
    pub fn searched(&self) -> u64 {
        self.searched
    }

    /// Says that every value of every record was searched for what these marks mean.
    pub fn set_searched(&mut self, marks: u64) {
        self.searched |= marks;
    }

    /// The request's bytes, for a scan to look at. They hold what edits took away: **never write them anywhere**.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Where record `i` stands in [`Batch::wire`], if it is as it arrived; `None` once it was built, changed or merged.
    #[must_use]
    pub fn span_in_wire(&self, i: usize) -> Option<Range<usize>> {
        let row = &self.records[i];
        (row.change == Change::None && !row.raw.is_side()).then(|| row.raw.range())
    }

    #[inline]
    pub(crate) fn bytes(&self, text: Text) -> &[u8] {
        if text.is_side() {
            &self.side[text.range()]
        } else {
            &self.wire[text.range()]
        }
    }

    #[inline]
    pub(crate) fn text(&self, text: Text) -> &str {
        checked_before(self.bytes(text))
    }

    // Where it is a call, its result goes through memory in pieces of other sizes than it is read in, which stalls.
    #[inline(always)]
    pub(crate) fn value(&self, cell: Cell) -> Value<'_> {
        match cell {
            Cell::Absent | Cell::Empty => Value::Empty,
            Cell::Str(text) => Value::Str(self.text(text)),
            Cell::Bool(truth) => Value::Bool(truth),
            Cell::Int(number) => Value::Int(number),
            Cell::Double(number) => Value::Double(number),
            Cell::Bytes(text) => Value::Bytes(self.bytes(text)),
            Cell::Array(text) => Value::Array(Array {
                raw: self.bytes(text),
            }),
            Cell::Map(text) => Value::Map(Map {
                raw: self.bytes(text),
            }),
        }
    }

    /// Copies bytes into the buffer of edits.
    ///
    /// # Panics
    /// When edits pass 2 GiB: receivers and processors bound what they write far below.
    pub(crate) fn keep(&mut self, bytes: &[u8]) -> Text {
        let start = self.side.len();
        assert!(
            start + bytes.len() <= MAX_BUFFER,
            "a batch's edits are bounded by 2 GiB"
        );
        self.side.extend_from_slice(bytes);
        Text::side(start, self.side.len())
    }

    /// A key in the buffer of edits: the one that stands there already, if it was added not long ago.
    fn keep_key(&mut self, key: &str) -> Text {
        let known = self.added.iter().find(|text| self.text(**text) == key);
        if let Some(known) = known {
            return *known;
        }
        let text = self.keep(key.as_bytes());
        if self.added.len() == MAX_ADDED {
            self.added.remove(0);
        }
        self.added.push(text);
        text
    }

    /// A row's cell with `value`'s content in the buffer of edits.
    pub(crate) fn keep_value(&mut self, value: Value<'_>) -> Cell {
        match value {
            Value::Empty => Cell::Empty,
            Value::Str(text) => Cell::Str(self.keep(text.as_bytes())),
            Value::Bool(truth) => Cell::Bool(truth),
            Value::Int(number) => Cell::Int(number),
            Value::Double(number) => Cell::Double(number),
            Value::Bytes(bytes) => Cell::Bytes(self.keep(bytes)),
            Value::Array(array) => Cell::Array(self.keep(array.raw)),
            Value::Map(map) => Cell::Map(self.keep(map.raw)),
        }
    }

    /// The scope of a record.
    #[inline]
    pub(crate) fn scope_of(&self, row: &RecordRow) -> usize {
        match row.kind {
            RecordKind::Log | RecordKind::Span => row.parent as usize,
            _ => self.metrics[row.parent as usize].scope as usize,
        }
    }

    /// Position of the attribute named `key` within `span`.
    #[inline]
    pub(crate) fn find(&self, span: Span, key: &str) -> Option<usize> {
        let rows = &self.attributes[span.range()];
        let at = rows
            .iter()
            .position(|a| a.key.len() == key.len() && is_same(self.bytes(a.key), key.as_bytes()))?;
        Some(span.start as usize + at)
    }

    /// Sets or adds an attribute of the owner of `span`. `has_spare` says whether the row behind them is the owner's, too.
    ///
    /// Without it a grown span moves to the end of the table, once: the next addition to the same owner finds it there.
    pub(crate) fn set_attribute(
        &mut self,
        mut span: Span,
        has_spare: bool,
        key: &str,
        value: Value<'_>,
    ) -> SetAttribute {
        let value = self.keep_value(value);
        if let Some(at) = self.find(span, key) {
            self.attributes[at].value = value;
            return SetAttribute {
                span,
                is_new: false,
            };
        }
        let key = self.keep_key(key);
        let attribute = Attribute { key, value };
        if has_spare {
            self.attributes[span.end as usize] = attribute;
        } else {
            if span.end as usize != self.attributes.len() {
                let start = self.attributes.len() as u32;
                self.attributes.extend_from_within(span.range());
                span = Span {
                    start,
                    end: self.attributes.len() as u32,
                };
            }
            self.attributes.push(attribute);
        }
        span.end += 1;
        SetAttribute { span, is_new: true }
    }

    /// Takes an attribute out of `span`, the others keep their order.
    pub(crate) fn remove_attribute(&mut self, mut span: Span, at: usize) -> Span {
        self.attributes.copy_within(at + 1..span.end as usize, at);
        span.end -= 1;
        span
    }
}

/// What became of an owner's attributes.
pub(crate) struct SetAttribute {
    pub(crate) span: Span,
    /// Whether there was none of that name: it is the last one now.
    pub(crate) is_new: bool,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the content: a batch may be formatted into a log line.
        f.debug_struct("Batch")
            .field("signal", &self.signal)
            .field("records", &self.records.len())
            .field("memory", &self.memory())
            .finish_non_exhaustive()
    }
}
