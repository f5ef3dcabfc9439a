use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;

use super::{logs, record};
use crate::json::to_protobuf;
use crate::schema::{LOGS_REQUEST, METRICS_REQUEST};

fn body(json: &str) -> Result<Option<Value>, String> {
    record(&format!(r#"{{"body":{json}}}"#)).map(|r| r.body.and_then(|b| b.value))
}

fn int(n: i64) -> Result<Option<Value>, String> {
    Ok(Some(Value::IntValue(n)))
}

#[test]
fn a_policy_decision_becomes_the_same_request_as_its_protobuf() {
    let request = logs(
        r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"policy-gateway"}}]},
 "scopeLogs":[{"scope":{"name":"audit"},"logRecords":[{"timeUnixNano":"1776709800000000000",
 "observedTimeUnixNano":"1776709801000000000","severityNumber":10,"severityText":"INFO",
 "eventName":"ai.policy.decision","body":{"kvlistValue":{"values":[{"key":"decision","value":{"stringValue":"refuse"}}]}},
 "attributes":[{"key":"ai.policy.decision","value":{"stringValue":"refuse"}}]}]}]}]}"#,
    )
    .unwrap();
    let resource = &request.resource_logs[0];
    assert_eq!(
        resource.resource.as_ref().unwrap().attributes[0].key,
        "service.name"
    );
    let scope = &resource.scope_logs[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "audit");
    let record = &scope.log_records[0];
    assert_eq!(
        (record.time_unix_nano, record.observed_time_unix_nano),
        (1_776_709_800_000_000_000, 1_776_709_801_000_000_000)
    );
    assert_eq!(
        (record.severity_number, record.severity_text.as_str()),
        (10, "INFO")
    );
    assert_eq!(record.event_name, "ai.policy.decision");
    let Some(Value::KvlistValue(map)) = record.body.clone().unwrap().value else {
        panic!("a map")
    };
    assert_eq!(map.values[0].key, "decision");
    assert_eq!(
        record.attributes[0].value.clone().unwrap().value,
        Some(Value::StringValue("refuse".into()))
    );
}

