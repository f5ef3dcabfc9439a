use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use sluice_batch::{Batch, Signal};
use tempfile::tempdir;

use super::{bodies, build, decision, json_lines, logs, to};
use crate::{Compression, Config, Format};

/// The contents of the frames of a file.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let Some((prefix, tail)) = rest.split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*prefix) as usize;
        frames.push(tail[..len].to_vec());
        rest = &tail[len..];
    }
    assert!(rest.is_empty());
    frames
}

#[tokio::test]
async fn json_is_one_otlp_request_a_line() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.json");
    let exporter = build(&to(&path)).unwrap().exporter;
    exporter.export(&logs(["one", "two\nlines"])).await.unwrap();
    exporter.export(&logs(["three"])).await.unwrap();
    assert_eq!(json_lines(&path).len(), 2);
    assert_eq!(
        json_lines(&path)[0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["timeUnixNano"],
        "1776709800000000000"
    );
    assert_eq!(bodies(&path), ["one", "two\nlines", "three"]);
}

#[tokio::test]
async fn proto_is_frames_of_otlp_requests() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.bin");
    let exporter = build(&Config {
        format: Format::Proto,
        ..to(&path)
    })
    .unwrap()
    .exporter;
    exporter.export(&logs(["one"])).await.unwrap();
    exporter.export(&logs(["two", "three"])).await.unwrap();
    let frames = frames(&std::fs::read(&path).unwrap());
    let counts: Vec<usize> = frames
        .iter()
        .map(|f| {
            ExportLogsServiceRequest::decode(&f[..])
                .unwrap()
                .resource_logs[0]
                .scope_logs[0]
                .log_records
                .len()
        })
        .collect();
    assert_eq!(counts, [1, 2]);
}

#[tokio::test]
async fn plain_json_is_one_object_a_record() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.json");
    let exporter = build(&Config {
        format: Format::PlainJson,
        ..to(&path)
    })
    .unwrap()
    .exporter;
    exporter.export(&decision()).await.unwrap();
    exporter.export(&logs(["one", "two"])).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().next().unwrap(),
        r#"{"time":"2026-04-20T18:30:00.000000001Z","observed_time":"2026-04-20T18:30:01Z","severity":"INFO","severity_number":10,"event_name":"ai.policy.decision","body":{"decision":"refuse","reasons":[1,null]},"attributes":{"tokens":5},"resource":{"service.name":"policy-gateway"},"scope":{"name":"audit"},"trace_id":"abababababababababababababababab","span_id":"cdcdcdcdcdcdcdcd"}"#
    );
    assert_eq!(json_lines(&path).len(), 3);
    assert_eq!(json_lines(&path)[2]["body"], "two");
}

#[tokio::test]
async fn spans_in_plain_json_are_otlp_lines() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("spans.json");
    let scope = ScopeSpans {
        spans: vec![Span {
            name: "call".into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![scope],
            ..Default::default()
        }],
    };
    let batch = Batch::decode(Signal::Traces, request.encode_to_vec().into()).unwrap();
    build(&Config {
        format: Format::PlainJson,
        ..to(&path)
    })
    .unwrap()
    .exporter
    .export(&batch)
    .await
    .unwrap();
    assert_eq!(
        json_lines(&path)[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"],
        "call"
    );
}

#[tokio::test]
async fn compressed_requests_are_frames_of_zstd() {
    for format in [Format::Json, Format::Proto, Format::PlainJson] {
        let directory = tempdir().unwrap();
        let path = directory.path().join("audit.zst");
        let config = Config {
            format,
            compression: Compression::Zstd,
            ..to(&path)
        };
        let exporter = build(&config).unwrap().exporter;
        exporter.export(&logs(["one"])).await.unwrap();
        exporter.export(&logs(["two"])).await.unwrap();
        let contents: Vec<Vec<u8>> = frames(&std::fs::read(&path).unwrap())
            .iter()
            .map(|f| zstd::bulk::decompress(f, 1 << 20).unwrap())
            .collect();
        assert_eq!(contents.len(), 2);
        match format {
            Format::Proto => assert!(ExportLogsServiceRequest::decode(&contents[0][..]).is_ok()),
            Format::Json => assert_eq!(
                Batch::decode_json(Signal::Logs, &contents[1])
                    .unwrap()
                    .record(0)
                    .body()
                    .as_str(),
                Some("two")
            ),
            Format::PlainJson => assert_eq!(
                serde_json::from_slice::<serde_json::Value>(&contents[0]).unwrap()["body"],
                "one"
            ),
        }
    }
}

#[tokio::test]
async fn an_empty_batch_writes_nothing() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.json");
    build(&to(&path))
        .unwrap()
        .exporter
        .export(&Batch::new(Signal::Logs))
        .await
        .unwrap();
    assert!(!path.exists());
}
