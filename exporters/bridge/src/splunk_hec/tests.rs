use serde_json::{Value as Json, json};
use sluice_batch::{Batch, Signal, Value};
use sluice_component::{BuiltExporter, Severity};
use sluice_testing::{Fault, RetryAfter, splunk};

use super::Config;
use crate::tests::{
    SEED, SEED_NANOS, as_strs, audit_batch, audit_batch_of, build, config, ids, plain_batch,
    push_audit, verdicts, wrong_at,
};

fn keys(double: &splunk::Double, more: Json) -> Json {
    let mut keys = json!({
        "endpoint": double.url(""), "token": splunk::TOKEN, "index": "ai_audit", "sourcetype": "policy_gateway_audit",
        "ack_poll_interval": "10ms", "ack_timeout": "300ms",
    });
    keys.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    keys
}

fn exporter(double: &splunk::Double, more: Json) -> BuiltExporter {
    build::<Config>(keys(double, more))
}

async fn export(exporter: &BuiltExporter, batch: &Batch) -> Vec<String> {
    verdicts(exporter.exporter.export(batch).await)
}

fn texts(double: &splunk::Double) -> Vec<String> {
    double.read(|state| {
        state
            .events
            .iter()
            .map(|event| event.text.clone())
            .collect()
    })
}

#[tokio::test]
async fn an_audit_event_is_the_vendors_sample_payload() {
    let double = splunk::Double::start().await;
    let exporter = exporter(&double, json!({}));
    assert!(export(&exporter, &audit_batch(&["e1"])).await.is_empty());
    let expected = format!(
        r#"{{"time":1768587731,"host":"policy-gateway","source":"policy-gateway","sourcetype":"policy_gateway_audit","index":"ai_audit","event":{SEED},"fields":{{"event_id":"e1","decision":"rewrite","severity":"INFO","otel.log.severity.text":"INFO","otel.log.severity.number":11,"data.classification":"internal"}}}}"#
    );
    assert_eq!(texts(&double), [expected]);
}

