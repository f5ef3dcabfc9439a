//! Real OpenSearch and Elasticsearch nodes as far ends: counted there, by their own count.

use serde_json::{Value, json};
use sluice_tests::Sluice;
use sluice_tests::encoding::Encoding;
use sluice_tests::events;
use sluice_tests::senders;

use crate::peer::Peer;

const EVENTS: usize = 10_000;

fn pipeline(endpoint: &str, processors: &str, exporter: &str) -> String {
    format!(
        r#"
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}, http: {{endpoint: "127.0.0.1:0"}}}}}}
processors:
  redaction: {{detectors: [all]}}
  classification: {{default: internal, rules: [{{tag: restricted, detectors: [secrets]}}]}}
  dedupe: {{}}
exporters:
  elasticsearch: {{endpoint: "{endpoint}", {exporter}}}
service:
  ledger: none
  pipelines:
    logs: {{receivers: [otlp], processors: [{processors}], exporters: [elasticsearch]}}
"#
    )
}

async fn get(url: &str) -> Value {
    let text = senders::client()
        .get(url)
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a body");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON from {url}: {text}"))
}

async fn put(url: &str, body: &Value) {
    let request = senders::client()
        .put(url)
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = request.send().await.expect("an answer");
    assert!(
        answer.status().is_success(),
        "{url}: {}",
        answer.text().await.unwrap_or_default()
    );
}

async fn refresh_and_count(peer: &Peer, index: &str) -> u64 {
    count(peer, index).await.expect("a count")
}

/// `None` while the index has just been made and its shards do not answer yet.
pub(crate) async fn count(peer: &Peer, index: &str) -> Option<u64> {
    senders::client()
        .post(peer.url(&format!("/{index}/_refresh")))
        .send()
        .await
        .expect("an answer");
    get(&peer.url(&format!("/{index}/_count"))).await["count"].as_u64()
}

async fn send_all(sluice: &Sluice, sent: &[&events::Event]) {
    let to = sluice.address("otlp", "http").await;
    for chunk in sent.chunks(500) {
        let answer = senders::otlp_protobuf(
            to,
            &events::otlp_request(chunk.iter().copied()),
            Encoding::Gzip,
        )
        .await
        .expect("an answer");
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_events_are_in_a_real_opensearch_once_even_when_sent_again_after_a_restart() {
    let Some(node) = Peer::opensearch().await else {
        return;
    };
    let made = events::generate(EVENTS, 11, 50);
    let sent = events::with_duplicates(&made, 11);
    let exporter = r#"logs_index: "ai-audit-%Y.%m.%d""#;

    let sluice = Sluice::start(&pipeline(
        &node.url(""),
        "redaction, classification, dedupe",
        exporter,
    ));
    send_all(&sluice, &sent).await;
    assert_eq!(
        refresh_and_count(&node, "ai-audit-*").await,
        EVENTS as u64,
        "OK was only said when they were there"
    );
    assert_eq!(sluice.stop().await.code, Some(0));

    // A new process remembers no id, and without `dedupe` it would not care: the event's id is the document's.
    let sluice = Sluice::start(&pipeline(
        &node.url(""),
        "redaction, classification",
        exporter,
    ));
    send_all(&sluice, &sent[..2000]).await;
    assert_eq!(
        refresh_and_count(&node, "ai-audit-*").await,
        EVENTS as u64,
        "a document that is there is delivered"
    );
    assert_eq!(sluice.stop().await.code, Some(0));

    let planted = made
        .iter()
        .find(|e| e.plant.is_some())
        .expect("some are planted");
    let query = json!({"query": {"ids": {"values": [planted.id()]}}});
    let url = node.url("/ai-audit-*/_search");
    let found = senders::client()
        .post(url)
        .header("content-type", "application/json")
        .body(query.to_string())
        .send()
        .await;
    let found = found.expect("an answer").text().await.expect("a body");
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let hit = &found["hits"]["hits"][0];
    assert_eq!(hit["_id"], planted.id());
    assert!(
        hit["_source"]["@timestamp"].is_string() || hit["_source"]["@timestamp"].is_number(),
        "{hit}"
    );
    for plant in events::PLANTS {
        assert!(
            !found.to_string().contains(plant),
            "a planted secret is in the index"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_a_real_opensearch_refuses_is_reported_and_the_others_are_stored() {
    let Some(node) = Peer::opensearch().await else {
        return;
    };
    put(&node.url("/strict"), &json!({"mappings": {"properties": {"created_at": {"type": "date"}, "model": {"type": "integer"}}}})).await;
    let sluice = Sluice::start(&pipeline(&node.url(""), "redaction", "logs_index: strict"));
    let to = sluice.address("otlp", "http").await;
    let mut made = events::generate(20, 3, 50);
    for (i, event) in made.iter_mut().enumerate() {
        // The mapping wants a number; every event's model is a name but for these.
        if i % 2 == 0 {
            event.object.insert("model".into(), json!(7));
        }
    }
    let request = events::otlp_request(made.iter());
    let answer = senders::otlp_json(to, &request, Encoding::Plain)
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let body: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(body["partialSuccess"]["rejectedLogRecords"], "10", "{body}");
    assert_eq!(refresh_and_count(&node, "strict").await, 10);
    assert_eq!(sluice.stop().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_elasticsearch_takes_a_data_stream_and_its_failure_store_is_not_delivery() {
    let Some(node) = Peer::elasticsearch().await else {
        return;
    };
    put(
        &node.url("/_index_template/audit"),
        &json!({"index_patterns": ["logs-audit-*"], "data_stream": {}, "priority": 300,
            "template": {"mappings": {"properties": {"@timestamp": {"type": "date_nanos"}, "model": {"type": "integer"}}},
                         "data_stream_options": {"failure_store": {"enabled": true}}}}),
    )
    .await;
    let sluice = Sluice::start(&pipeline(
        &node.url(""),
        "redaction, dedupe",
        "logs_index: logs-audit-test",
    ));
    let to = sluice.address("otlp", "http").await;
    let mut made = events::generate(10, 5, 50);
    for event in &mut made[..6] {
        event.object.insert("model".into(), json!(7));
    }
    let answer = senders::otlp_json(to, &events::otlp_request(made.iter()), Encoding::Plain)
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_str(&String::from_utf8_lossy(&answer.body)).expect("JSON");
    assert_eq!(
        body["partialSuccess"]["rejectedLogRecords"], "4",
        "the failure store took four, which is no delivery: {body}"
    );
    assert_eq!(refresh_and_count(&node, "logs-audit-test").await, 6);
    assert_eq!(sluice.stop().await.code, Some(0));
}
