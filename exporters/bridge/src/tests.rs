//! What the tests of all exporters share: the vendors' sample events, and how to build and drive an exporter.

mod alone;

use serde::de::DeserializeOwned;
use serde_json::json;
use sluice_batch::{Batch, Signal, Value, ValueBuf};
use sluice_component::{
    BuildContext, BuiltExporter, Checked, ExporterConfig, Problems, Severity, Undelivered, Verdict,
};

/// The sample event of the Policy Gateway's export pages, `created_at` 2026-01-16T18:22:11Z.
pub(crate) const SEED: &str = r#"{"policy_id":"support-guardrails","decision":"rewrite","effective_decision":"rewrite","reason_code":"REWRITE","policy_user":"user-12345","project_id":"support-bot","policy_target":"support-bot","rollout_mode":"enforced","enforced":true,"triggered_categories":["self-harm/intent"],"allowlist_hits":["refund policy"],"denylist_hits":[],"model":"abliterated-model","created_at":"2026-01-16T18:22:11Z"}"#;
/// Its time.
pub(crate) const SEED_NANOS: u64 = 1_768_587_731_000_000_000;

pub(crate) fn context() -> BuildContext {
    BuildContext::alone("test")
}

/// The configuration, checked: no error.
pub(crate) fn config<C: DeserializeOwned + Checked>(keys: serde_json::Value) -> C {
    let config: C = serde_json::from_value(keys).expect("a configuration");
    let problems = check(&config);
    assert!(
        !problems
            .iter()
            .any(|(severity, ..)| *severity == Severity::Error),
        "{problems:?}"
    );
    config
}

/// What is wrong with a configuration: severity, path, message.
pub(crate) fn check(config: &impl Checked) -> Vec<(Severity, String, String)> {
    let mut problems = Problems::new();
    config.check(&mut problems);
    let path = |path: &[sluice_component::Key]| {
        let keys: Vec<String> = path
            .iter()
            .map(|key| match key {
                sluice_component::Key::Name(name) => name.clone(),
                sluice_component::Key::Index(at) => at.to_string(),
            })
            .collect();
        keys.join(".")
    };
    problems
        .found
        .iter()
        .map(|p| (p.severity, path(&p.path), p.message.clone()))
        .collect()
}

/// Paths of errors and of warnings.
pub(crate) fn wrong_at<C: DeserializeOwned + Checked>(
    keys: serde_json::Value,
    severity: Severity,
) -> Vec<String> {
    let config: C = serde_json::from_value(keys).expect("a configuration");
    check(&config)
        .into_iter()
        .filter(|(found, ..)| *found == severity)
        .map(|(_, path, _)| path)
        .collect()
}

/// The one exporter that a configuration builds.
pub(crate) fn build<C: DeserializeOwned + ExporterConfig>(
    keys: serde_json::Value,
) -> BuiltExporter {
    config::<C>(keys)
        .build(&context())
        .expect("an exporter")
        .remove(0)
}

/// Events as the webhook receiver hands them over: the vendor's object with `event_id` as body, the normalised view
/// beside it.
pub(crate) fn audit_batch(ids: &[&str]) -> Batch {
    audit_batch_of(ids, SEED, SEED_NANOS)
}

/// As [`audit_batch`], with this body and time.
pub(crate) fn audit_batch_of(ids: &[&str], body: &str, nanos: u64) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("service.name", Value::Str("policy-gateway"))], "audit");
    for id in ids {
        push_audit(&mut batch, id, body, nanos);
    }
    batch
}

pub(crate) fn push_audit(batch: &mut Batch, id: &str, body: &str, nanos: u64) {
    let body = ValueBuf::from_json(body.as_bytes()).expect("JSON");
    let mut record = batch.push_log();
    record.set_body(body.as_value());
    record.set_time(nanos);
    record.set_name("ai.policy.decision");
    record.set_severity(11, "INFO");
    for (key, value) in [
        ("log.record.uid", Value::Str(id)),
        ("ai.policy.decision", Value::Str("rewrite")),
        ("ai.policy.outcome", Value::Str("modify")),
        ("ai.policy.enforced", Value::Bool(true)),
        ("user.id", Value::Str("user-12345")),
        ("gen_ai.request.model", Value::Str("abliterated-model")),
        ("ai.project.id", Value::Str("support-bot")),
        ("data.classification", Value::Str("internal")),
    ] {
        record.set(key, value);
    }
}

