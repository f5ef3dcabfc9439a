//! Rewrites a checked message into its canonical form: what `prost` would hold after decoding it, and nothing else.
//!
//! Two encodings of one singular message merge by concatenation (the protobuf rule), so a message is read as a list of
//! parts and merging needs neither a tree nor a copy.

use crate::schema::{Kind, Label, Schema};
use crate::wire::{Reader, kind, put_bytes, put_key, put_nested};

/// Appends the canonical form of the message that `parts` make together; [`crate::check::message`] has accepted each.
///
/// Unknown fields, and fields that only profiles use, are left out. Memory: `out`, and 16 bytes for each occurrence of
/// a singular message field.
pub(crate) fn message(schema: &Schema, parts: &[&[u8]], out: &mut Vec<u8>) {
    let mut slots: Vec<Slot<'_>> = schema.fields.iter().map(|_| Slot::Absent).collect();
    for part in parts {
        let mut reader = Reader::new(part, 0, part.len());
        while !reader.is_empty() {
            // The part was checked: errors cannot happen, and would only end it early.
            let Ok((tag, wire)) = reader.key() else { break };
            let start = reader.pos;
            if reader.skip(tag, wire, u32::MAX).is_err() {
                break;
            }
            let value = &part[start..reader.pos];
            let Some(index) = schema.fields.iter().position(|f| f.tag == tag) else {
                continue;
            };
            let field = &schema.fields[index];
            if field.label == Label::OneOf {
                for (slot, other) in slots.iter_mut().zip(schema.fields) {
                    if other.label == Label::OneOf && other.tag != tag {
                        *slot = Slot::Absent;
                    }
                }
            }
            match (field.kind, field.label) {
                (Kind::Message(inner), Label::Repeated) => {
                    let content = content(value);
                    put_nested(out, tag, content.len(), |out| {
                        message(inner, &[content], out)
                    });
                }
                (Kind::Message(_), _) => match &mut slots[index] {
                    Slot::Parts(parts) => parts.push(content(value)),
                    slot => *slot = Slot::Parts(vec![content(value)]),
                },
                (Kind::Str | Kind::Bytes | Kind::Id, Label::Repeated) => {
                    put_bytes(out, tag, content(value))
                }
                (_, Label::Repeated) => {
                    if let Slot::Absent = slots[index] {
                        slots[index] = Slot::Packed(Vec::new());
                    }
                    if let Slot::Packed(run) = &mut slots[index] {
                        run.extend_from_slice(if wire == kind::LEN {
                            content(value)
                        } else {
                            value
                        });
                    }
                }
                (Kind::Ignored, _) => slots[index] = Slot::Absent,
                (..) => slots[index] = Slot::Value(wire, value),
            }
        }
    }
    for (slot, field) in slots.iter().zip(schema.fields) {
        match (slot, field.kind) {
            (Slot::Value(wire, value), _) => {
                put_key(out, field.tag, *wire);
                out.extend_from_slice(value);
            }
            (Slot::Packed(run), _) if !run.is_empty() => put_bytes(out, field.tag, run),
            (Slot::Parts(parts), Kind::Message(inner)) => {
                let hint = parts.iter().map(|p| p.len()).sum();
                put_nested(out, field.tag, hint, |out| message(inner, parts, out));
            }
            _ => {}
        }
    }
}

/// What is known so far of one field.
enum Slot<'a> {
    Absent,
    /// A scalar's wire type and its bytes after the key, length included.
    Value(u32, &'a [u8]),
    /// The contents of every occurrence of a singular message.
    Parts(Vec<&'a [u8]>),
    /// Packed numbers.
    Packed(Vec<u8>),
}

/// The content of a length-delimited value.
fn content(value: &[u8]) -> &[u8] {
    Reader::new(value, 0, value.len())
        .bytes()
        .unwrap_or_default()
}

/// [`message`] for one whole message, as a new buffer.
pub(crate) fn rewrite(schema: &Schema, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    message(schema, &[input], &mut out);
    out
}