#[tokio::test]
async fn a_field_that_is_configured_by_the_name_of_another_stands_once() {
    let double = splunk::Double::start().await;
    for names in [
        json!({"severity_text": "severity"}),
        json!({"severity_number": "severity"}),
        json!({"severity_text": "severity", "severity_number": "severity"}),
    ] {
        let exporter = exporter(&double, json!({"otel_to_hec_fields": names}));
        assert!(export(&exporter, &audit_batch(&["e1"])).await.is_empty());
        let texts = texts(&double);
        let last = texts.last().expect("it came");
        assert_eq!(last.matches(r#""severity":"#).count(), 1, "{last}");
    }
}

#[tokio::test]
async fn a_field_that_the_resource_has_stands_once() {
    let double = splunk::Double::start().await;
    let names = ["otel.log.name", "otel.log.severity.number", "trace_id"];
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&names.map(|name| (name, Value::Str("the resource's"))), "");
    let mut record = batch.push_log();
    record.set_name("login");
    record.set_body(Value::Str("b"));
    record.set_severity(9, "INFO");
    record.set_trace(&[7; 16], &[9; 8], 1);
    assert!(
        export(&exporter(&double, json!({})), &batch)
            .await
            .is_empty()
    );
    for name in names {
        let text = &texts(&double)[0];
        assert_eq!(text.matches(&format!(r#""{name}":"#)).count(), 1, "{text}");
    }
}

#[tokio::test]
async fn nulls_and_empty_lists_arrive_as_they_came() {
    let double = splunk::Double::start().await;
    let body = r#"{"event_id":"x","source":"policy_gateway","org_id":null,"denylist_hits":[],"decision":"refuse"}"#;
    assert!(
        export(
            &exporter(&double, json!({})),
            &audit_batch_of(&["x"], body, SEED_NANOS)
        )
        .await
        .is_empty()
    );
    assert!(texts(&double)[0].contains(&format!(r#""host":"policy-gateway","source":"policy-gateway","sourcetype":"policy_gateway_audit","index":"ai_audit","event":{body}"#)));
}

#[tokio::test]
async fn another_record_carries_all_its_attributes_in_fields() {
    let double = splunk::Double::start().await;
    assert!(
        export(&exporter(&double, json!({})), &plain_batch(&["it broke"]))
            .await
            .is_empty()
    );
    let expected = r#"{"time":1768587731.002,"host":"node-7","source":"checkout","sourcetype":"policy_gateway_audit","index":"ai_audit","event":"it broke","fields":{"trace_id":"0802030405060708000000000a000000","span_id":"0000000000000009","otel.log.severity.text":"ERROR","otel.log.severity.number":17,"service.name":"checkout","k8s.pod.name":"pod-1","k8s.pod.labels.app":"x","http.status":502}}"#;
    assert_eq!(texts(&double), [expected]);
}

#[tokio::test]
async fn attributes_win_over_configured_metadata_and_split_bodies_by_index_and_token() {
    let double = splunk::Double::start().await;
    let mut batch = plain_batch(&["a", "b"]);
    batch
        .record_mut(1)
        .set("com.splunk.index", Value::Str("other"));
    batch
        .record_mut(1)
        .set("com.splunk.source", Value::Str("s"));
    batch
        .record_mut(1)
        .set("com.splunk.sourcetype", Value::Str("t"));
    assert!(
        export(
            &exporter(&double, json!({"source": "conf", "host": "h"})),
            &batch
        )
        .await
        .is_empty()
    );
    assert_eq!(double.traffic().read(|t| t.seen.len()), 2);
    let texts = texts(&double);
    assert!(
        texts[0].contains(
            r#""host":"h","source":"conf","sourcetype":"policy_gateway_audit","index":"ai_audit""#
        ),
        "{}",
        texts[0]
    );
    assert!(
        texts[1].contains(r#""host":"h","source":"s","sourcetype":"t","index":"other""#),
        "{}",
        texts[1]
    );
    assert!(!texts[1].contains("com.splunk"));

    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(
        &[("com.splunk.hec.access_token", Value::Str("another"))],
        "",
    );
    batch.push_log().set_body(Value::Str("c"));
    // The double knows one token only; that of the resource is used, and not shown.
    assert_eq!(
        export(&exporter(&double, json!({})), &batch).await,
        ["0..1 Refused"]
    );
}

#[test]
fn records_go_with_the_token_of_their_own_resource_however_these_take_turns() {
    let config: Config = config(json!({"endpoint": "https://h", "token": "t"}));
    let mut batch = Batch::new(Signal::Logs);
    for (n, token) in [Some("a"), Some("b"), Some("a"), None, Some("b")]
        .into_iter()
        .enumerate()
    {
        let token = token.map(|token| ("com.splunk.hec.access_token", Value::Str(token)));
        batch.push_scope(token.as_slice(), "");
        for part in 0..2 {
            batch
                .push_log()
                .set_body(Value::Str(&format!("body {n}.{part}")));
        }
    }
    let batch = Batch::decode(Signal::Logs, batch.encode().into()).expect("valid");
    let payloads = super::Encoder::new(&config).encode(&batch, &mut Default::default());
    let went: Vec<_> = payloads
        .into_iter()
        .map(|payload| {
            let token = payload.route.token.clone();
            let text = String::from_utf8(payload.into_bytes()).expect("JSON is UTF-8");
            let bodies = text.split("body ").skip(1).map(|rest| rest[..3].to_owned());
            (
                token.map(|token| token.expose().to_owned()),
                bodies.collect::<Vec<_>>().join(" "),
            )
        })
        .collect();
    let with = |token: &str, bodies: &str| (Some(token.to_owned()), bodies.to_owned());
    assert_eq!(
        went,
        [
            with("a", "0.0 0.1 2.0 2.1"),
            with("b", "1.0 1.1 4.0 4.1"),
            (None, "3.0 3.1".to_owned())
        ]
    );
}

#[tokio::test]
async fn a_token_that_redaction_masked_is_ignored() {
    let double = splunk::Double::start().await;
    for token in ["[REDACTED:api_key]", "****", "a\nb"] {
        let mut batch = Batch::new(Signal::Logs);
        batch.push_scope(&[("com.splunk.hec.access_token", Value::Str(token))], "");
        batch.push_log().set_body(Value::Str("c"));
        let answer = export(&exporter(&double, json!({})), &batch).await;
        assert!(answer.is_empty(), "{token}: {answer:?}");
    }
    assert_eq!(double.read(|state| state.events.len()), 3);
}

#[tokio::test]
async fn a_named_token_without_acks_is_refused_when_they_are_required() {
    let double = splunk::Double::start().await;
    let mut batch = Batch::new(Signal::Logs);
    let token = Value::Str(splunk::TOKEN);
    batch.push_scope(&[("com.splunk.hec.access_token", token)], "");
    batch.push_log().set_body(Value::Str("c"));
    let exporter = exporter(&double, json!({"ack": "required"}));
    assert_eq!(export(&exporter, &batch).await, ["0..1 Refused"]);
}

#[tokio::test]
async fn a_large_resource_is_not_repeated_without_bound() {
    let double = splunk::Double::start().await;
    let large = "x".repeat(3 << 20);
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("large", Value::Str(&large))], "");
    for _ in 0..20 {
        batch.push_log().set_body(Value::Str("b"));
    }
    let exporter = exporter(&double, json!({}));
    // 16 MiB are passed with the sixth; the others are next, at once.
    assert_eq!(export(&exporter, &batch).await, ["6..20 Retry(Delay(0ns))"]);
    assert_eq!(double.read(|state| state.events.len()), 6);
    let rest = batch.slice(6..20);
    assert_eq!(export(&exporter, &rest).await, ["6..14 Retry(Delay(0ns))"]);
}

#[tokio::test]
async fn a_number_given_again_tells_who_waited_for_it_at_once() {
    let double = splunk::Double::start().await;
    let config: Config = config(keys(
        &double,
        json!({"ack_poll_interval": "1h", "ack_timeout": "2h"}),
    ));
    let hec = super::SplunkHec::new(&config, &crate::tests::context()).expect("an exporter");
    let token = http::HeaderValue::from_static("Splunk t");
    let first = hec.acks.register(token.clone(), 0);
    let other_token = hec
        .acks
        .register(http::HeaderValue::from_static("Splunk u"), 0);
    let _second = hec.acks.register(token, 0);
    // Before the second is waited for: its request may be one of many in its attempt.
    match hec.acks.confirmed(Some(first)).await {
        Err(crate::delivery::Outcome::Retry(_, why)) => {
            assert!(why.contains("given again"), "{why}")
        }
        other => panic!("{other:?}"),
    }
    let mut other_token = other_token;
    assert!(
        other_token
            .try_recv()
            .is_err_and(|e| e == tokio::sync::oneshot::error::TryRecvError::Empty),
        "another token's numbers are its own"
    );
}

#[test]
fn many_attempts_may_wait_for_acknowledgements() {
    for (ack, expected) in [
        ("auto", 24),
        ("required", 24),
        ("off", sluice_component::Delivery::default().max_concurrency),
    ] {
        let keys = json!({"endpoint": "https://h", "token": "t", "ack": ack});
        assert_eq!(
            config::<Config>(keys).delivery().max_concurrency,
            expected,
            "{ack}"
        );
    }
}

#[tokio::test]
async fn a_record_without_a_body_is_not_lost() {
    let double = splunk::Double::start().await;
    let mut batch = Batch::new(Signal::Logs);
    batch.push_log().set("k", Value::Int(1));
    batch.push_log().set_name("session.start");
    batch.push_log();
    assert!(
        export(&exporter(&double, json!({})), &batch)
            .await
            .is_empty()
    );
    let events: Vec<Json> = double.read(|state| {
        state
            .events
            .iter()
            .map(|event| event.event().clone())
            .collect()
    });
    assert_eq!(events, [json!({"k": 1}), json!("session.start"), json!({})]);
}

#[tokio::test]
async fn bodies_stay_under_a_million_bytes_and_an_event_over_the_limit_is_refused() {
    let double = splunk::Double::start().await;
    let big = |n: usize| format!(r#"{{"decision":"allow","text":"{}"}}"#, "x".repeat(n));
    let mut batch = audit_batch_of(&["a", "b", "c"], &big(400_000), SEED_NANOS);
    push_audit(&mut batch, "d", &big(1_100_000), SEED_NANOS);
    push_audit(&mut batch, "e", &big(5 << 20), SEED_NANOS);
    assert_eq!(
        export(&exporter(&double, json!({})), &batch).await,
        ["4..5 Refused"]
    );
    let sizes: Vec<usize> = double
        .traffic()
        .read(|t| t.seen.iter().map(|seen| seen.body_bytes).collect());
    assert_eq!(sizes.len(), 3, "{sizes:?}");
    assert!(
        sizes[..2].iter().all(|size| *size <= 1_000_000),
        "{sizes:?}"
    );
    assert_eq!(double.read(|state| state.events.len()), 4);
}

#[tokio::test]
async fn a_flawed_event_is_refused_and_all_others_arrive_exactly_once() {
    let options = splunk::Options {
        max_event_size: 3_000,
        ..splunk::Options::default()
    };
    let double = splunk::Double::start_with(options).await;
    let mut batch = audit_batch(&["a", "b"]);
    push_audit(
        &mut batch,
        "bad",
        &format!(r#"{{"decision":"{}"}}"#, "x".repeat(4_000)),
        SEED_NANOS,
    );
    push_audit(&mut batch, "c", SEED, SEED_NANOS);
    assert_eq!(
        export(&exporter(&double, json!({})), &batch).await,
        ["2..3 Refused"]
    );
    let arrived: Vec<String> = double.read(|s| {
        s.events
            .iter()
            .filter_map(|e| e.field("event_id")?.as_str().map(str::to_owned))
            .collect()
    });
    assert_eq!(arrived, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_413_is_halved_until_everything_fits() {
    let options = splunk::Options {
        max_content_length: 2_000,
        ..splunk::Options::default()
    };
    let double = splunk::Double::start_with(options).await;
    let ids = ids(9);
    assert!(
        export(&exporter(&double, json!({})), &audit_batch(&as_strs(&ids)))
            .await
            .is_empty()
    );
    assert_eq!(double.read(|state| state.events.len()), 9);
}

#[tokio::test]
async fn clouds_cap_is_found_by_halving_when_the_user_lifts_the_limit() {
    let options = splunk::Options {
        cloud: true,
        ..splunk::Options::default()
    };
    let double = splunk::Double::start_with(options).await;
    let body = format!(
        r#"{{"decision":"allow","text":"{}"}}"#,
        "x".repeat(2_000_000)
    );
    let exporter = exporter(
        &double,
        json!({"max_content_length_logs": 0, "disable_compression": false}),
    );
    assert!(
        export(
            &exporter,
            &audit_batch_of(&["a", "b", "c", "d"], &body, SEED_NANOS)
        )
        .await
        .is_empty()
    );
    assert_eq!(double.read(|state| state.events.len()), 4);
}

#[tokio::test]
async fn a_configured_index_that_the_token_may_not_write_is_held_and_a_named_one_is_refused() {
    let options = splunk::Options {
        indexes: vec!["ai_audit".to_owned()],
        ..splunk::Options::default()
    };
    let double = splunk::Double::start_with(options).await;
    let mut batch = audit_batch(&["a", "b"]);
    batch
        .record_mut(1)
        .set("com.splunk.index", Value::Str("elsewhere"));
    assert_eq!(
        export(&exporter(&double, json!({})), &batch).await,
        ["1..2 Refused"]
    );
    assert_eq!(
        export(
            &exporter(&double, json!({"index": "wrong"})),
            &audit_batch(&["c"])
        )
        .await,
        ["0..1 Hold"]
    );
}

#[tokio::test]
async fn throttling_and_broken_connections_are_retried() {
    let double = splunk::Double::start().await;
    let exporter = exporter(&double, json!({"timeout": "5s"}));
    for (fault, expected) in [
        (
            Fault::throttle(RetryAfter::Seconds(7)),
            "0..1 Retry(Delay(7s))",
        ),
        (Fault::status(503), "0..1 Retry(Backoff)"),
        (Fault::CutAfterBody, "0..1 Retry(Backoff)"),
        (Fault::CutBeforeBody, "0..1 Retry(Backoff)"),
        (Fault::status(401), "0..1 Hold"),
        (Fault::lie(), "0..1 Retry(Backoff)"),
        (Fault::lie(), "0..1 Hold"),
        (splunk::answer(14).into(), "0..1 Hold"),
    ] {
        double.faults().next(1, fault.clone());
        assert_eq!(
            export(&exporter, &audit_batch(&["a"])).await,
            [expected],
            "{fault:?}"
        );
    }
    assert!(export(&exporter, &audit_batch(&["a"])).await.is_empty());
    drop(double);
    assert_eq!(
        export(&exporter, &audit_batch(&["a"])).await,
        ["0..1 Retry(Backoff)"]
    );
}

#[tokio::test]
async fn a_stalled_collector_costs_one_timeout() {
    let double = splunk::Double::start().await;
    double.faults().always(Fault::Stall);
    assert_eq!(
        export(
            &exporter(&double, json!({"timeout": "50ms"})),
            &audit_batch(&["a"])
        )
        .await,
        ["0..1 Retry(Backoff)"]
    );
}

#[tokio::test]
async fn a_record_counts_only_once_its_ack_is_confirmed() {
    let acks = |acks| splunk::Options {
        use_ack: true,
        acks,
        ..splunk::Options::default()
    };
    let double = splunk::Double::start_with(acks(splunk::Acks::AfterPolls(3))).await;
    let exporter_auto = exporter(&double, json!({}));
    assert!(
        export(&exporter_auto, &audit_batch(&["a"]))
            .await
            .is_empty()
    );
    let polls = double.traffic().read(|t| {
        t.seen
            .iter()
            .filter(|seen| seen.target.ends_with("/ack"))
            .count()
    });
    assert_eq!(polls, 4);

    double.set_acks(splunk::Acks::Vanish);
    assert_eq!(
        export(&exporter_auto, &audit_batch(&["b", "c"])).await,
        ["0..2 Retry(Backoff)"]
    );
    assert!(
        export(
            &exporter(&double, json!({"ack": "off"})),
            &audit_batch(&["d"])
        )
        .await
        .is_empty()
    );
    double.set_acks(splunk::Acks::AtOnce);
    assert!(
        export(
            &exporter(&double, json!({"ack": "required"})),
            &audit_batch(&["b", "c"])
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn several_attempts_at_once_each_get_their_own_acks() {
    let options = splunk::Options {
        use_ack: true,
        acks: splunk::Acks::AfterPolls(1),
        ..splunk::Options::default()
    };
    let double = splunk::Double::start_with(options).await;
    let exporter = exporter(&double, json!({"ack_timeout": "20s"}));
    let batches: Vec<Batch> = (0..8).map(|i| audit_batch(&[&format!("e{i}")])).collect();
    let answers =
        futures_util::future::join_all(batches.iter().map(|batch| export(&exporter, batch))).await;
    assert!(answers.iter().all(Vec::is_empty), "{answers:?}");
}

#[tokio::test]
async fn required_acks_hold_everything_when_the_token_gives_none() {
    let double = splunk::Double::start().await;
    assert_eq!(
        export(
            &exporter(&double, json!({"ack": "required"})),
            &audit_batch(&["a"])
        )
        .await,
        ["0..1 Hold"]
    );
    assert!(
        export(
            &exporter(&double, json!({"ack": "auto"})),
            &audit_batch(&["a"])
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn spans_go_as_the_otlp_json_that_they_are() {
    let double = splunk::Double::start().await;
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0802030405060708000000000a000000","spanId":"0000000000000009","name":"chat","startTimeUnixNano":"1768587731000000000","endTimeUnixNano":"1768587732000000000"}]}]}]}"#;
    let batch = Batch::decode_json(Signal::Traces, json).expect("a batch");
    assert!(
        export(&exporter(&double, json!({})), &batch)
            .await
            .is_empty()
    );
    let name = double.read(|s| {
        s.events[0].event()["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"].clone()
    });
    assert_eq!(name, "chat");
}

#[tokio::test]
async fn raw_sends_bodies_alone_to_the_raw_endpoint() {
    let double = splunk::Double::start().await;
    assert!(
        export(
            &exporter(&double, json!({"export_raw": true})),
            &plain_batch(&["one", "two"])
        )
        .await
        .is_empty()
    );
    let events: Vec<Json> = double.read(|state| {
        state
            .events
            .iter()
            .map(|event| event.event().clone())
            .collect()
    });
    assert_eq!(events, ["one", "two"]);
    assert_eq!(
        double.traffic().read(|t| t.seen[0].target.clone()),
        "/services/collector/raw"
    );
}

#[tokio::test]
async fn the_health_of_a_collector_is_asked_once_when_configured() {
    let double = splunk::Double::start().await;
    let exporter = exporter(&double, json!({"health_check_enabled": true}));
    double.faults().on("/health").next(1, splunk::answer(18));
    assert_eq!(
        export(&exporter, &audit_batch(&["a"])).await,
        ["0..1 Retry(Backoff)"]
    );
    assert!(export(&exporter, &audit_batch(&["a"])).await.is_empty());
    assert!(export(&exporter, &audit_batch(&["b"])).await.is_empty());
    let probes = double.traffic().read(|t| {
        t.seen
            .iter()
            .filter(|seen| seen.target.ends_with("/health"))
            .count()
    });
    assert_eq!(probes, 2);
}

#[test]
fn a_path_is_added_when_there_is_none_and_acks_are_asked_beside_it() {
    for (endpoint, url, ack) in [
        (
            "https://h:8088",
            "https://h:8088/services/collector",
            "https://h:8088/services/collector/ack",
        ),
        (
            "https://h:8088/",
            "https://h:8088/services/collector",
            "https://h:8088/services/collector/ack",
        ),
        (
            "https://h/services/collector/event",
            "https://h/services/collector/event",
            "https://h/services/collector/ack",
        ),
        (
            "https://h/p/services/collector/event/1.0",
            "https://h/p/services/collector/event/1.0",
            "https://h/p/services/collector/ack",
        ),
    ] {
        let config: Config = config(json!({"endpoint": endpoint, "token": "t"}));
        let built = config.url().expect("a URL");
        assert_eq!(built.as_str(), url);
        assert_eq!(config.ack_url(&built).as_str(), ack);
    }
}

#[test]
fn wrong_keys_are_errors_at_their_place_and_old_ones_warnings() {
    let wrong = json!({
        "endpoint": "ftp://x", "token": "a\nb", "max_event_size": 0, "max_content_length_logs": 838_860_801u64,
        "ack_poll_interval": "1ms", "ack_timeout": "1ms", "log_data_enabled": false, "retry_on_failure": {"multiplier": 0.5},
    });
    let mut errors = wrong_at::<Config>(wrong, Severity::Error);
    errors.sort();
    assert_eq!(
        errors,
        [
            "ack_poll_interval",
            "ack_timeout",
            "endpoint",
            "log_data_enabled",
            "max_content_length_logs",
            "max_event_size",
            "retry_on_failure.multiplier",
            "token"
        ]
    );
    assert_eq!(wrong_at::<Config>(json!({}), Severity::Error), ["", ""]);
    let old = json!({"endpoint": "https://h", "token": "t", "max_connections": 3, "use_multi_metric_format": true,
        "hec_metadata_to_otel_attrs": {"host": "h"}, "heartbeat": {"interval": "1s"}, "batcher": {"a": [1]}});
    let warnings = wrong_at::<Config>(old, Severity::Warning);
    assert_eq!(
        warnings,
        [
            "use_multi_metric_format",
            "heartbeat",
            "max_connections",
            "batcher",
            "hec_metadata_to_otel_attrs"
        ]
    );
    assert!(serde_json::from_value::<Config>(json!({"tokn": "x"})).is_err());
}
