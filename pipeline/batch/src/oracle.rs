//! `prost` as the judge of what a request means: the property tests and the fuzz target hold this crate against it.
//! Not part of the crate's interface; only built for them.
#![allow(clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest as Logs;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest as Metrics;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use prost::Message as _;

use crate::rows::Change;
use crate::{Batch, Edit, Editor, Place, Signal, Value};

/// The content of a request as text, without what OTLP keeps for profiles; `None` when `prost` refuses it.
pub(crate) fn content(signal: Signal, wire: &[u8]) -> Option<String> {
    // Our canoniser is no part of the oracle: profile-only fields go after prost has decoded.
    Some(match signal {
        Signal::Logs => without_profiles(format!("{:?}", Logs::decode(wire).ok()?)),
        Signal::Traces => without_profiles(format!("{:?}", Traces::decode(wire).ok()?)),
        Signal::Metrics => without_profiles(format!("{:?}", Metrics::decode(wire).ok()?)),
    })
}

fn without_profiles(mut text: String) -> String {
    for (prefix, instead) in [
        ("key_strindex: ", "key_strindex: 0"),
        ("Some(StringValueStrindex(", "None"),
    ] {
        let mut from = 0;
        while let Some(at) = text[from..].find(prefix) {
            let start = from + at;
            let end = if instead == "None" {
                start + text[start..].find("))").map_or(0, |n| n + 2)
            } else {
                let digits = start + prefix.len();
                digits + text[digits..].find([' ', '}', ',']).unwrap_or(0)
            };
            text.replace_range(start..end, instead);
            from = start + instead.len();
        }
    }
    text
}

/// Looks at everything, changes nothing.
struct Look;
impl Editor for Look {
    fn value(&mut self, _: Place, key: &str, _: usize, value: Value<'_>) -> Edit {
        let _ = (key.chars().count(), value.to_text().chars().count());
        Edit::Keep
    }
}

pub(crate) fn edit_all(batch: &mut Batch, editor: &mut dyn Editor) {
    for i in 0..batch.len() {
        batch.edit_record(i, editor);
    }
    for i in 0..batch.resource_count() {
        batch.edit_resource(i, editor);
    }
    for i in 0..batch.scope_count() {
        batch.edit_scope(i, editor);
    }
    batch.edit_metrics(editor);
}

/// Holds one input against `prost`: same refusal, same content as decoded, after every record was encoded from its
/// rows, cut up and put together, and through OTLP/JSON.
///
/// # Panics
/// When the two disagree.
pub fn agrees_with_prost(signal: Signal, wire: &[u8]) {
    let expected = content(signal, wire);
    let batch = Batch::decode(signal, Bytes::copy_from_slice(wire));
    match (&expected, &batch) {
        (None, Err(_)) => return,
        (Some(_), Ok(_)) => {}
        (Some(_), Err(error)) => panic!("refused what prost takes: {error}"),
        (None, Ok(_)) => panic!("took what prost refuses"),
    }
    let (expected, batch) = (
        expected.expect("just matched"),
        batch.expect("just matched"),
    );
    assert_eq!(
        content(signal, &batch.encode()).as_ref(),
        Some(&expected),
        "as decoded"
    );

    let mut looked = batch.clone();
    edit_all(&mut looked, &mut Look);
    assert_eq!(looked.encode(), batch.encode(), "a look changes nothing");

    // An empty value in place of none would show, so absent values stay absent: `Again` never sees them as such.
    let mut touched = batch.clone();
    for i in 0..touched.len() {
        let mut record = touched.record_mut(i);
        record.set("sluice.touched", Value::Bool(true));
        assert!(record.remove("sluice.touched"));
    }
    assert_eq!(
        content(signal, &touched.encode()).as_ref(),
        Some(&expected),
        "every record encoded from its rows"
    );

    let mut tagged = batch.clone();
    for i in 0..tagged.len() {
        let mut record = tagged.record_mut(i);
        record.set("sluice.tag", Value::Str("tag"));
        record.set("sluice.number", Value::Int(-1));
    }
    let mut rewritten = tagged.clone();
    for row in &mut rewritten.records {
        row.change = Change::Edited;
    }
    assert_eq!(
        content(signal, &tagged.encode()),
        content(signal, &rewritten.encode()),
        "an attribute put behind a record's bytes, and the record encoded from its rows"
    );

    for batch in [&batch, &touched, &tagged] {
        each_record_alone_is_what_it_is_once_stored(batch);
    }

    for (whole, expected) in [(&touched, &batch), (&tagged, &rewritten)] {
        let mut pieces = Batch::new(signal);
        for i in 0..whole.len() {
            let slice = whole.slice(i..i + 1);
            assert_eq!(slice.len(), 1);
            if i == 0 {
                pieces = slice
            } else {
                pieces.append(&slice)
            }
        }
        same(
            &records_of(&pieces),
            &records_of(expected),
            "cut up and put together",
        );
    }

    let mut json = Vec::new();
    batch.encode_json_into(0..batch.len(), &mut json);
    let text = String::from_utf8(json).expect("JSON is UTF-8");
    // Values nested nearly as deep as protobuf may nest them pass the depth that JSON readers take.
    if nesting(&text) > 120 {
        return;
    }
    let again = Batch::decode_json(signal, text.as_bytes()).expect("our JSON is ours to read");
    same(&records_of(&again), &records_of(&batch), "through JSON");
}

