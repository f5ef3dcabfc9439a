//! Broken payloads, bombs and clients that never finish: the right answer, bounded memory, no panic, and good clients
//! are served meanwhile.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use sluice_testing::{Outcome, otlp};
use sluice_tests::{Encoding, SOON, Sluice, events, mutation, senders};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::settings;

const MUTANTS: usize = 100;
const BOMB: usize = 600 << 20;
const MAX_MEMORY: u64 = 400 << 20;

const OK: u32 = 0;
const INVALID_ARGUMENT: u32 = 3;
const RESOURCE_EXHAUSTED: u32 = 8;

/// A Sluice with everything switched on, in front of a server that refuses what it cannot decode.
async fn running() -> (otlp::Double, Sluice) {
    let double = otlp::Double::start_with(otlp::Options {
        max_http_bytes: 256 << 20,
        ..otlp::Options::default()
    })
    .await;
    let sluice = Sluice::start(&settings::file(
        &["redaction", "classification", "dedupe"],
        &[settings::otlp_http(&double.url(""))],
    ));
    sluice.address("otlp", "http").await;
    (double, sluice)
}

/// It still works, never panicked, used little memory, and sent nothing that its destination could not read.
async fn assert_sound(double: &otlp::Double, sluice: Sluice) {
    let before = double.read(|state| state.log_records().count());
    let good = events::generate(5, 99, 100);
    let http = sluice.address("otlp", "http").await;
    assert_eq!(
        senders::otlp_protobuf(http, &events::otlp_request(&good), Encoding::Gzip)
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(double.read(|state| state.log_records().count()), before + 5);
    double.traffic().read(|traffic| {
        let odd: Vec<_> = traffic
            .seen
            .iter()
            .filter(|request| request.outcome != Outcome::Answered(http::StatusCode::OK))
            .collect();
        assert!(odd.is_empty(), "{odd:?}");
    });
    let peak = sluice.peak_memory();
    assert!(peak < MAX_MEMORY, "{} MiB", peak >> 20);
    let ended = sluice.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
}

fn payload() -> ExportLogsServiceRequest {
    events::otlp_request(&events::generate(20, 50, 4))
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_protobuf_is_answered_as_the_reference_decoder_would() {
    let (double, sluice) = running().await;
    let url = sluice.url("otlp", "http", "/v1/logs").await;
    let grpc = sluice.address("otlp", "grpc").await;
    let (client, headers) = (
        senders::client(),
        senders::headers("application/x-protobuf", Encoding::Plain),
    );
    let mut valid = 0;
    for (number, mutant) in mutation::mutants(&payload().encode_to_vec(), MUTANTS, 51)
        .into_iter()
        .enumerate()
    {
        let is_valid = ExportLogsServiceRequest::decode(&mutant[..]).is_ok();
        valid += usize::from(is_valid);
        let code = senders::grpc_frame(grpc, &mutant, Encoding::Plain)
            .await
            .unwrap();
        assert_eq!(
            code,
            if is_valid { OK } else { INVALID_ARGUMENT },
            "mutant {number} over gRPC"
        );
        let answer = senders::post_with(&client, &url, &headers, mutant)
            .await
            .unwrap();
        assert_eq!(
            answer.status,
            if is_valid { 200 } else { 400 },
            "mutant {number} over HTTP: {answer:?}"
        );
    }
    assert!(
        (5..=MUTANTS - 5).contains(&valid),
        "{valid} of {MUTANTS} are valid: the test says little"
    );
    assert_sound(&double, sluice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_json_is_taken_or_refused_and_what_is_no_json_is_refused() {
    let (double, sluice) = running().await;
    let client = senders::client();
    let objects: Vec<_> = events::generate(20, 52, 4)
        .into_iter()
        .map(|event| event.object)
        .collect();
    let kinds = [
        (
            sluice.url("otlp", "http", "/v1/logs").await,
            serde_json::to_vec(&payload()).unwrap(),
            53,
        ),
        (
            sluice.url("webhook/open", "http", "/").await,
            serde_json::to_vec(&objects).unwrap(),
            54,
        ),
    ];
    let headers = senders::headers("application/json", Encoding::Plain);
    for (url, payload, seed) in kinds {
        for (number, mutant) in mutation::mutants(&payload, MUTANTS, seed)
            .into_iter()
            .enumerate()
        {
            // An emptied or cut webhook body may be no JSON and yet some whole documents.
            let is_json = serde_json::from_slice::<serde_json::Value>(&mutant).is_ok();
            let answer = senders::post_with(&client, &url, &headers, mutant)
                .await
                .unwrap();
            assert!(
                answer.status == 400 || (is_json && answer.status == 200),
                "mutant {number}: {answer:?}"
            );
        }
    }
    assert_sound(&double, sluice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_compression_is_refused_or_gives_what_the_reference_decoder_gives() {
    let (double, sluice) = running().await;
    let url = sluice.url("otlp", "http", "/v1/logs").await;
    let client = senders::client();
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let packed = encoding.encode(payload().encode_to_vec());
        for (number, mutant) in mutation::mutants(&packed, MUTANTS, 55)
            .into_iter()
            .enumerate()
        {
            let is_valid = encoding
                .decode(&mutant)
                .is_ok_and(|body| ExportLogsServiceRequest::decode(&body[..]).is_ok());
            let headers = senders::headers("application/x-protobuf", encoding);
            let answer = senders::post_with(&client, &url, &headers, mutant)
                .await
                .unwrap();
            let expected = if is_valid { 200 } else { 400 };
            assert_eq!(
                answer.status, expected,
                "{encoding:?} mutant {number}: {answer:?}"
            );
        }
    }
    assert_sound(&double, sluice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_of_600_mb_are_refused_in_little_memory() {
    let (double, sluice) = running().await;
    let http = sluice.url("otlp", "http", "/v1/logs").await;
    let webhook = sluice.url("webhook/open", "http", "/").await;
    let grpc = sluice.address("otlp", "grpc").await;
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let bomb = encoding.bomb(BOMB);
        assert!(bomb.len() < 4 << 20, "{} bytes", bomb.len());
        let mut attacks = JoinSet::new();
        for url in [&http, &webhook] {
            for content_type in ["application/x-protobuf", "application/json"] {
                // The webhook takes JSON only, under any name.
                let (url, headers, bomb) = (
                    url.clone(),
                    senders::headers(content_type, encoding),
                    bomb.clone(),
                );
                attacks.spawn(
                    async move { senders::post(&url, &headers, bomb).await.unwrap().status },
                );
            }
        }
        assert!(
            attacks.join_all().await.iter().all(|status| *status == 413),
            "{encoding:?}"
        );
        assert_eq!(
            senders::grpc_frame(grpc, &bomb, encoding).await.unwrap(),
            RESOURCE_EXHAUSTED,
            "{encoding:?}"
        );
    }
    assert_sound(&double, sluice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_that_lie_about_their_size_come_in_parts_or_in_crowds_fare_no_better() {
    let (double, sluice) = running().await;
    let url = sluice.url("otlp", "http", "/v1/logs").await;
    let headers = senders::headers("application/x-protobuf", Encoding::Gzip);
    let bomb = Encoding::Gzip.bomb(BOMB);
    let mut liar = bomb.clone();
    // The last four bytes of a gzip member are the size of what it holds.
    let trailer = liar.len() - 4;
    liar[trailer..].copy_from_slice(&1_000u32.to_le_bytes());
    let in_parts = Encoding::Gzip.bomb(BOMB / 20).repeat(20);
    for (what, body) in [("a lie", liar), ("parts", in_parts)] {
        let answer = senders::post(&url, &headers, body).await.unwrap();
        assert!([400, 413].contains(&answer.status), "{what}: {answer:?}");
    }
    let mut crowd = JoinSet::new();
    for _ in 0..40 {
        let (url, headers, bomb) = (url.clone(), headers.clone(), bomb.clone());
        crowd.spawn(async move { senders::post(&url, &headers, bomb).await.unwrap().status });
    }
    // Some may be turned away before anybody looks inside.
    assert!(
        crowd
            .join_all()
            .await
            .iter()
            .all(|status| [413, 429, 503].contains(status))
    );
    assert_sound(&double, sluice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn millions_of_empty_records_in_few_bytes_stay_within_the_memory_limit() {
    let (double, sluice) = running().await;
    let url = sluice.url("otlp", "http", "/v1/logs").await;
    // resource_logs { scope_logs { log_records {} log_records {} … } }, two bytes a record.
    let records = [0x12, 0x00].repeat(15 << 20);
    let body = nested(0x0a, &nested(0x12, &records));
    let headers = senders::headers("application/x-protobuf", Encoding::Gzip);
    let body = Encoding::Gzip.encode(body);
    let mut crowd = JoinSet::new();
    for _ in 0..4 {
        let (url, headers, body) = (url.clone(), headers.clone(), body.clone());
        crowd.spawn(async move { senders::post(&url, &headers, body).await.unwrap().status });
    }
    let statuses = crowd.join_all().await;
    assert!(
        statuses
            .iter()
            .all(|status| [400, 413, 429, 503].contains(status)),
        "{statuses:?}"
    );
    assert_sound(&double, sluice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_without_end_is_malformed() {
    let (double, sluice) = running().await;
    let otlp = sluice.url("otlp", "http", "/v1/logs").await;
    let webhook = sluice.url("webhook/open", "http", "/").await;
    let depth = 100_000;
    let open = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":"#;
    let (value, end) = (
        r#"{"arrayValue":{"values":["#.repeat(depth),
        "]}}".repeat(depth),
    );
    let mut protobuf = vec![];
    // body, then array_value and values in turn.
    for tag in [0x0a, 0x2a].into_iter().cycle().take(2_000) {
        protobuf = nested(tag, &protobuf);
    }
    let protobuf = nested(0x0a, &nested(0x12, &nested(0x12, &nested(0x2a, &protobuf))));
    for (url, content_type, body) in [
        (
            &otlp,
            "application/json",
            format!("{open}{value}{end}}}]}}]}}]}}").into_bytes(),
        ),
        (
            &otlp,
            "application/json",
            format!("{open}{value}").into_bytes(),
        ),
        (&otlp, "application/x-protobuf", protobuf),
        (&webhook, "application/json", "[".repeat(depth).into_bytes()),
        (
            &webhook,
            "application/json",
            format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes(),
        ),
        (
            &webhook,
            "application/json",
            "{\"data\":".repeat(depth).into_bytes(),
        ),
    ] {
        let length = body.len();
        let answer = senders::post(url, &senders::headers(content_type, Encoding::Plain), body)
            .await
            .unwrap();
        assert_eq!(
            answer.status, 400,
            "{url} {content_type} {length} bytes: {answer:?}"
        );
    }
    assert_sound(&double, sluice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_stalled_clients_do_not_keep_a_good_one_waiting() {
    let (double, sluice) = running().await;
    let doors = [
        sluice.address("otlp", "http").await,
        sluice.address("otlp", "grpc").await,
        sluice.address("webhook/open", "http").await,
    ];
    let mut stalled = Vec::new();
    for number in 0..300 {
        stalled.push(stall(doors[number % 3], number / 3 % 4).await);
    }
    let channel = senders::grpc_channel(doors[1]).await;
    for number in 0..10 {
        let events = events::generate(10, 60 + number, 100);
        let (protobuf, grpc) = (
            events::otlp_request(&events[..5]),
            events::otlp_request(&events[5..]),
        );
        let served = async {
            assert_eq!(
                senders::otlp_protobuf(doors[0], &protobuf, Encoding::Zstd)
                    .await
                    .unwrap()
                    .status,
                200
            );
            senders::otlp_grpc(channel.clone(), grpc, Encoding::Gzip)
                .await
                .unwrap();
        };
        tokio::time::timeout(SOON, served)
            .await
            .expect("a good client is served");
    }
    assert_eq!(double.read(|state| state.log_records().count()), 100);
    drop(stalled);
    assert_sound(&double, sluice).await;
}

/// A protobuf field with this tag and these bytes in it.
fn nested(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag];
    prost::encode_length_delimiter(bytes.len(), &mut field).unwrap();
    field.extend(bytes);
    field
}

/// A connection that got somewhere and goes no further, one of four ways.
async fn stall(to: SocketAddr, way: usize) -> TcpStream {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let head =
        format!("POST /v1/logs HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\n");
    let said = match way {
        // Nothing at all; half a request line; a body that does not begin; a body of which a little came.
        0 => String::new(),
        1 => head[..head.len() - 9].to_owned(),
        2 => format!("{head}content-length: 60000000\r\n\r\n"),
        _ => format!(
            "{head}content-length: 60000000\r\n\r\n{{\"resourceLogs\":[{}",
            " ".repeat(100_000)
        ),
    };
    stream.write_all(said.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn half_closed_and_vanished_clients_disturb_nobody() {
    let (double, sluice) = running().await;
    let http = sluice.address("otlp", "http").await;
    for is_whole in [true, false] {
        let body =
            serde_json::to_string(&events::otlp_request(&events::generate(1, 70, 100))).unwrap();
        let length = body.len() + usize::from(!is_whole);
        let head = format!(
            "POST /v1/logs HTTP/1.1\r\nhost: {http}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(http).await.unwrap();
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        // HTTP lets a server take a half-closed connection for a closed one.
        let is_refusal = answer.is_empty()
            || answer.starts_with("HTTP/1.1 400")
            || answer.starts_with("HTTP/1.1 408");
        assert!(
            is_refusal || (is_whole && answer.starts_with("HTTP/1.1 200")),
            "{answer}"
        );
    }
    assert_sound(&double, sluice).await;
}
