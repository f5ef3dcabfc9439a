//! Random messages from a tape of bytes: valid ones, odd ones that are still valid, and broken ones. A shorter tape
//! gives a simpler message, so a failing case shrinks.

use crate::schema::{Kind, Label, Schema};
use crate::wire::{kind, put_bytes, put_key, put_varint};

/// Bytes that decide what is made; all zero once used up.
pub(crate) struct Tape<'t> {
    bytes: &'t [u8],
    at: usize,
    /// How odd: 0 plain, 1 non-canonical but valid, 2 may be broken.
    oddity: u8,
}

impl<'t> Tape<'t> {
    pub(crate) fn new(bytes: &'t [u8], oddity: u8) -> Self {
        Self {
            bytes,
            at: 0,
            oddity,
        }
    }

    pub(crate) fn next(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    fn chance(&mut self, one_in: u8) -> bool {
        self.next() % one_in == one_in - 1
    }

    fn number(&mut self) -> u64 {
        match self.next() % 6 {
            0 => 0,
            1 => u64::from(self.next()),
            2 => u64::MAX,
            3 => 1 << (self.next() % 64),
            4 => 4_111_111_111_111_111,
            _ => 1_790_000_000_000_000_000 + u64::from(self.next()),
        }
    }

    fn text(&mut self) -> Vec<u8> {
        const TEXTS: [&str; 10] = [
            "",
            "decision",
            "refuse",
            "a\"b\\c\n\u{1}",
            "日本語 ñ 😀",
            "user@example.com",
            "4111 1111 1111 1111",
            "event_id",
            "x",
            "</script>\u{2028}",
        ];
        let mut text = TEXTS[self.next() as usize % TEXTS.len()]
            .as_bytes()
            .to_vec();
        if self.oddity == 2 && self.chance(40) {
            text.push(0xff);
        }
        if self.chance(20) {
            text = text.repeat(40);
        }
        text
    }

    /// Appends a random message of this type.
    pub(crate) fn message(&mut self, schema: &Schema, depth: u32, out: &mut Vec<u8>) {
        for field in schema.fields {
            let times = match field.label {
                Label::Repeated => self.next() % 4,
                Label::OneOf => u8::from(self.chance(3)),
                Label::Single | Label::Optional => u8::from(self.chance(2)),
            };
            let times = if self.oddity > 0 && self.chance(9) {
                times + 1
            } else {
                times
            };
            // The first oneof member only, unless this is to be odd.
            for _ in 0..times {
                if depth == 0 && matches!(field.kind, Kind::Message(_)) {
                    continue;
                }
                if matches!(field.kind, Kind::Ignored) && (self.oddity == 0 || !self.chance(4)) {
                    continue;
                }
                self.field(field.tag, field.kind, field.label, depth, out);
                if field.label == Label::OneOf && self.oddity == 0 {
                    return self.rest(schema, depth, out);
                }
            }
        }
        self.odd(out);
    }

    /// The fields that are no oneof members, after one was chosen.
    fn rest(&mut self, schema: &Schema, depth: u32, out: &mut Vec<u8>) {
        let chosen_first = schema
            .fields
            .iter()
            .filter(|f| f.label == Label::OneOf)
            .map(|f| f.tag)
            .min()
            .unwrap_or(0);
        for field in schema
            .fields
            .iter()
            .filter(|f| f.label != Label::OneOf && f.tag > chosen_first)
        {
            let is_message = matches!(field.kind, Kind::Message(_));
            if field.label == Label::Repeated && self.chance(3) && !(is_message && depth == 0) {
                self.field(field.tag, field.kind, field.label, depth, out);
            }
        }
    }

    fn field(&mut self, tag: u32, kind: Kind, label: Label, depth: u32, out: &mut Vec<u8>) {
        let broken = self.oddity == 2 && self.chance(60);
        if broken {
            put_key(out, tag, u32::from(self.next() % 8));
            return put_varint(out, self.number());
        }
        match kind {
            Kind::Message(inner) => {
                let mut content = Vec::new();
                self.message(inner, depth - 1, &mut content);
                put_bytes(out, tag, &content);
            }
            Kind::Str => put_bytes(out, tag, &self.text()),
            Kind::Bytes | Kind::Id => {
                let len = [0, 8, 16, 3][self.next() as usize % 4];
                let fill = self.next();
                put_bytes(out, tag, &vec![fill; len]);
            }
            _ if label == Label::Repeated && !(self.oddity > 0 && self.chance(3)) => {
                let mut run = Vec::new();
                for _ in 0..=self.next() % 3 {
                    self.scalar(kind, &mut run);
                }
                put_bytes(out, tag, &run);
            }
            _ => {
                put_key(out, tag, wire_of(kind));
                self.scalar(kind, out);
            }
        }
    }

    fn scalar(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let number = self.number();
        match wire_of(kind) {
            kind::I64 => out.extend_from_slice(&number.to_le_bytes()),
            kind::I32 => out.extend_from_slice(&(number as u32).to_le_bytes()),
            _ => put_varint(
                out,
                if matches!(kind, Kind::Bool) {
                    number % 2
                } else {
                    number
                },
            ),
        }
    }

    /// An unknown field, a group, a long varint, or plain noise.
    fn odd(&mut self, out: &mut Vec<u8>) {
        if self.oddity == 0 || !self.chance(8) {
            return;
        }
        match self.next() % 6 {
            0 => {
                put_key(out, 99, kind::VARINT);
                put_varint(out, self.number());
            }
            1 => put_bytes(out, 4000, b"unknown"),
            2 => {
                put_key(out, 77, kind::START_GROUP);
                put_bytes(out, 5, b"in a group");
                put_key(out, 77, kind::END_GROUP);
            }
            3 => {
                // A key written longer than it needs to be.
                out.extend_from_slice(&[0xb8 | 0x80, 0x80, 0x80, 0x00, 0x01]);
            }
            4 if self.oddity == 2 => out.push(self.next()),
            _ => {
                put_key(out, 50, kind::I64);
                out.extend_from_slice(&[1; 8]);
            }
        }
    }
}

fn wire_of(kind: Kind) -> u32 {
    match kind {
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => kind::I64,
        Kind::Fixed32 => kind::I32,
        _ => kind::VARINT,
    }
}
