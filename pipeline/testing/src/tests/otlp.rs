use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, trace_service_client::TraceServiceClient,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message as _;
use serde_json::json;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use super::{Got, gzip, send, zstd};
use crate::otlp::{Double, Options, grpc_answer, http_answer};
use crate::{Fault, RetryAfter};

fn request(severity_text: &str) -> ExportLogsServiceRequest {
    let record = LogRecord {
        severity_text: severity_text.to_owned(),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs {
        log_records: vec![record],
        ..ScopeLogs::default()
    }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }],
    }
}

async fn post(double: &Double, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Got {
    send(double.address(), "POST", "/v1/logs", headers, body)
        .await
        .unwrap()
}

#[tokio::test]
async fn all_three_signals_come_over_grpc_plain_and_gzipped() {
    let double = Double::start().await;
    let channel = tonic::transport::Endpoint::new(double.url(""))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut logs = LogsServiceClient::new(channel.clone());
    logs.export(request("INFO")).await.unwrap();
    LogsServiceClient::new(channel.clone())
        .send_compressed(CompressionEncoding::Gzip)
        .export(request("WARN"))
        .await
        .unwrap();
    TraceServiceClient::new(channel.clone())
        .export(ExportTraceServiceRequest::default())
        .await
        .unwrap();
    MetricsServiceClient::new(channel)
        .export(ExportMetricsServiceRequest::default())
        .await
        .unwrap();
    double.read(|state| {
        assert_eq!(
            state
                .log_records()
                .map(|record| record.severity_text.as_str())
                .collect::<Vec<_>>(),
            ["INFO", "WARN"]
        );
        assert_eq!((state.traces.len(), state.metrics.len()), (1, 1));
    });
}

#[tokio::test]
async fn a_grpc_message_over_the_limit_is_resource_exhausted_without_retry_info() {
    let size = request("INFO").encoded_len();
    for (limit, expected) in [(size, None), (size - 1, Some(Code::ResourceExhausted))] {
        let double = Double::start_with(Options {
            max_grpc_bytes: limit,
            ..Options::default()
        })
        .await;
        let mut client = LogsServiceClient::connect(double.url("")).await.unwrap();
        let answer = client.export(request("INFO")).await;
        assert_eq!(answer.as_ref().err().map(tonic::Status::code), expected);
        assert!(
            answer
                .err()
                .is_none_or(|status| status.details().is_empty())
        );
    }
}

#[tokio::test]
async fn zstd_over_grpc_is_unimplemented_unless_switched_on() {
    for (zstd, expected) in [(false, Some(Code::Unimplemented)), (true, None)] {
        let double = Double::start_with(Options {
            zstd,
            ..Options::default()
        })
        .await;
        let mut client = LogsServiceClient::connect(double.url(""))
            .await
            .unwrap()
            .send_compressed(CompressionEncoding::Zstd);
        assert_eq!(
            client
                .export(request("INFO"))
                .await
                .err()
                .map(|status| status.code()),
            expected
        );
    }
}

#[tokio::test]
async fn a_scripted_status_carries_its_retry_info() {
    let double = Double::start().await;
    double.faults().next(
        1,
        grpc_answer(14, "back off, please", Some(Duration::from_millis(1_500))),
    );
    let mut client = LogsServiceClient::connect(double.url("")).await.unwrap();
    let status = client.export(request("INFO")).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "back off, please")
    );
    // google.rpc.Status { 1: 14, 2: message, 3: Any { 1: type url, 2: RetryInfo { 1: Duration { 1: 1, 2: 500000000 } } } }
    let delay = [0x08, 1, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01];
    assert!(
        status
            .details()
            .windows(delay.len())
            .any(|window| window == delay),
        "{:?}",
        status.details()
    );
    client.export(request("INFO")).await.unwrap();
    assert_eq!(double.read(|state| state.logs.len()), 1);
}

#[tokio::test]
async fn a_cut_fails_a_grpc_call_and_the_next_call_connects_again() {
    let double = Double::start().await;
    double.faults().next(1, Fault::AcceptThenCut);
    let channel = tonic::transport::Endpoint::new(double.url(""))
        .unwrap()
        .connect_lazy();
    let mut client = LogsServiceClient::new(channel);
    client.export(request("INFO")).await.unwrap_err();
    client.export(request("INFO")).await.unwrap();
    assert_eq!(
        double.read(|state| state.logs.len()),
        2,
        "the data of the first call was taken, its answer was lost"
    );
}

