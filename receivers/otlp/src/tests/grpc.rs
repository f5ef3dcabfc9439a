use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use sluice_batch::Signal;
use sluice_component::{After, Verdict};
use sluice_net::Compression;
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};

use super::harness::*;
use crate::answer::{RetryInfo, Status};

pub(super) const LOGS: &str = SIGNALS[0].2;

fn channel(receiver: &Running) -> Channel {
    Endpoint::from_shared(format!("http://{}", receiver.grpc))
        .unwrap()
        .connect_lazy()
}

/// One gRPC call without a gRPC library: its HTTP status, headers with trailers, and data.
pub(super) async fn call(
    receiver: &Running,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (StatusCode, HeaderMap, Bytes) {
    let stream = TcpStream::connect(receiver.grpc).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let mut request =
        Request::post(format!("http://{}{path}", receiver.grpc)).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender
        .send_request(request.body(Full::new(Bytes::from(body))).unwrap())
        .await
        .unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let mut all = head.headers;
    all.extend(body.trailers().cloned().unwrap_or_default());
    (head.status, all, body.to_bytes())
}

pub(super) fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    [
        &[flag],
        &u32::try_from(message.len()).unwrap().to_be_bytes()[..],
        message,
    ]
    .concat()
}

/// `grpc-status` of a call with a body.
async fn status(receiver: &Running, headers: &[(&str, &str)], body: Vec<u8>) -> String {
    let (http, headers, _) = call(receiver, LOGS, headers, body).await;
    assert_eq!(http, 200);
    headers["grpc-status"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_generated_client_delivers_every_signal_plain_gzip_and_zstd() {
    let receiver = start();
    let channel = channel(&receiver);
    for encoding in [
        None,
        Some(CompressionEncoding::Gzip),
        Some(CompressionEncoding::Zstd),
    ] {
        let (mut logs_client, mut trace_client, mut metrics_client) = (
            LogsServiceClient::new(channel.clone()),
            TraceServiceClient::new(channel.clone()),
            MetricsServiceClient::new(channel.clone()),
        );
        if let Some(encoding) = encoding {
            logs_client = logs_client
                .send_compressed(encoding)
                .accept_compressed(encoding);
            trace_client = trace_client
                .send_compressed(encoding)
                .accept_compressed(encoding);
            metrics_client = metrics_client
                .send_compressed(encoding)
                .accept_compressed(encoding);
        }
        assert_eq!(
            logs_client
                .export(logs(2))
                .await
                .unwrap()
                .into_inner()
                .partial_success,
            None
        );
        assert_eq!(
            trace_client
                .export(traces(3))
                .await
                .unwrap()
                .into_inner()
                .partial_success,
            None
        );
        assert_eq!(
            metrics_client
                .export(metrics(4))
                .await
                .unwrap()
                .into_inner()
                .partial_success,
            None
        );
    }
    let expected = [(Signal::Logs, 2), (Signal::Traces, 3), (Signal::Metrics, 4)].repeat(3);
    assert_eq!(receiver.taken(), expected);
}

#[tokio::test]
async fn a_generated_client_reads_partial_success_and_retry_delays() {
    let receiver = start().answering(&[(0..2, Verdict::Refused("too old".to_owned()))]);
    let mut client = TraceServiceClient::new(channel(&receiver));
    let partial = client
        .export(traces(3))
        .await
        .unwrap()
        .into_inner()
        .partial_success
        .unwrap();
    assert_eq!(
        (partial.rejected_spans, partial.error_message.as_str()),
        (2, "too old")
    );

    let delay = Duration::from_millis(2500);
    let receiver = receiver.answering(&[
        (0..1, Verdict::Retry(After::Delay(delay))),
        (1..2, Verdict::Refused("no".to_owned())),
    ]);
    let error = client.export(traces(3)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (tonic::Code::Unavailable, "not delivered, try again")
    );
    let status = Status::decode(error.details()).unwrap();
    let retry = RetryInfo::decode(&status.details[0].value[..])
        .unwrap()
        .retry_delay
        .unwrap();
    assert_eq!(
        (status.code, retry.seconds, retry.nanos),
        (14, 2, 500_000_000)
    );
    drop(receiver);
}

#[tokio::test]
async fn an_empty_request_is_a_success_and_delivers_nothing() {
    let receiver = start();
    assert!(
        LogsServiceClient::new(channel(&receiver))
            .export(logs(0))
            .await
            .is_ok()
    );
    assert_eq!(status(&receiver, &[], frame(0, b"")).await, "0");
    assert_eq!(receiver.taken(), []);
}

#[tokio::test]
async fn an_answer_has_its_framing_types_and_trailers() {
    let receiver = start();
    let (http, headers, body) =
        call(&receiver, LOGS, &[], frame(0, &protobuf(Signal::Logs, 1))).await;
    assert_eq!((http.as_u16(), &body[..]), (200, &[0, 0, 0, 0, 0][..]));
    assert_eq!(
        (&headers["content-type"], &headers["grpc-status"]),
        (&"application/grpc".parse().unwrap(), &"0".parse().unwrap())
    );
    assert_eq!(
        headers["grpc-accept-encoding"],
        "identity,gzip,zstd,deflate"
    );
}

#[tokio::test]
async fn malformed_is_invalid_argument() {
    let receiver = start();
    let good = protobuf(Signal::Logs, 1);
    let gzip = pack(Compression::Gzip, &good);
    let encoded = [("grpc-encoding", "gzip")];
    for (what, headers, body) in [
        ("no frame", &[][..], vec![]),
        ("half a frame header", &[], vec![0, 0, 0]),
        (
            "a message that is cut",
            &[],
            frame(0, &good)[..good.len()].to_vec(),
        ),
        (
            "two messages",
            &[],
            [frame(0, &good), frame(0, &good)].concat(),
        ),
        ("an unknown flag", &[], frame(2, &good)),
        ("not protobuf", &[], frame(0, b"\x1fnot a request")),
        ("compressed without an encoding", &[], frame(1, &gzip)),
        ("not compressed as it says", &encoded, frame(1, &good)),
    ] {
        assert_eq!(status(&receiver, headers, body).await, "3", "{what}");
    }
    assert_eq!(
        status(&receiver, &encoded, frame(0, &good)).await,
        "0",
        "an encoding need not be used"
    );
    assert_eq!(receiver.taken().len(), 1);
}

#[tokio::test]
async fn unknown_encodings_methods_and_services_are_unimplemented() {
    let receiver = start();
    let good = frame(0, &protobuf(Signal::Logs, 1));
    let (_, headers, body) = call(
        &receiver,
        LOGS,
        &[("grpc-encoding", "snappy")],
        frame(1, b"x"),
    )
    .await;
    assert_eq!(
        (&headers["grpc-status"], body.len()),
        (&"12".parse().unwrap(), 0)
    );
    for path in [
        "/opentelemetry.proto.collector.logs.v1.LogsService/Other",
        "/grpc.health.v1.Health/Check",
        "/v1/logs",
    ] {
        let (http, headers, _) = call(&receiver, path, &[], good.clone()).await;
        assert_eq!(
            (http.as_u16(), &headers["grpc-status"]),
            (200, &"12".parse().unwrap()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_is_not_grpc_is_told_so() {
    let receiver = start();
    for content_type in [
        "application/json",
        "application/grpcx",
        "application/grpc+json",
        "application/grpc-web",
    ] {
        let (http, _, body) =
            call(&receiver, LOGS, &[("content-type", content_type)], vec![]).await;
        assert_eq!(
            (http.as_u16(), &body[..]),
            (
                415,
                &b"this port speaks gRPC only: POST with application/grpc"[..]
            ),
            "{content_type}"
        );
    }
    let good = frame(0, &protobuf(Signal::Logs, 1));
    assert_eq!(
        status(
            &receiver,
            &[("content-type", "application/grpc+proto")],
            good
        )
        .await,
        "0"
    );
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_passes_and_one_more_byte_is_resource_exhausted_without_retry_info()
 {
    const LIMIT: usize = 100_000;
    let receiver = start_limited(LIMIT);
    for (size, expected) in [(LIMIT, "0"), (LIMIT + 1, "8")] {
        let message = logs_of_size(size);
        for (flag, compression) in [
            (0, Compression::None),
            (1, Compression::Gzip),
            (1, Compression::Zstd),
        ] {
            let encoding = compression.content_encoding().unwrap_or("identity");
            let (_, headers, _) = call(
                &receiver,
                LOGS,
                &[("grpc-encoding", encoding)],
                frame(flag, &pack(compression, &message)),
            )
            .await;
            assert_eq!(headers["grpc-status"], expected, "{size} {encoding}");
            assert!(!headers.contains_key("grpc-status-details-bin"));
        }
    }
}

#[tokio::test]
async fn a_retryable_answer_carries_retry_info_and_a_message_in_ascii() {
    let receiver = start().answering(&[(0..1, Verdict::Retry(After::Backoff))]);
    let (_, headers, body) = call(&receiver, LOGS, &[], frame(0, &protobuf(Signal::Logs, 1))).await;
    assert_eq!(
        (&headers["grpc-status"], body.len()),
        (&"14".parse().unwrap(), 0)
    );
    assert_eq!(headers["grpc-message"], "not delivered, try again");
    let details = base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(&headers["grpc-status-details-bin"])
        .unwrap();
    let status = Status::decode(&details[..]).unwrap();
    assert_eq!(
        RetryInfo::decode(&status.details[0].value[..])
            .unwrap()
            .retry_delay
            .unwrap()
            .seconds,
        1
    );
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let receiver = start();
    let channel = channel(&receiver);
    let calls = (0..200).map(|_| {
        let mut client = LogsServiceClient::new(channel.clone());
        tokio::spawn(async move { client.export(logs(1)).await.is_ok() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    assert_eq!(receiver.taken().len(), 200);
}
