//! The vendors' own sample payloads, to the letter.

use serde_json::{Value, json};
use sluice_tests::{SOON, Sluice, senders};

use crate::settings::{self, SIEM_TOKENS};
use crate::siems::Siems;

/// The audit object of the vendor's pages "Export Policy Gateway audit logs to Splunk HEC" and "… to Datadog Logs".
fn sample(created_at: &str) -> String {
    format!(
        r#"{{"policy_id":"support-guardrails","decision":"rewrite","effective_decision":"rewrite","reason_code":"REWRITE","policy_user":"user-12345","project_id":"support-bot","policy_target":"support-bot","rollout_mode":"enforced","enforced":true,"triggered_categories":["self-harm/intent"],"allowlist_hits":["refund policy"],"denylist_hits":[],"model":"abliterated-model","created_at":"{created_at}"}}"#
    )
}

/// The event of the vendor's page "Stream Policy Gateway events", as it stands there.
const SHADOW: &str = r#"{"event_id":"3d14a2b8-...","event_type":"enforcement","source":"policy_gateway","created_at":"2026-04-20T18:30:00Z","user_id":"user_...","org_id":null,"policy_id":"support-bot","policy_name":"Support bot policy","data_classification":"internal","history_id":null,"decision":"refuse","effective_decision":"allow","enforced":false,"rollout_mode":"shadow","reason_code":"REFUSE","triggered_categories":[],"allowlist_hits":[],"denylist_hits":["competitor-x"],"policy_target":"chat.completions","policy_user":"user_42","quota_subject":"user_42","project_id":"proj_support_bot","project_label":"Support Bot","model":"abliterated-model"}"#;

/// Posts to the open webhook of a Sluice whose destinations are written as the vendors write them.
async fn through_the_bridge(body: &str) -> (Siems, Sluice) {
    let siems = Siems::start().await;
    let bridge = settings::siem_bridge(&siems.splunk, &siems.datadog, &siems.elastic);
    let sluice = Sluice::start_with(
        &settings::file(&["redaction", "dedupe"], &[bridge]),
        &SIEM_TOKENS,
    );
    let url = sluice.url("webhook/open", "http", "/").await;
    let answer = senders::post(
        &url,
        &senders::headers("application/json", sluice_tests::Encoding::Plain),
        body.into(),
    )
    .await
    .unwrap();
    assert!((200..300).contains(&answer.status), "{answer:?}");
    (siems, sluice)
}

