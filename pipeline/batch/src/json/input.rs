//! OTLP/JSON to protobuf in one streaming pass.
//!
//! What is taken, beyond the letter of the protocol because the Go Collector takes it too: snake_case keys, enum names,
//! 64-bit integers as numbers, integers written as `1.0` or `1e3`, base64 of either alphabet with or without padding.
//! `null` is an absent field; unknown keys are skipped. A key that stands twice in an object, also once in either
//! spelling, and a second member of a oneof are refused, as Go's `protojson` does: such a record says two things.
//!
//! Errors name message, field, line and column, and never quote the input, which may hold secrets.

use std::fmt;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::schema::{ANY_VALUE, Field, Kind, Label, Schema};
use crate::wire::{kind, put_bytes, put_key, put_nested, put_varint};

/// Translates an OTLP/JSON document into the protobuf encoding of `schema`. Fields keep the order of the document.
///
/// Nesting is bounded by `serde_json`'s 128 levels. The result is bounded by twice the document (or 1 MiB): only
/// lists of short numbers grow that much.
///
/// # Errors
/// Text to show the sender: what is wrong, with line and column.
pub(crate) fn to_protobuf(schema: &'static Schema, json: &[u8]) -> Result<Vec<u8>, String> {
    // Checked here once, so that skipped values are UTF-8 as well.
    let text = simdutf8::compat::from_utf8(json)
        .map_err(|e| format!("invalid UTF-8 at byte {}", e.valid_up_to()))?;
    // Asked here, because serde's own "invalid type" would quote what stands there instead.
    if !text.trim_start().starts_with('{') {
        return Err(format!(
            "expected a JSON object ({}) at the start",
            schema.name
        ));
    }
    let mut out = Vec::with_capacity(json.len() / 2);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let root = Root {
        schema,
        limit: (json.len() * 2).max(1 << 20),
        out: &mut out,
    };
    root.deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|e| e.to_string())?;
    Ok(out)
}

/// The outermost message: an object and nothing else.
struct Root<'o> {
    schema: &'static Schema,
    limit: usize,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an {} object", self.schema.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        members(self.schema, map, self.limit, self.out)
    }
}

/// Writes the members of an object as the fields of a message.
fn members<'de, A: MapAccess<'de>>(
    schema: &'static Schema,
    mut map: A,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), A::Error> {
    let mut seen = 0u32;
    let mut oneof_is_set = false;
    let mut guess = 0;
    while let Some(index) = map.next_key_seed(Name { schema, guess })? {
        let Some(index) = index else {
            map.next_value::<IgnoredAny>()?;
            continue;
        };
        let field = &schema.fields[index];
        let bit = 1 << index;
        if seen & bit != 0 {
            return Err(A::Error::custom(format_args!(
                "{}.{}: stands twice in one object",
                schema.name, field.json
            )));
        }
        seen |= bit;
        guess = index + 1;
        let before = out.len();
        map.next_value_seed(Slot {
            schema,
            field,
            is_element: false,
            limit,
            out: &mut *out,
        })?;
        if field.label == Label::OneOf && out.len() > before {
            if oneof_is_set {
                return Err(A::Error::custom(format_args!(
                    "{}.{}: a second value where only one may stand",
                    schema.name, field.json
                )));
            }
            oneof_is_set = true;
        }
    }
    Ok(())
}

/// Finds a key's field; `None` for an unknown one. Keys mostly come in the schema's order, so `guess` is tried first.
struct Name {
    schema: &'static Schema,
    guess: usize,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<usize>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        let fields = self.schema.fields;
        let is_named = |field: &Field| {
            (field.json == key || field.snake == key) && !matches!(field.kind, Kind::Ignored)
        };
        if fields.get(self.guess).is_some_and(is_named) {
            return Ok(Some(self.guess));
        }
        Ok(fields.iter().position(is_named))
    }
}

