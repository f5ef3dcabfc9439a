use serde_json::json;
use sluice_component::{ExporterConfig as _, Severity};
use sluice_testing::{datadog, elastic, splunk};

use super::Config;
use crate::tests::{audit_batch, config, context, verdicts, wrong_at};

#[tokio::test]
async fn the_vendors_own_examples_reach_three_destinations() {
    let (hec, dd, es) = (
        splunk::Double::start().await,
        datadog::Double::start().await,
        elastic::Double::start().await,
    );
    let config: Config = config(json!({"destinations": [
        {"destination": "splunk_hec", "endpoint": hec.url("/services/collector"), "token": splunk::TOKEN,
         "index": "ai_audit", "sourcetype": "policy_gateway_audit"},
        {"destination": "datadog_logs", "endpoint": dd.url("/api/v2/logs"), "api_key": datadog::API_KEY,
         "service": "policy-gateway", "ddsource": "policy-gateway", "tags": ["env:prod", "team:platform"]},
        {"destination": "elastic", "endpoint": es.url(""), "index": "ai-audit", "api_key": "id:key"},
    ]}));
    let built = config.build(&context()).expect("three exporters");
    for exporter in &built {
        assert!(
            verdicts(exporter.exporter.export(&audit_batch(&["e1"])).await).is_empty(),
            "{}",
            exporter.key
        );
        assert_eq!(
            (
                exporter.delivery.batching.max_records,
                exporter.delivery.batching.min_records
            ),
            (500, 500)
        );
        assert_eq!(
            exporter.delivery.batching.timeout.map(|t| t.as_secs()),
            Some(5)
        );
    }
    assert_eq!(hec.read(|s| s.events.len()), 1);
    assert_eq!(dd.read(|s| s.logs.len()), 1);
    assert_eq!(es.read(|s| s.documents.len()), 1);
    let keys: Vec<&str> = built.iter().map(|exporter| exporter.key.as_str()).collect();
    let expected = [
        format!("splunk_hec@{}/ai_audit", hec.address()),
        format!("datadog_logs@{}", dd.address()),
        format!("elasticsearch@{}/ai-audit", es.address()),
    ];
    assert_eq!(keys, expected);
}

#[test]
fn the_state_of_a_destination_does_not_depend_on_its_place_in_the_list() {
    let (a, b) = (
        json!({"destination": "splunk_hec", "endpoint": "https://hec.example.com:8088/services/collector", "token": "t", "index": "i"}),
        json!({"destination": "opensearch", "endpoint": "https://os.example.com", "index": "j"}),
    );
    let keys = |list: serde_json::Value| {
        let built = config::<Config>(json!({"destinations": list}))
            .build(&context())
            .expect("two exporters");
        built
            .into_iter()
            .map(|exporter| exporter.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        keys(json!([a, b])),
        [
            "splunk_hec@hec.example.com:8088/i",
            "elasticsearch@os.example.com:443/j"
        ]
    );
    assert_eq!(
        keys(json!([b, a])),
        [
            "elasticsearch@os.example.com:443/j",
            "splunk_hec@hec.example.com:8088/i"
        ]
    );
}

#[test]
fn keys_of_another_kind_unknown_kinds_and_twins_are_errors_where_they_stand() {
    let splunk = json!({"destination": "splunk_hec", "endpoint": "https://h", "token": "t"});
    let errors = wrong_at::<Config>(
        json!({"destinations": [
            {"destination": "splunk", "endpoint": "https://h"},
            {"destination": "splunk_hec", "endpoint": "https://h", "token": "t", "api_key": "k"},
            {"destination": "datadog_logs", "index": "i"},
            {"endpoint": "https://h"},
            splunk, {"destination": "elastic"},
        ]}),
        Severity::Error,
    );
    assert_eq!(
        errors,
        [
            "destinations.0.destination",
            "destinations.1.api_key",
            "destinations.2.index",
            "destinations.2",
            "destinations.3",
            "destinations.4",
            "destinations.5"
        ]
    );
    assert_eq!(wrong_at::<Config>(json!({}), Severity::Error), [""]);
}

#[test]
fn what_is_written_wins_over_the_vendors_batching() {
    let config: Config = config(json!({
        "destinations": [{"destination": "datadog_logs", "api_key": "k"}],
        "sending_queue": {"batch": {"flush_timeout": "1s", "max_size": 50, "min_size": 5}},
        "retry_on_failure": {"max_interval": "9s"},
    }));
    let built = config.build(&context()).expect("an exporter");
    assert_eq!(built[0].delivery.batching.max_records, 50);
    assert_eq!(
        built[0].delivery.batching.timeout.map(|t| t.as_secs()),
        Some(1)
    );
    assert_eq!(built[0].delivery.retry.max.as_secs(), 9);
    assert_eq!(built[0].key, "datadog_logs@default");
}
