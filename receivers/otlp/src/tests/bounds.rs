use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use sluice_batch::Signal;
use sluice_net::{Admission, Compression};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::codec::CompressionEncoding;
use tonic::transport::Endpoint;

use super::harness::*;

/// A logs request of this many bytes that compresses to almost nothing.
fn bomb(bytes: usize) -> Vec<u8> {
    logs_of_size(bytes)
}

#[tokio::test]
async fn two_bombs_at_once_are_413_and_a_good_sender_is_served_meanwhile() {
    let receiver = start();
    let body = bomb(200 << 20);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let packed = pack(compression, &body);
        let headers = [
            PROTOBUF,
            ("content-encoding", compression.content_encoding().unwrap()),
        ];
        let (one, two, good) = tokio::join!(
            receiver.post("/v1/logs", &headers, packed.clone()),
            receiver.post("/v1/logs", &headers, packed.clone()),
            receiver.post("/v1/logs", &[JSON], json(Signal::Logs, 1)),
        );
        assert_eq!(
            (
                one.status.as_u16(),
                two.status.as_u16(),
                good.status.as_u16()
            ),
            (413, 413, 200),
            "{compression:?}"
        );
    }
    assert_eq!(receiver.taken(), [(Signal::Logs, 1); 2]);
}

#[tokio::test]
async fn a_grpc_bomb_is_resource_exhausted() {
    let receiver = start_limited(1 << 20);
    let channel = Endpoint::from_shared(format!("http://{}", receiver.grpc))
        .unwrap()
        .connect_lazy();
    let mut request = logs(1);
    request.resource_logs[0].scope_logs[0].log_records[0].severity_text = "x".repeat(50 << 20);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut client = LogsServiceClient::new(channel.clone()).send_compressed(encoding);
        let error = client.export(request.clone()).await.unwrap_err();
        assert_eq!(error.code(), tonic::Code::ResourceExhausted);
        assert!(error.details().is_empty());
    }
}

#[tokio::test]
async fn without_memory_a_request_is_503_and_unavailable_with_a_delay() {
    let admission = Admission::new(1 << 20);
    let mut all = admission.charge();
    all.add(1 << 20).unwrap();
    let receiver = start_with(BOTH, &context(&[]), |_, intake| {
        intake.admission = admission.clone()
    });
    let answer = receiver
        .post("/v1/logs", &[PROTOBUF], protobuf(Signal::Logs, 1))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    let channel = Endpoint::from_shared(format!("http://{}", receiver.grpc))
        .unwrap()
        .connect_lazy();
    let error = LogsServiceClient::new(channel.clone())
        .export(logs(1))
        .await
        .unwrap_err();
    assert_eq!(error.code(), tonic::Code::Unavailable);
    assert!(!error.details().is_empty());

    drop(all);
    assert_eq!(
        receiver
            .post("/v1/logs", &[PROTOBUF], protobuf(Signal::Logs, 1))
            .await
            .status,
        200
    );
    assert!(
        LogsServiceClient::new(channel)
            .export(logs(1))
            .await
            .is_ok()
    );
    assert_eq!(admission.used(), 0);
}

#[tokio::test]
async fn memory_stays_charged_until_the_delivery_is_done_even_if_the_sender_hangs_up() {
    let admission = Admission::new(64 << 20);
    let receiver = start_with(BOTH, &context(&[]), |_, intake| {
        intake.admission = admission.clone()
    });
    receiver.hold(true);
    let body = logs_of_size(1 << 20);
    let mut stream = TcpStream::connect(receiver.http).await.unwrap();
    stream
        .write_all(head(body.len()).replace("json", "x-protobuf").as_bytes())
        .await
        .unwrap();
    stream.write_all(&body).await.unwrap();
    receiver.sink.begun.notified().await;
    drop(stream);
    assert_eq!(receiver.post("/v1/nothing", &[JSON], "").await.status, 404);
    assert!(admission.used() >= 1 << 20, "{}", admission.used());
    receiver.hold(false);
    while admission.used() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.taken(), [(Signal::Logs, 1)]);
}