#[tokio::test]
async fn http_takes_protobuf_and_json_and_answers_in_kind() {
    let double = Double::start().await;
    let protobuf = post(
        &double,
        &[("content-type", "application/x-protobuf")],
        request("INFO").encode_to_vec(),
    )
    .await;
    assert_eq!(
        (
            protobuf.status.as_u16(),
            protobuf.headers["content-type"].as_bytes()
        ),
        (200, &b"application/x-protobuf"[..])
    );
    assert_eq!(
        ExportLogsServiceResponse::decode(protobuf.body).unwrap(),
        ExportLogsServiceResponse::default()
    );
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"severityText": "WARN", "timeUnixNano": "1776709800000000000"}]}]}]});
    let json = post(
        &double,
        &[("content-type", "application/json; charset=utf-8")],
        body.to_string(),
    )
    .await;
    assert_eq!(
        (
            json.status.as_u16(),
            json.headers["content-type"].as_bytes()
        ),
        (200, &b"application/json"[..])
    );
    double.read(|state| {
        assert_eq!(
            state
                .log_records()
                .map(|record| record.severity_text.as_str())
                .collect::<Vec<_>>(),
            ["INFO", "WARN"]
        );
        assert_eq!(
            state.log_records().nth(1).unwrap().time_unix_nano,
            1_776_709_800_000_000_000
        );
    });
}

#[tokio::test]
async fn http_refuses_what_the_protocol_refuses() {
    let double = Double::start_with(Options {
        max_http_bytes: 100,
        ..Options::default()
    })
    .await;
    let protobuf = ("content-type", "application/x-protobuf");
    assert_eq!(
        post(&double, &[("content-type", "text/plain")], "x")
            .await
            .status,
        415
    );
    assert_eq!(post(&double, &[protobuf], vec![0xff]).await.status, 400);
    assert_eq!(
        post(&double, &[("content-type", "application/json")], "{")
            .await
            .status,
        400
    );
    assert_eq!(
        post(&double, &[protobuf, ("content-encoding", "zstd")], zstd(""))
            .await
            .status,
        415
    );
    assert_eq!(post(&double, &[protobuf], vec![0; 101]).await.status, 413);
    assert_eq!(
        post(
            &double,
            &[protobuf, ("content-encoding", "gzip")],
            gzip(vec![0; 101])
        )
        .await
        .status,
        413
    );
    assert_eq!(
        post(
            &double,
            &[protobuf, ("content-encoding", "gzip")],
            gzip(request("INFO").encode_to_vec())
        )
        .await
        .status,
        200
    );
    assert_eq!(
        send(double.address(), "GET", "/v1/logs", &[protobuf], "")
            .await
            .unwrap()
            .status,
        405
    );
    assert_eq!(
        send(double.address(), "POST", "/v1/nothing", &[protobuf], "")
            .await
            .unwrap()
            .status,
        404
    );
    assert_eq!(double.read(|state| state.logs.len()), 1);
}

#[tokio::test]
async fn a_required_header_is_asked_for_on_both_protocols() {
    let required_header = Some(("x-api-key".to_owned(), "k".to_owned()));
    let double = Double::start_with(Options {
        required_header,
        ..Options::default()
    })
    .await;
    assert_eq!(
        post(&double, &[("content-type", "application/x-protobuf")], "")
            .await
            .status,
        401
    );
    assert_eq!(
        post(
            &double,
            &[
                ("content-type", "application/x-protobuf"),
                ("x-api-key", "k")
            ],
            ""
        )
        .await
        .status,
        200
    );
    let mut client = LogsServiceClient::connect(double.url("")).await.unwrap();
    assert_eq!(
        client.export(request("INFO")).await.unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn a_partial_success_names_a_number_and_not_the_records() {
    let double = Double::start().await;
    double.reject_in_next(3, "too old");
    let got = post(
        &double,
        &[("content-type", "application/x-protobuf")],
        request("INFO").encode_to_vec(),
    )
    .await;
    let partial = ExportLogsServiceResponse::decode(got.body)
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!(
        (
            got.status.as_u16(),
            partial.rejected_log_records,
            partial.error_message.as_str()
        ),
        (200, 3, "too old")
    );
    let next = post(
        &double,
        &[("content-type", "application/x-protobuf")],
        request("INFO").encode_to_vec(),
    )
    .await;
    assert_eq!(
        ExportLogsServiceResponse::decode(next.body)
            .unwrap()
            .partial_success,
        None
    );
}

#[tokio::test]
async fn a_scripted_http_status_comes_with_retry_after_and_a_status_message() {
    let double = Double::start().await;
    double.faults().next(
        1,
        http_answer(503, true, "full").retry_after(RetryAfter::Seconds(3)),
    );
    let got = post(&double, &[("content-type", "application/json")], "{}").await;
    assert_eq!(
        (
            got.status.as_u16(),
            got.headers["retry-after"].as_bytes(),
            got.json()
        ),
        (503, &b"3"[..], json!({"code": 14, "message": "full"}))
    );
}
