//! A real Collector sends while Sluice's configuration changes under it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sluice_testing::splunk;
use sluice_tests::encoding::Encoding;
use sluice_tests::{SOON, Sluice, events, senders};

use crate::peer::Peer;

const RELOADS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_collector_sends_through_a_hundred_reloads_without_one_retry() {
    let splunk = splunk::Double::start().await;
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let [grpc, admin] = [free(), free()].map(|socket| socket.local_addr().unwrap());
    let file = |round: usize| {
        format!(
            r#"
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "{grpc}", max_recv_msg_size_mib: {}}}}}}}
processors:
  redaction: {{detectors: [{}]}}
  dedupe: {{window: {}m}}
exporters:
  splunk_hec: {{endpoint: "{}", token: {}, index: ai_audit, sending_queue: {{num_consumers: {}}}}}
service:
  admin: {{endpoint: "{admin}"}}
  pipelines:
    logs: {{receivers: [otlp], processors: [redaction, dedupe], exporters: [splunk_hec]}}
"#,
            8 + round % 3,
            ["all", "pii"][round % 2],
            10 + round % 5,
            splunk.url("/services/collector"),
            splunk::TOKEN,
            1 + round % 4,
        )
    };
    let sluice = Sluice::start(&file(0));
    sluice.address("otlp", "grpc").await;
    let exporters = format!(
        "  otlp: {{endpoint: '{grpc}', tls: {{insecure: true}}, sending_queue: {{enabled: false}}}}"
    );
    let Some(collector) = Peer::collector(&exporters, "otlp").await else {
        return;
    };
    let is_over = Arc::new(AtomicBool::new(false));
    let sender = tokio::spawn({
        let (is_over, to) = (is_over.clone(), collector.addresses[0]);
        async move {
            let channel = senders::grpc_channel(to).await;
            let mut sent = BTreeSet::new();
            for seed in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let events = events::generate(3, 50_000 + seed, 100);
                let request = events::otlp_request(&events);
                senders::otlp_grpc(channel.clone(), request, Encoding::Gzip)
                    .await
                    .expect("a Collector answers OK when Sluice has");
                sent.extend(events.iter().map(|event| event.id().to_owned()));
            }
            sent
        }
    });
    let client = senders::client();
    for round in 1..=RELOADS {
        std::fs::write(sluice.directory().join("pipeline.yaml"), file(round)).unwrap();
        let url = format!("http://{admin}/-/reload");
        let answer = senders::post_with(&client, &url, &[], Vec::new())
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{:?}", answer.body);
    }
    is_over.store(true, Ordering::Relaxed);
    let sent = sender.await.unwrap();
    assert!(sent.len() > RELOADS, "{} events", sent.len());
    splunk
        .wait_for(|state| state.events.len() >= sent.len(), SOON)
        .await
        .unwrap();
    let arrived: Vec<String> = splunk.read(|state| {
        let ids = state.events.iter().map(|e| e.event()["event_id"].clone());
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    });
    assert_eq!(arrived.len(), sent.len(), "none twice");
    assert_eq!(arrived.into_iter().collect::<BTreeSet<_>>(), sent);
    let log = collector.log();
    let trouble: Vec<&str> = log
        .lines()
        .filter(|line| {
            ["retry", "Retry", "error", "Unavailable"]
                .iter()
                .any(|w| line.contains(w))
        })
        .collect();
    assert!(trouble.is_empty(), "{trouble:#?}");
    assert_eq!(sluice.stop().await.code, Some(0));
}
