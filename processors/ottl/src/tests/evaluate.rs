use sluice_batch::{Batch, Signal, Value, ValueBuf};

use crate::Condition;

/// One audit event with a bit of everything.
fn event() -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("service.name", Value::Str("gateway"))], "audit");
    let body = br#"{"decision":"refuse","hits":["a","b",3],"nested":{"deep":{"n":1.5}},"none":null,"count":7,"ok":true}"#;
    let body = ValueBuf::from_json(body).unwrap();
    let list = ValueBuf::array([Value::Str("x"), Value::Int(2)]);
    let mut record = batch.push_log();
    record.set_body(body.as_value());
    record.set("text", Value::Str("Hello"));
    record.set("int", Value::Int(5));
    record.set("double", Value::Double(5.0));
    record.set("yes", Value::Bool(true));
    record.set("bytes", Value::Bytes(&[0x0a, 0xff]));
    record.set("list", list.as_value());
    record.set("empty", Value::Empty);
    record.set_severity(13, "WARN");
    record.set_name("ai.policy.decision");
    record.set_time(1_000);
    record.set_trace(&[0xab; 16], &[1; 8], 1);
    batch
}

/// Asserts which of the conditions hold for the event.
#[track_caller]
fn check(expected: bool, conditions: &[&str]) {
    let batch = event();
    for text in conditions {
        let condition = Condition::parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(condition.matches(batch.record(0)), expected, "{text}");
    }
}

#[test]
fn every_part_of_a_record_can_be_asked_for() {
    check(
        true,
        &[
            r#"attributes["text"] == "Hello""#,
            r#"log.attributes["text"] == "Hello""#,
            r#"resource.attributes["service.name"] == "gateway""#,
            r#"scope.name == "audit""#,
            r#"instrumentation_scope.name == "audit""#,
            r#"scope.version == """#,
            r#"body["decision"] == "refuse""#,
            r#"body["nested"]["deep"]["n"] == 1.5"#,
            r#"body["hits"][1] == "b""#,
            r#"attributes["list"][1] == 2"#,
            "severity_number == SEVERITY_NUMBER_WARN",
            "severity_number >= SEVERITY_NUMBER_INFO4 and severity_number < 17",
            r#"severity_text == "WARN""#,
            r#"event_name == "ai.policy.decision""#,
            "time_unix_nano == 1000 and observed_time_unix_nano == 0",
            r#"trace_id.string == "abababababababababababababababab""#,
            "trace_id == TraceID(0xabababababababababababababababab)",
            r#"span_id.string == "0101010101010101" and flags == 1"#,
        ],
    );
}

#[test]
fn what_is_not_there_is_nil() {
    check(
        true,
        &[
            r#"attributes["missing"] == nil"#,
            r#"attributes["empty"] == nil"#,
            r#"body["none"] == nil"#,
            r#"body["missing"]["deeper"] == nil"#,
            r#"body["hits"][9] == nil"#,
            r#"body["hits"]["name"] == nil"#,
            r#"attributes["text"]["inside"] == nil"#,
            r#"attributes["text"] != nil"#,
            r#"attributes["missing"] != "x""#,
            "nil == nil and nil <= nil and not (nil < nil)",
        ],
    );
}

#[test]
fn numbers_compare_across_types_and_nothing_else_does() {
    check(
        true,
        &[
            r#"attributes["int"] == 5.0 and attributes["double"] == 5"#,
            r#"attributes["int"] < 5.5 and 5.5 > attributes["int"]"#,
            r#"attributes["int"] != "5""#,
            r#"attributes["text"] < "World" and attributes["text"] >= "Hello""#,
            r#"attributes["bytes"] == 0x0aff and attributes["bytes"] < 0x0b"#,
            "false < true",
            r#"body["hits"] == ["a", "b", 3]"#,
            r#"body["nested"] == body["nested"] and body["nested"] != body"#,
        ],
    );
    check(
        false,
        &[
            r#"attributes["int"] == "5""#,
            r#"attributes["int"] < "6" or attributes["int"] >= "6""#,
            r#"attributes["yes"] == 1"#,
            r#"attributes["yes"] == "true""#,
            r#"attributes["missing"] < 5 or attributes["missing"] >= 5"#,
            r#"body["hits"] == ["a", "b"]"#,
            r#"body["hits"] < ["b"]"#,
        ],
    );
}