/// A ledger commits to the bytes of each record alone, and a verifier takes them from the batch as it was stored.
fn each_record_alone_is_what_it_is_once_stored(batch: &Batch) {
    let encoded = batch.encode();
    let mut copied = Vec::new();
    batch.each_alone(&encoded, |_, alone| copied.push(alone.to_vec()));
    let stored = Batch::decode(batch.signal(), Bytes::from(encoded)).expect("ours to read");
    assert_eq!(copied.len(), batch.len());
    for (i, copied) in copied.iter().enumerate() {
        let (mut alone, mut cut, mut again) = (Vec::new(), Vec::new(), Vec::new());
        batch.encode_record_into(i, &mut alone);
        batch.encode_into(i..i + 1, &mut cut);
        stored.encode_record_into(i, &mut again);
        // A whole batch keeps its empty resources and scopes; one record cut out does not.
        if batch.len() > 1 {
            assert_eq!(alone, cut, "record {i} alone and cut out");
        }
        assert_eq!(alone, again, "record {i} before and after it was stored");
        assert_eq!(&alone, copied, "record {i} encoded and copied");
    }
}

/// Like `assert_eq`, but shows where two long texts part.
fn same(left: &[Option<String>], right: &[Option<String>], what: &str) {
    assert_eq!(left.len(), right.len(), "{what}");
    for (i, (left, right)) in left.iter().zip(right).enumerate() {
        let (left, right) = (
            left.as_deref().unwrap_or("refused"),
            right.as_deref().unwrap_or("refused"),
        );
        let at = left
            .bytes()
            .zip(right.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let near = |text: &str| {
            text.chars()
                .skip(at.saturating_sub(100))
                .take(200)
                .collect::<String>()
        };
        assert!(
            left == right,
            "{what}: record {i}\n {}\n {}",
            near(left),
            near(right)
        );
    }
}

/// About how deep brackets nest: those in strings count too.
fn nesting(json: &str) -> i32 {
    let (mut depth, mut deepest) = (0, 0);
    for byte in json.bytes() {
        depth += i32::from(matches!(byte, b'{' | b'[')) - i32::from(matches!(byte, b'}' | b']'));
        deepest = deepest.max(depth);
    }
    deepest
}

/// Each record with its resource and scope, as `prost` reads it.
fn records_of(batch: &Batch) -> Vec<Option<String>> {
    // Alone, without the empty envelopes that a whole batch keeps.
    let mut batch = batch.clone();
    batch.pruned = true;
    (0..batch.len())
        .map(|i| {
            let mut out = Vec::new();
            batch.encode_into(i..i + 1, &mut out);
            content(batch.signal(), &out)
        })
        .collect()
}
