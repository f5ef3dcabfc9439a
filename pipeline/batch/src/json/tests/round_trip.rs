//! Random messages, drawn from the schema table, through our codec and through `opentelemetry-proto`'s.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::json::{from_protobuf, to_protobuf};
use crate::schema::{
    ANY_VALUE, Field, Kind, LOGS_REQUEST, Label, METRICS_REQUEST, Schema, TRACES_REQUEST,
};
use crate::wire::{kind, put_bytes, put_key, put_nested, put_varint};

/// Random choices, read from bytes that proptest can shrink; 0 when they run out.
struct Tape {
    bytes: std::vec::IntoIter<u8>,
    /// Leave out what the other side's JSON cannot carry: numbers that are not finite, ids of odd lengths.
    is_tame: bool,
}

impl Tape {
    fn byte(&mut self) -> u8 {
        self.bytes.next().unwrap_or(0)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    fn number(&mut self) -> u64 {
        match self.byte() % 5 {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => u64::MAX - u64::from(self.byte()),
            3 => 1 << (self.byte() % 64),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn double(&mut self) -> f64 {
        match self.byte() % 6 {
            0 => 0.0,
            1 => f64::from(self.byte()) / 8.0,
            2 if !self.is_tame => [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][self.below(3)],
            _ => Some(f64::from_bits(self.number()))
                .filter(|n| n.is_finite())
                .unwrap_or(0.1),
        }
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 8] = ["a", "\"", "\\", "\n", "é", "😀", "key.name", "\0"];
        (0..self.below(4)).map(|_| PIECES[self.below(8)]).collect()
    }
}

fn message(schema: &'static Schema, tape: &mut Tape, depth: usize, out: &mut Vec<u8>) {
    let members: Vec<&Field> = schema
        .fields
        .iter()
        .filter(|f| f.label == Label::OneOf && !matches!(f.kind, Kind::Ignored))
        .collect();
    let chosen = if members.is_empty() {
        0
    } else {
        members[tape.below(members.len())].tag
    };
    for field in schema.fields {
        let count = match field.label {
            Label::OneOf => usize::from(
                field.tag == chosen
                    && (std::ptr::eq(schema, &raw const ANY_VALUE) || tape.below(4) > 0),
            ),
            // Their reader insists on every field of these two, which writers may leave out.
            _ if tape.is_tame && matches!(schema.name, "KeyValue" | "EntityRef") => 1,
            Label::Repeated => tape.below(4),
            Label::Single | Label::Optional => tape.below(2),
        };
        for _ in 0..count {
            value(field, tape, depth, out);
        }
    }
}

fn value(field: &'static Field, tape: &mut Tape, depth: usize, out: &mut Vec<u8>) {
    let tag = field.tag;
    let varint = |number: u64, out: &mut Vec<u8>| {
        put_key(out, tag, kind::VARINT);
        put_varint(out, number);
    };
    let fixed64 = |bits: u64, out: &mut Vec<u8>| {
        put_key(out, tag, kind::I64);
        out.extend_from_slice(&bits.to_le_bytes());
    };
    match field.kind {
        Kind::Message(_) if depth == 0 => {}
        Kind::Message(inner) => put_nested(out, tag, 0, |out| message(inner, tape, depth - 1, out)),
        Kind::Str => put_bytes(
            out,
            tag,
            format!("{}{}", if tape.is_tame { "x" } else { "" }, tape.text()).as_bytes(),
        ),
        Kind::Bytes | Kind::Id => {
            let len = if matches!(field.kind, Kind::Id) && tape.is_tame {
                [0, 8, 16][tape.below(3)]
            } else {
                tape.below(20)
            };
            let bytes: Vec<u8> = (0..len).map(|_| tape.byte()).collect();
            put_bytes(out, tag, &bytes);
        }
        Kind::Bool => varint(u64::from(tape.byte() & 1), out),
        Kind::Uint32 => varint(tape.number() & u64::from(u32::MAX), out),
        Kind::Sint32 => varint(tape.number() & u64::from(u32::MAX), out),
        Kind::Uint64 | Kind::Int64 => varint(tape.number(), out),
        Kind::Enum(_) => varint(tape.below(6) as u64, out),
        Kind::Ignored => {}
        Kind::Fixed64 | Kind::Sfixed64 => fixed64(tape.number(), out),
        Kind::Double => fixed64(tape.double().to_bits(), out),
        Kind::Fixed32 => {
            put_key(out, tag, kind::I32);
            out.extend_from_slice(&(tape.number() as u32).to_le_bytes());
        }
    }
}

/// A random request as prost reads it.
fn request<M: Message + Default>(schema: &'static Schema, bytes: Vec<u8>, is_tame: bool) -> M {
    let mut wire = Vec::new();
    message(
        schema,
        &mut Tape {
            bytes: bytes.into_iter(),
            is_tame,
        },
        14,
        &mut wire,
    );
    M::decode(&wire[..]).expect("the table describes what prost reads")
}

fn their_json_is_read<M: Message + Default + PartialEq + std::fmt::Debug + Serialize>(
    schema: &'static Schema,
    bytes: Vec<u8>,
) {
    let request: M = request(schema, bytes, true);
    let json = serde_json::to_string(&request).unwrap();
    let wire = to_protobuf(schema, json.as_bytes()).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!(M::decode(&wire[..]).unwrap(), request, "{json}");
}

fn our_json_is_read_by_them<
    M: Message + Default + PartialEq + std::fmt::Debug + DeserializeOwned,
>(
    schema: &'static Schema,
    bytes: Vec<u8>,
) {
    let request: M = request(schema, bytes, true);
    let mut json = Vec::new();
    from_protobuf(schema, &request.encode_to_vec(), &mut json);
    let json = String::from_utf8(json).unwrap();
    let read: M = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!(read, request, "{json}");
}

fn our_json_loses_nothing<M: Message + Default>(schema: &'static Schema, bytes: Vec<u8>) {
    let wire = request::<M>(schema, bytes, false).encode_to_vec();
    let mut json = Vec::new();
    from_protobuf(schema, &wire, &mut json);
    let _: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let back = to_protobuf(schema, &json).unwrap();
    assert_eq!(
        M::decode(&back[..]).unwrap().encode_to_vec(),
        wire,
        "{}",
        String::from_utf8_lossy(&json)
    );
}

fn tape() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..1500)
}

