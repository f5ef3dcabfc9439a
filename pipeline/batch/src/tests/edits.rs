//! Editing: only what changes is encoded again, and what was taken away never leaves the batch.

use bytes::Bytes;

use crate::rows::Change;
use crate::{Batch, Edit, Editor, Place, Signal, Value, ValueBuf};

const SECRET: &str = "sk-canary-4f9a";

/// Takes every text that holds the canary away.
struct Wipe(Vec<(Place, String)>);

impl Editor for Wipe {
    fn value(&mut self, place: Place, key: &str, _: usize, value: Value<'_>) -> Edit {
        match value {
            Value::Str(text) if text.contains(SECRET) => {
                self.0.push((place, key.to_owned()));
                Edit::Replace(ValueBuf::new(Value::Str("gone")))
            }
            Value::Bytes(bytes) if bytes == SECRET.as_bytes() => Edit::Remove,
            _ => Edit::Keep,
        }
    }
    fn key(&mut self, _: Place, key: &str, _: usize) -> Option<String> {
        key.contains(SECRET).then(|| "wiped".to_owned())
    }
}

fn wipe(batch: &mut Batch) -> Vec<(Place, String)> {
    let mut editor = Wipe(Vec::new());
    for i in 0..batch.len() {
        batch.edit_record(i, &mut editor);
    }
    for i in 0..batch.resource_count() {
        batch.edit_resource(i, &mut editor);
    }
    for i in 0..batch.scope_count() {
        batch.edit_scope(i, &mut editor);
    }
    batch.edit_metrics(&mut editor);
    editor.0
}

fn holds_canary(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes())
}

fn assert_clean(batch: &Batch, what: &str) {
    let mut json = Vec::new();
    batch.encode_json_into(0..batch.len(), &mut json);
    assert!(
        !holds_canary(&batch.encode()),
        "{what}: the canary is in the protobuf"
    );
    assert!(!holds_canary(&json), "{what}: the canary is in the JSON");
    let mut merged = batch.slice(0..batch.len());
    merged.append(&batch.slice(0..batch.len()));
    assert!(
        !holds_canary(&merged.encode()),
        "{what}: the canary is in a merged batch"
    );
}

/// Plants the canary in every place where a text can stand, by JSON.
fn planted(signal: Signal) -> Batch {
    let value = r#"{"kvlistValue":{"values":[{"key":"sk-canary-4f9a key","value":{"arrayValue":{"values":[{"stringValue":"in sk-canary-4f9a it"},{"bytesValue":"c2stY2FuYXJ5LTRmOWE="},{"intValue":"7"}]}}}]}}"#;
    let attributes = format!(
        r#"[{{"key":"plain","value":{{"stringValue":"sk-canary-4f9a"}}}},{{"key":"nested","value":{value}}},{{"key":"keep","value":{{"intValue":"1"}}}}]"#
    );
    let resource = format!(
        r#""resource":{{"attributes":{attributes},"entityRefs":[{{"type":"sk-canary-4f9a","idKeys":["sk-canary-4f9a"]}}]}},"schemaUrl":"http://sk-canary-4f9a""#
    );
    let scope = format!(
        r#""scope":{{"name":"sk-canary-4f9a","version":"sk-canary-4f9a","attributes":{attributes}}},"schemaUrl":"sk-canary-4f9a""#
    );
    let json = match signal {
        Signal::Logs => format!(
            r#"{{"resourceLogs":[{{{resource},"scopeLogs":[{{{scope},"logRecords":[{{"severityText":"sk-canary-4f9a","eventName":"sk-canary-4f9a","body":{value},"attributes":{attributes}}},{{"body":{{"stringValue":"clean"}}}}]}}]}}]}}"#
        ),
        Signal::Traces => format!(
            r#"{{"resourceSpans":[{{{resource},"scopeSpans":[{{{scope},"spans":[{{"name":"sk-canary-4f9a","traceState":"sk-canary-4f9a","attributes":{attributes},"events":[{{"name":"sk-canary-4f9a","attributes":{attributes}}}],"links":[{{"traceState":"sk-canary-4f9a","attributes":{attributes}}}],"status":{{"message":"sk-canary-4f9a","code":2}}}}]}}]}}]}}"#
        ),
        Signal::Metrics => format!(
            r#"{{"resourceMetrics":[{{{resource},"scopeMetrics":[{{{scope},"metrics":[{{"name":"sk-canary-4f9a","description":"sk-canary-4f9a","unit":"sk-canary-4f9a","metadata":{attributes},"sum":{{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{{"asInt":"5","attributes":{attributes},"exemplars":[{{"asDouble":1.5,"filteredAttributes":{attributes}}}]}}]}}}}]}}]}}]}}"#
        ),
    };
    Batch::decode_json(signal, json.as_bytes()).expect("valid OTLP/JSON")
}

