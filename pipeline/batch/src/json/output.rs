//! Protobuf to OTLP/JSON: lowerCamelCase keys, 64-bit integers as decimal strings, ids in hex, enums as numbers.

use super::text::{write_base64, write_double, write_hex, write_integer, write_utf8};
use crate::schema::{Field, Kind, Label, Schema};
use crate::wire::{DEPTH_LIMIT, Malformed, Reader, kind};

/// Appends a message as an OTLP/JSON object. `wire` is canonical protobuf that was checked before.
///
/// Default values are left out; members of a oneof, optional numbers and sub-messages are written whenever they are
/// there. A message that is nothing but a list always shows it (`{"values":[]}`), which readers with required fields
/// expect. What is not canonical never panics: an unknown field is left out, and the first one of a repeated singular
/// field wins.
pub(crate) fn from_protobuf(schema: &'static Schema, wire: &[u8], out: &mut Vec<u8>) {
    message(schema, wire, DEPTH_LIMIT, out);
}

fn message(schema: &'static Schema, wire: &[u8], depth: u32, out: &mut Vec<u8>) {
    out.push(b'{');
    let start = out.len();
    let mut written = 0u32;
    let mut reader = Reader::new(wire, 0, wire.len());
    while let Some((tag, wire_type, at)) = next(&mut reader) {
        let Some(field) = schema.field(tag) else {
            continue;
        };
        if written & 1 << tag != 0 || matches!(field.kind, Kind::Ignored) {
            continue;
        }
        written |= 1 << tag;
        let before = out.len();
        write_key(field, start, out);
        let is_kept = if field.label == Label::Repeated {
            list(field, wire_type, at, reader, depth, out);
            true
        } else {
            let mut at = at;
            let is_default = value(field, &mut at, depth, out).unwrap_or(true);
            !(is_default && field.label == Label::Single)
        };
        if !is_kept {
            out.truncate(before);
        }
    }
    if let [only] = schema.fields
        && only.label == Label::Repeated
        && written == 0
    {
        write_key(only, start, out);
        out.extend_from_slice(b"[]");
    }
    out.push(b'}');
}

/// The next field's tag, wire type and content; `None` at the end.
fn next<'a>(reader: &mut Reader<'a>) -> Option<(u32, u32, Reader<'a>)> {
    if reader.is_empty() {
        return None;
    }
    let (tag, wire_type) = reader.key().ok()?;
    let at = *reader;
    reader.skip(tag, wire_type, DEPTH_LIMIT).ok()?;
    Some((tag, wire_type, at))
}

fn write_key(field: &Field, start: usize, out: &mut Vec<u8>) {
    if out.len() > start {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(field.json.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Writes every occurrence of a repeated field: the one at `at`, and those in what follows it.
fn list<'a>(
    field: &'static Field,
    wire_type: u32,
    at: Reader<'a>,
    mut rest: Reader<'a>,
    depth: u32,
    out: &mut Vec<u8>,
) {
    out.push(b'[');
    let start = out.len();
    let mut occurrence = Some((field.tag, wire_type, at));
    while let Some((tag, wire_type, mut at)) = occurrence {
        if tag == field.tag {
            let _ = elements(field, wire_type, &mut at, start, depth, out);
        }
        occurrence = next(&mut rest);
    }
    out.push(b']');
}

/// Writes the one element of an occurrence, or all elements of a packed one.
fn elements(
    field: &'static Field,
    wire_type: u32,
    at: &mut Reader<'_>,
    start: usize,
    depth: u32,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let is_packed = wire_type == kind::LEN
        && !matches!(
            field.kind,
            Kind::Message(_) | Kind::Str | Kind::Bytes | Kind::Id
        );
    if !is_packed {
        if out.len() > start {
            out.push(b',');
        }
        return value(field, at, depth, out).map(drop);
    }
    let content = at.bytes()?;
    let mut numbers = Reader::new(content, 0, content.len());
    while !numbers.is_empty() {
        if out.len() > start {
            out.push(b',');
        }
        value(field, &mut numbers, depth, out)?;
    }
    Ok(())
}

/// Writes one value; says whether it is its type's default.
fn value(
    field: &'static Field,
    at: &mut Reader<'_>,
    depth: u32,
    out: &mut Vec<u8>,
) -> Result<bool, Malformed> {
    Ok(match field.kind {
        Kind::Bool => {
            let set = at.varint()? != 0;
            out.extend_from_slice(if set { b"true" } else { b"false" });
            !set
        }
        Kind::Uint32 => number(at.varint()? as u32, out),
        Kind::Enum(_) | Kind::Ignored => number(at.varint()? as i32, out),
        Kind::Sint32 => {
            let bits = at.varint()? as u32;
            number((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed(), out)
        }
        Kind::Fixed32 => number(at.fixed32()?, out),
        Kind::Uint64 => quoted(at.varint()?, out),
        Kind::Int64 => quoted(at.varint()?.cast_signed(), out),
        Kind::Fixed64 => quoted(at.fixed64()?, out),
        Kind::Sfixed64 => quoted(at.fixed64()?.cast_signed(), out),
        Kind::Double => {
            let bits = at.fixed64()?;
            write_double(f64::from_bits(bits), out);
            bits == 0
        }
        Kind::Str => {
            let text = at.bytes()?;
            write_utf8(text, out);
            text.is_empty()
        }
        Kind::Bytes => {
            let bytes = at.bytes()?;
            write_base64(bytes, out);
            bytes.is_empty()
        }
        Kind::Id => {
            let id = at.bytes()?;
            write_hex(id, out);
            id.is_empty()
        }
        Kind::Message(schema) => {
            let content = at.bytes()?;
            // Checked messages never get here with 0; the bound keeps unchecked ones off the end of the stack.
            message(
                schema,
                if depth == 0 { b"" } else { content },
                depth.saturating_sub(1),
                out,
            );
            false
        }
    })
}

fn number<N: itoa::Integer + Default + PartialEq + Copy>(number: N, out: &mut Vec<u8>) -> bool {
    write_integer(number, out);
    number == N::default()
}

fn quoted<N: itoa::Integer + Default + PartialEq + Copy>(integer: N, out: &mut Vec<u8>) -> bool {
    out.push(b'"');
    let is_default = number(integer, out);
    out.push(b'"');
    is_default
}
