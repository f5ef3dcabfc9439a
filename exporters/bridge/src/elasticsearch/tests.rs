use serde_json::{Value as Json, json};
use sluice_batch::{Batch, Signal, Value};
use sluice_component::{BuiltExporter, Severity};
use sluice_testing::elastic::{self, Auth, Flavour, ItemError, Options};
use sluice_testing::{Fault, RetryAfter};

use super::Config;
use crate::tests::{
    SEED, SEED_NANOS, as_strs, audit_batch, audit_batch_of, build, config, ids, plain_batch,
    push_audit, verdicts, wrong_at,
};

fn exporter(double: &elastic::Double, more: Json) -> BuiltExporter {
    let mut keys = json!({"endpoint": double.url(""), "index": "ai-audit"});
    keys.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    build::<Config>(keys)
}

async fn export(exporter: &BuiltExporter, batch: &Batch) -> Vec<String> {
    verdicts(exporter.exporter.export(batch).await)
}

fn stored(double: &elastic::Double) -> Vec<(String, String, String)> {
    double.read(|state| {
        state
            .documents
            .iter()
            .map(|d| (d.index.clone(), d.id.clone(), d.text.clone()))
            .collect()
    })
}

#[tokio::test]
async fn an_audit_event_is_its_own_object_with_a_timestamp_under_its_id() {
    let double = elastic::Double::start().await;
    assert!(
        export(&exporter(&double, json!({})), &audit_batch(&["e1"]))
            .await
            .is_empty()
    );
    let members = &SEED[1..SEED.len() - 1];
    let text = format!(
        r#"{{"@timestamp":"2026-01-16T18:22:11Z",{members},"otel":{{"event_name":"ai.policy.decision","severity_text":"INFO","severity_number":11,"event_id":"e1","attributes":{{"data.classification":"internal"}},"resource":{{"service.name":"policy-gateway"}}}}}}"#
    );
    assert_eq!(
        stored(&double),
        [("ai-audit".to_owned(), "e1".to_owned(), text)]
    );
}

#[tokio::test]
async fn another_record_is_an_opentelemetry_document() {
    let double = elastic::Double::start().await;
    assert!(
        export(
            &exporter(&double, json!({"index": ""})),
            &plain_batch(&["it broke"])
        )
        .await
        .is_empty()
    );
    let documents = stored(&double);
    assert_eq!(documents[0].0, "logs-generic.otel-default");
    assert_eq!(
        documents[0].2,
        r#"{"@timestamp":"2026-01-16T18:22:11.0015Z","severity_text":"ERROR","severity_number":17,"trace_id":"0802030405060708000000000a000000","span_id":"0000000000000009","attributes":{"http.status":502},"resource":{"attributes":{"service.name":"checkout","host.name":"node-7","k8s.pod":{"name":"pod-1","labels":{"app":"x"}}}},"scope":{"name":"app"},"body":{"text":"it broke"}}"#
    );
}

