//! The walk that sees, and can change, every value of a batch. Only what changes is encoded again.

use crate::batch::Batch;
use crate::encode::copy_fields;
use crate::rows::{Attribute, Cell, Change, RecordKind, Span, Text};
use crate::schema::{self, Kind, Schema};
use crate::text::checked_before;
use crate::value::{Array, Map, key_value, put_key_and_value};
use crate::wire::{Reader, put_bytes, put_nested};
use crate::{Value, ValueBuf};

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A resource attribute, or a text of the resource itself (`schema_url`, an entity reference).
    Resource,
    /// A scope attribute, or a text of the scope itself: `scope.name`, `scope.version`, `schema_url`.
    Scope,
    /// A record attribute.
    Attribute,
    /// The body of a log record, or something in it. The body itself has the key `body`.
    Body,
    /// A text of the record itself, by its OTLP name: `severity_text`, `event_name`, `name`, `trace_state`,
    /// `status.message`, `description`, `unit`.
    Field,
    /// An attribute or a text of a span event, a span link, an exemplar or a metric's metadata.
    Inner,
}

/// What to do with a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Leave it; an array or a map is walked into.
    Keep,
    /// Leave it and everything in it.
    Skip,
    /// Put this in its place, without walking into it.
    Replace(ValueBuf),
    /// Take it out: an attribute, map entry or array item goes, a text becomes empty, a body becomes Empty.
    Remove,
}

/// Sees every key and every value of what it walks, outermost first.
pub trait Editor {
    /// A value under `key`: the nearest attribute's or map entry's key (an array's items have the array's). `depth` is
    /// 0 for the attribute or body itself, 1 for what lies in it, and so on.
    fn value(&mut self, place: Place, key: &str, depth: usize, value: Value<'_>) -> Edit;

    /// An attribute's or map entry's key, before its value. `Some(new)` renames it.
    fn key(&mut self, place: Place, key: &str, depth: usize) -> Option<String> {
        let _ = (place, key, depth);
        None
    }

    /// The end of an array or map that was walked into.
    fn leave(&mut self, place: Place, key: &str, depth: usize) {
        let _ = (place, key, depth);
    }
}

impl Batch {
    /// Shows `editor` every value of record `i`, without its resource, scope and metric.
    pub fn edit_record(&mut self, i: usize, editor: &mut dyn Editor) {
        let kind = self.records[i].kind;
        if kind == RecordKind::Log {
            self.edit_log(i, editor);
        } else {
            self.edit_fields_of_record(i, kind, editor);
        }
        let (attributes, changed) =
            self.edit_attributes(self.records[i].attributes, Place::Attribute, editor);
        let row = &mut self.records[i];
        row.attributes = attributes;
        if changed {
            row.change = Change::Edited;
        }
    }

    /// Shows `editor` every value of resource `i`.
    pub fn edit_resource(&mut self, i: usize, editor: &mut dyn Editor) {
        let row = self.resources[i];
        if let Some(url) = self.edit_text(Place::Resource, "schema_url", row.schema_url, editor) {
            self.resources[i].schema_url = url;
        }
        let (attributes, changed) = self.edit_attributes(row.attributes, Place::Resource, editor);
        let rewritten = edit_fields(
            &schema::RESOURCE,
            self.bytes(row.raw),
            "",
            Place::Resource,
            &|tag| tag == 1,
            editor,
        );
        let rewritten = rewritten.map(|raw| self.keep(&raw));
        let row = &mut self.resources[i];
        row.attributes = attributes;
        row.dirty |= changed || rewritten.is_some();
        row.raw = rewritten.unwrap_or(row.raw);
    }

    /// Shows `editor` every value of scope `i`.
    pub fn edit_scope(&mut self, i: usize, editor: &mut dyn Editor) {
        let row = self.scopes[i];
        if let Some(url) = self.edit_text(Place::Scope, "schema_url", row.schema_url, editor) {
            self.scopes[i].schema_url = url;
        }
        for (tag, key, text) in [
            (1, "scope.name", row.name),
            (2, "scope.version", row.version),
        ] {
            if let Some(new) = self.edit_text(Place::Scope, key, text, editor) {
                let new = self.text(new).to_owned();
                set_scope_text(self, i, tag, &new);
            }
        }
        let (attributes, changed) = self.edit_attributes(row.attributes, Place::Scope, editor);
        let row = &mut self.scopes[i];
        row.attributes = attributes;
        row.dirty |= changed;
    }