/// Log records that are no audit events, one for each body.
pub(crate) fn plain_batch(bodies: &[&str]) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    let pod = ValueBuf::from_json(br#"{"name":"pod-1","labels":{"app":"x"}}"#).expect("JSON");
    batch.push_scope(
        &[
            ("service.name", Value::Str("checkout")),
            ("host.name", Value::Str("node-7")),
            ("k8s.pod", pod.as_value()),
        ],
        "app",
    );
    for body in bodies {
        let mut record = batch.push_log();
        record.set_body(Value::Str(body));
        record.set_time(SEED_NANOS + 1_500_000);
        record.set_severity(17, "ERROR");
        record.set_trace(
            &[8, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 10, 0, 0, 0],
            &[0, 0, 0, 0, 0, 0, 0, 9],
            1,
        );
        record.set("http.status", Value::Int(502));
    }
    batch
}

/// Ranges and kinds of verdicts, such as `0..2 Hold`.
pub(crate) fn verdicts(result: Result<(), Undelivered>) -> Vec<String> {
    let Err(undelivered) = result else {
        return Vec::new();
    };
    let kind = |verdict: &Verdict| match verdict {
        Verdict::Retry(after) => format!("Retry({after:?})"),
        Verdict::Refused(_) => "Refused".to_owned(),
        Verdict::Hold(_) => "Hold".to_owned(),
    };
    undelivered
        .verdicts
        .iter()
        .map(|(range, verdict)| format!("{range:?} {}", kind(verdict)))
        .collect()
}

/// Event ids `e0`, `e1`, …
pub(crate) fn ids(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("e{i}")).collect()
}

/// `ids` as a slice of texts.
pub(crate) fn as_strs(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

#[test]
fn a_url_with_credentials_is_an_error() {
    let url = "https://user:secret@h";
    let splunk = json!({"endpoint": url, "token": "t"});
    assert_eq!(
        wrong_at::<crate::splunk_hec::Config>(splunk, Severity::Error),
        ["endpoint"]
    );
    let datadog = json!({"api": {"key": "k"}, "logs": {"endpoint": url}});
    assert_eq!(
        wrong_at::<crate::datadog::Config>(datadog, Severity::Error),
        ["logs.endpoint"]
    );
    let elastic = json!({"endpoints": [url]});
    assert_eq!(
        wrong_at::<crate::elasticsearch::Config>(elastic, Severity::Error),
        ["endpoints.0"]
    );
}

#[test]
fn the_shared_blocks_reach_the_engine_from_every_exporter() {
    let shared = json!({
        "retry_on_failure": {"initial_interval": "3s"},
        "sending_queue": {"num_consumers": 2, "batch": {"max_size": 77, "min_size": 7}},
        "timeout": "4s"
    });
    let with = |mut keys: serde_json::Value| {
        keys.as_object_mut()
            .expect("an object")
            .extend(shared.as_object().expect("an object").clone());
        keys
    };
    for built in [
        build::<crate::splunk_hec::Config>(with(
            json!({"endpoint": "http://127.0.0.1:1", "token": "t"}),
        )),
        build::<crate::datadog::Config>(with(json!({"api": {"key": "k"}}))),
        build::<crate::elasticsearch::Config>(with(json!({"endpoint": "http://127.0.0.1:1"}))),
    ] {
        let delivery = built.delivery;
        assert_eq!(delivery.retry.initial.as_secs(), 3);
        assert_eq!(delivery.retry.max_elapsed, None);
        assert_eq!(
            (
                delivery.max_concurrency,
                delivery.batching.max_records,
                delivery.batching.min_records
            ),
            (2, 77, 7)
        );
        assert!(
            delivery.attempt_timeout.as_secs() > 4,
            "an attempt may need several requests"
        );
    }
}
