//! OTLP `AnyValue`: borrowed views over raw protobuf, and an owned form for new values.

use std::borrow::Cow;
use std::fmt;

use crate::text::checked_before;
use crate::wire::{Reader, kind, put_bytes, put_key, put_nested, put_varint};
use crate::{json, wire};

/// A value, borrowed from a batch or from a [`ValueBuf`]. Arrays and maps are raw protobuf, read while iterated.
#[derive(Clone, Copy, Debug, PartialEq)]
// A word for a tag, for the reason that `Cell` has one.
#[repr(u64)]
pub enum Value<'a> {
    /// No value; JSON `null`.
    Empty,
    /// Text.
    Str(&'a str),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// Bytes; base64 in JSON.
    Bytes(&'a [u8]),
    /// Values in order.
    Array(Array<'a>),
    /// Entries in order; a key may stand twice.
    Map(Map<'a>),
}

impl<'a> Value<'a> {
    /// The text of a string.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        if let Self::Str(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The map.
    #[must_use]
    pub fn as_map(self) -> Option<Map<'a>> {
        if let Self::Map(map) = self {
            Some(map)
        } else {
            None
        }
    }

    /// The array.
    #[must_use]
    pub fn as_array(self) -> Option<Array<'a>> {
        if let Self::Array(array) = self {
            Some(array)
        } else {
            None
        }
    }

    /// Whether this is [`Value::Empty`].
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Scalars as text (numbers in decimal, bytes in base64, nothing for Empty); arrays and maps as JSON.
    #[must_use]
    pub fn to_text(self) -> Cow<'a, str> {
        match self {
            Self::Str(text) => Cow::Borrowed(text),
            Self::Empty => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Bytes(bytes) => Cow::Owned(base64::Engine::encode(
                &base64::engine::general_purpose::STANDARD,
                bytes,
            )),
            Self::Double(_) | Self::Array(_) | Self::Map(_) => {
                let mut out = Vec::new();
                self.write_json(&mut out);
                Cow::Owned(String::from_utf8_lossy(&out).trim_matches('"').to_owned())
            }
        }
    }

    /// Appends plain JSON (`{"a":1}`, not OTLP/JSON): key order kept, Empty is `null`, bytes are base64, NaN and the
    /// infinities are strings.
    pub fn write_json(self, out: &mut Vec<u8>) {
        json::write_value(self, out);
    }

    /// Reads the content of an `AnyValue` that was checked before. What cannot be read is Empty.
    pub(crate) fn from_raw(raw: &'a [u8]) -> Self {
        let mut reader = Reader::new(raw, 0, raw.len());
        let mut value = Self::Empty;
        while let Ok((tag, wire)) = reader.key() {
            let read = match (tag, wire) {
                (1, kind::LEN) => reader.bytes().map(|b| Self::Str(checked_before(b))),
                (2, kind::VARINT) => reader.varint().map(|n| Self::Bool(n != 0)),
                (3, kind::VARINT) => reader.varint().map(|n| Self::Int(n as i64)),
                (4, kind::I64) => reader.fixed64().map(|n| Self::Double(f64::from_bits(n))),
                (5, kind::LEN) => reader.bytes().map(|raw| Self::Array(Array { raw })),
                (6, kind::LEN) => reader.bytes().map(|raw| Self::Map(Map { raw })),
                (7, kind::LEN) => reader.bytes().map(Self::Bytes),
                _ => reader
                    .skip(tag, wire, wire::DEPTH_LIMIT)
                    .map(|()| Self::Empty),
            };
            match read {
                Ok(read) => value = read,
                Err(_) => break,
            }
            if reader.is_empty() {
                break;
            }
        }
        value
    }

    /// Length of the content of this value's `AnyValue`.
    pub(crate) fn encoded_len(self) -> usize {
        let delimited = |len: usize| 1 + wire::varint_len(len as u64) + len;
        match self {
            Self::Empty => 0,
            Self::Str(text) => delimited(text.len()),
            Self::Bool(_) => 2,
            Self::Int(number) => 1 + wire::varint_len(number as u64),
            Self::Double(_) => 9,
            Self::Bytes(raw) | Self::Array(Array { raw }) | Self::Map(Map { raw }) => {
                delimited(raw.len())
            }
        }
    }

    /// Appends the content of this value's `AnyValue`.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => {}
            Self::Str(text) => put_bytes(out, 1, text.as_bytes()),
            Self::Bool(truth) => out.extend_from_slice(&[0x10, u8::from(truth)]),
            Self::Int(number) => {
                put_key(out, 3, kind::VARINT);
                put_varint(out, number as u64);
            }
            Self::Double(number) => {
                put_key(out, 4, kind::I64);
                out.extend_from_slice(&number.to_bits().to_le_bytes());
            }
            Self::Array(Array { raw }) => put_bytes(out, 5, raw),
            Self::Map(Map { raw }) => put_bytes(out, 6, raw),
            Self::Bytes(raw) => put_bytes(out, 7, raw),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

/// The values of an array; the raw content of an `ArrayValue`.
#[derive(Clone, Copy, PartialEq)]
pub struct Array<'a> {
    pub(crate) raw: &'a [u8],
}