    /// Shows `editor` each metric's own values: name, description, unit, metadata. Nothing for other signals.
    pub fn edit_metrics(&mut self, editor: &mut dyn Editor) {
        let is_data = |tag| matches!(tag, 5 | 7 | 9 | 10 | 11);
        for i in 0..self.metrics.len() {
            let raw = self.metrics[i].raw;
            let Some(new) = edit_fields(
                &schema::METRIC,
                self.bytes(raw),
                "",
                Place::Field,
                &is_data,
                editor,
            ) else {
                continue;
            };
            let raw = self.keep(&new);
            let name = text_field(&new, 1).map_or(Text::EMPTY, |range| {
                Text::side(
                    raw.range().start + range.start,
                    raw.range().start + range.end,
                )
            });
            (self.metrics[i].raw, self.metrics[i].name) = (raw, name);
        }
    }

    fn edit_log(&mut self, i: usize, editor: &mut dyn Editor) {
        let row = self.records[i];
        if let Some(text) = self.edit_text(Place::Field, "severity_text", row.severity_text, editor)
        {
            (self.records[i].severity_text, self.records[i].change) = (text, Change::Edited);
        }
        if let Some(text) = self.edit_text(Place::Field, "event_name", row.name, editor) {
            (self.records[i].name, self.records[i].change) = (text, Change::Edited);
        }
        if row.body == Cell::Absent {
            return;
        }
        let body = match edit_value(Place::Body, "body", 0, self.value(row.body), editor) {
            Outcome::Keep => return,
            Outcome::Replace(new) => self.keep_value(new.as_value()),
            Outcome::Remove => Cell::Empty,
        };
        (self.records[i].body, self.records[i].change) = (body, Change::Edited);
    }

    /// The fields of a span or a data point, other than its attributes.
    fn edit_fields_of_record(&mut self, i: usize, kind: RecordKind, editor: &mut dyn Editor) {
        let raw = self.records[i].raw;
        let is_attribute = |tag| tag == kind.attributes_tag();
        let Some(new) = edit_fields(
            kind.schema(),
            self.bytes(raw),
            "",
            Place::Field,
            &is_attribute,
            editor,
        ) else {
            return;
        };
        let raw = self.keep(&new);
        if kind == RecordKind::Span {
            self.records[i].name = text_field(&new, 5).map_or(Text::EMPTY, |r| {
                Text::side(raw.range().start + r.start, raw.range().start + r.end)
            });
        }
        (self.records[i].raw, self.records[i].change) = (raw, Change::Edited);
    }

    fn edit_text(
        &mut self,
        place: Place,
        key: &str,
        text: Text,
        editor: &mut dyn Editor,
    ) -> Option<Text> {
        if text.is_empty() {
            return None;
        }
        match editor.value(place, key, 0, Value::Str(self.text(text))) {
            Edit::Keep | Edit::Skip => None,
            Edit::Replace(new) => Some(self.keep(new.as_value().to_text().as_bytes())),
            Edit::Remove => Some(Text::EMPTY),
        }
    }

