use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use sluice_batch::{Batch, Signal, Value};
use sluice_component::{BuiltExporter, Severity};
use sluice_testing::{Fault, RetryAfter, datadog};

use super::{Config, encode::Encoder};
use crate::delivery::{Framing, Verdicts};
use crate::tests::{
    SEED, SEED_NANOS, as_strs, audit_batch, audit_batch_of, build, config, ids, plain_batch,
    push_audit, verdicts, wrong_at,
};

fn keys(more: Json) -> Json {
    let mut keys = json!({
        "api": {"key": datadog::API_KEY}, "service": "policy-gateway", "ddsource": "policy-gateway",
        "tags": ["env:prod", "team:platform"],
    });
    keys.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    keys
}

fn exporter(double: &datadog::Double, more: Json) -> BuiltExporter {
    let mut keys = keys(more);
    keys["logs"]["endpoint"] = json!(double.url(""));
    build::<Config>(keys)
}

async fn export(exporter: &BuiltExporter, batch: &Batch) -> Vec<String> {
    verdicts(exporter.exporter.export(batch).await)
}

fn now_nanos() -> u64 {
    u64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_nanos(),
    )
    .expect("before 2554")
}

/// The body of a batch, encoded at a given time.
fn encoded(keys: Json, batch: &Batch, at_nanos: u64) -> (String, Vec<String>) {
    let config: Config = config(keys);
    let mut found = Verdicts::default();
    let payload = Encoder::new(&config).encode(
        batch,
        UNIX_EPOCH + Duration::from_nanos(at_nanos),
        &mut found,
    );
    let len = payload.len();
    let body = payload.seal().body(0..len, Framing::JsonArray);
    (
        String::from_utf8(body.to_vec()).expect("JSON is UTF-8"),
        verdicts(found.into_result()),
    )
}

#[test]
fn an_audit_event_is_the_vendors_sample_payload_with_a_date() {
    let (body, _) = encoded(keys(json!({})), &audit_batch(&["e1"]), SEED_NANOS);
    assert_eq!(
        body,
        format!(
            r#"[{{"message":"policy decision: rewrite","timestamp":1768587731000,"status":"notice","service":"policy-gateway","ddsource":"policy-gateway","ddtags":"env:prod,team:platform,project:support-bot","hostname":"policy-gateway","policy":{SEED},"event_id":"e1","attributes":{{"data.classification":"internal"}}}}]"#
        )
    );
}

#[test]
fn another_record_is_flattened_as_the_collector_does() {
    let mut batch = plain_batch(&["it broke"]);
    batch.record_mut(0).set("status", Value::Str("custom"));
    batch.record_mut(0).set("host", Value::Str("h"));
    let (body, _) = encoded(json!({"api": {"key": "k"}}), &batch, SEED_NANOS);
    assert_eq!(
        body,
        r#"[{"message":"it broke","timestamp":1768587731001,"status":"custom","service":"checkout","ddsource":"otlp_log_ingestion","ddtags":"service:checkout,otel_source:datadog_exporter","hostname":"h","trace_id":"0802030405060708000000000a000000","otel.trace_id":"0802030405060708000000000a000000","dd.trace_id":"167772160","span_id":"0000000000000009","otel.span_id":"0000000000000009","dd.span_id":"9","otel.severity_text":"ERROR","otel.severity_number":"17","otel.timestamp":"1768587731001500000","service.name":"checkout","host.name":"node-7","k8s.pod.name":"pod-1","k8s.pod.labels.app":"x","http.status":502,"otel.status":"custom","otel.host":"h"}]"#
    );
}

