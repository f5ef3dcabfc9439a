//! A real Collector in front of Sluice and another behind it.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use sluice_testing::otlp;
use sluice_tests::Sluice;
use sluice_tests::encoding::Encoding;
use sluice_tests::events;
use sluice_tests::senders;

use crate::peer::Peer;

const EVENTS: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_pass_a_real_collector_on_each_side_exactly_once_redacted_and_tagged() {
    let far_end = otlp::Double::start().await;
    let exporters = format!(
        "  otlphttp: {{endpoint: '{}', sending_queue: {{enabled: false}}, compression: gzip}}",
        far_end.url("")
    );
    let Some(behind) = Peer::collector(&exporters, "otlphttp").await else {
        return;
    };
    let sluice = Sluice::start(&format!(
        r#"
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}, http: {{endpoint: "127.0.0.1:0"}}}}}}
processors:
  redaction: {{detectors: [all]}}
  classification: {{default: internal, rules: [{{tag: restricted, detectors: [secrets]}}, {{tag: confidential, detectors: [pii]}}]}}
  dedupe: {{}}
exporters:
  otlp_grpc: {{endpoint: "{}", tls: {{insecure: true}}}}
service:
  ledger: none
  pipelines:
    logs: {{receivers: [otlp], processors: [redaction, classification, dedupe], exporters: [otlp_grpc]}}
"#,
        behind.addresses[0]
    ));
    let to_sluice = sluice.address("otlp", "grpc").await;
    let exporters = format!(
        "  otlp: {{endpoint: '{to_sluice}', tls: {{insecure: true}}, sending_queue: {{enabled: false}}, compression: zstd, timeout: 60s}}"
    );
    let Some(before) = Peer::collector(&exporters, "otlp").await else {
        return;
    };

    let made = events::generate(EVENTS, 7, 50);
    let sent = events::with_duplicates(&made, 7);
    assert!(sent.len() > made.len(), "duplicates are among them");
    let channel = senders::grpc_channel(before.addresses[0]).await;
    for (i, chunk) in sent.chunks(500).enumerate() {
        let request = events::otlp_request(chunk.iter().copied());
        // A Collector in front answers OK when Sluice has answered OK.
        if i % 2 == 0 {
            senders::otlp_grpc(channel.clone(), request, Encoding::Gzip)
                .await
                .expect("OK");
        } else {
            let answer = senders::otlp_protobuf(before.addresses[1], &request, Encoding::Gzip)
                .await
                .expect("an answer");
            assert_eq!(answer.status, 200);
        }
    }

    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut tags: BTreeSet<String> = BTreeSet::new();
    far_end.read(|state| {
        for record in state.log_records() {
            let text = |key: &str| {
                record
                    .attributes
                    .iter()
                    .find(|a| a.key == key)
                    .and_then(|a| match a.value.as_ref()?.value.as_ref()? {
                        Value::StringValue(text) => Some(text.clone()),
                        _ => None,
                    })
            };
            let id = text("event_id")
                .or_else(|| body_field(record, "event_id"))
                .expect("every event has an id");
            *seen.entry(id).or_default() += 1;
            tags.insert(text("data.classification").expect("every event is tagged"));
            let all = format!("{record:?}");
            for plant in events::PLANTS {
                assert!(!all.contains(plant), "a planted secret passed: {plant}");
            }
        }
    });
    assert_eq!(seen.len(), EVENTS, "every event arrived");
    assert!(seen.values().all(|n| *n == 1), "each exactly once");
    assert!(
        tags.contains("restricted") && tags.contains("internal"),
        "{tags:?}"
    );
    assert_eq!(sluice.stop().await.code, Some(0));
}

fn body_field(
    record: &opentelemetry_proto::tonic::logs::v1::LogRecord,
    key: &str,
) -> Option<String> {
    let Value::KvlistValue(body) = record.body.as_ref()?.value.as_ref()? else {
        return None;
    };
    let value = &body.values.iter().find(|kv| kv.key == key)?.value;
    if let Value::StringValue(text) = value.as_ref()?.value.as_ref()? {
        Some(text.clone())
    } else {
        None
    }
}
