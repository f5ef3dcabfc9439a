//! Random requests held against `prost`, which says what every input means.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
use proptest::prelude::*;
use prost::Message as _;

use super::tape::Tape;
use crate::oracle::{agrees_with_prost, content, edit_all};
use crate::{Batch, Edit, Editor, Place, Signal, Value, canon};

/// Replaces every value by itself: everything is encoded again.
struct Again;
impl Editor for Again {
    fn value(&mut self, _: Place, _: &str, _: usize, value: Value<'_>) -> Edit {
        match value {
            Value::Array(_) | Value::Map(_) => Edit::Keep,
            scalar => Edit::Replace(crate::ValueBuf::new(scalar)),
        }
    }
}

fn check(signal: Signal, tape: &[u8], oddity: u8) {
    let mut wire = Vec::new();
    Tape::new(tape, oddity).message(signal.schema(), 9, &mut wire);
    agrees_with_prost(signal, &wire);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn plain_requests_mean_what_prost_says(tape in prop::collection::vec(any::<u8>(), 0..600), signal in 0..3usize) {
        check(Signal::ALL[signal], &tape, 0);
    }

    #[test]
    fn odd_requests_mean_what_prost_says(tape in prop::collection::vec(any::<u8>(), 0..600), signal in 0..3usize) {
        check(Signal::ALL[signal], &tape, 1);
    }

    #[test]
    fn broken_requests_are_refused_when_prost_refuses_them(tape in prop::collection::vec(any::<u8>(), 0..600), signal in 0..3usize) {
        check(Signal::ALL[signal], &tape, 2);
    }

    #[test]
    fn damaged_requests_are_refused_when_prost_refuses_them(
        tape in prop::collection::vec(any::<u8>(), 0..400), signal in 0..3usize, at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let signal = Signal::ALL[signal];
        let mut wire = Vec::new();
        Tape::new(&tape, 0).message(signal.schema(), 9, &mut wire);
        if !wire.is_empty() {
            let at = at.index(wire.len());
            if cut { wire.truncate(at) } else { wire[at] = byte }
        }
        agrees_with_prost(signal, &wire);
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200), signal in 0..3usize) {
        agrees_with_prost(Signal::ALL[signal], &noise);
    }

    #[test]
    fn rewriting_every_value_keeps_the_content(tape in prop::collection::vec(any::<u8>(), 0..600), signal in 0..3usize, oddity in 0..2u8) {
        let signal = Signal::ALL[signal];
        let mut wire = Vec::new();
        Tape::new(&tape, oddity).message(signal.schema(), 9, &mut wire);
        // An odd message may be an invalid one; the other properties hold those against prost.
        let Ok(mut batch) = Batch::decode(signal, Bytes::from(wire)) else { return Ok(()) };
        // Empty strings and attributes without a value come back as empty ones; compare after one rewriting.
        edit_all(&mut batch, &mut Again);
        let once = content(signal, &batch.encode());
        edit_all(&mut batch, &mut Again);
        prop_assert_eq!(content(signal, &batch.encode()), once);
    }
}

fn nested(levels: usize) -> Vec<u8> {
    // levels of AnyValue { array_value { values: [ … ] } } inside the body of one log record.
    let mut value = Vec::new();
    for _ in 0..levels {
        let mut array = Vec::new();
        crate::wire::put_bytes(&mut array, 1, &value);
        value = Vec::new();
        crate::wire::put_bytes(&mut value, 5, &array);
    }
    for tag in [5, 2, 2, 1] {
        let mut outer = Vec::new();
        crate::wire::put_bytes(&mut outer, tag, &value);
        value = outer;
    }
    value
}

#[test]
fn nesting_is_refused_at_the_depth_at_which_prost_refuses_it() {
    let mut edge = 0;
    for levels in 40..60 {
        let wire = nested(levels);
        let taken = Logs::decode(wire.as_slice()).is_ok();
        assert_eq!(
            Batch::decode(Signal::Logs, Bytes::from(wire)).is_ok(),
            taken,
            "{levels} levels"
        );
        edge += u32::from(taken);
    }
    assert!((1..19).contains(&edge), "the edge lies between");
}

