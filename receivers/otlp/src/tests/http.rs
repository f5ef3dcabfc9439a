use std::time::Duration;

use bytes::Bytes;
use http::Method;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message as _;
use sluice_batch::Signal;
use sluice_component::{After, Verdict};
use sluice_net::Compression;

use super::harness::*;
use crate::answer::{RetryInfo, Status};

const REFUSED: fn(&str) -> Verdict = |reason| Verdict::Refused(reason.to_owned());

#[tokio::test]
async fn every_signal_in_every_form_and_encoding_is_delivered_and_answered_in_kind() {
    let receiver = start();
    for (signal, path, _) in SIGNALS {
        for (content_type, body, expected) in [
            (PROTOBUF, protobuf(signal, 3), ""),
            (JSON, json(signal, 3), "{}"),
        ] {
            for compression in [
                Compression::None,
                Compression::Gzip,
                Compression::Zstd,
                Compression::Zlib,
                Compression::Deflate,
            ] {
                let packed = pack(compression, &body);
                let encoding = compression
                    .content_encoding()
                    .map(|name| ("content-encoding", name));
                let headers: Vec<_> = std::iter::once(content_type).chain(encoding).collect();
                let answer = receiver.post(path, &headers, packed).await;
                let at = format!("{path} {content_type:?} {compression:?}");
                assert_eq!(
                    (answer.status.as_u16(), &answer.body[..]),
                    (200, expected.as_bytes()),
                    "{at}"
                );
                assert_eq!(answer.headers["content-type"], content_type.1, "{at}");
                assert_eq!(
                    receiver.sink.taken.lock().unwrap().pop(),
                    Some((signal, 3)),
                    "{at}"
                );
            }
        }
    }
}

#[tokio::test]
async fn parameters_of_the_content_type_are_tolerated() {
    let receiver = start();
    for content_type in [
        "application/json; charset=utf-8",
        "Application/JSON ;charset=utf-8",
    ] {
        let answer = receiver
            .post(
                "/v1/logs",
                &[("content-type", content_type)],
                json(Signal::Logs, 1),
            )
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.body),
            (200, Bytes::from("{}"))
        );
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn an_empty_request_is_a_success_and_delivers_nothing() {
    let receiver = start();
    for (headers, body) in [
        ([PROTOBUF], ""),
        ([JSON], "{}"),
        ([JSON], r#"{"resourceLogs":[]}"#),
    ] {
        assert_eq!(
            receiver.post("/v1/logs", &headers, body).await.status,
            200,
            "{body}"
        );
    }
    assert_eq!(receiver.taken(), []);
}

#[tokio::test]
async fn another_path_is_404_another_method_405_another_type_415() {
    let receiver = start();
    let body = protobuf(Signal::Logs, 1);
    for path in ["/", "/v1/logs/", "/v1/profiles", "/v1development/profiles"] {
        assert_eq!(
            receiver.post(path, &[PROTOBUF], body.clone()).await.status,
            404,
            "{path}"
        );
    }
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = receiver
            .request(method.clone(), "/v1/logs", &[PROTOBUF], body.clone())
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["allow"]),
            (405, &"POST".parse().unwrap()),
            "{method}"
        );
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    }
    for headers in [
        &[][..],
        &[("content-type", "text/plain")],
        &[("content-type", "application/protobuf")],
    ] {
        let answer = receiver.post("/v1/logs", headers, body.clone()).await;
        assert_eq!(answer.status, 415, "{headers:?}");
    }
    assert_eq!(receiver.taken(), []);
}

#[tokio::test]
async fn an_unsupported_encoding_is_415_and_names_the_supported_ones() {
    let receiver = start();
    for encoding in ["br", "snappy", "gzip, gzip", "lz4"] {
        let answer = receiver
            .post("/v1/logs", &[JSON, ("content-encoding", encoding)], "x")
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["accept-encoding"]),
            (415, &"gzip, zstd, zlib, deflate".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn malformed_is_400_with_a_status_in_the_requests_type() {
    let receiver = start();
    let gzip = ("content-encoding", "gzip");
    for headers in [&[PROTOBUF][..], &[PROTOBUF, gzip]] {
        let answer = receiver
            .post("/v1/logs", headers, "\u{1f}not a request")
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["content-type"]),
            (400, &PROTOBUF.1.parse().unwrap())
        );
        let status = Status::decode(answer.body).unwrap();
        assert_eq!(status.code, 3);
        assert!(!status.message.is_empty());
    }
    for (headers, body) in [
        (&[JSON][..], "{"),
        (&[JSON], ""),
        (&[JSON], r#"{"resourceLogs":7}"#),
        (&[JSON, gzip], "{}"),
    ] {
        let answer = receiver.post("/v1/logs", headers, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["content-type"]),
            (400, &JSON.1.parse().unwrap()),
            "{body}"
        );
        let status: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(status["code"], 3, "{status}");
    }
    assert_eq!(receiver.taken(), []);
}

