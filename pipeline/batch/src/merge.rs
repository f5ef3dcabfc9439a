//! Dropping records, cutting batches apart and putting them together.

use std::ops::Range;

use crate::batch::Batch;
use crate::encode::copy_fields;
use crate::record::Record;
use crate::rows::{Attribute, Cell, Change, LevelRow, RecordKind, RecordRow, Span, Text};

/// A batch keeps its request alive as long as at least one in this many of its bytes is in use.
const WORTH_KEEPING: usize = 4;

impl Batch {
    /// Keeps the records for which `keep` holds. Resources and scopes left without a record are not written out, and a
    /// batch that keeps few of its bytes lets the request go.
    pub fn retain(&mut self, mut keep: impl FnMut(Record<'_>) -> bool) {
        let keeps: Vec<bool> = self.records().map(&mut keep).collect();
        if keeps.iter().all(|k| *k) {
            return;
        }
        let mut keeps = keeps.into_iter();
        self.records.retain(|_| keeps.next().unwrap_or(true));
        self.pruned = true;
        if self.live_bytes(0..self.len()) * WORTH_KEEPING < self.wire.len() {
            *self = self.slice(0..self.len());
        }
    }

    /// A batch of these records, with their resources, scopes and marks. It shares the request's bytes, or copies what
    /// it needs when that is less than a quarter of them.
    ///
    /// # Panics
    /// Past the end, as a slice does.
    #[must_use]
    pub fn slice(&self, records: Range<usize>) -> Self {
        self.slices(&[records])
    }

    /// [`Batch::slice`] of several ranges, one after another.
    ///
    /// # Panics
    /// Past the end, as a slice does.
    #[must_use]
    pub fn slices(&self, records: &[Range<usize>]) -> Self {
        let live: usize = records.iter().map(|r| self.live_bytes(r.clone())).sum();
        let mut part = Self::new(self.signal());
        part.searched = self.searched;
        part.sender = self.sender.clone();
        let copies_wire = live * WORTH_KEEPING < self.wire.len();
        if !copies_wire {
            part.wire = self.wire.clone();
        }
        let mut copy = Copier {
            from: self,
            to: part,
            copies_wire,
            anchor: None,
            before: Default::default(),
        };
        let (mut resource, mut scope, mut metric) = (usize::MAX, usize::MAX, usize::MAX);
        for row in records.iter().flat_map(|r| &self.records[r.clone()]) {
            let new_scope = self.scope_of(row);
            if new_scope != scope {
                scope = new_scope;
                let new_resource = self.scopes[scope].parent as usize;
                if new_resource != resource {
                    resource = new_resource;
                    let level = copy.level(&self.resources[resource], 0);
                    copy.to.resources.push(level);
                }
                let parent = copy.to.resources.len() as u32 - 1;
                let level = copy.level(&self.scopes[scope], parent);
                copy.to.scopes.push(level);
            }
            let mut parent = copy.to.scopes.len() as u32 - 1;
            if !matches!(row.kind, RecordKind::Log | RecordKind::Span) {
                if row.parent as usize != metric {
                    metric = row.parent as usize;
                    let mut new = self.metrics[metric];
                    // The points stand in `raw` and `data`; what else is there is all that the writer reads.
                    let (mut raw, mut data) = (Vec::new(), Vec::new());
                    copy_fields(self.bytes(new.raw), &mut raw, |tag| {
                        !matches!(tag, 5 | 7 | 9 | 10 | 11)
                    });
                    copy_fields(self.bytes(new.data), &mut data, |tag| tag != 1);
                    (new.raw, new.data, new.scope) =
                        (copy.to.keep(&raw), copy.to.keep(&data), parent);
                    new.name = copy.text(new.name);
                    copy.to.metrics.push(new);
                }
                parent = copy.to.metrics.len() as u32 - 1;
            }
            let row = copy.record(row, parent);
            copy.to.records.push(row);
        }
        copy.to
    }

    /// Appends all records of `other`, a batch of the same signal.
    ///
    /// # Panics
    /// On another signal, and when both together pass 2 GiB.
    pub fn append(&mut self, other: &Self) {
        assert_eq!(
            self.signal(),
            other.signal(),
            "batches of different signals do not merge"
        );
        if self.resources.is_empty() {
            *self = other.clone();
            return;
        }
        let wire = self.keep(&other.wire).range().start;
        let side = self.keep(&other.side).range().start;
        let text = |t: Text| {
            if t.is_empty() {
                return Text::EMPTY;
            }
            let range = t.range();
            let shift = if t.is_side() { side } else { wire };
            Text::side(range.start + shift, range.end + shift)
        };
        let first_attribute = self.attributes.len() as u32;
        let span = |s: Span| Span {
            start: s.start + first_attribute,
            end: s.end + first_attribute,
        };
        let (first_resource, first_scope, first_metric) = (
            self.resources.len() as u32,
            self.scopes.len() as u32,
            self.metrics.len() as u32,
        );
        let level = |row: &LevelRow, shift: u32| LevelRow {
            raw: text(row.raw),
            name: text(row.name),
            version: text(row.version),
            schema_url: text(row.schema_url),
            attributes: span(row.attributes),
            parent: row.parent + shift,
            ..*row
        };
        self.attributes
            .extend(other.attributes.iter().map(|a| Attribute {
                key: text(a.key),
                value: map_cell(a.value, &mut |t| text(t)),
            }));
        self.resources
            .extend(other.resources.iter().map(|row| level(row, 0)));
        self.scopes
            .extend(other.scopes.iter().map(|row| level(row, first_resource)));
        self.metrics.extend(other.metrics.iter().map(|m| {
            let mut new = *m;
            (new.scope, new.name, new.raw, new.data) = (
                m.scope + first_scope,
                text(m.name),
                text(m.raw),
                text(m.data),
            );
            new
        }));
        self.records
            .extend(other.records.iter().map(|row| RecordRow {
                raw: text(row.raw),
                attributes: span(row.attributes),
                parent: row.parent
                    + if matches!(row.kind, RecordKind::Log | RecordKind::Span) {
                        first_scope
                    } else {
                        first_metric
                    },
                severity_text: text(row.severity_text),
                name: text(row.name),
                body: map_cell(row.body, &mut |t| text(t)),
                trace_id: text(row.trace_id),
                span_id: text(row.span_id),
                ..*row
            }));
        self.pruned |= other.pruned;
        self.searched &= other.searched;
        // Of two requests' records nobody can say any more who sent which.
        self.sender = None;
    }

    fn live_bytes(&self, records: Range<usize>) -> usize {
        self.records[records].iter().map(|row| row.raw.len()).sum()
    }
}

fn map_cell(cell: Cell, text: &mut dyn FnMut(Text) -> Text) -> Cell {
    match cell {
        Cell::Str(t) => Cell::Str(text(t)),
        Cell::Bytes(t) => Cell::Bytes(text(t)),
        Cell::Array(t) => Cell::Array(text(t)),
        Cell::Map(t) => Cell::Map(text(t)),
        scalar => scalar,
    }
}

/// Copies rows into another batch, and the bytes that they point to.
struct Copier<'b> {
    from: &'b Batch,
    to: Batch,
    copies_wire: bool,
    /// A stretch that was copied just now and where it went: texts inside it need no copy of their own.
    anchor: Option<(Text, usize)>,
    /// The attributes that were copied before, and where they went: neighbours share the bytes of their keys.
    before: (Span, Span),
}