fn head(length: usize) -> String {
    format!(
        "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn stalled_senders_are_closed_at_their_deadline_and_a_good_one_is_served_meanwhile() {
    let admission = Admission::new(256 << 20);
    let receiver = start_with(BOTH, &context(&[]), |_, intake| {
        intake.admission = admission.clone();
        intake.deadline = Duration::from_millis(400);
    });
    let mut stalled = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(receiver.http).await.unwrap();
        stream.write_all(head(60 << 20).as_bytes()).await.unwrap();
        stream.write_all(&[b' '; 1000]).await.unwrap();
        stalled.push(stream);
    }
    assert_eq!(
        receiver
            .post("/v1/logs", &[JSON], json(Signal::Logs, 1))
            .await
            .status,
        200
    );
    // What was announced is not charged, only what came.
    assert!(admission.used() < 300 * 16_000, "{}", admission.used());
    for mut stream in stalled {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        // Not 408, which an OTLP sender must not retry.
        assert!(
            answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"),
            "{answer}"
        );
    }
    assert_eq!(admission.used(), 0);
}

#[tokio::test]
async fn a_sender_that_closes_its_half_gets_its_answer_and_a_cut_body_delivers_nothing() {
    let receiver = start();
    let body = json(Signal::Logs, 1);
    let mut stream = TcpStream::connect(receiver.http).await.unwrap();
    stream
        .write_all(&[head(body.len()).as_bytes(), &body].concat())
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    let mut stream = TcpStream::connect(receiver.http).await.unwrap();
    stream
        .write_all(&[head(body.len() + 1).as_bytes(), &body].concat())
        .await
        .unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(!answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(receiver.taken().len(), 1);
}

#[tokio::test]
async fn when_stopped_a_request_under_way_is_answered_and_no_new_one_is_taken() {
    let receiver = start();
    receiver.hold(true);
    let stop = async {
        receiver.sink.begun.notified().await;
        receiver.stop.cancel();
        let late = TcpStream::connect(receiver.http).await;
        receiver.hold(false);
        late
    };
    let (answer, late) = tokio::join!(
        receiver.post("/v1/logs", &[JSON], json(Signal::Logs, 1)),
        stop
    );
    assert_eq!(answer.status, 200);
    // The socket may have taken the late connection into its backlog, but nobody answers it.
    if let Ok(mut late) = late {
        let _ = late.write_all(head(2).as_bytes()).await;
        let mut answer = Vec::new();
        let _ = late.read_to_end(&mut answer).await;
        assert_eq!(answer, b"");
    }
}

#[tokio::test]
async fn a_sender_that_asks_first_is_refused_without_being_told_to_send() {
    let receiver = start_limited(1000);
    let asking = |length| {
        head(length).replace(
            "host: x",
            "host: x\r\nexpect: 100-continue\r\nconnection: close",
        )
    };
    for (length, expected) in [(1001, "HTTP/1.1 413 "), (1000, "HTTP/1.1 100 Continue")] {
        let mut stream = TcpStream::connect(receiver.http).await.unwrap();
        stream.write_all(asking(length).as_bytes()).await.unwrap();
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_batch_that_can_never_fit_is_413_and_not_tried_again_for_ever() {
    let admission = Admission::new(100_000);
    let receiver = start_with(BOTH, &context(&[]), |_, intake| {
        intake.admission = admission.clone()
    });
    let many_small_records = protobuf(Signal::Logs, 2000);
    assert!(many_small_records.len() < 50_000);
    assert_eq!(
        receiver
            .post("/v1/logs", &[PROTOBUF], many_small_records)
            .await
            .status,
        413
    );
    assert_eq!(admission.used(), 0);
}

#[tokio::test]
async fn hundred_mutations_of_a_request_are_each_answered() {
    let receiver = start();
    for (content_type, body) in [
        (PROTOBUF, protobuf(Signal::Logs, 3)),
        (JSON, json(Signal::Logs, 3)),
    ] {
        for i in 0..100usize {
            let mut mutated = body.clone();
            let at = i * 7919 % mutated.len();
            match i % 3 {
                0 => mutated[at] ^= 1 << (i % 8),
                1 => mutated.truncate(at),
                _ => mutated.insert(at, 0xff),
            }
            let answer = receiver.post("/v1/logs", &[content_type], mutated).await;
            assert!(
                [200, 400].contains(&answer.status.as_u16()),
                "{} at {at}",
                answer.status
            );
        }
    }
}
