use serde_json::Value as Json;
use sluice_batch::{Batch, Signal, Value};

use super::{EVENT, audit_batch, points, spans, text, text_batch};
use crate::Format;

fn array(batches: &[Batch]) -> Vec<Json> {
    serde_json::from_str(&text(Format::Json, batches)).unwrap()
}

#[test]
fn an_audit_event_keeps_its_sources_object_as_it_came() {
    let expected = [
        r#"{"sequence":1,"pipeline":"logs/audit","accepted_time":"2026-04-20T18:30:02.000000000Z""#,
        r#""time":"2026-04-20T18:30:00.000000000Z","observed_time":"2026-04-20T18:30:01.000000001Z","signal":"logs""#,
        r#""event_name":"ai.policy.decision","severity":"INFO","severity_number":10"#,
        r#""trace_id":"abababababababababababababababab","span_id":"cdcdcdcdcdcdcdcd""#,
        r#""resource":{"service.name":"policy-gateway"},"scope":{"name":"audit"}"#,
        r#""attributes":{"log.record.uid":"e-1","ai.policy.id":"support-bot","ai.policy.decision":"refuse","ai.policy.outcome":"allow""#,
        r#""ai.policy.enforced":false,"user.id":"user_42","data.classification":["internal","pii"]}"#,
        &format!(r#""body":{EVENT},"audit":{{"leaf_hash":"{}"}}}}"#, "ee".repeat(32)),
    ]
    .join(",");
    assert_eq!(
        text(Format::Ndjson, &[audit_batch()]),
        expected.clone() + "\n"
    );
    assert_eq!(
        text(Format::Json, &[audit_batch()]),
        format!("[\n{expected}\n]\n")
    );
}

#[test]
fn no_records_are_an_empty_array_or_no_lines() {
    let empty = Batch::new(Signal::Logs);
    for batches in [&[][..], &[empty][..]] {
        assert_eq!(text(Format::Json, batches), "[]\n");
        assert_eq!(text(Format::Ndjson, batches), "");
    }
}

#[test]
fn a_record_without_anything_has_resource_attributes_and_a_null_body() {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_log();
    assert_eq!(
        text(Format::Ndjson, &[text_batch([]), batch, text_batch(["x"])])
            .lines()
            .map(|line| line.replace(
                r#","accepted_time":"2026-04-20T18:30:02.000000000Z","signal":"logs""#,
                ""
            ))
            .collect::<Vec<_>>(),
        [
            format!(
                r#"{{"sequence":1,"pipeline":"logs/audit","resource":{{}},"attributes":{{}},"body":null,"audit":{{"leaf_hash":"{}"}}}}"#,
                "ee".repeat(32)
            ),
            r#"{"sequence":2,"pipeline":"logs/audit","resource":{},"attributes":{},"body":"x"}"#
                .to_owned(),
        ]
    );
}

#[test]
fn spans_and_data_points_carry_all_they_have_in_their_body() {
    let records = array(&[audit_batch(), spans(), points()]);
    let field = |key: &str| records.iter().map(|r| r[key].clone()).collect::<Vec<_>>();
    assert_eq!(field("sequence"), [1, 2, 3, 4, 5]);
    assert_eq!(
        field("signal"),
        ["logs", "traces", "traces", "metrics", "metrics"]
    );
    assert_eq!(
        field("event_name")[1..],
        ["GET /", "GET /cart", "requests", "requests"]
    );
    assert_eq!(records[1]["time"], "1970-01-01T00:00:00.000000005Z");
    assert_eq!(
        records[1]["observed_time"],
        "1970-01-01T00:00:00.000000009Z"
    );
    assert_eq!(records[1]["resource"]["service.name"], "shop");
    assert_eq!(records[1]["body"]["status"]["code"], 2);
    assert_eq!(records[2]["body"]["events"][0]["name"], "retry");
    for (record, value) in [(3, "3"), (4, "4")] {
        let data = &records[record]["body"]["sum"];
        assert_eq!(data["dataPoints"].as_array().unwrap().len(), 1);
        assert_eq!(data["dataPoints"][0]["asInt"], value);
        assert_eq!(data["isMonotonic"], true);
    }
    assert_eq!(records[3]["attributes"]["gen_ai.request.model"], "m");
}

#[test]
fn every_span_of_a_large_batch_is_written_with_its_own_resource() {
    let resources: Vec<String> = (0..600)
        .map(|i| format!(r#"{{"resource":{{"attributes":[{{"key":"n","value":{{"intValue":"{i}"}}}}]}},"scopeSpans":[{{"spans":[{{"name":"s{i}"}}]}}]}}"#))
        .collect();
    let json = format!(r#"{{"resourceSpans":[{{}},{}]}}"#, resources.join(","));
    let batch = Batch::decode_json(Signal::Traces, json.as_bytes()).unwrap();
    let records = array(&[batch]);
    assert_eq!(records.len(), 600);
    for (i, record) in records.iter().enumerate() {
        assert_eq!(record["resource"]["n"], i);
        assert_eq!(record["body"]["name"], format!("s{i}"));
    }
}

#[test]
fn an_attribute_that_stands_twice_is_written_with_its_first_value() {
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[
        {"key":"a","value":{"intValue":"1"}},{"key":"b","value":{}},{"key":"a","value":{"intValue":"2"}}]}]}]}]}"#;
    let batch = Batch::decode_json(Signal::Logs, json.as_bytes()).unwrap();
    assert!(text(Format::Ndjson, &[batch]).contains(r#""attributes":{"a":1,"b":null},"#));
}

#[test]
fn the_last_time_that_can_be_written_down_is_written() {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_log().set_time(u64::MAX);
    batch.record_mut(0).set_body(Value::Double(f64::NAN));
    let records = array(&[batch]);
    assert_eq!(records[0]["time"], "2554-07-21T23:34:33.709551615Z");
    assert_eq!(records[0]["body"], "NaN");
}