    fn edit_attributes(
        &mut self,
        span: Span,
        place: Place,
        editor: &mut dyn Editor,
    ) -> (Span, bool) {
        let mut changed = false;
        let mut kept = span.start as usize;
        for at in span.range() {
            let Attribute { mut key, mut value } = self.attributes[at];
            let name = self.text(key);
            let renamed = editor.key(place, name, 0);
            let outcome = edit_value(place, name, 0, self.value(value), editor);
            changed |= renamed.is_some() || !matches!(outcome, Outcome::Keep);
            match outcome {
                Outcome::Keep => {}
                Outcome::Replace(new) => value = self.keep_value(new.as_value()),
                Outcome::Remove => continue,
            }
            if let Some(new) = renamed {
                key = self.keep(new.as_bytes());
            }
            self.attributes[kept] = Attribute { key, value };
            kept += 1;
        }
        (
            Span {
                start: span.start,
                end: kept as u32,
            },
            changed,
        )
    }
}

/// Sets a scope's name (tag 1) or version (tag 2).
pub(crate) fn set_scope_text(batch: &mut Batch, index: usize, tag: u32, text: &str) {
    let row = batch.scopes[index];
    let mut raw = Vec::new();
    if !text.is_empty() {
        put_bytes(&mut raw, tag, text.as_bytes());
    }
    copy_fields(batch.bytes(row.raw), &mut raw, |t| t != tag && t != 3);
    let raw = batch.keep(&raw);
    let text = batch.keep(text.as_bytes());
    let row = &mut batch.scopes[index];
    (row.present, row.dirty, row.raw) = (true, true, raw);
    if tag == 1 {
        row.name = text
    } else {
        row.version = text
    }
}

enum Outcome {
    Keep,
    Replace(ValueBuf),
    Remove,
}

/// Shows one value, and what lies in it. The recursion is as deep as decoding allows values to nest: 100 messages.
fn edit_value(
    place: Place,
    key: &str,
    depth: usize,
    value: Value<'_>,
    editor: &mut dyn Editor,
) -> Outcome {
    match editor.value(place, key, depth, value) {
        Edit::Skip => return Outcome::Keep,
        Edit::Replace(new) => return Outcome::Replace(new),
        Edit::Remove => return Outcome::Remove,
        Edit::Keep => {}
    }
    let new = match value {
        Value::Array(array) => {
            let new = edit_entries(array.raw, &mut |item| match edit_value(
                place,
                key,
                depth + 1,
                Value::from_raw(item),
                editor,
            ) {
                Outcome::Keep => Entry::Keep,
                Outcome::Replace(new) => Entry::Replace(value_bytes(&new)),
                Outcome::Remove => Entry::Remove,
            });
            editor.leave(place, key, depth);
            new.map(|raw| ValueBuf::new(Value::Array(Array { raw: &raw })))
        }
        Value::Map(map) => {
            let new = edit_entries(map.raw, &mut |entry| {
                edit_key_value(place, depth + 1, entry, editor)
            });
            editor.leave(place, key, depth);
            new.map(|raw| ValueBuf::new(Value::Map(Map { raw: &raw })))
        }
        _ => None,
    };
    new.map_or(Outcome::Keep, Outcome::Replace)
}

/// Shows the content of one `KeyValue`.
fn edit_key_value(place: Place, depth: usize, raw: &[u8], editor: &mut dyn Editor) -> Entry {
    let (key, value) = key_value(raw);
    let renamed = editor.key(place, key, depth);
    let new = match edit_value(place, key, depth, value, editor) {
        Outcome::Keep if renamed.is_none() => return Entry::Keep,
        Outcome::Keep => ValueBuf::new(value),
        Outcome::Replace(new) => new,
        Outcome::Remove => return Entry::Remove,
    };
    let mut out = Vec::new();
    put_key_and_value(
        &mut out,
        renamed.as_deref().unwrap_or(key),
        Some(new.as_value()),
    );
    Entry::Replace(out)
}

/// What becomes of one entry of a repeated message field.
enum Entry {
    Keep,
    Replace(Vec<u8>),
    Remove,
}

/// Goes through the repeated field 1 of an `ArrayValue` or `KeyValueList`; `None` when nothing changed.
fn edit_entries(raw: &[u8], edit: &mut dyn FnMut(&[u8]) -> Entry) -> Option<Vec<u8>> {
    let mut changes = Changes::default();
    let mut reader = Reader::new(raw, 0, raw.len());
    while !reader.is_empty() {
        let start = reader.pos;
        let Ok(content) = reader.key().and_then(|_| reader.bytes()) else {
            break;
        };
        match edit(content) {
            Entry::Keep => {}
            Entry::Replace(new) => {
                changes.replace(start..reader.pos, |out| put_bytes(out, 1, &new))
            }
            Entry::Remove => changes.replace(start..reader.pos, |_| {}),
        }
    }
    changes.apply(raw, &|_| false)
}

/// Goes through a message by its schema, all but the fields that `skipped` names (which a rewritten message lacks).
fn edit_fields(
    schema: &Schema,
    raw: &[u8],
    prefix: &str,
    place: Place,
    skipped: &dyn Fn(u32) -> bool,
    editor: &mut dyn Editor,
) -> Option<Vec<u8>> {
    let mut changes = Changes::default();
    let mut reader = Reader::new(raw, 0, raw.len());
    while !reader.is_empty() {
        let start = reader.pos;
        let Ok((tag, wire)) = reader.key() else { break };
        let field = schema.field(tag).filter(|_| !skipped(tag));
        match field.map(|f| (f, f.kind)) {
            Some((field, Kind::Str)) => {
                let Ok(text) = reader.bytes() else { break };
                let key: &str = &if prefix.is_empty() {
                    field.snake.to_owned()
                } else {
                    format!("{prefix}.{}", field.snake)
                };
                match editor.value(place, key, 0, Value::Str(checked_before(text))) {
                    Edit::Keep | Edit::Skip => {}
                    Edit::Replace(new) => {
                        changes.replace(start..reader.pos, |out| {
                            put_bytes(out, tag, new.as_value().to_text().as_bytes())
                        });
                    }
                    Edit::Remove => changes.replace(start..reader.pos, |_| {}),
                }
            }
            Some((_, Kind::Message(inner))) => {
                let Ok(content) = reader.bytes() else { break };
                let entry = if std::ptr::eq(inner, &schema::KEY_VALUE) {
                    edit_key_value(Place::Inner, 0, content, editor)
                } else {
                    let (prefix, place) = if std::ptr::eq(inner, &schema::SPAN_STATUS) {
                        ("status", place)
                    } else {
                        ("", Place::Inner)
                    };
                    edit_fields(inner, content, prefix, place, &|_| false, editor)
                        .map_or(Entry::Keep, Entry::Replace)
                };
                match entry {
                    Entry::Keep => {}
                    Entry::Replace(new) => changes.replace(start..reader.pos, |out| {
                        put_nested(out, tag, new.len(), |out| out.extend_from_slice(&new))
                    }),
                    Entry::Remove => changes.replace(start..reader.pos, |_| {}),
                }
            }
            _ => {
                if reader.skip(tag, wire, u32::MAX).is_err() {
                    break;
                }
            }
        }
    }
    changes.apply(raw, skipped)
}

/// Stretches of a message with what stands there instead.
#[derive(Default)]
struct Changes(Vec<(std::ops::Range<usize>, Vec<u8>)>);

impl Changes {
    fn replace(&mut self, stretch: std::ops::Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut new = Vec::new();
        write(&mut new);
        self.0.push((stretch, new));
    }