#[test]
fn a_stale_log_is_restamped_with_a_marker_dropped_or_diverted() {
    let batch = audit_batch(&["e1"]);
    let day_after = SEED_NANOS + 86_400_000_000_000;
    let (body, found) = encoded(keys(json!({})), &batch, day_after);
    let logs: Json = serde_json::from_str(&body).expect("JSON");
    assert_eq!(logs[0]["timestamp"], day_after / 1_000_000);
    assert_eq!(logs[0]["event.original_timestamp"], "2026-01-16T18:22:11Z");
    assert_eq!(
        logs[0]["ddtags"],
        "env:prod,team:platform,project:support-bot,replayed:true"
    );
    assert_eq!(logs[0]["policy"]["created_at"], "2026-01-16T18:22:11Z");
    assert!(found.is_empty());
    let (body, found) = encoded(keys(json!({"stale": "drop"})), &batch, day_after);
    assert_eq!(
        (body.as_str(), found),
        ("]", vec!["0..1 Refused".to_owned()])
    );
    assert_eq!(
        encoded(keys(json!({"stale": "divert"})), &batch, day_after).1,
        ["0..1 Refused"]
    );
}

#[test]
fn a_dropped_log_is_refused_with_a_reason_and_never_counts_as_sent() {
    let refusal = |at_nanos: u64| {
        let config: Config = config(keys(json!({"stale": "drop"})));
        let mut found = Verdicts::default();
        let now = UNIX_EPOCH + Duration::from_nanos(at_nanos);
        Encoder::new(&config).encode(&audit_batch(&["e1"]), now, &mut found);
        let undelivered = found.into_result().expect_err("refused");
        undelivered.reason().map(str::to_owned)
    };
    let day = 86_400_000_000_000;
    for (at, expected) in [
        (
            SEED_NANOS + day,
            "older than 18 h, dropped by `stale: drop`",
        ),
        (
            SEED_NANOS - day,
            "more than 2 h ahead, dropped by `stale: drop`",
        ),
    ] {
        assert_eq!(refusal(at).as_deref(), Some(expected));
    }
}

#[test]
fn a_log_is_stale_just_before_18_hours_and_2_hours_ahead() {
    let batch = audit_batch(&["e1"]);
    let minute = 60_000_000_000u64;
    let diverted = |at: u64| {
        !encoded(keys(json!({"stale": "divert"})), &batch, at)
            .1
            .is_empty()
    };
    assert!(!diverted(SEED_NANOS + (18 * 60 - 10) * minute));
    assert!(diverted(SEED_NANOS + (18 * 60 - 10) * minute + 1));
    assert!(!diverted(SEED_NANOS - 110 * minute));
    assert!(diverted(SEED_NANOS - 110 * minute - 1));
}