#[tokio::test(flavor = "multi_thread")]
async fn splunk_gets_the_vendors_sample_with_the_time_that_created_at_says() {
    let (siems, _sluice) = through_the_bridge(&sample("2026-01-16T18:22:11Z")).await;
    siems.splunk.read(|state| {
        let [event] = state.events.as_slice() else { panic!("{:?}", state.events) };
        let mut envelope = event.envelope.clone();
        let fields = envelope.shift_remove("fields").unwrap_or_default();
        // The page's own `time`, 1737061331, is a year before its `created_at`.
        let expected: Value = json!({"time": 1_768_587_731, "host": "policy-gateway", "source": "policy-gateway",
            "sourcetype": "policy_gateway_audit", "index": "ai_audit",
            "event": serde_json::from_str::<Value>(&sample("2026-01-16T18:22:11Z")).unwrap()});
        assert_eq!(Value::Object(envelope).to_string(), expected.to_string(), "keys, order and values");
        assert_eq!(fields["decision"], "rewrite");
        assert!(event.text.contains(&sample("2026-01-16T18:22:11Z")), "the object stands in the envelope as it came: {}", event.text);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn datadog_gets_the_vendors_sample_with_a_date() {
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap();
    let (siems, _sluice) = through_the_bridge(&sample(&now.to_string())).await;
    siems.datadog.read(|state| {
        let [log] = state.logs.as_slice() else {
            panic!("{:?}", state.logs)
        };
        for (name, expected) in [
            ("message", json!("policy decision: rewrite")),
            ("service", json!("policy-gateway")),
            ("ddsource", json!("policy-gateway")),
            (
                "ddtags",
                json!("env:prod,team:platform,project:support-bot"),
            ),
            ("timestamp", json!(now.as_millisecond())),
        ] {
            assert_eq!(*log.get(name), expected, "{name}");
        }
        assert_eq!(log.get("policy").to_string(), sample(&now.to_string()));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn datadog_gets_an_old_event_with_a_date_that_it_takes_and_the_true_one_beside_it() {
    let (siems, _sluice) = through_the_bridge(&sample("2026-01-16T18:22:11Z")).await;
    siems.datadog.read(|state| {
        assert_eq!((state.logs.len(), state.stale.len()), (1, 0));
        assert!(state.logs[0].tags().contains(&"replayed:true"));
        assert!(state.logs[0].object.values().any(|value| {
            value
                .as_str()
                .is_some_and(|text| text.starts_with("2026-01-16T18:22:11"))
        }));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn elastic_creates_the_event_under_its_own_id_and_time() {
    let (siems, sluice) = through_the_bridge(SHADOW).await;
    let fields: Value = serde_json::from_str(SHADOW).unwrap();
    siems.elastic.read(|state| {
        let [document] = state.documents.as_slice() else {
            panic!("{:?}", state.documents)
        };
        assert_eq!(
            (document.id.as_str(), document.index.as_str()),
            ("3d14a2b8-...", "logs-policy_gateway.audit-prod")
        );
        assert_eq!(
            document.source["@timestamp"]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap()
                .as_second(),
            1_776_709_800
        );
        // The object's fields are the document's, nulls and empty lists included.
        for name in [
            "policy_id",
            "decision",
            "effective_decision",
            "enforced",
            "denylist_hits",
            "model",
            "project_id",
        ] {
            assert_eq!(
                document.source[name], fields[name],
                "{name}: {}",
                document.text
            );
        }
    });
    siems.elastic.traffic().read(|traffic| {
        let request = traffic
            .seen
            .iter()
            .find(|request| request.target.contains("_bulk"))
            .unwrap();
        assert_eq!(request.headers["content-type"], "application/x-ndjson");
    });
    assert_eq!(sluice.stop().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn null_and_empty_lists_arrive_as_they_came() {
    let (siems, _sluice) = through_the_bridge(SHADOW).await;
    siems.splunk.read(|state| {
        assert!(
            state.events[0].text.contains(SHADOW),
            "{}",
            state.events[0].text
        )
    });
    siems
        .datadog
        .read(|state| assert_eq!(state.logs[0].get("policy").to_string(), SHADOW));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_refusal_alarms_nobody() {
    let (siems, _sluice) = through_the_bridge(SHADOW).await;
    siems.splunk.read(|state| {
        assert_eq!(
            state.events[0].field("otel.log.severity.number"),
            Some(&json!(10))
        )
    });
    siems
        .datadog
        .read(|state| assert_eq!(*state.logs[0].get("status"), "info"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keeptrusts_events_arrive_in_an_envelope_though_they_are_posted_bare() {
    let siems = Siems::start().await;
    let sluice = Sluice::start(&siems.file(&["redaction", "dedupe"]));
    let event = json!({"event_id": "kt-1", "timestamp": "2026-04-20T18:30:00Z", "event_type": "blocked", "action": "block",
        "policy_name": "PII guard", "model": "m", "gateway_id": "gw-1", "user_id": "user_7", "org_id": "org_1", "new_field": {"x": []}});
    let url = sluice.url("webhook/keeptrusts", "http", "/").await;
    let mut headers = senders::headers("application/json", sluice_tests::Encoding::Plain);
    let unsigned = senders::post(&url, &headers, event.to_string().into())
        .await
        .unwrap();
    assert_eq!((unsigned.status, unsigned.body.len()), (401, 0));
    headers.push(("authorization".to_owned(), "Splunk kt-secret".to_owned()));
    let answer = senders::post(&url, &headers, json!({"data": event}).to_string().into())
        .await
        .unwrap();
    assert!((200..300).contains(&answer.status), "{answer:?}");
    siems
        .splunk
        .wait_for(|state| state.events.len() == 1, SOON)
        .await
        .unwrap();
    siems.splunk.read(|state| {
        assert_eq!(state.events[0].event().to_string(), event.to_string());
        assert_eq!(state.events[0].time(), Some(1_776_709_800.0));
    });
    siems
        .elastic
        .read(|state| assert_eq!(state.documents[0].id, "kt-1"));
}