/// Where one JSON value goes: a field of a message, or an element of a repeated field.
struct Slot<'o> {
    schema: &'static Schema,
    field: &'static Field,
    is_element: bool,
    limit: usize,
    out: &'o mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Slot<'_> {
    fn wrong<E: Error>(&self, what: impl fmt::Display) -> E {
        E::custom(format_args!(
            "{}.{}: {what}",
            self.schema.name, self.field.json
        ))
    }

    /// Says what should have stood here.
    fn mismatch<E: Error>(&self) -> E {
        if self.field.label == Label::Repeated && !self.is_element {
            return self.wrong("expected an array");
        }
        self.wrong(match self.field.kind {
            Kind::Bool => "expected true or false",
            Kind::Uint32 | Kind::Fixed32 => "expected an integer from 0 to 4294967295",
            Kind::Sint32 => "expected an integer of 32 bits",
            Kind::Uint64 | Kind::Fixed64 => {
                "expected an integer from 0 to 18446744073709551615, as a number or a string"
            }
            Kind::Int64 | Kind::Sfixed64 => {
                "expected an integer of 64 bits, as a number or a string"
            }
            Kind::Double => "expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"",
            Kind::Str => "expected a string",
            Kind::Bytes => "expected a string in base64",
            Kind::Id => "expected a string of hexadecimal digits",
            Kind::Enum(_) => "expected an enum's number or one of its names",
            Kind::Ignored => "expected nothing",
            Kind::Message(_) => "expected an object",
        })
    }

    /// Whether one value may stand here: not where an array belongs.
    fn single<E: Error>(&self) -> Result<(), E> {
        if self.field.label == Label::Repeated && !self.is_element {
            Err(self.mismatch())
        } else {
            Ok(())
        }
    }

    /// Writes a scalar. A plain field's default is left out, as in every canonical encoding.
    fn scalar(self, wire: u32, is_default: bool, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_element {
            write(self.out);
        } else if !(is_default && self.field.label == Label::Single) {
            put_key(self.out, self.field.tag, wire);
            write(self.out);
        }
    }

    fn varint(self, number: u64) {
        self.scalar(kind::VARINT, number == 0, |out| put_varint(out, number));
    }

    fn fixed64(self, bits: u64) {
        self.scalar(kind::I64, bits == 0, |out| {
            out.extend_from_slice(&bits.to_le_bytes())
        });
    }

    fn fixed32(self, bits: u32) {
        self.scalar(kind::I32, bits == 0, |out| {
            out.extend_from_slice(&bits.to_le_bytes())
        });
    }

    fn bytes(self, content: &[u8]) {
        if !(content.is_empty() && self.field.label == Label::Single) {
            put_bytes(self.out, self.field.tag, content);
        }
    }

    fn integer<E: Error>(self, number: i128) -> Result<(), E> {
        self.single()?;
        match self.field.kind {
            Kind::Uint32 => match u32::try_from(number) {
                Ok(n) => self.varint(u64::from(n)),
                Err(_) => return Err(self.mismatch()),
            },
            Kind::Fixed32 => match u32::try_from(number) {
                Ok(n) => self.fixed32(n),
                Err(_) => return Err(self.mismatch()),
            },
            Kind::Uint64 => match u64::try_from(number) {
                Ok(n) => self.varint(n),
                Err(_) => return Err(self.mismatch()),
            },
            Kind::Fixed64 => match u64::try_from(number) {
                Ok(n) => self.fixed64(n),
                Err(_) => return Err(self.mismatch()),
            },
            Kind::Int64 => match i64::try_from(number) {
                Ok(n) => self.varint(n.cast_unsigned()),
                Err(_) => return Err(self.mismatch()),
            },
            Kind::Sfixed64 => match i64::try_from(number) {
                Ok(n) => self.fixed64(n.cast_unsigned()),
                Err(_) => return Err(self.mismatch()),
            },
            Kind::Sint32 => match i32::try_from(number) {
                Ok(n) => self.varint(u64::from(((n << 1) ^ (n >> 31)).cast_unsigned())),
                Err(_) => return Err(self.mismatch()),
            },
            Kind::Enum(_) => match i32::try_from(number) {
                Ok(n) => self.varint(i64::from(n).cast_unsigned()),
                Err(_) => return Err(self.mismatch()),
            },
            Kind::Double => self.fixed64((number as f64).to_bits()),
            _ => return Err(self.mismatch()),
        }
        Ok(())
    }

    fn id<E: Error>(self, text: &str) -> Result<(), E> {
        let mut short = [0u8; 16];
        let len = text.len() / 2;
        if text.len().is_multiple_of(2) && len <= short.len() {
            return match hex::decode_to_slice(text, &mut short[..len]) {
                Ok(()) => {
                    self.bytes(&short[..len]);
                    Ok(())
                }
                Err(_) => Err(self.mismatch()),
            };
        }
        // Too long for any id: kept as it is, and read as absent like every id of a wrong length.
        match hex::decode(text) {
            Ok(long) => {
                self.bytes(&long);
                Ok(())
            }
            Err(_) => Err(self.mismatch()),
        }
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if !self.is_element {
            return Ok(());
        }
        match self.field.kind {
            Kind::Message(schema) if std::ptr::eq(schema, &raw const ANY_VALUE) => {
                put_bytes(self.out, self.field.tag, b"");
                Ok(())
            }
            _ => Err(self.mismatch()),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.single()?;
        if !matches!(self.field.kind, Kind::Bool) {
            return Err(self.mismatch());
        }
        self.varint(u64::from(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.integer(i128::from(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.integer(i128::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.single()?;
        if matches!(self.field.kind, Kind::Double) {
            self.fixed64(number.to_bits());
            Ok(())
        } else if number.fract() == 0.0 {
            // The cast saturates far outside 64 bits, where every range check fails.
            self.integer(number as i128)
        } else {
            Err(self.mismatch())
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.single()?;
        match self.field.kind {
            Kind::Str => self.bytes(text.as_bytes()),
            Kind::Id => return self.id(text),
            Kind::Bytes => match decode_base64(text) {
                Some(bytes) => self.bytes(&bytes),
                None => return Err(self.mismatch()),
            },
            Kind::Enum(names) => match names.iter().find(|(name, _)| *name == text) {
                Some((_, number)) => return self.integer(i128::from(*number)),
                None => return Err(self.mismatch()),
            },
            Kind::Double => match text {
                "NaN" => self.fixed64(f64::NAN.to_bits()),
                "Infinity" => self.fixed64(f64::INFINITY.to_bits()),
                "-Infinity" => self.fixed64(f64::NEG_INFINITY.to_bits()),
                _ => match number_in(text) {
                    Some(number) => self.fixed64(number.to_bits()),
                    None => return Err(self.mismatch()),
                },
            },
            Kind::Uint32
            | Kind::Uint64
            | Kind::Int64
            | Kind::Sint32
            | Kind::Fixed32
            | Kind::Fixed64
            | Kind::Sfixed64 => {
                if let Ok(number) = text.parse::<i128>() {
                    return self.integer(number);
                }
                return match number_in(text) {
                    Some(number) => self.visit_f64(number),
                    None => Err(self.mismatch()),
                };
            }
            Kind::Bool | Kind::Ignored | Kind::Message(_) => return Err(self.mismatch()),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self {
            schema,
            field,
            is_element,
            limit,
            out,
        } = self;
        if field.label != Label::Repeated || is_element {
            return Err(Slot {
                schema,
                field,
                is_element,
                limit,
                out,
            }
            .mismatch());
        }
        if matches!(
            field.kind,
            Kind::Message(_) | Kind::Str | Kind::Bytes | Kind::Id
        ) {
            while seq
                .next_element_seed(Slot {
                    schema,
                    field,
                    is_element: true,
                    limit,
                    out: &mut *out,
                })?
                .is_some()
            {}
            return Ok(());
        }
        // Numbers are packed into one field.
        let start = out.len();
        let mut result = Ok(());
        let mut is_empty = true;
        put_nested(out, field.tag, 0, |out| {
            result = (|| {
                while seq
                    .next_element_seed(Slot {
                        schema,
                        field,
                        is_element: true,
                        limit,
                        out: &mut *out,
                    })?
                    .is_some()
                {
                    is_empty = false;
                    if out.len() > limit {
                        return Err(A::Error::custom(format_args!(
                            "{}.{}: more than twice as large as its JSON",
                            schema.name, field.json
                        )));
                    }
                }
                Ok(())
            })();
        });
        if is_empty {
            out.truncate(start);
        }
        result
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.single()?;
        let Kind::Message(inner) = self.field.kind else {
            return Err(self.mismatch());
        };
        let mut result = Ok(());
        put_nested(self.out, self.field.tag, 0, |out| {
            result = members(inner, map, self.limit, out)
        });
        result
    }
}

/// A number as JSON writes it, inside a string.
fn number_in(text: &str) -> Option<f64> {
    let is_bare = text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit());
    if is_bare {
        serde_json::from_str(text).ok()
    } else {
        None
    }
}

/// Base64 of either alphabet, padded or not.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    static STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    static URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let engine = if memchr::memchr2(b'-', b'_', text.as_bytes()).is_some() {
        &URL_SAFE
    } else {
        &STANDARD
    };
    engine.decode(text).ok()
}