#[test]
fn groups_are_skipped_as_deep_as_prost_skips_them() {
    for levels in 90..105 {
        let mut wire = Vec::new();
        for _ in 0..levels {
            crate::wire::put_key(&mut wire, 9, crate::wire::kind::START_GROUP);
        }
        for _ in 0..levels {
            crate::wire::put_key(&mut wire, 9, crate::wire::kind::END_GROUP);
        }
        assert_eq!(
            Batch::decode(Signal::Logs, Bytes::from(wire.clone())).is_ok(),
            Logs::decode(wire.as_slice()).is_ok(),
            "{levels} levels"
        );
    }
}

#[test]
fn a_request_of_empty_records_cannot_take_more_than_its_share_of_memory() {
    // Two bytes a record on the wire, over a hundred in memory.
    let scope = [0x12, 0x00].repeat(1 << 20);
    let mut wire = Vec::new();
    let mut group = Vec::new();
    crate::wire::put_bytes(&mut group, 2, &scope);
    crate::wire::put_bytes(&mut wire, 1, &group);
    let bytes = wire.len();
    match Batch::decode(Signal::Logs, Bytes::from(wire)) {
        Err(crate::DecodeError::TooLarge(_)) => {}
        other => panic!("expected a refusal for {bytes} bytes, got {other:?}"),
    }
}

#[test]
fn attributes_of_every_length_mean_what_prost_says_whatever_byte_is_in_them() {
    let with = |key: &[u8], text: &[u8]| {
        // Twice, because the second has the keys of its neighbour.
        let records = [key, key].map(|key| {
            let mut value = Vec::new();
            crate::wire::put_bytes(&mut value, 1, text);
            let mut attribute = Vec::new();
            crate::wire::put_bytes(&mut attribute, 1, key);
            crate::wire::put_bytes(&mut attribute, 2, &value);
            let mut record = Vec::new();
            crate::wire::put_bytes(&mut record, 6, &attribute);
            record
        });
        let mut scope = Vec::new();
        for record in &records {
            crate::wire::put_bytes(&mut scope, 2, record);
        }
        let mut group = Vec::new();
        crate::wire::put_bytes(&mut group, 2, &scope);
        let mut wire = Vec::new();
        crate::wire::put_bytes(&mut wire, 1, &group);
        wire
    };
    for len in (0..20).chain(120..132) {
        let plain = vec![b'k'; len];
        agrees_with_prost(Signal::Logs, &with(&plain, &plain));
        // Near both ends, which are looked at in one go with what is beside them.
        for at in (0..len).filter(|at| *at < 9 || at + 9 > len) {
            for odd in [b"\x80".as_slice(), "é".as_bytes()] {
                let mut text = plain.clone();
                text.splice(at..len.min(at + odd.len()), odd.iter().copied());
                agrees_with_prost(Signal::Logs, &with(b"key", &text));
                agrees_with_prost(Signal::Logs, &with(&text, b"text"));
            }
        }
        // Lengths that say something else: of the attribute, its key, its value and the text in it.
        let wire = with(b"key", &plain);
        let key = wire.windows(5).position(|w| w == b"\x0a\x03key");
        let key = key.expect("it is there");
        for place in [key - 1, key + 1, key + 6, key + 8] {
            let right = wire[place];
            for wrong in [
                0,
                1,
                4,
                0x7d,
                0x7f,
                0x80,
                0xff,
                right ^ 1,
                right.wrapping_add(2),
            ] {
                let mut wire = wire.clone();
                wire[place] = wrong;
                agrees_with_prost(Signal::Logs, &wire);
            }
        }
    }
}

#[test]
fn the_canoniser_merges_what_stands_twice() {
    let mut wire = Vec::new();
    for (key, text) in [("a", "1"), ("b", "2")] {
        let mut resource = Vec::new();
        crate::value::put_key_value(&mut resource, 1, key, Value::Str(text));
        crate::wire::put_bytes(&mut wire, 1, &resource);
    }
    let mut out = Vec::new();
    canon::message(&crate::schema::RESOURCE_LOGS, &[&wire], &mut out);
    let merged = opentelemetry_proto::tonic::logs::v1::ResourceLogs::decode(out.as_slice())
        .expect("canonical");
    assert_eq!(merged.resource.expect("there").attributes.len(), 2);
}