#[test]
fn and_binds_tighter_than_or_and_not_covers_one_comparison() {
    check(
        true,
        &[
            "true or true and false",
            "not false and true",
            r#"not attributes["int"] == 6"#,
            "not (true and false)",
            "not not true",
            "(true or true) and true",
        ],
    );
    check(
        false,
        &[
            "(true or true) and false",
            "not true or false",
            "not (true or false)",
        ],
    );
}

#[test]
fn functions_answer_and_are_false_for_a_wrong_type() {
    check(
        true,
        &[
            r#"IsMatch(attributes["text"], "^H.*o$")"#,
            r#"IsMatch(attributes["int"], "^5$") and IsMatch(attributes["yes"], "true")"#,
            r#"IsMatch(attributes["bytes"], "^0aff$")"#,
            r#"IsMatch(body, "\"decision\":\"refuse\"")"#,
            r#"Contains(attributes["text"], "ell") and Contains(body["hits"], 3)"#,
            r#"ContainsValue(body["hits"], "a") and ContainsValue(["WARN", "ERROR"], severity_text)"#,
            r#"HasPrefix(event_name, "ai.") and HasSuffix(event_name, ".decision")"#,
            r#"IsString(severity_text) and IsMap(body) and IsInt(body["count"]) and IsBool(body["ok"])"#,
            r#"IsDouble(attributes["double"]) and IsList(body["hits"])"#,
            r#"Len(attributes["text"]) == 5 and Len(body["hits"]) == 3 and Len(body) == 6"#,
            r#"ToLowerCase(attributes["text"]) == "hello" and ToUpperCase("ä") == "Ä""#,
            r#"Int("12") == 12 and Int(3.9) == 3 and Int(true) == 1 and Int("x") == nil"#,
            r#"Double("1.5") == 1.5 and Double(2) == 2.0"#,
            r#"String(attributes["int"]) == "5" and String(nil) == nil"#,
            r#"Concat(["a", 1, attributes["missing"]], "-") == "a-1-<nil>""#,
            r#"Substring(attributes["text"], 1, 3) == "ell""#,
            r#"Substring(attributes["text"], 3, 9) == nil and Substring("ä", 1, 1) == nil"#,
        ],
    );
    check(
        false,
        &[
            r#"IsMatch(attributes["missing"], ".*")"#,
            r#"HasPrefix(attributes["int"], "5")"#,
            r#"Contains(attributes["int"], "5")"#,
            r#"ContainsValue(attributes["text"], "H")"#,
            r#"Len(attributes["int"]) == 1"#,
            r#"IsString(attributes["missing"])"#,
            "TraceID(0x01) == trace_id",
        ],
    );
}

#[test]
fn arithmetic_never_overflows_or_divides_by_zero() {
    check(
        true,
        &[
            r#"attributes["int"] + 2 * 3 == 11"#,
            r#"(attributes["int"] + 2) * 3 == 21"#,
            "10 - 3 - 2 == 5 and 7 / 2 == 3 and 7 / 2.0 == 3.5",
            "9223372036854775807 + 1 == nil",
            "-9223372036854775808 / -1 == nil",
            "1 / 0 == nil",
            r#"attributes["text"] + 1 == nil"#,
        ],
    );
}

#[test]
fn a_wrong_type_in_one_half_does_not_hide_the_other_half() {
    check(
        true,
        &[
            r#"body["decision"]["level"] == "high" or attributes["int"] == 5"#,
            r#"attributes["int"] > "x" or body["ok"] == true"#,
        ],
    );
}

#[test]
fn a_span_has_a_name_and_a_data_point_its_metrics_name() {
    let spans = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"GET /","startTimeUnixNano":"9","endTimeUnixNano":"12"}]}]}]}"#;
    let batch = Batch::decode_json(Signal::Traces, spans).unwrap();
    assert!(
        Condition::parse(
            r#"span.name == "GET /" and end_time_unix_nano - start_time_unix_nano == 3"#
        )
        .unwrap()
        .matches(batch.record(0))
    );
    let metrics = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1","attributes":[{"key":"k","value":{"intValue":"2"}}]}]}}]}]}]}"#;
    let batch = Batch::decode_json(Signal::Metrics, metrics).unwrap();
    assert!(
        Condition::parse(r#"metric.name == "m" and datapoint.attributes["k"] == 2"#)
            .unwrap()
            .matches(batch.record(0))
    );
}
