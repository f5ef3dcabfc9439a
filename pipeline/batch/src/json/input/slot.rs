//! One JSON value as one protobuf field: the rules for each kind of scalar.

use std::fmt;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::members;
use crate::schema::{ANY_VALUE, Field, Kind, Label, Schema};
use crate::wire::{kind, put_bytes, put_key, put_nested, put_varint};

/// Where one JSON value goes: a field of a message, or an element of a repeated field.
pub(super) struct Slot<'o> {
    pub(super) schema: &'static Schema,
    pub(super) field: &'static Field,
    pub(super) is_element: bool,
    /// Most bytes that `out` may reach in a list of numbers.
    pub(super) limit: usize,
    pub(super) out: &'o mut Vec<u8>,
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
        let range = match self.field.kind {
            Kind::Uint32 | Kind::Fixed32 => 0..=i128::from(u32::MAX),
            Kind::Uint64 | Kind::Fixed64 => 0..=i128::from(u64::MAX),
            Kind::Int64 | Kind::Sfixed64 => i128::from(i64::MIN)..=i128::from(i64::MAX),
            Kind::Sint32 | Kind::Enum(_) => i128::from(i32::MIN)..=i128::from(i32::MAX),
            Kind::Double => {
                self.fixed64((number as f64).to_bits());
                return Ok(());
            }
            _ => return Err(self.mismatch()),
        };
        if !range.contains(&number) {
            return Err(self.mismatch());
        }
        // In range, so only the sign's extension is cut off.
        let bits = number as u64;
        match self.field.kind {
            Kind::Fixed64 | Kind::Sfixed64 => self.fixed64(bits),
            Kind::Fixed32 => self.fixed32(bits as u32),
            Kind::Sint32 => self.varint(u64::from(zigzag(bits as u32))),
            _ => self.varint(bits),
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

/// The protobuf encoding of an `sint32`, given in two's complement.
fn zigzag(bits: u32) -> u32 {
    (bits << 1) ^ if bits >> 31 == 1 { u32::MAX } else { 0 }
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
