//! The rows of a batch: plain data, spans instead of strings.

use crate::schema::{self, Schema};

/// A stretch of one of a batch's two buffers: `wire` (the request) or `side` (edits).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    /// Offset; the top bit says `side`.
    start: u32,
    len: u32,
}

const SIDE: u32 = 1 << 31;
/// The largest buffer that rows can point into: 2 GiB.
pub(crate) const MAX_BUFFER: usize = SIDE as usize - 1;

impl Text {
    pub(crate) const EMPTY: Self = Self { start: 0, len: 0 };

    /// A stretch of the request.
    #[inline]
    pub(crate) fn wire(start: usize, end: usize) -> Self {
        debug_assert!(end <= MAX_BUFFER);
        Self {
            start: start as u32,
            len: (end - start) as u32,
        }
    }

    /// A stretch of the buffer of edits.
    #[inline]
    pub(crate) fn side(start: usize, end: usize) -> Self {
        debug_assert!(end <= MAX_BUFFER);
        Self {
            start: start as u32 | SIDE,
            len: (end - start) as u32,
        }
    }

    #[inline]
    pub(crate) fn is_side(self) -> bool {
        self.start & SIDE != 0
    }

    #[inline]
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        let start = (self.start & !SIDE) as usize;
        start..start + self.len as usize
    }

    #[inline]
    pub(crate) fn len(self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The whole of it, to tell two apart.
    #[inline]
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.start) | u64::from(self.len) << 32
    }
}

/// An attribute's or a body's value. 16 bytes: a word that tells which, and a word. Were the tag a byte, the compiler would
/// move the rest in pieces that begin beside it, and reading what was just written in other pieces stalls.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u64)]
pub(crate) enum Cell {
    /// No `AnyValue` at all.
    Absent,
    /// An `AnyValue` without a value.
    Empty,
    Str(Text),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Text),
    /// The content of an `ArrayValue`.
    Array(Text),
    /// The content of a `KeyValueList`.
    Map(Text),
}

/// One attribute. 24 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute {
    pub(crate) key: Text,
    pub(crate) value: Cell,
}

impl Attribute {
    /// What stands in a row that nobody uses.
    pub(crate) const SPARE: Self = Self {
        key: Text::EMPTY,
        value: Cell::Absent,
    };
}

/// A range of `Batch::attributes`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    #[inline]
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A resource or a scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevelRow {
    /// Whether the message was there at all.
    pub(crate) present: bool,
    /// Whether `attributes` differ from what `raw` holds.
    pub(crate) dirty: bool,
    /// The content of the `Resource` or `InstrumentationScope`. When dirty its attribute fields are stale.
    pub(crate) raw: Text,
    pub(crate) attributes: Span,
    /// Scopes only.
    pub(crate) name: Text,
    /// Scopes only.
    pub(crate) version: Text,
    pub(crate) schema_url: Text,
    /// A scope's resource; 0 for a resource.
    pub(crate) parent: u32,
}

/// A metric, which its data points share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricRow {
    pub(crate) scope: u32,
    pub(crate) name: Text,
    /// The content of the `Metric`; the field of its data is left out on writing.
    pub(crate) raw: Text,
    /// The field of the data in use (5 gauge, 7 sum, …), 0 without any.
    pub(crate) data_tag: u32,
    /// The content of that data; its points are left out on writing.
    pub(crate) data: Text,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Log,
    Span,
    Number,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl RecordKind {
    /// The message type of a record of this kind.
    pub(crate) fn schema(self) -> &'static Schema {
        match self {
            Self::Log => &schema::LOG_RECORD,
            Self::Span => &schema::SPAN,
            Self::Number => &schema::NUMBER_DATA_POINT,
            Self::Histogram => &schema::HISTOGRAM_DATA_POINT,
            Self::ExponentialHistogram => &schema::EXPONENTIAL_HISTOGRAM_DATA_POINT,
            Self::Summary => &schema::SUMMARY_DATA_POINT,
        }
    }

    /// The field number of the attributes.
    pub(crate) fn attributes_tag(self) -> u32 {
        match self {
            Self::Log => 6,
            Self::Span | Self::Histogram => 9,
            Self::Number | Self::Summary => 7,
            Self::ExponentialHistogram => 1,
        }
    }
}

/// How far a record is from its `raw`, and with that, how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Not at all: `raw` is copied.
    None,
    /// By so many attributes, the last ones: `raw` is copied and they are put behind it, where a repeated field may
    /// stand. What tags records does no more than this. Whatever takes something away must end it: `raw` still has it.
    Added(u16),
    /// In some other way: a log record is written from its rows alone, a span or a point from the fields of `raw` other
    /// than its attributes, which come from the rows.
    Edited,
}

impl Change {
    /// What it is after one more attribute.
    pub(crate) fn and_added(self) -> Self {
        let added = match self {
            Self::None => Some(1),
            Self::Added(count) => count.checked_add(1),
            Self::Edited => None,
        };
        added.map_or(Self::Edited, Self::Added)
    }
}

/// A log record, a span or a data point. About 128 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordRow {
    pub(crate) kind: RecordKind,
    pub(crate) change: Change,
    pub(crate) raw: Text,
    /// The scope of a log record or a span; the metric of a data point.
    pub(crate) parent: u32,
    pub(crate) attributes: Span,
    /// Whether the row behind its attributes is its own, too, and free: a record that is tagged stays where it is.
    pub(crate) has_spare: bool,
    pub(crate) marks: u64,
    pub(crate) time: u64,
    pub(crate) observed: u64,
    pub(crate) severity_number: i32,
    pub(crate) flags: u32,
    pub(crate) dropped: u32,
    pub(crate) severity_text: Text,
    /// Event name of a log record, name of a span.
    pub(crate) name: Text,
    pub(crate) body: Cell,
    pub(crate) trace_id: Text,
    pub(crate) span_id: Text,
}

impl RecordRow {
    pub(crate) fn new(kind: RecordKind, raw: Text, parent: u32) -> Self {
        Self {
            kind,
            change: Change::None,
            raw,
            parent,
            attributes: Span::default(),
            has_spare: false,
            marks: 0,
            time: 0,
            observed: 0,
            severity_number: 0,
            flags: 0,
            dropped: 0,
            severity_text: Text::default(),
            name: Text::default(),
            body: Cell::Absent,
            trace_id: Text::default(),
            span_id: Text::default(),
        }
    }

    /// The last attributes.
    pub(crate) fn last_attributes(&self, count: u16) -> Span {
        Span {
            start: self.attributes.end - u32::from(count),
            ..self.attributes
        }
    }
}