#[tokio::test]
async fn a_request_of_exactly_the_limit_passes_and_one_more_byte_is_413() {
    const LIMIT: usize = 100_000;
    let receiver = start_limited(LIMIT);
    for (size, status) in [(LIMIT, 200), (LIMIT + 1, 413)] {
        let body = logs_of_size(size);
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let encoding = compression.content_encoding().unwrap_or("identity");
            let answer = receiver
                .post(
                    "/v1/logs",
                    &[PROTOBUF, ("content-encoding", encoding)],
                    pack(compression, &body),
                )
                .await;
            assert_eq!(answer.status, status, "{size} {encoding}");
            assert!(!answer.headers.contains_key("retry-after"));
        }
    }
}

#[tokio::test]
async fn refused_records_are_a_partial_success_with_their_count_and_reason() {
    let receiver = start().answering(&[(0..1, REFUSED("too old")), (2..4, REFUSED("other"))]);
    let answer = receiver
        .post("/v1/logs", &[PROTOBUF], protobuf(Signal::Logs, 5))
        .await;
    assert_eq!(answer.status, 200);
    let partial = ExportLogsServiceResponse::decode(answer.body)
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!(
        (partial.rejected_log_records, partial.error_message.as_str()),
        (3, "too old")
    );
    for (signal, path, name) in [
        (Signal::Logs, "/v1/logs", "rejectedLogRecords"),
        (Signal::Traces, "/v1/traces", "rejectedSpans"),
        (Signal::Metrics, "/v1/metrics", "rejectedDataPoints"),
    ] {
        let answer = receiver.post(path, &[JSON], json(signal, 5)).await;
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let expected =
            serde_json::json!({"partialSuccess": {name: "3", "errorMessage": "too old"}});
        assert_eq!((answer.status.as_u16(), body), (200, expected));
    }
}

#[tokio::test]
async fn anything_to_be_tried_again_is_503_with_the_longest_delay() {
    let delay = |millis| Verdict::Retry(After::Delay(Duration::from_millis(millis)));
    for (verdicts, seconds) in [
        (vec![(0..1, Verdict::Retry(After::Backoff))], 1),
        (vec![(0..1, delay(0))], 1),
        (
            vec![
                (0..1, delay(7000)),
                (1..2, delay(2001)),
                (2..3, REFUSED("no")),
            ],
            7,
        ),
        (vec![(0..1, delay(2001))], 3),
        (
            vec![(
                0..1,
                Verdict::Hold("the destination refuses our token".to_owned()),
            )],
            1,
        ),
    ] {
        let receiver = start().answering(&verdicts);
        let answer = receiver
            .post("/v1/logs", &[PROTOBUF], protobuf(Signal::Logs, 3))
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["retry-after"]),
            (503, &seconds.to_string().parse().unwrap()),
            "{verdicts:?}"
        );
        let status = Status::decode(answer.body).unwrap();
        assert_eq!(status.code, 14);
        assert!(!format!("{status:?}").contains("internal detail"));
        let delay = RetryInfo::decode(&status.details[0].value[..])
            .unwrap()
            .retry_delay
            .unwrap();
        assert_eq!(
            status.details[0].type_url,
            "type.googleapis.com/google.rpc.RetryInfo"
        );
        assert!(delay.seconds as u64 <= seconds);
    }
    let receiver = start().answering(&[(0..1, delay(7000))]);
    let answer = receiver
        .post("/v1/logs", &[JSON], json(Signal::Logs, 1))
        .await;
    let status: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (
            status["code"].as_i64(),
            status["details"][0]["retryDelay"].as_str()
        ),
        (Some(14), Some("7s"))
    );
}

#[tokio::test]
async fn the_paths_can_be_chosen() {
    let config = r#"{"protocols": {"grpc": {"endpoint": "127.0.0.1:0"}, "http": {"endpoint": "127.0.0.1:0", "logs_url_path": "in/logs"}}}"#;
    let receiver = start_with(config, &context(&[]), |_, _| {});
    assert_eq!(
        receiver
            .post("/in/logs", &[JSON], json(Signal::Logs, 1))
            .await
            .status,
        200
    );
    assert_eq!(
        receiver
            .post("/v1/logs", &[JSON], json(Signal::Logs, 1))
            .await
            .status,
        404
    );
    assert_eq!(
        receiver
            .post("/v1/traces", &[JSON], json(Signal::Traces, 1))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_batch_tells_of_its_sender_and_of_headers_only_if_that_is_wanted() {
    for is_wanted in [true, false] {
        let protocol = format!(r#"{{"endpoint": "127.0.0.1:0", "include_metadata": {is_wanted}}}"#);
        let config = format!(r#"{{"protocols": {{"grpc": {protocol}, "http": {protocol}}}}}"#);
        let receiver = start_with(&config, &context(&[]), |_, _| {});
        let (_, path, _) = SIGNALS[0];
        let headers = [PROTOBUF, ("x-tenant", "a")];
        receiver
            .post(path, &headers, protobuf(Signal::Logs, 1))
            .await;
        super::grpc::call(
            &receiver,
            super::grpc::LOGS,
            &headers[1..],
            super::grpc::frame(0, &protobuf(Signal::Logs, 1)),
        )
        .await;
        let headers: Vec<String> = is_wanted.then(|| "a".to_owned()).into_iter().collect();
        let sender = ("127.0.0.1".to_owned(), headers);
        assert_eq!(
            *receiver.sink.senders.lock().unwrap(),
            [sender.clone(), sender]
        );
    }
}
