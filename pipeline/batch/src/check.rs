//! Checks a message against its schema: refused exactly when `prost` refuses it, and told whether it is canonical.
//!
//! Canonical means that copying its bytes on is safe: no unknown field, no singular field twice, no two members of a
//! oneof. What is not canonical holds bytes that no row shows, so it is rewritten by [`crate::canon`] before any row is
//! made.

use crate::schema::{Field, Kind, Label, Schema};
use crate::wire::{Malformed, Reader, is_utf8, kind};

/// Checks the message in `reader` to its end. `depth`: how many messages may still open inside it.
///
/// Recursion is bounded by `depth`, at most 100.
pub(crate) fn message(
    schema: &Schema,
    mut reader: Reader<'_>,
    depth: u32,
) -> Result<bool, Malformed> {
    let mut seen = Seen::default();
    let mut canonical = true;
    while !reader.is_empty() {
        let (tag, wire) = reader.key()?;
        match schema.field(tag) {
            Some(field) => {
                canonical &= seen.first(field);
                canonical &= value(field, wire, &mut reader, depth)?;
            }
            None => {
                reader.skip(tag, wire, depth)?;
                canonical = false;
            }
        }
    }
    Ok(canonical)
}

/// Which singular fields, and whether a oneof member, were met.
#[derive(Default)]
pub(crate) struct Seen(u32);

impl Seen {
    /// Marks `field`; `false` when it may not stand here again.
    #[inline]
    pub(crate) fn first(&mut self, field: &Field) -> bool {
        let bit = match field.label {
            Label::Repeated => return true,
            Label::OneOf => 1,
            Label::Single | Label::Optional => 1 << field.tag,
        };
        let fresh = self.0 & bit == 0;
        self.0 |= bit;
        fresh
    }
}

/// Checks one field's value after its key. Says whether it is canonical.
pub(crate) fn value(
    field: &Field,
    wire: u32,
    reader: &mut Reader<'_>,
    depth: u32,
) -> Result<bool, Malformed> {
    let expected = match field.kind {
        Kind::Bool
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Int64
        | Kind::Sint32
        | Kind::Enum(_)
        | Kind::Ignored => kind::VARINT,
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => kind::I64,
        Kind::Fixed32 => kind::I32,
        Kind::Str | Kind::Bytes | Kind::Id | Kind::Message(_) => kind::LEN,
    };
    if wire != expected {
        let packed = field.label == Label::Repeated && wire == kind::LEN && expected != kind::LEN;
        if !packed {
            return Err(reader.malformed("a field with a wrong wire type"));
        }
        let (start, end) = reader.delimited()?;
        let mut inner = Reader::new(reader.buf, start, end);
        while !inner.is_empty() {
            scalar(expected, &mut inner)?;
        }
        return Ok(true);
    }
    match field.kind {
        Kind::Message(schema) => {
            if depth == 0 {
                return Err(reader.malformed("messages nested more than 100 deep"));
            }
            let (start, end) = reader.delimited()?;
            message(schema, Reader::new(reader.buf, start, end), depth - 1)
        }
        Kind::Str => {
            let at = reader.pos;
            if is_utf8(reader.bytes()?) {
                Ok(true)
            } else {
                Err(Malformed {
                    offset: at,
                    what: "a string that is not UTF-8",
                })
            }
        }
        Kind::Bytes | Kind::Id => reader.bytes().map(|_| true),
        Kind::Ignored => reader.varint().map(|_| false),
        // One number alone outside a packed run is what old writers send; packed is what we write.
        _ => scalar(expected, reader).map(|()| field.label != Label::Repeated),
    }
}

fn scalar(wire: u32, reader: &mut Reader<'_>) -> Result<(), Malformed> {
    match wire {
        kind::VARINT => reader.varint().map(drop),
        kind::I64 => reader.fixed64().map(drop),
        _ => reader.fixed32().map(drop),
    }
}