#[test]
fn a_log_of_a_million_bytes_goes_and_one_more_byte_is_refused() {
    let of = |n: usize| {
        audit_batch_of(
            &["e"],
            &format!(r#"{{"decision":"allow","t":"{}"}}"#, "x".repeat(n)),
            SEED_NANOS,
        )
    };
    let (body, _) = encoded(keys(json!({})), &of(0), SEED_NANOS);
    let room = 1_000_000 - (body.len() - 2);
    let (body, found) = encoded(keys(json!({})), &of(room), SEED_NANOS);
    assert_eq!((body.len() - 2, found.len()), (1_000_000, 0));
    assert_eq!(
        encoded(keys(json!({})), &of(room + 1), SEED_NANOS).1,
        ["0..1 Refused"]
    );
}

#[test]
fn severities_become_statuses_and_admin_actions_have_their_own_message() {
    for (number, status) in [
        (9, "info"),
        (10, "info"),
        (11, "notice"),
        (12, "notice"),
        (13, "warn"),
        (17, "error"),
        (0, "info"),
    ] {
        let mut batch = audit_batch(&["e"]);
        batch.record_mut(0).set_severity(number, "X");
        let logs: Json =
            serde_json::from_str(&encoded(keys(json!({})), &batch, SEED_NANOS).0).expect("JSON");
        assert_eq!(logs[0]["status"], status, "{number}");
    }
    let mut batch = audit_batch_of(
        &["e"],
        r#"{"action":"provider_key.rotate","actor":{"id":"u"}}"#,
        SEED_NANOS,
    );
    batch.record_mut(0).set_name("ai.gateway.admin_action");
    let logs: Json =
        serde_json::from_str(&encoded(keys(json!({})), &batch, SEED_NANOS).0).expect("JSON");
    assert_eq!(logs[0]["message"], "admin action: provider_key.rotate");
}

#[test]
fn a_service_that_a_resource_names_twice_is_hidden_from_no_neighbour_of_the_one_it_is_the_source_of()
 {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(
        &[
            ("service.name", Value::Str("x")),
            ("service.nam2", Value::Str("b")),
        ],
        "",
    );
    for source in ["b", "c"] {
        let mut record = batch.push_log();
        record.set_name("ai.policy.decision");
        let body = sluice_batch::ValueBuf::map([("source", Value::Str(source))]);
        record.set_body(body.as_value());
    }
    let mut wire = batch.encode();
    let second = wire
        .windows(12)
        .position(|w| w == b"service.nam2")
        .expect("it is there");
    wire[second + 11] = b'e';
    let batch = Batch::decode(Signal::Logs, wire.into()).expect("valid");
    let keys = json!({"api": {"key": datadog::API_KEY}});
    let (body, _) = encoded(keys, &batch, now_nanos());
    for name in [r#""service.name":"x""#, r#""service.name":"b""#] {
        assert_eq!(body.matches(name).count(), 2, "{name} in {body}");
    }
}

#[tokio::test]
async fn more_than_1000_logs_go_in_several_arrays() {
    let double = datadog::Double::start().await;
    let ids = ids(1_001);
    assert!(
        export(
            &exporter(&double, json!({})),
            &audit_batch_of(&as_strs(&ids), SEED, now_nanos())
        )
        .await
        .is_empty()
    );
    assert_eq!(
        double.read(|state| (state.logs.len(), state.stale.len())),
        (1_001, 0)
    );
    assert_eq!(double.traffic().read(|t| t.seen.len()), 2);
}

#[tokio::test]
async fn no_request_is_over_5_mb_and_no_log_is_cut() {
    let double = datadog::Double::start().await;
    let body = format!(r#"{{"decision":"allow","t":"{}"}}"#, "x".repeat(900_000));
    let mut batch = audit_batch_of(&as_strs(&ids(6)), &body, now_nanos());
    push_audit(
        &mut batch,
        "big",
        &format!(r#"{{"decision":"allow","t":"{}"}}"#, "x".repeat(1_000_000)),
        now_nanos(),
    );
    assert_eq!(
        export(&exporter(&double, json!({})), &batch).await,
        ["6..7 Refused"]
    );
    assert!(
        double.read(|state| state.logs.len() == 6 && state.logs.iter().all(|log| !log.truncated))
    );
}

#[tokio::test]
async fn an_old_record_is_never_silently_thrown_away() {
    let double = datadog::Double::start().await;
    assert!(
        export(&exporter(&double, json!({})), &audit_batch(&["old"]))
            .await
            .is_empty()
    );
    assert_eq!(
        double.read(|state| (state.logs.len(), state.stale.len())),
        (1, 0)
    );
}

#[tokio::test]
async fn every_answer_leads_to_its_verdict() {
    let double = datadog::Double::start().await;
    let exporter = exporter(&double, json!({}));
    let batch = audit_batch_of(&["a", "b"], SEED, now_nanos());
    for (times, fault, expected) in [
        (
            1,
            Fault::throttle(RetryAfter::Seconds(7)),
            vec!["0..2 Retry(Delay(7s))"],
        ),
        (1, Fault::status(500), vec!["0..2 Retry(Backoff)"]),
        (1, Fault::status(403), vec!["0..2 Hold"]),
        (1, Fault::status(401), vec!["0..2 Hold"]),
        (1, Fault::CutAfterBody, vec!["0..2 Retry(Backoff)"]),
        (3, Fault::status(400), vec!["0..2 Refused"]),
        (2, Fault::status(413), vec!["0..1 Refused"]),
        (1, Fault::status(413), vec![]),
    ] {
        double.faults().next(times, fault.clone());
        assert_eq!(export(&exporter, &batch).await, expected, "{fault:?}");
    }
    // A log over the intake's own idea of valid is found among good ones: two halves, then one by one.
    assert_eq!(
        export(
            &build::<Config>(
                json!({"api": {"key": "wrong"}, "logs": {"endpoint": double.url("")}})
            ),
            &batch
        )
        .await,
        ["0..2 Hold"]
    );
}

#[tokio::test]
async fn other_signals_are_refused_with_an_explanation() {
    let double = datadog::Double::start().await;
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}"#;
    let batch = Batch::decode_json(Signal::Traces, json).expect("a batch");
    assert_eq!(
        export(&exporter(&double, json!({})), &batch).await,
        ["0..1 Refused"]
    );
}

#[test]
fn the_site_gives_the_endpoint_and_a_path_is_added_when_there_is_none() {
    let url = |keys: Json| config::<Config>(keys).url();
    assert_eq!(
        url(json!({"api": {"key": "k"}})),
        "https://http-intake.logs.datadoghq.com/api/v2/logs"
    );
    assert_eq!(
        url(json!({"api": {"key": "k", "site": "datadoghq.eu"}})),
        "https://http-intake.logs.datadoghq.eu/api/v2/logs"
    );
    assert_eq!(
        url(json!({"api": {"key": "k"}, "logs": {"endpoint": "https://proxy:1"}})),
        "https://proxy:1/api/v2/logs"
    );
    assert_eq!(
        url(json!({"api": {"key": "k"}, "logs": {"endpoint": "https://proxy/x"}})),
        "https://proxy/x"
    );
}

#[test]
fn removed_keys_are_errors_that_name_what_replaced_them() {
    let removed = json!({"api": {"key": "k"}, "endpoint": "x", "compression": "gzip", "auth": {"authenticator": "a"},
        "headers": {"a": "b"}, "site": "s", "env": "e", "version": "v", "send_metadata": true, "use_resource_metadata": true});
    let errors = wrong_at::<Config>(removed, Severity::Error);
    assert_eq!(
        errors,
        [
            "endpoint",
            "compression",
            "auth",
            "headers",
            "site",
            "env",
            "version",
            "send_metadata",
            "use_resource_metadata"
        ]
    );
    assert_eq!(wrong_at::<Config>(json!({}), Severity::Error), ["api"]);
    let odd = json!({"api": {"key": "k", "site": "datadog.com"}, "tags": ["Env:Prod", "1"], "host_metadata": {"enabled": false}});
    assert_eq!(
        wrong_at::<Config>(odd.clone(), Severity::Warning),
        ["api.site", "tags.0", "host_metadata"]
    );
    assert_eq!(wrong_at::<Config>(odd, Severity::Error), ["tags.1"]);
}

#[tokio::test]
async fn zstd_is_sent_if_it_is_wanted() {
    let double = datadog::Double::start().await;
    let mut keys = keys(json!({"logs": {"compression_kind": "zstd", "compression_level": 19}}));
    assert_eq!(wrong_at::<Config>(keys.clone(), Severity::Error), [""; 0]);
    keys["logs"]["endpoint"] = json!(double.url(""));
    let exporter = build::<Config>(keys);
    assert!(export(&exporter, &audit_batch(&["a"])).await.is_empty());
    let seen = double.traffic().read(|traffic| traffic.seen.clone());
    assert_eq!(seen[0].headers["content-encoding"], "zstd");
    let too_much = json!({"api": {"key": "k"}, "logs": {"compression_level": 19}});
    assert_eq!(
        wrong_at::<Config>(too_much, Severity::Error),
        ["logs.compression_level"]
    );
}