proptest! {
    #[test]
    fn logs_in_their_json_are_read(bytes in tape()) {
        their_json_is_read::<ExportLogsServiceRequest>(&LOGS_REQUEST, bytes);
    }

    #[test]
    fn traces_in_their_json_are_read(bytes in tape()) {
        their_json_is_read::<ExportTraceServiceRequest>(&TRACES_REQUEST, bytes);
    }

    #[test]
    fn metrics_in_their_json_are_read(bytes in tape()) {
        their_json_is_read::<ExportMetricsServiceRequest>(&METRICS_REQUEST, bytes);
    }

    #[test]
    fn logs_in_our_json_are_read_by_them(bytes in tape()) {
        our_json_is_read_by_them::<ExportLogsServiceRequest>(&LOGS_REQUEST, bytes);
    }

    #[test]
    fn traces_in_our_json_are_read_by_them(bytes in tape()) {
        our_json_is_read_by_them::<ExportTraceServiceRequest>(&TRACES_REQUEST, bytes);
    }

    #[test]
    fn metrics_in_our_json_are_read_by_them(bytes in tape()) {
        our_json_is_read_by_them::<ExportMetricsServiceRequest>(&METRICS_REQUEST, bytes);
    }

    #[test]
    fn nothing_is_lost_from_protobuf_to_json_and_back(bytes in tape()) {
        our_json_loses_nothing::<ExportLogsServiceRequest>(&LOGS_REQUEST, bytes.clone());
        our_json_loses_nothing::<ExportTraceServiceRequest>(&TRACES_REQUEST, bytes.clone());
        our_json_loses_nothing::<ExportMetricsServiceRequest>(&METRICS_REQUEST, bytes);
    }

    #[test]
    fn mutated_json_never_panics_and_what_is_accepted_prost_decodes(bytes in tape(), cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut json = Vec::new();
        from_protobuf(&METRICS_REQUEST, &request::<ExportMetricsServiceRequest>(&METRICS_REQUEST, bytes, false).encode_to_vec(), &mut json);
        for (at, byte) in cuts {
            let at = at.index(json.len());
            if byte < 64 { json.truncate(at.max(1)); } else { json[at] = byte; }
        }
        if let Ok(wire) = to_protobuf(&METRICS_REQUEST, &json) {
            prop_assert!(ExportMetricsServiceRequest::decode(&wire[..]).is_ok());
        }
    }

    #[test]
    fn unchecked_protobuf_never_panics(wire in prop::collection::vec(any::<u8>(), 0..200)) {
        for schema in [&LOGS_REQUEST, &TRACES_REQUEST, &METRICS_REQUEST, &ANY_VALUE] {
            from_protobuf(schema, &wire, &mut Vec::new());
        }
    }
}