#[test]
fn what_an_edit_takes_away_never_leaves_the_batch() {
    for signal in Signal::ALL {
        let mut batch = planted(signal);
        assert!(holds_canary(&batch.encode()), "planted");
        let seen = wipe(&mut batch);
        assert!(seen.len() > 8, "{signal:?}: {seen:?}");
        assert_clean(&batch, signal.name());
        assert!(wipe(&mut batch).is_empty(), "nothing is left to find");
    }
}

#[test]
fn what_an_edit_takes_away_never_leaves_the_batch_though_the_record_was_only_tagged_before_or_after()
 {
    for signal in Signal::ALL {
        let tag = |batch: &mut Batch, key: &str| {
            (0..batch.len()).for_each(|i| batch.record_mut(i).set(key, Value::Str("tag")));
        };
        let mut batch = planted(signal);
        tag(&mut batch, "first");
        assert!(holds_canary(&batch.encode()), "planted");
        assert!(wipe(&mut batch).len() > 8, "{signal:?}");
        assert_clean(&batch, signal.name());
        tag(&mut batch, "second");
        assert_clean(&batch, signal.name());
        let again = Batch::decode(signal, Bytes::from(batch.encode())).expect("valid");
        for record in again.records() {
            assert_eq!(record.get("first"), Some(Value::Str("tag")));
            assert_eq!(record.get("second"), Some(Value::Str("tag")));
        }
    }
}

#[test]
fn a_record_that_gets_an_attribute_keeps_its_bytes_and_has_it_behind_them() {
    let mut batch = planted(Signal::Logs);
    let before = batch.wire()[batch.span_in_wire(1).expect("as it arrived")].to_vec();
    batch.record_mut(1).set("tag", Value::Str("t"));
    let expected = [&before[..], b"\x32\x0a\x0a\x03tag\x12\x03\x0a\x01t"].concat();
    let again = Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid");
    let after = again.span_in_wire(1).expect("as it was written");
    assert_eq!(again.wire()[after], expected);
    assert_eq!(batch.record_bytes(1), expected.len());
    assert!(batch.span_in_wire(1).is_none(), "the wire lacks the tag");
}

#[test]
fn a_record_with_more_added_attributes_than_are_counted_is_written_whole() {
    let mut batch = planted(Signal::Logs);
    for n in 0..4 {
        batch.record_mut(1).set(&format!("k{n}"), Value::Int(n));
    }
    // As if there were as many as are counted: so many `set`s would take minutes.
    batch.records[1].change = Change::Added(u16::MAX);
    batch.record_mut(1).set("k4", Value::Int(4));
    assert_eq!(batch.records[1].change, Change::Edited);
    let again = Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid");
    let added = again.record(1).attributes();
    assert!(added.keys().eq(["k0", "k1", "k2", "k3", "k4"]));
}

#[test]
fn a_walk_names_every_place() {
    let mut places: Vec<_> = Signal::ALL
        .iter()
        .flat_map(|s| wipe(&mut planted(*s)))
        .map(|(p, k)| format!("{p:?} {k}"))
        .collect();
    places.sort();
    places.dedup();
    for expected in [
        "Attribute plain",
        "Body sk-canary-4f9a key",
        "Field description",
        "Field event_name",
        "Field name",
        "Field severity_text",
        "Field status.message",
        "Field trace_state",
        "Field unit",
        "Inner name",
        "Inner plain",
        "Inner trace_state",
        "Resource plain",
        "Resource schema_url",
        "Scope scope.name",
        "Scope scope.version",
    ] {
        assert!(
            places.iter().any(|p| p == expected),
            "{expected} is missing from {places:?}"
        );
    }
}

#[test]
fn editing_one_record_leaves_the_others_as_they_arrived() {
    let mut batch = planted(Signal::Logs);
    let second = batch.span_in_wire(1).expect("as it arrived");
    let before = batch.wire()[second].to_vec();
    wipe(&mut batch);
    assert!(batch.span_in_wire(0).is_none(), "changed");
    let after = batch
        .span_in_wire(1)
        .map(|span| batch.wire()[span].to_vec());
    assert_eq!(after, Some(before));
}