impl Copier<'_> {
    fn text(&mut self, text: Text) -> Text {
        if text.is_empty() {
            return Text::EMPTY;
        }
        if !text.is_side() && !self.copies_wire {
            return text;
        }
        if let Some((anchor, start)) = self.anchor {
            let (outer, inner) = (anchor.range(), text.range());
            if anchor.is_side() == text.is_side()
                && outer.start <= inner.start
                && inner.end <= outer.end
            {
                let start = start + inner.start - outer.start;
                return Text::side(start, start + inner.len());
            }
        }
        self.to.keep(self.from.bytes(text))
    }

    /// Copies `raw` and makes it the anchor of the texts that follow.
    fn anchor(&mut self, raw: Text) -> Text {
        self.anchor = None;
        let new = self.text(raw);
        if new.is_side() {
            self.anchor = Some((raw, new.range().start));
        }
        new
    }

    fn attributes(&mut self, span: Span) -> Span {
        let from = self.from;
        let start = self.to.attributes.len() as u32;
        let (theirs, ours) = self.before;
        for (at, attribute) in from.attributes[span.range()].iter().enumerate() {
            let before = from.attributes[theirs.range()].get(at);
            let key = if before.is_some_and(|before| before.key == attribute.key) {
                self.to.attributes[ours.range()][at].key
            } else {
                self.text(attribute.key)
            };
            let value = map_cell(attribute.value, &mut |t| self.text(t));
            self.to.attributes.push(Attribute { key, value });
        }
        let copied = Span {
            start,
            end: self.to.attributes.len() as u32,
        };
        self.before = (span, copied);
        copied
    }

    fn level(&mut self, row: &LevelRow, parent: u32) -> LevelRow {
        let raw = self.anchor(row.raw);
        LevelRow {
            raw,
            name: self.text(row.name),
            version: self.text(row.version),
            schema_url: self.text(row.schema_url),
            attributes: self.attributes(row.attributes),
            parent,
            ..*row
        }
    }

    fn record(&mut self, row: &RecordRow, parent: u32) -> RecordRow {
        // An edited log record is written from its rows alone: what `raw` held may be what an edit took away.
        let raw = if row.change == Change::Edited && row.kind == RecordKind::Log {
            Text::EMPTY
        } else {
            row.raw
        };
        let raw = self.anchor(raw);
        RecordRow {
            raw,
            parent,
            attributes: self.attributes(row.attributes),
            has_spare: false,
            severity_text: self.text(row.severity_text),
            name: self.text(row.name),
            body: map_cell(row.body, &mut |t| self.text(t)),
            trace_id: self.text(row.trace_id),
            span_id: self.text(row.span_id),
            ..*row
        }
    }
}