impl<'a> Array<'a> {
    /// The values in order.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        entries(self.raw).map(Value::from_raw)
    }

    /// Whether it has no value.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The entries of a map; the raw content of a `KeyValueList`.
#[derive(Clone, Copy, PartialEq)]
pub struct Map<'a> {
    pub(crate) raw: &'a [u8],
}

impl<'a> Map<'a> {
    /// Keys and values in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        entries(self.raw).map(key_value)
    }

    /// The first entry named `key`.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// Whether it has no entry.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.raw.is_empty()
    }
}

impl fmt::Debug for Map<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The contents of the repeated field 1 of a message.
fn entries(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(raw, 0, raw.len());
    std::iter::from_fn(move || {
        while !reader.is_empty() {
            let (tag, wire) = reader.key().ok()?;
            if tag == 1 && wire == kind::LEN {
                return reader.bytes().ok();
            }
            reader.skip(tag, wire, wire::DEPTH_LIMIT).ok()?;
        }
        None
    })
}

/// Key and value of the content of a `KeyValue`.
pub(crate) fn key_value(raw: &[u8]) -> (&str, Value<'_>) {
    let (mut key, mut value) = ("", Value::Empty);
    let mut reader = Reader::new(raw, 0, raw.len());
    while !reader.is_empty() {
        let Ok((tag, wire)) = reader.key() else { break };
        match (tag, wire) {
            (1, kind::LEN) => key = reader.bytes().map(checked_before).unwrap_or_default(),
            (2, kind::LEN) => value = reader.bytes().map(Value::from_raw).unwrap_or(Value::Empty),
            _ => {
                if reader.skip(tag, wire, wire::DEPTH_LIMIT).is_err() {
                    break;
                }
            }
        }
    }
    (key, value)
}

/// An owned value: the encoding of an `AnyValue`.
#[derive(Clone, Default, PartialEq)]
pub struct ValueBuf {
    raw: Vec<u8>,
}

impl ValueBuf {
    /// A copy of `value`.
    #[must_use]
    pub fn new(value: Value<'_>) -> Self {
        let mut raw = Vec::with_capacity(value.encoded_len());
        value.encode(&mut raw);
        Self { raw }
    }

    /// The value.
    #[must_use]
    pub fn as_value(&self) -> Value<'_> {
        Value::from_raw(&self.raw)
    }

    /// A plain JSON document: objects keep their key order, whole numbers beyond 64 bits become strings of their
    /// digits, `null` is Empty.
    ///
    /// # Errors
    /// Text that is not one JSON document, or is nested too deeply.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        json::any_value_from_json(json).map(|raw| Self { raw })
    }

    /// An array of `values`.
    #[must_use]
    pub fn array<'v>(values: impl IntoIterator<Item = Value<'v>>) -> Self {
        let mut inner = Vec::new();
        for value in values {
            put_nested(&mut inner, 1, value.encoded_len(), |out| value.encode(out));
        }
        Self::new(Value::Array(Array { raw: &inner }))
    }

    /// A map of `entries`.
    #[must_use]
    pub fn map<'v>(entries: impl IntoIterator<Item = (&'v str, Value<'v>)>) -> Self {
        let mut inner = Vec::new();
        for (key, value) in entries {
            put_key_value(&mut inner, 1, key, value);
        }
        Self::new(Value::Map(Map { raw: &inner }))
    }
}

impl fmt::Debug for ValueBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_value().fmt(f)
    }
}

/// A `KeyValue` as field `tag`.
pub(crate) fn put_key_value(out: &mut Vec<u8>, tag: u32, key: &str, value: Value<'_>) {
    let value_len = value.encoded_len();
    let len = key_len(key.len()) + 1 + wire::varint_len(value_len as u64) + value_len;
    put_key(out, tag, kind::LEN);
    put_varint(out, len as u64);
    put_key_and_value(out, key, Some(value));
}

/// The content of a `KeyValue`; a default (empty) key is not written, as in any proto3 writer.
pub(crate) fn put_key_and_value(out: &mut Vec<u8>, key: &str, value: Option<Value<'_>>) {
    if !key.is_empty() {
        put_bytes(out, 1, key.as_bytes());
    }
    if let Some(value) = value {
        put_key(out, 2, kind::LEN);
        put_varint(out, value.encoded_len() as u64);
        value.encode(out);
    }
}

/// How many bytes a `KeyValue`'s key field takes.
pub(crate) fn key_len(len: usize) -> usize {
    if len == 0 {
        0
    } else {
        1 + wire::varint_len(len as u64) + len
    }
}
