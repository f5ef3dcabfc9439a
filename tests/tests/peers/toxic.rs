//! A bad network between Sluice and a real OpenSearch: nothing lost, nothing doubled, and no sender notices.

use serde_json::{Value, json};
use sluice_tests::encoding::Encoding;
use sluice_tests::{SOON, Sluice, events, senders};

use crate::peer::Peer;
use crate::search::count;

/// Events in each spell of trouble.
const EVENTS: usize = 300;

/// What goes wrong on the way. What is expected while it lasts: that the records arrive all the same, or that attempts
/// fail until it is over.
struct Trouble {
    name: &'static str,
    toxic: Option<Value>,
    arrives: bool,
}

fn troubles() -> Vec<Trouble> {
    let toxic = |kind: &str, attributes: Value| {
        Some(
            json!({"name": "trouble", "type": kind, "stream": "downstream", "attributes": attributes}),
        )
    };
    let upstream = |kind: &str, attributes: Value| {
        Some(
            json!({"name": "trouble", "type": kind, "stream": "upstream", "attributes": attributes}),
        )
    };
    vec![
        Trouble {
            name: "cut",
            toxic: None,
            arrives: false,
        },
        Trouble {
            name: "reset after the request",
            toxic: toxic("reset_peer", json!({"timeout": 50})),
            arrives: false,
        },
        Trouble {
            name: "answers cut short",
            toxic: toxic("limit_data", json!({"bytes": 40})),
            arrives: false,
        },
        Trouble {
            name: "slow close",
            toxic: toxic("slow_close", json!({"delay": 1000})),
            arrives: true,
        },
        Trouble {
            name: "latency of 2 s",
            toxic: toxic("latency", json!({"latency": 2000})),
            arrives: true,
        },
        Trouble {
            name: "1 kB/s",
            toxic: upstream("bandwidth", json!({"rate": 1})),
            arrives: false,
        },
    ]
}

async fn order(proxy: &Peer, method: reqwest::Method, path: &str, body: &Value) {
    let request = senders::client()
        .request(method, proxy.url(path))
        .header("content-type", "application/json")
        .body(body.to_string());
    let answer = request.send().await.expect("the proxy answers");
    let status = answer.status();
    assert!(
        status.is_success(),
        "{path}: {status} {}",
        answer.text().await.unwrap_or_default()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_network_before_a_real_opensearch_loses_nothing_and_doubles_nothing() {
    let (Some(node), Some(proxy)) = (Peer::opensearch().await, Peer::toxiproxy().await) else {
        return;
    };
    let way = json!({"name": "search", "listen": "127.0.0.1:0", "upstream": node.addresses[0].to_string(), "enabled": true});
    order(&proxy, reqwest::Method::POST, "/proxies", &way).await;
    let proxies = senders::client()
        .get(proxy.url("/proxies"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let proxies: Value = serde_json::from_str(&proxies).unwrap();
    let endpoint = proxies["search"]["listen"]
        .as_str()
        .expect("an address")
        .to_owned();

    let sluice = Sluice::start(&format!(
        r#"
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:0"}}}}}}
processors:
  redaction: {{detectors: [all]}}
  dedupe: {{}}
exporters:
  elasticsearch:
    endpoint: "http://{endpoint}"
    logs_index: "toxic-%Y.%m.%d"
    timeout: 4s
    retry_on_failure: {{initial_interval: 50ms, max_interval: 500ms}}
service:
  ledger: {{directory: ledger}}
  pipelines:
    logs: {{receivers: [otlp], processors: [redaction, dedupe], exporters: [elasticsearch]}}
"#
    ));
    let http = sluice.address("otlp", "http").await;
    let mut sent = 0;
    for (i, trouble) in troubles().into_iter().enumerate() {
        match &trouble.toxic {
            None => {
                order(
                    &proxy,
                    reqwest::Method::POST,
                    "/proxies/search",
                    &json!({"enabled": false}),
                )
                .await
            }
            Some(toxic) => {
                order(
                    &proxy,
                    reqwest::Method::POST,
                    "/proxies/search/toxics",
                    toxic,
                )
                .await
            }
        }
        let before = failures(&sluice);
        for part in 0..3 {
            let made = events::generate(EVENTS / 3, 500 + 10 * i as u64 + part, 50);
            let answer = senders::otlp_protobuf(http, &events::otlp_request(&made), Encoding::Gzip)
                .await
                .expect("an answer");
            assert_eq!(answer.status, 200, "{}: the sender was told", trouble.name);
            sent += made.len();
        }
        if trouble.arrives {
            arrive(&node, sent, trouble.name).await;
        } else {
            let is_felt = |log: &sluice_tests::Log| count_failures(&log.lines) > before;
            sluice
                .log()
                .wait_for(is_felt, SOON)
                .await
                .unwrap_or_else(|_| panic!("{}: nothing was felt", trouble.name));
        }
        match &trouble.toxic {
            None => {
                order(
                    &proxy,
                    reqwest::Method::POST,
                    "/proxies/search",
                    &json!({"enabled": true}),
                )
                .await
            }
            Some(_) => {
                order(
                    &proxy,
                    reqwest::Method::DELETE,
                    "/proxies/search/toxics/trouble",
                    &json!({}),
                )
                .await
            }
        }
        arrive(&node, sent, trouble.name).await;
    }
    let ended = sluice.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert_eq!(
        count(&node, "toxic-*").await,
        Some(sent as u64),
        "nothing came twice"
    );
}

fn failures(sluice: &Sluice) -> usize {
    sluice.log().read(|log| count_failures(&log.lines))
}

fn count_failures(lines: &[Value]) -> usize {
    let is_one = |line: &&Value| line.to_string().contains("does not take records now");
    lines.iter().filter(is_one).count()
}

/// Waits until the node has exactly this many.
async fn arrive(node: &Peer, sent: usize, trouble: &str) {
    let deadline = tokio::time::Instant::now() + 2 * SOON;
    loop {
        let count = count(node, "toxic-*").await.unwrap_or(0);
        assert!(count <= sent as u64, "{trouble}: {count} of {sent}");
        if count == sent as u64 {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{trouble}: {count} of {sent} arrived"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
