use std::time::Duration;

use sluice_batch::Signal;
use sluice_component::{After, Checked, HumanDuration, Problems, Verdict};
use sluice_testing::otlp::Double;

use super::{ByteSize, build, export, http_to, logs, verdict};
use crate::{grpc, http};

fn problems(config: &dyn Checked) -> Vec<String> {
    let mut problems = Problems::new();
    config.check(&mut problems);
    problems
        .found
        .iter()
        .map(|p| format!("{:?} {:?}: {}", p.severity, p.path, p.message))
        .collect()
}

fn http(keys: serde_json::Value) -> http::Config {
    serde_json::from_value(keys).unwrap()
}

#[tokio::test]
async fn the_collectors_keys_are_read() {
    let config: grpc::Config = serde_json::from_value(serde_json::json!({
        "endpoint": "collector:4317", "compression": "zstd", "tls": {"insecure": true}, "headers": {"a": "b"}, "timeout": "7s",
        "balancer_name": "round_robin", "wait_for_ready": true, "write_buffer_size": 524288, "keepalive": {"time": "20s"},
        "sending_queue": {"num_consumers": 3, "queue_size": 100}, "retry_on_failure": {"max_elapsed_time": "0"},
    }))
    .unwrap();
    assert_eq!(problems(&config), Vec::<String>::new());
    let delivery = build(&config).delivery;
    assert_eq!(delivery.max_concurrency, 3);
    assert_eq!(delivery.attempt_timeout, Duration::from_secs(140));
    assert_eq!(delivery.batching.max_bytes, 3_774_870);

    let config = http(serde_json::json!({
        "endpoint": "https://collector:4318/base/", "traces_endpoint": "https://other/x?y=1", "encoding": "json", "compression": "none",
        "max_idle_conns": 5, "idle_conn_timeout": "30s", "force_attempt_http2": false, "cookies": {"enabled": false},
    }));
    assert_eq!(problems(&config), Vec::<String>::new());
    assert!(serde_json::from_value::<http::Config>(serde_json::json!({"endpont": "x"})).is_err());
}

#[test]
fn the_base_url_gets_the_signals_path_and_a_signals_own_url_is_used_as_it_is() {
    let config = http(
        serde_json::json!({"endpoint": "https://collector:4318/base/", "traces_endpoint": "https://other/x?y=1"}),
    );
    let url = |signal| config.url(signal).unwrap().unwrap().to_string();
    assert_eq!(url(Signal::Logs), "https://collector:4318/base/v1/logs");
    assert_eq!(
        url(Signal::Metrics),
        "https://collector:4318/base/v1/metrics"
    );
    assert_eq!(url(Signal::Traces), "https://other/x?y=1");
    let config = http(serde_json::json!({"endpoint": "http://collector:4318"}));
    assert_eq!(
        config.url(Signal::Logs).unwrap().unwrap().as_str(),
        "http://collector:4318/v1/logs"
    );
}

#[test]
fn what_cannot_work_is_an_error_at_its_key() {
    for (keys, expected) in [
        (serde_json::json!({}), "endpoint"),
        (
            serde_json::json!({"endpoint": "collector:4318"}),
            "endpoint",
        ),
        (
            serde_json::json!({"logs_endpoint": "ftp://x"}),
            "logs_endpoint",
        ),
        (
            serde_json::json!({"endpoint": "http://x", "max_request_size": 1023}),
            "max_request_size",
        ),
        (
            serde_json::json!({"endpoint": "http://x", "max_request_size": "65MiB"}),
            "max_request_size",
        ),
        (
            serde_json::json!({"endpoint": "http://x", "sending_queue": {"num_consumers": 0}}),
            "num_consumers",
        ),
    ] {
        let found = problems(&http(keys.clone()));
        assert!(
            found
                .iter()
                .any(|p| p.starts_with("Error") && p.contains(expected)),
            "{keys}: {found:?}"
        );
    }
    for size in [1024, 64 << 20] {
        assert_eq!(
            problems(&http::Config {
                endpoint: "http://x".into(),
                max_request_size: ByteSize(size),
                ..Default::default()
            }),
            Vec::<String>::new()
        );
    }
    for endpoint in ["", "collector"] {
        let found = problems(&grpc::Config {
            endpoint: endpoint.into(),
            ..Default::default()
        });
        assert!(
            found.iter().any(|p| p.contains("\"endpoint\"")),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn a_signal_without_a_url_is_held() {
    let double = Double::start().await;
    let config = http::Config {
        endpoint: String::new(),
        traces_endpoint: double.url("/v1/traces"),
        ..Default::default()
    };
    let Verdict::Hold(text) = verdict(export(&config, &logs(["one"])).await, 1) else {
        panic!("a hold")
    };
    assert_eq!(
        text,
        "no URL for logs: configure `endpoint` or `logs_endpoint`"
    );
}

#[tokio::test]
async fn a_timeout_of_0_is_the_default() {
    let config = http::Config {
        timeout: Some(HumanDuration(Duration::ZERO)),
        ..http_to(&Double::start().await)
    };
    assert_eq!(
        build(&config).delivery.attempt_timeout,
        Duration::from_secs(600)
    );
    assert_eq!(
        verdict(export(&config, &logs(["one"])).await, 1),
        Verdict::Retry(After::Backoff),
        "the server is gone"
    );
}
