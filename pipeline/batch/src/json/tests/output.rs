use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

use crate::json::from_protobuf;
use crate::schema::{
    ANY_VALUE, EXPONENTIAL_HISTOGRAM_DATA_POINT, HISTOGRAM_DATA_POINT, LOG_RECORD, LOGS_REQUEST,
    Schema,
};

fn json(schema: &'static Schema, message: &impl Message) -> String {
    let mut out = Vec::new();
    from_protobuf(schema, &message.encode_to_vec(), &mut out);
    String::from_utf8(out).unwrap()
}

fn any(value: Value) -> String {
    json(&ANY_VALUE, &AnyValue { value: Some(value) })
}

#[test]
fn a_record_is_written_by_the_rules_of_the_protocol() {
    let record = LogRecord {
        time_unix_nano: 1_776_709_800_000_000_000,
        severity_number: 10,
        severity_text: "INFO".into(),
        body: Some(AnyValue {
            value: Some(Value::StringValue("a \"b\"\n".into())),
        }),
        attributes: vec![KeyValue {
            key: "n".into(),
            value: Some(AnyValue {
                value: Some(Value::IntValue(-1)),
            }),
            ..Default::default()
        }],
        dropped_attributes_count: 2,
        flags: 1,
        trace_id: vec![0xAB; 16],
        span_id: vec![0xCD; 8],
        event_name: "ai.policy.decision".into(),
        ..Default::default()
    };
    assert_eq!(
        json(&LOG_RECORD, &record),
        r#"{"timeUnixNano":"1776709800000000000","severityNumber":10,"severityText":"INFO","body":{"stringValue":"a \"b\"\n"},"attributes":[{"key":"n","value":{"intValue":"-1"}}],"droppedAttributesCount":2,"flags":1,"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd","eventName":"ai.policy.decision"}"#
    );
}

#[test]
fn defaults_are_left_out_and_presence_is_shown() {
    assert_eq!(json(&LOG_RECORD, &LogRecord::default()), "{}");
    assert_eq!(
        json(&LOGS_REQUEST, &ExportLogsServiceRequest::default()),
        r#"{"resourceLogs":[]}"#
    );
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs::default()],
            ..Default::default()
        }],
    };
    assert_eq!(
        json(&LOGS_REQUEST, &request),
        r#"{"resourceLogs":[{"scopeLogs":[{}]}]}"#
    );
    assert_eq!(json(&ANY_VALUE, &AnyValue { value: None }), "{}");
    assert_eq!(
        any(Value::StringValue(String::new())),
        r#"{"stringValue":""}"#
    );
    assert_eq!(any(Value::BoolValue(false)), r#"{"boolValue":false}"#);
    assert_eq!(any(Value::IntValue(0)), r#"{"intValue":"0"}"#);
    assert_eq!(any(Value::DoubleValue(0.0)), r#"{"doubleValue":0.0}"#);
    assert_eq!(any(Value::BytesValue(vec![])), r#"{"bytesValue":""}"#);
    assert_eq!(
        any(Value::ArrayValue(ArrayValue::default())),
        r#"{"arrayValue":{"values":[]}}"#
    );
    assert_eq!(
        any(Value::KvlistValue(KeyValueList::default())),
        r#"{"kvlistValue":{"values":[]}}"#
    );
}

#[test]
fn doubles_are_as_short_as_they_can_be_and_never_bare_names() {
    for (number, text) in [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e21, "1e+21"),
        (5e-324, "5e-324"),
        (f64::NAN, "\"NaN\""),
        (f64::INFINITY, "\"Infinity\""),
        (f64::NEG_INFINITY, "\"-Infinity\""),
    ] {
        assert_eq!(
            any(Value::DoubleValue(number)),
            format!(r#"{{"doubleValue":{text}}}"#)
        );
    }
}

#[test]
fn bytes_are_padded_standard_base64() {
    assert_eq!(
        any(Value::BytesValue(vec![0xfb, 0xff, 0xbf, 1])),
        r#"{"bytesValue":"+/+/AQ=="}"#
    );
}

#[test]
fn metric_numbers_keep_their_json_types() {
    use opentelemetry_proto::tonic::metrics::v1::{
        ExponentialHistogramDataPoint, HistogramDataPoint,
    };
    let point = HistogramDataPoint {
        count: 3,
        sum: Some(0.0),
        bucket_counts: vec![0, 3],
        explicit_bounds: vec![0.5],
        ..Default::default()
    };
    assert_eq!(
        json(&HISTOGRAM_DATA_POINT, &point),
        r#"{"count":"3","sum":0.0,"bucketCounts":["0","3"],"explicitBounds":[0.5]}"#
    );
    let point = ExponentialHistogramDataPoint {
        scale: -3,
        zero_count: 1,
        positive: Some(Default::default()),
        ..Default::default()
    };
    assert_eq!(
        json(&EXPONENTIAL_HISTOGRAM_DATA_POINT, &point),
        r#"{"scale":-3,"zeroCount":"1","positive":{}}"#
    );
}

#[test]
fn a_list_may_be_scattered_over_its_message_and_over_packed_runs() {
    // attributes, time, attributes: valid protobuf that no writer of ours makes.
    let mut wire = LogRecord {
        attributes: vec![KeyValue {
            key: "a".into(),
            ..Default::default()
        }],
        ..Default::default()
    }
    .encode_to_vec();
    wire.extend(
        LogRecord {
            time_unix_nano: 1,
            attributes: vec![KeyValue {
                key: "b".into(),
                ..Default::default()
            }],
            ..Default::default()
        }
        .encode_to_vec(),
    );
    let mut out = Vec::new();
    from_protobuf(&LOG_RECORD, &wire, &mut out);
    assert_eq!(
        out,
        br#"{"attributes":[{"key":"a"},{"key":"b"}],"timeUnixNano":"1"}"#
    );

    // bucketCounts (6): a packed run, a lone number, another run.
    let one = 1u64.to_le_bytes();
    let wire: Vec<u8> = [&[0x32, 8][..], &one, &[0x31], &one, &[0x32, 8], &one].concat();
    let mut out = Vec::new();
    from_protobuf(&HISTOGRAM_DATA_POINT, &wire, &mut out);
    assert_eq!(out, br#"{"bucketCounts":["1","1","1"]}"#);
}