#[tokio::test]
async fn an_ecs_document_has_the_names_that_the_collector_gives() {
    let of = async |batch: &Batch| {
        let double = elastic::Double::start().await;
        let exporter = exporter(&double, json!({"index": "", "mapping": {"mode": "ecs"}}));
        assert!(export(&exporter, batch).await.is_empty());
        let (index, _, text) = stored(&double).remove(0);
        (index, serde_json::from_str::<Json>(&text).expect("JSON"))
    };
    let mut batch = Batch::new(Signal::Logs);
    let resource = [
        ("service.name", "shop"),
        ("service.instance.id", "i-1"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.language", "java"),
        ("telemetry.sdk.version", "1.2"),
        ("host.name", "node-7"),
        ("host.arch", "arm64"),
        ("os.type", "darwin"),
        ("k8s.namespace.name", "prod"),
        ("deployment.environment.name", "live"),
        ("data_stream.dataset", "shop"),
    ];
    batch.push_scope(
        &resource.map(|(key, value)| (key, Value::Str(value))),
        "app",
    );
    let mut record = batch.push_log();
    record.set_body(Value::Str("it broke"));
    record.set_time(SEED_NANOS);
    record.set_severity(17, "ERROR");
    record.set_trace(&[1; 16], &[2; 8], 1);
    record.set_name("order.failed");
    for (key, value) in [
        ("exception.type", Value::Str("Oops")),
        ("http.request.method", Value::Str("GET")),
        ("http.request", Value::Int(7)),
        ("service.name", Value::Str("till")),
    ] {
        record.set(key, value);
    }
    let (index, document) = of(&batch).await;
    assert_eq!(index, "logs-shop-default");
    assert_eq!(
        document,
        json!({
            "@timestamp": "2026-01-16T18:22:11Z",
            "message": "it broke",
            "log": {"level": "ERROR"},
            "event": {"action": "order.failed", "severity": 17},
            "trace": {"id": "01".repeat(16)},
            "span": {"id": "02".repeat(8)},
            "agent": {"name": "opentelemetry/java", "version": "1.2"},
            "service": {"name": "till", "environment": "live", "node": {"name": "i-1"}},
            "host": {"name": "node-7", "hostname": "node-7", "architecture": "arm64", "os": {"platform": "darwin", "type": "macos"}},
            "kubernetes": {"namespace": "prod"},
            "error": {"type": "Oops"},
            "http": {"request": {"method": "GET", "value": 7}},
        })
    );

    let (_, document) = of(&audit_batch(&["e1"])).await;
    let object: Json = serde_json::from_str(SEED).expect("JSON");
    assert_eq!(document["policy"], object, "the source's own object, whole");
    assert_eq!(document["event"]["id"], "e1");
    assert!(
        document["message"]
            .as_str()
            .is_some_and(|m| m.starts_with("policy decision: "))
    );
    assert!(
        document.get("source").is_none(),
        "ECS has an object of that name"
    );

    let mut structured = Batch::new(Signal::Logs);
    structured.push_scope(&[], "");
    let body = sluice_batch::ValueBuf::from_json(br#"{"a":[1]}"#).expect("JSON");
    structured.push_log().set_body(body.as_value());
    assert_eq!(of(&structured).await.1["message"], r#"{"a":[1]}"#);
}

#[tokio::test]
async fn each_mapping_mode_has_its_shape() {
    let of = async |mode: &str, batch: &Batch| {
        let double = elastic::Double::start().await;
        let exporter = exporter(&double, json!({"mapping": {"mode": mode}}));
        assert!(export(&exporter, batch).await.is_empty(), "{mode}");
        stored(&double).remove(0).2
    };
    let plain = plain_batch(&["b"]);
    let none = of("none", &plain).await;
    assert!(
        none.contains(
            r#""Body":"b","Attributes.http.status":502,"Resource.service.name":"checkout""#
        ),
        "{none}"
    );
    let raw = of("raw", &plain).await;
    assert!(
        raw.contains(r#""Body":"b","http.status":502,"Resource.service.name":"checkout""#),
        "{raw}"
    );
    assert!(
        of("bodymap", &plain)
            .await
            .contains(r#""body":{"text":"b"}"#)
    );
    let members = &SEED[1..];
    assert_eq!(
        of("bodymap", &audit_batch(&["e"])).await,
        format!(r#"{{"@timestamp":"2026-01-16T18:22:11Z",{members}"#)
    );
    assert!(
        of("otel", &audit_batch(&["e"]))
            .await
            .contains(r#""body":{"structured":{"policy_id":"#)
    );
    assert!(of("source", &plain).await.contains(r#""body":"b""#));
}

#[tokio::test]
async fn a_repeated_event_is_delivered_and_stored_once_even_after_midnight() {
    let double = elastic::Double::start().await;
    let exporter = exporter(
        &double,
        json!({"index": "keeptrusts-events-%{+YYYY.MM.dd}"}),
    );
    for _ in 0..2 {
        assert!(
            export(&exporter, &audit_batch(&["e1", "e2"]))
                .await
                .is_empty()
        );
    }
    assert_eq!(stored(&double).len(), 2);
    assert_eq!(double.read(|state| state.conflicts), 2);
    assert_eq!(stored(&double)[0].0, "keeptrusts-events-2026.01.16");
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_document() {
    let double = elastic::Double::start().await;
    let exporter = exporter(&double, json!({}));
    double.faults().next(1, Fault::AcceptThenCut);
    assert_eq!(
        export(&exporter, &audit_batch(&["e1"])).await,
        ["0..1 Retry(Backoff)"]
    );
    assert!(export(&exporter, &audit_batch(&["e1"])).await.is_empty());
    assert_eq!(stored(&double).len(), 1);
}

#[tokio::test]
async fn a_masked_id_is_no_id() {
    let double = elastic::Double::start().await;
    assert!(
        export(
            &exporter(&double, json!({})),
            &audit_batch(&["****", "****"])
        )
        .await
        .is_empty()
    );
    assert_eq!(stored(&double).len(), 2);
}

#[tokio::test]
async fn each_item_gets_its_own_verdict() {
    let double = elastic::Double::start().await;
    for (id, error) in [
        ("e1", ItemError::rejected()),
        ("e2", ItemError::mapping()),
        ("e3", ItemError::forbidden()),
        ("e4", ItemError::missing_index()),
        ("e5", ItemError::unavailable()),
    ] {
        double.fail_item(id, 1, error);
    }
    let answer = export(
        &exporter(&double, json!({})),
        &audit_batch(&as_strs(&ids(7))),
    )
    .await;
    assert_eq!(
        answer,
        [
            "1..2 Retry(Backoff)",
            "2..3 Refused",
            "3..4 Hold",
            "4..5 Hold",
            "5..6 Retry(Backoff)"
        ]
    );
    assert_eq!(stored(&double).len(), 2);
}

#[tokio::test]
async fn a_document_diverted_to_the_failure_store_is_refused() {
    let options = Options {
        flavour: Flavour::Elasticsearch9,
        failure_store: true,
        ..Options::default()
    };
    let double = elastic::Double::start_with(options).await;
    double.fail_item("e1", 1, ItemError::mapping());
    let exporter = exporter(&double, json!({"index": "logs-policy_gateway.audit-prod"}));
    let answer = export(&exporter, &audit_batch(&["e0", "e1"])).await;
    assert_eq!(answer, ["1..2 Refused"]);
}

#[tokio::test]
async fn a_413_is_halved_down_to_the_document_that_is_too_large() {
    let double = elastic::Double::start_with(Options {
        max_content_length: 4_000,
        ..Options::default()
    })
    .await;
    let mut batch = audit_batch(&as_strs(&ids(8)));
    push_audit(
        &mut batch,
        "big",
        &format!(r#"{{"decision":"{}"}}"#, "x".repeat(5_000)),
        SEED_NANOS,
    );
    assert_eq!(
        export(&exporter(&double, json!({})), &batch).await,
        ["8..9 Refused"]
    );
    assert_eq!(stored(&double).len(), 8);
}

#[tokio::test]
async fn a_connection_that_breaks_under_a_large_body_is_taken_for_a_413() {
    let double = elastic::Double::start().await;
    let exporter = exporter(&double, json!({}));
    let of = |bytes: usize| {
        let body = format!(r#"{{"decision":"{}"}}"#, "x".repeat(bytes));
        audit_batch_of(&["a", "b"], &body, SEED_NANOS)
    };
    double.faults().next(1, Fault::CutBeforeBody);
    assert!(export(&exporter, &of(600_000)).await.is_empty());
    assert_eq!(stored(&double).len(), 2);
    double.faults().next(1, Fault::CutBeforeBody);
    let answer = export(&exporter, &of(400_000)).await;
    assert_eq!(answer, ["0..2 Retry(Backoff)"], "too small to be a 413");
}

#[tokio::test]
async fn statuses_of_the_whole_request_lead_to_their_verdicts() {
    let double = elastic::Double::start().await;
    let exporter = exporter(&double, json!({}));
    for (fault, expected) in [
        (
            Fault::throttle(RetryAfter::Seconds(7)),
            "0..1 Retry(Delay(7s))",
        ),
        (Fault::status(503), "0..1 Retry(Backoff)"),
        (Fault::status(401), "0..1 Hold"),
        (Fault::status(404), "0..1 Hold"),
        (Fault::lie(), "0..1 Retry(Backoff)"),
        (Fault::CutBeforeBody, "0..1 Retry(Backoff)"),
    ] {
        double.faults().next(1, fault.clone());
        assert_eq!(
            export(&exporter, &audit_batch(&["a"])).await,
            [expected],
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn nodes_take_turns_and_one_that_is_away_is_passed_over() {
    let (a, b) = (
        elastic::Double::start().await,
        elastic::Double::start().await,
    );
    let keys = json!({"endpoints": ["http://127.0.0.1:1", a.url(""), b.url("")], "index": "i"});
    let exporter = build::<Config>(keys);
    for id in ids(6) {
        assert!(export(&exporter, &audit_batch(&[&id])).await.is_empty());
    }
    assert_eq!(stored(&a).len() + stored(&b).len(), 6);
    assert!(!stored(&a).is_empty() && !stored(&b).is_empty());
}

#[tokio::test]
async fn credentials_are_sent_in_every_accepted_form() {
    let double = elastic::Double::start_with(Options {
        auth: Auth::ApiKey("aWQ6c2VjcmV0".to_owned()),
        ..Options::default()
    })
    .await;
    for key in ["id:secret", "aWQ6c2VjcmV0"] {
        let answer = export(
            &exporter(&double, json!({"api_key": key})),
            &audit_batch(&["a"]),
        )
        .await;
        assert!(answer.is_empty(), "{answer:?}");
    }
    assert_eq!(
        export(&exporter(&double, json!({})), &audit_batch(&["a"])).await,
        ["0..1 Hold"]
    );
    let basic = Auth::Basic("elastic".to_owned(), "pw".to_owned());
    let double = elastic::Double::start_with(Options {
        auth: basic,
        ..Options::default()
    })
    .await;
    assert!(
        export(
            &exporter(&double, json!({"user": "elastic", "password": "pw"})),
            &audit_batch(&["a"])
        )
        .await
        .is_empty()
    );
}

#[tokio::test]
async fn set_up_creates_what_is_missing_once_and_changes_nothing() {
    for flavour in [Flavour::Elasticsearch8, Flavour::OpenSearch] {
        let double = elastic::Double::start_with(Options {
            flavour,
            ..Options::default()
        })
        .await;
        let keys = json!({"index": "ai-events-%Y.%m.%d", "setup": "create", "template": {"retention": "2160h"}});
        let exporter = exporter(&double, keys);
        for id in ["a", "b"] {
            assert!(
                export(&exporter, &audit_batch(&[id])).await.is_empty(),
                "{flavour:?}"
            );
        }
        let (template, policy) = double.read(|s| {
            (
                s.templates["sluice-ai-events"].clone(),
                s.policies["sluice-ai-events"].clone(),
            )
        });
        assert_eq!(template["index_patterns"], json!(["ai-events-*"]));
        assert!(template.get("data_stream").is_none());
        assert!(
            !policy.to_string().contains("rollover"),
            "dated indices end by themselves: {policy}"
        );
        let puts = double
            .traffic()
            .read(|t| t.seen.iter().filter(|s| s.method == "PUT").count());
        assert_eq!(puts, 2, "{flavour:?}");
    }
}

#[tokio::test]
async fn set_up_as_check_holds_until_the_template_is_there() {
    let double = elastic::Double::start().await;
    let checking = exporter(&double, json!({"index": "logs-x-y", "setup": "check"}));
    assert_eq!(export(&checking, &audit_batch(&["a"])).await, ["0..1 Hold"]);
    let creating = exporter(&double, json!({"index": "logs-x-y", "setup": "create"}));
    assert!(export(&creating, &audit_batch(&["b"])).await.is_empty());
    assert!(export(&checking, &audit_batch(&["a"])).await.is_empty());
    assert_eq!(
        double.read(|s| s.templates["sluice-logs-x-y"]["data_stream"].clone()),
        json!({})
    );
}

#[tokio::test]
async fn a_record_may_name_index_id_and_pipeline() {
    let double = elastic::Double::start().await;
    let mut batch = plain_batch(&["a"]);
    for (key, value) in [
        ("elasticsearch.index", "My Index"),
        ("elasticsearch.document_id", "d1"),
        ("elasticsearch.ingest_pipeline", "p"),
    ] {
        batch.record_mut(0).set(key, Value::Str(value));
    }
    let keys = json!({"index": "", "logs_dynamic_id": {"enabled": true}, "logstash_format": {"enabled": true}});
    assert!(export(&exporter(&double, keys), &batch).await.is_empty());
    let (index, id, text) = stored(&double).remove(0);
    assert_eq!((index.as_str(), id.as_str()), ("my_index-2026.01.16", "d1"));
    assert!(!text.contains("elasticsearch."));
}

#[tokio::test]
async fn a_body_with_a_repeated_or_empty_key_is_still_a_document() {
    let double = elastic::Double::start().await;
    let body = sluice_batch::ValueBuf::map([
        ("decision", Value::Str("allow")),
        ("a", Value::Int(1)),
        ("a", Value::Int(2)),
        ("", Value::Int(3)),
        ("otel", Value::Int(4)),
    ]);
    let mut batch = audit_batch_of(&["e"], SEED, SEED_NANOS);
    batch.record_mut(0).set_body(body.as_value());
    assert!(
        export(&exporter(&double, json!({})), &batch)
            .await
            .is_empty()
    );
    let text = &stored(&double)[0].2;
    assert!(
        text.starts_with(
            r#"{"@timestamp":"2026-01-16T18:22:11Z","decision":"allow","a":1,"otel":4,"_otel":{"#
        ),
        "{text}"
    );
    assert!(text.contains(r#""unnamed":3"#));
}

#[tokio::test]
async fn an_index_that_a_record_names_is_refused_and_the_others_arrive() {
    let double = elastic::Double::start().await;
    let mut batch = audit_batch(&["a", "b"]);
    batch
        .record_mut(0)
        .set("elasticsearch.index", Value::Str("forbidden"));
    double.fail_item("a", 2, ItemError::forbidden());
    let exporter = exporter(&double, json!({"index": ""}));
    assert_eq!(export(&exporter, &batch).await, ["0..1 Refused"]);
    assert_eq!(stored(&double).len(), 1);
    batch.record_mut(0).remove("elasticsearch.index");
    assert_eq!(export(&exporter, &batch).await, ["0..1 Hold"]);
}

#[tokio::test]
async fn a_bulk_answer_that_is_too_long_is_halved_and_a_lone_record_tried_again() {
    let double = elastic::Double::start().await;
    let exporter = exporter(&double, json!({}));
    let long = || sluice_testing::Answer::new(200).body(" ".repeat((4 << 20) + 1));
    double.faults().next(1, long());
    assert!(
        export(&exporter, &audit_batch(&["a", "b"]))
            .await
            .is_empty()
    );
    assert_eq!(stored(&double).len(), 2);
    double.faults().next(1, long());
    assert_eq!(
        export(&exporter, &audit_batch(&["c"])).await,
        ["0..1 Retry(Backoff)"]
    );
}

#[tokio::test]
async fn a_document_over_10_mib_is_refused() {
    let double = elastic::Double::start().await;
    let of = |bytes: usize| {
        let body = format!(r#"{{"decision":"{}"}}"#, "x".repeat(bytes));
        audit_batch_of(&["a"], &body, SEED_NANOS)
    };
    let config = config::<Config>(json!({"endpoint": "http://h", "index": "ai-audit"}));
    let size = super::encode(&config, &of(0)).expect("an index").len();
    let exporter = exporter(&double, json!({}));
    let room = (10 << 20) - size;
    assert!(export(&exporter, &of(room)).await.is_empty());
    assert_eq!(export(&exporter, &of(room + 1)).await, ["0..1 Refused"]);
}

#[tokio::test]
async fn other_signals_are_refused_with_an_explanation() {
    let double = elastic::Double::start().await;
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"x"}]}]}]}"#;
    let batch = Batch::decode_json(Signal::Traces, json).expect("a batch");
    assert_eq!(
        export(&exporter(&double, json!({})), &batch).await,
        ["0..1 Refused"]
    );
}

#[test]
fn wrong_keys_are_errors_at_their_place() {
    let wrong = json!({
        "endpoint": "x", "endpoints": ["ftp://y"], "cloudid": "z", "user": "u", "api_key": "k", "index": "UPPER",
        "compression": "zstd", "metadata_keys": ["a"], "num_workers": 0, "setup": "create",
        "template": {"retention": "1h", "name": "A", "priority": 1}, "retry": {"max_retries": 3},
    });
    let mut errors = wrong_at::<Config>(wrong.clone(), Severity::Error);
    errors.sort();
    assert_eq!(
        errors,
        [
            "",
            "",
            "",
            "cloudid",
            "compression",
            "endpoint",
            "endpoints.0",
            "index",
            "metadata_keys",
            "num_workers",
            "template.name",
            "template.retention"
        ]
    );
    assert_eq!(
        wrong_at::<Config>(wrong, Severity::Warning),
        ["retry.max_retries", "template.priority"]
    );
    assert_eq!(wrong_at::<Config>(json!({}), Severity::Error), [""]);
    let unknown = serde_json::from_value::<Config>(json!({"mapping": {"mode": "ocsf"}}))
        .expect_err("not a mode")
        .to_string();
    assert!(unknown.contains("`ocsf`"), "{unknown}");
    let _ = config::<Config>(json!({"endpoint": "http://h:9200"}));
}