#[test]
fn snake_case_keys_are_the_same_fields() {
    let request = logs(r#"{"resource_logs":[{"scope_logs":[{"log_records":[{"time_unix_nano":"5","trace_id":"0102"}]}]}]}"#).unwrap();
    let record = &request.resource_logs[0].scope_logs[0].log_records[0];
    assert_eq!(
        (record.time_unix_nano, &record.trace_id[..]),
        (5, &[1, 2][..])
    );
}

#[test]
fn ids_are_hexadecimal_in_any_case_and_may_be_empty() {
    let read =
        record(r#"{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174"}"#)
            .unwrap();
    assert_eq!(
        read.trace_id,
        [
            0x5b, 0x8e, 0xff, 0xf7, 0x98, 3, 0x81, 3, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0xc
        ]
    );
    assert_eq!(
        read.span_id,
        [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]
    );
    assert_eq!(record(r#"{"traceId":""}"#).unwrap().trace_id, b"");
    for wrong in [
        r#""xyz0""#,
        r#""abc""#,
        "5",
        r#""AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#,
        r#""éé""#,
    ] {
        let error = record(&format!(r#"{{"traceId":{wrong}}}"#)).unwrap_err();
        assert!(
            error.starts_with(
                "LogRecord.traceId: expected a string of hexadecimal digits at line 1"
            ),
            "{error}"
        );
    }
    // Wrong lengths are the reader's to judge.
    assert_eq!(
        record(&format!(r#"{{"traceId":"{}"}}"#, "ab".repeat(40)))
            .unwrap()
            .trace_id
            .len(),
        40
    );
}

#[test]
fn integers_come_as_numbers_or_strings_or_whole_floats() {
    assert_eq!(
        body(r#"{"intValue":"-9223372036854775808"}"#),
        int(i64::MIN)
    );
    assert_eq!(body(r#"{"intValue":9223372036854775807}"#), int(i64::MAX));
    assert_eq!(body(r#"{"intValue":"9223372036854775807"}"#), int(i64::MAX));
    assert_eq!(body(r#"{"intValue":1.0}"#), int(1));
    assert_eq!(body(r#"{"intValue":-1e3}"#), int(-1000));
    assert_eq!(body(r#"{"intValue":"1e3"}"#), int(1000));
    assert_eq!(
        body(r#"{"intValue":0}"#),
        int(0),
        "a oneof's default is a value"
    );
    assert_eq!(
        record(r#"{"timeUnixNano":18446744073709551615}"#)
            .unwrap()
            .time_unix_nano,
        u64::MAX
    );
    assert_eq!(
        record(r#"{"timeUnixNano":"18446744073709551615"}"#)
            .unwrap()
            .time_unix_nano,
        u64::MAX
    );
    assert_eq!(record(r#"{"flags":4294967295}"#).unwrap().flags, u32::MAX);
}

#[test]
fn an_integer_outside_its_range_is_refused() {
    for (field, value) in [
        ("timeUnixNano", "-1"),
        ("timeUnixNano", "18446744073709551616"),
        ("timeUnixNano", "\"18446744073709551616\""),
        ("timeUnixNano", "1e300"),
        ("timeUnixNano", "1.5"),
        ("timeUnixNano", "\"\""),
        ("timeUnixNano", "\" 5\""),
        ("timeUnixNano", "\"0x10\""),
        ("timeUnixNano", "\"NaN\""),
        ("timeUnixNano", "true"),
        ("timeUnixNano", "[5]"),
        ("flags", "4294967296"),
        ("droppedAttributesCount", "-1"),
        ("severityNumber", "2147483648"),
    ] {
        let error = record(&format!(r#"{{"{field}":{value}}}"#)).unwrap_err();
        assert!(
            error.starts_with(&format!("LogRecord.{field}: expected an ")),
            "{value}: {error}"
        );
    }
    assert!(body(r#"{"intValue":9223372036854775808}"#).is_err());
    assert!(body(r#"{"intValue":"-9223372036854775809"}"#).is_err());
}

#[test]
fn enums_are_numbers_or_names() {
    assert_eq!(
        record(r#"{"severityNumber":"SEVERITY_NUMBER_WARN2"}"#)
            .unwrap()
            .severity_number,
        14
    );
    assert_eq!(
        record(r#"{"severityNumber":99}"#).unwrap().severity_number,
        99,
        "numbers of later versions are kept"
    );
    assert_eq!(
        record(r#"{"severityNumber":-1}"#).unwrap().severity_number,
        -1
    );
    assert!(record(r#"{"severityNumber":"WARN"}"#).is_err());
}

#[test]
fn doubles_are_numbers_or_their_names_or_numeric_strings() {
    let double = |json: &str| match body(&format!(r#"{{"doubleValue":{json}}}"#)) {
        Ok(Some(Value::DoubleValue(n))) => Some(n),
        _ => None,
    };
    assert_eq!(double("0.1"), Some(0.1));
    assert_eq!(double("5"), Some(5.0));
    assert_eq!(double("-5"), Some(-5.0));
    assert_eq!(double(r#""2.5e3""#), Some(2500.0));
    assert_eq!(double(r#""Infinity""#), Some(f64::INFINITY));
    assert_eq!(double(r#""-Infinity""#), Some(f64::NEG_INFINITY));
    assert!(double(r#""NaN""#).unwrap().is_nan());
    for wrong in [r#""inf""#, r#""nan""#, r#"" 1""#, r#""""#, "true", "{}"] {
        assert_eq!(double(wrong), None, "{wrong}");
    }
}

#[test]
fn bytes_are_base64_of_either_alphabet_with_or_without_padding() {
    for text in ["+/+/AQ==", "+/+/AQ", "-_-_AQ==", "-_-_AQ"] {
        assert_eq!(
            body(&format!(r#"{{"bytesValue":"{text}"}}"#)),
            Ok(Some(Value::BytesValue(vec![0xfb, 0xff, 0xbf, 1]))),
            "{text}"
        );
    }
    assert_eq!(
        body(r#"{"bytesValue":""}"#),
        Ok(Some(Value::BytesValue(vec![])))
    );
    assert!(body(r#"{"bytesValue":"!!"}"#).is_err());
}

#[test]
fn null_is_an_absent_field() {
    let read = record(r#"{"timeUnixNano":null,"body":null,"attributes":null,"traceId":null,"severityNumber":null}"#).unwrap();
    assert_eq!(read, Default::default());
    assert_eq!(
        body(r#"{"stringValue":null,"intValue":"1"}"#),
        int(1),
        "null takes no part in a oneof"
    );
}

#[test]
fn an_empty_any_value_stays_a_value() {
    assert_eq!(
        record(r#"{"body":{}}"#).unwrap().body,
        Some(AnyValue { value: None })
    );
    let list = Ok(Some(Value::ArrayValue(ArrayValue {
        values: vec![AnyValue { value: None }; 2],
    })));
    assert_eq!(body(r#"{"arrayValue":{"values":[{},null]}}"#), list);
    assert_eq!(
        body(r#"{"arrayValue":{}}"#),
        Ok(Some(Value::ArrayValue(ArrayValue { values: vec![] })))
    );
    assert!(
        record(r#"{"attributes":[null]}"#).is_err(),
        "but there is no empty attribute"
    );
}

#[test]
fn unknown_keys_are_skipped_at_any_depth() {
    let read = record(r#"{"new":{"a":[1,{"b":null}],"c":"\ud800"},"timeUnixNano":"7","body":{"stringValueStrindex":3}}"#).unwrap();
    assert_eq!(read.time_unix_nano, 7);
    assert_eq!(
        read.body,
        Some(AnyValue { value: None }),
        "a profile's string reference means nothing in a log"
    );
    let deep = format!(
        r#"{{"new":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(logs(&deep).is_ok(), "skipping takes no stack");
}

#[test]
fn an_object_that_says_two_things_is_refused() {
    for (json, field) in [
        (
            r#"{"timeUnixNano":"1","timeUnixNano":"2"}"#,
            "LogRecord.timeUnixNano: stands twice",
        ),
        (
            r#"{"traceId":"01","trace_id":"02"}"#,
            "LogRecord.traceId: stands twice",
        ),
        (
            r#"{"attributes":[],"attributes":[]}"#,
            "LogRecord.attributes: stands twice",
        ),
        (
            r#"{"body":{"stringValue":"a","intValue":"1"}}"#,
            "AnyValue.intValue: a second value",
        ),
    ] {
        let error = record(json).unwrap_err();
        assert!(error.starts_with(field), "{error}");
    }
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    for wrong in [
        "",
        " ",
        "null",
        "[]",
        "5",
        "\"secret\"",
        "{",
        "{}x",
        "{} {}",
        "{\"resourceLogs\":}",
        "{'a':1}",
        "\u{feff}{}",
    ] {
        let error = to_protobuf(&LOGS_REQUEST, wrong.as_bytes()).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
    assert_eq!(to_protobuf(&LOGS_REQUEST, b" {} \n").unwrap(), b"");
}

#[test]
fn bad_text_is_refused() {
    assert_eq!(
        to_protobuf(&LOGS_REQUEST, b"{\"a\":\"\xff\"}").unwrap_err(),
        "invalid UTF-8 at byte 6"
    );
    for surrogate in [r"\ud800", r"\udc00", r"\ud800x", r"\ud800\u0041"] {
        assert!(
            body(&format!(r#"{{"stringValue":"{surrogate}"}}"#)).is_err(),
            "{surrogate}"
        );
    }
    assert_eq!(
        body(r#"{"stringValue":"\ud83d\ude00\u0000"}"#),
        Ok(Some(Value::StringValue("😀\0".into())))
    );
}

#[test]
fn errors_name_field_line_and_column_and_quote_nothing() {
    for value in [
        r#""canary""#,
        r#"{"canary":1}"#,
        r#"["canary"]"#,
        "987654321987",
        "true",
        "9.875",
    ] {
        for field in [
            "droppedAttributesCount",
            "attributes",
            "body",
            "severityText",
            "traceId",
            "severityNumber",
        ] {
            let Err(error) = record(&format!("{{\n\"{field}\":{value}}}")) else {
                continue;
            };
            assert!(
                !error.contains("canary") && !error.contains("987"),
                "{error}"
            );
            assert!(
                error.starts_with(&format!("LogRecord.{field}: expected "))
                    || error.starts_with("KeyValue"),
                "{error}"
            );
            assert!(error.contains(" at line 2 column "), "{error}");
        }
    }
}

#[test]
fn deep_nesting_is_refused_and_never_overflows() {
    let nested = |levels: usize| {
        format!(
            "{}{{}}{}",
            r#"{"arrayValue":{"values":["#.repeat(levels),
            "]}}".repeat(levels)
        )
    };
    assert!(body(&nested(38)).is_ok());
    for levels in [50, 1000, 100_000] {
        let error = body(&nested(levels)).unwrap_err();
        assert!(error.starts_with("recursion limit exceeded"), "{error}");
    }
    let map = |levels: usize| {
        format!(
            "{}{{}}{}",
            r#"{"kvlistValue":{"values":[{"value":"#.repeat(levels),
            "}]}}".repeat(levels)
        )
    };
    assert!(
        body(&map(29)).is_ok(),
        "and whatever is accepted, prost decodes"
    );
    assert!(body(&map(30)).is_err());
}

#[test]
fn numbers_of_a_histogram_are_packed_and_bounded() {
    let metrics = |point: &str| {
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{point}]}}}}]}}]}}]}}"#
        );
        to_protobuf(&METRICS_REQUEST, json.as_bytes())
    };
    let wire = metrics(r#"{"count":"3","sum":0,"min":null,"bucketCounts":["1",2],"explicitBounds":[0.5,"Infinity"]}"#).unwrap();
    let request = ExportMetricsServiceRequest::decode(&wire[..]).unwrap();
    let Some(Data::Histogram(histogram)) =
        &request.resource_metrics[0].scope_metrics[0].metrics[0].data
    else {
        panic!("a histogram")
    };
    let point = &histogram.data_points[0];
    assert_eq!(
        (point.count, point.sum, point.min),
        (3, Some(0.0), None),
        "an optional zero is a value"
    );
    assert_eq!(point.bucket_counts, [1, 2]);
    assert_eq!(point.explicit_bounds, [0.5, f64::INFINITY]);

    let zeros = |n: usize| format!(r#"{{"explicitBounds":[0{}]}}"#, ",0".repeat(n));
    assert!(metrics(&zeros(100_000)).is_ok());
    let error = metrics(&zeros(1_000_000)).unwrap_err();
    assert!(
        error.contains("more than twice as large as its JSON"),
        "{error}"
    );
}