    /// The message with its changes, without the fields that `skipped` names; `None` without a change.
    fn apply(self, raw: &[u8], skipped: &dyn Fn(u32) -> bool) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(raw.len());
        let mut at = 0;
        for (stretch, new) in self.0 {
            copy_fields(&raw[at..stretch.start], &mut out, |tag| !skipped(tag));
            out.extend_from_slice(&new);
            at = stretch.end;
        }
        copy_fields(&raw[at..], &mut out, |tag| !skipped(tag));
        Some(out)
    }
}

/// Where the text of field `tag` stands in a canonical message.
fn text_field(raw: &[u8], tag: u32) -> Option<std::ops::Range<usize>> {
    let mut reader = Reader::new(raw, 0, raw.len());
    while !reader.is_empty() {
        let (found, wire) = reader.key().ok()?;
        if found == tag {
            return reader.delimited().ok().map(|(start, end)| start..end);
        }
        reader.skip(found, wire, u32::MAX).ok()?;
    }
    None
}

fn value_bytes(value: &ValueBuf) -> Vec<u8> {
    let value = value.as_value();
    let mut out = Vec::with_capacity(value.encoded_len());
    value.encode(&mut out);
    out
}

/// The varint field `tag` of a canonical message; 0 without one.
pub(crate) fn number_field(raw: &[u8], tag: u32) -> u64 {
    let mut reader = Reader::new(raw, 0, raw.len());
    while !reader.is_empty() {
        let Ok((found, wire)) = reader.key() else {
            break;
        };
        if found == tag {
            return reader.varint().unwrap_or_default();
        }
        if reader.skip(found, wire, u32::MAX).is_err() {
            break;
        }
    }
    0
}