#[test]
fn attributes_can_be_set_added_and_removed_in_any_order() {
    let mut batch = planted(Signal::Logs);
    for round in 0..50 {
        for i in 0..batch.len() {
            let mut record = batch.record_mut(i);
            record.set("n", Value::Int(round));
            record.set(&format!("k{round}"), Value::Str("v"));
            if round > 0 {
                assert!(record.remove(&format!("k{}", round - 1)));
            }
        }
    }
    let again = Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid");
    for record in again.records() {
        assert_eq!(record.get("n"), Some(Value::Int(49)));
        assert_eq!(record.get("k49"), Some(Value::Str("v")));
        assert_eq!(record.get("k48"), None);
    }
    assert_eq!(again.record(0).get("keep"), Some(Value::Int(1)));
}

#[test]
fn dropped_records_leave_no_empty_envelope() {
    let mut batch = planted(Signal::Logs);
    batch.push_scope(&[("service.name", Value::Str("second"))], "other");
    batch.push_log().set_body(Value::Str("kept"));
    batch.retain(|r| r.body() == Value::Str("kept"));
    assert_eq!(batch.len(), 1);
    let again = Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid");
    assert_eq!(
        (again.len(), again.resource_count(), again.scope_count()),
        (1, 1, 1)
    );
    assert_eq!(
        again.record(0).resource().get("service.name"),
        Some(Value::Str("second"))
    );
    assert_eq!(again.record(0).scope().name(), "other");
}

#[test]
fn a_batch_that_keeps_little_lets_the_request_go() {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[], "s");
    for i in 0..100 {
        let mut record = batch.push_log();
        record.set_body(Value::Str(&"x".repeat(1000)));
        record.set("i", Value::Int(i));
    }
    let mut batch = Batch::decode(Signal::Logs, Bytes::from(batch.encode())).expect("valid");
    assert!(batch.memory() > 100_000);
    batch.retain(|r| r.get("i") == Some(Value::Int(42)));
    assert!(batch.memory() < 10_000, "{} bytes", batch.memory());
    assert_eq!(batch.record(0).get("i"), Some(Value::Int(42)));
}

#[test]
fn marks_survive_slicing_and_merging_but_are_not_written() {
    let mut batch = planted(Signal::Logs);
    let plain = batch.encode();
    batch.record_mut(1).mark(5);
    assert_eq!(batch.encode(), plain);
    let mut merged = batch.slice(1..2);
    merged.append(&batch);
    assert_eq!(
        merged.records().map(|r| r.marks()).collect::<Vec<_>>(),
        [5, 0, 5]
    );
}

#[test]
fn slices_of_several_places_have_each_records_own_resource_scope_and_marks() {
    let mut batch = Batch::new(Signal::Logs);
    for resource in 0..3 {
        for scope in 0..2 {
            batch.push_scope(&[("r", Value::Int(resource))], &format!("s{scope}"));
            for n in 0..4 {
                batch.push_log().set("n", Value::Int(n));
            }
        }
    }
    let mut batch = Batch::decode(Signal::Logs, batch.encode().into()).expect("valid");
    (0..batch.len()).for_each(|i| batch.record_mut(i).mark(1 << (i % 4)));
    for ranges in [
        &[1..2, 3..5, 11..14, 23..24][..],
        &[0..1, 23..24][..],
        &[0..12, 12..24][..],
        &[0..0, 2..3, 3..4][..],
        &[][..],
    ] {
        let picked = batch.slices(ranges);
        let wanted: Vec<usize> = ranges.iter().flat_map(Clone::clone).collect();
        assert_eq!(picked.len(), wanted.len(), "{ranges:?}");
        for (at, from) in wanted.into_iter().enumerate() {
            let (new, old) = (picked.record(at), batch.record(from));
            assert_eq!(new.marks(), old.marks(), "{ranges:?} {at}");
            let alone = |batch: &Batch, i: usize| batch.slice(i..i + 1).encode();
            assert_eq!(alone(&picked, at), alone(&batch, from), "{ranges:?} {at}");
        }
    }
}

#[test]
fn a_slice_of_a_metric_with_many_points_copies_only_its_points() {
    let points = vec![r#"{"timeUnixNano":"1","asDouble":1.5,"attributes":[{"key":"k","value":{"stringValue":"v"}}]}"#; 20_000].join(",");
    let json = format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"g","unit":"s","sum":{{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[{points}]}}}}]}}]}}]}}"#
    );
    let batch = Batch::decode_json(Signal::Metrics, json.as_bytes()).expect("valid");
    let slice = batch.slice(0..10);
    assert!(slice.memory() < 10_000, "{} bytes", slice.memory());
    let again = Batch::decode(Signal::Metrics, Bytes::from(slice.encode())).expect("valid");
    assert_eq!((again.len(), again.record(0).name()), (10, "g"));
    let mut text = Vec::new();
    again.encode_json_into(0..10, &mut text);
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(
        text.contains(r#""isMonotonic":true"#) && text.contains(r#""unit":"s""#),
        "{text}"
    );
}
