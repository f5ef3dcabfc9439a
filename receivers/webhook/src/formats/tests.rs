use proptest::prelude::*;
use sluice_batch::{Batch, Record, Value};

use super::{BodyError, Format, MAX_EVENTS, Mapping, Normalise};

/// 2026-04-20T18:30:00Z, the time of the Policy Gateway sample.
const SAMPLE_TIME: u64 = 1_776_709_800_000_000_000;

/// The event that the Policy Gateway console page shows ("Event shape").
const DECISION: &str = r#"{
  "event_id": "3d14a2b8-...",
  "event_type": "enforcement",
  "source": "policy_gateway",
  "created_at": "2026-04-20T18:30:00Z",
  "user_id": "user_...",
  "org_id": null,
  "policy_id": "support-bot",
  "policy_name": "Support bot policy",
  "data_classification": "internal",
  "history_id": null,

  "decision": "refuse",
  "effective_decision": "allow",
  "enforced": false,
  "rollout_mode": "shadow",
  "reason_code": "REFUSE",
  "triggered_categories": [],
  "allowlist_hits": [],
  "denylist_hits": ["competitor-x"],
  "policy_target": "chat.completions",
  "policy_user": "user_42",
  "quota_subject": "user_42",
  "project_id": "proj_support_bot",
  "project_label": "Support Bot",
  "model": "abliterated-model"
}"#;

/// The event inside the sample payloads of the Splunk and Datadog export pages.
const EXPORTED: &str = r#"{
    "policy_id": "support-guardrails",
    "decision": "rewrite",
    "effective_decision": "rewrite",
    "reason_code": "REWRITE",
    "policy_user": "user-12345",
    "project_id": "support-bot",
    "policy_target": "support-bot",
    "rollout_mode": "enforced",
    "enforced": true,
    "triggered_categories": ["self-harm/intent"],
    "allowlist_hits": ["refund policy"],
    "denylist_hits": [],
    "model": "abliterated-model",
    "created_at": "2026-01-16T18:22:11Z"
}"#;

const BLOCKED: &str = r#"{"event_id":"ev-1","timestamp":"2026-04-20T18:30:00","event_type":"blocked","action":"block","policy_name":"pii","model":"gpt-4o","gateway_id":"gw-7","user_id":"svc-billing","org_id":"org-1","region":"eu"}"#;

const ROTATED: &str = r#"{"id":"al_1","timestamp":"2026-04-20T18:30:00Z","actor":{"id":"u_9","type":"user"},"action":"provider_key.rotate","resource":{"type":"provider_key","id":"pk_1"},"ip":"203.0.113.7","user_agent":"curl/8","org_id":"org_1","before":{"suffix":"aaaa"},"after":{"suffix":"bbbb"},"hash":"00ff"}"#;

fn map_as(format: Format, normalise: Normalise, body: &str) -> Result<Batch, BodyError> {
    Mapping {
        format,
        normalise,
        subject_field: None,
    }
    .batch(body.as_bytes(), SAMPLE_TIME, None)
}

fn full(format: Format, body: &str) -> Batch {
    map_as(format, Normalise::Full, body).unwrap()
}

fn json(value: Value<'_>) -> String {
    let mut out = Vec::new();
    value.write_json(&mut out);
    String::from_utf8(out).unwrap()
}

/// A record's attributes as JSON, one a line, in order.
fn attributes(record: Record<'_>) -> String {
    record
        .attributes()
        .iter()
        .map(|(name, value)| format!("{name}={}", json(value)))
        .collect::<Vec<_>>()
        .join("\n")
}

fn compact(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text)
        .unwrap()
        .to_string()
}

fn attribute(batch: &Batch, name: &str) -> Option<String> {
    batch.record(0).get(name).map(json)
}

/// Severity of a Policy Gateway event.
fn severity(fields: &str) -> (i32, bool) {
    let batch = full(Format::PolicyGateway, &format!("{{{fields}}}"));
    (
        batch.record(0).severity_number(),
        batch.record(0).get("ai.audit.inconsistent").is_some(),
    )
}

#[test]
fn a_policy_gateway_decision_has_the_whole_normalised_view_beside_it() {
    let batch = full(Format::PolicyGateway, DECISION);
    let record = batch.record(0);
    assert_eq!(
        json(record.body()),
        compact(DECISION),
        "the body is the object as received, null and [] kept"
    );
    assert_eq!(
        (
            record.name(),
            record.severity_number(),
            record.severity_text()
        ),
        ("ai.policy.decision", 10, "INFO")
    );
    assert_eq!(
        (record.time(), record.observed_time()),
        (SAMPLE_TIME, SAMPLE_TIME)
    );
    assert_eq!(
        record.resource().get("service.name"),
        Some(Value::Str("policy-gateway"))
    );
    assert_eq!(record.scope().name(), "audit");
    assert_eq!(
        attributes(record),
        r#"log.record.uid="3d14a2b8-..."
ai.event.type="enforcement"
ai.policy.id="support-bot"
ai.policy.name="Support bot policy"
ai.policy.decision="refuse"
ai.policy.effective_decision="allow"
ai.policy.rollout_mode="shadow"
ai.policy.reason_code="REFUSE"
ai.policy.target="chat.completions"
ai.policy.triggered_categories=[]
ai.policy.allowlist_hits=[]
ai.policy.denylist_hits=["competitor-x"]
ai.policy.quota_subject="user_42"
ai.project.id="proj_support_bot"
ai.project.label="Support Bot"
ai.account.user.id="user_..."
gen_ai.request.model="abliterated-model"
data.classification="internal"
user.id="user_42"
ai.policy.verdict="deny"
ai.policy.outcome="allow"
ai.policy.enforced=false
gen_ai.operation.name="chat""#
    );
}

#[test]
fn the_short_view_has_what_searches_need_and_off_has_the_id() {
    let short = map_as(Format::PolicyGateway, Normalise::Short, DECISION).unwrap();
    assert_eq!(
        attributes(short.record(0)),
        r#"log.record.uid="3d14a2b8-..."
ai.policy.id="support-bot"
ai.policy.decision="refuse"
ai.project.id="proj_support_bot"
gen_ai.request.model="abliterated-model"
data.classification="internal"
user.id="user_42"
ai.policy.outcome="allow"
ai.policy.enforced=false"#
    );
    let off = map_as(Format::PolicyGateway, Normalise::Off, DECISION).unwrap();
    assert_eq!(
        attributes(off.record(0)),
        r#"log.record.uid="3d14a2b8-...""#
    );
    assert_eq!(off.record(0).severity_number(), 10);
}

#[test]
fn an_exported_rewrite_is_a_modification_of_severity_eleven() {
    let batch = full(Format::PolicyGateway, EXPORTED);
    let record = batch.record(0);
    assert_eq!(record.severity_number(), 11);
    assert_eq!(record.time(), 1_768_587_731_000_000_000);
    assert_eq!(
        (
            attribute(&batch, "ai.policy.verdict").unwrap(),
            attribute(&batch, "ai.policy.outcome").unwrap()
        ),
        (r#""modify""#.into(), r#""modify""#.into())
    );
    assert_eq!(json(record.body()), compact(EXPORTED));
    assert_eq!(
        record.get("gen_ai.operation.name"),
        None,
        "a bot's name is no operation"
    );
    let uid =
        uuid::Uuid::parse_str(record.get("log.record.uid").unwrap().as_str().unwrap()).unwrap();
    assert_eq!(uid.get_version_num(), 7, "a record without an id gets one");
    assert_eq!(
        attribute(&batch, "ai.audit.clock_skew_ms").unwrap(),
        "-8122069000"
    );
}

#[test]
fn the_splunk_envelope_of_the_export_page_is_unwrapped_and_its_time_not_believed() {
    let body = format!(
        r#"{{"time": 1737061331, "host": "policy-gateway", "source": "policy-gateway", "sourcetype": "policy_gateway_audit", "index": "ai_audit", "event": {EXPORTED}}}"#
    );
    let batch = full(Format::PolicyGateway, &body);
    assert_eq!(batch.record(0).time(), 1_768_587_731_000_000_000);
    assert_eq!(json(batch.record(0).body()), compact(EXPORTED));
    assert_eq!(
        attribute(&batch, "webhook.envelope.sourcetype").unwrap(),
        r#""policy_gateway_audit""#
    );
    // Without a time of its own, the event has its envelope's.
    let batch = full(
        Format::PolicyGateway,
        r#"{"time": 1737061331, "event": {"decision": "allow"}}"#,
    );
    assert_eq!(batch.record(0).time(), 1_737_061_331_000_000_000);
}

#[test]
fn severity_follows_the_effective_decision() {
    for (decision, effective, enforced, expected) in [
        ("allow", "allow", "true", 9),
        ("allow", "allow", "false", 9),
        ("log", "log", "true", 10),
        ("flag", "allow", "false", 10),
        ("refuse", "allow", "false", 10),
        ("escalate", "allow", "false", 10),
        ("refuse", "allow", "true", 10),
        ("rewrite", "rewrite", "true", 11),
        ("refuse", "rewrite", "true", 11),
        ("refuse", "refuse", "true", 13),
        ("REFUSE", "Block", "true", 13),
        ("escalate", "escalate", "true", 17),
        ("ponder", "ponder", "true", 13),
        ("ponder", "ponder", "false", 10),
    ] {
        let fields = format!(
            r#""decision":"{decision}","effective_decision":"{effective}","enforced":{enforced}"#
        );
        assert_eq!(severity(&fields), (expected, false), "{fields}");
    }
    assert_eq!(
        severity(r#""decision":"refuse""#),
        (13, false),
        "without effective_decision the decision stands for it"
    );
    assert_eq!(
        severity(r#""policy_id":"x""#),
        (13, false),
        "an event without a decision needs a look"
    );
}

#[test]
fn simulations_and_revisions_have_their_own_severity_and_name() {
    for (event, name, number) in [
        (
            r#"{"event_type":"simulation","decision":"escalate","enforced":true}"#,
            "ai.policy.simulation",
            9,
        ),
        (
            r#"{"event_type":"revision","edit_type":"update"}"#,
            "ai.policy.revision",
            12,
        ),
        (
            r#"{"event_type":"revision","edit_type":"policy_deleted"}"#,
            "ai.policy.revision",
            13,
        ),
        (
            r#"{"event_type":"revision","edit_type":"Disabled"}"#,
            "ai.policy.revision",
            13,
        ),
    ] {
        let batch = full(Format::PolicyGateway, event);
        assert_eq!(
            (batch.record(0).name(), batch.record(0).severity_number()),
            (name, number),
            "{event}"
        );
    }
    let revision = r#"{"event_type":"revision","policy_user":"end-user","user_id":"admin","config_snapshot":{"rules":[1,null]}}"#;
    let batch = full(Format::PolicyGateway, revision);
    assert_eq!(attribute(&batch, "user.id").unwrap(), r#""admin""#);
    assert_eq!(
        attribute(&batch, "ai.policy.config_snapshot").unwrap(),
        r#"{"rules":[1,null]}"#
    );
    assert_eq!(attribute(&batch, "ai.policy.outcome"), None);
}

#[test]
fn contradictions_are_marked_and_the_effective_decision_gives_the_severity() {
    assert_eq!(
        severity(r#""decision":"refuse","effective_decision":"refuse","enforced":false"#),
        (13, true)
    );
    assert_eq!(
        severity(
            r#""decision":"refuse","effective_decision":"allow","enforced":true,"rollout_mode":"shadow""#
        ),
        (10, true)
    );
    assert_eq!(
        severity(r#""decision":"allow","enforced":"perhaps""#),
        (13, true)
    );
    assert_eq!(
        severity(r#""decision":"allow","enforced":"true""#),
        (9, false)
    );
}

#[test]
fn a_keeptrusts_event_is_mapped_and_its_unknown_fields_survive() {
    let batch = full(Format::Keeptrusts, BLOCKED);
    let record = batch.record(0);
    assert_eq!(json(record.body()), BLOCKED);
    assert_eq!(
        (
            record.name(),
            record.severity_number(),
            record.severity_text(),
            record.time()
        ),
        ("ai.policy.decision", 13, "WARN", SAMPLE_TIME)
    );
    assert_eq!(
        record.resource().get("service.name"),
        Some(Value::Str("keeptrusts"))
    );
    assert_eq!(
        record.resource().get("service.instance.id"),
        Some(Value::Str("gw-7"))
    );
    assert_eq!(
        attributes(record),
        r#"log.record.uid="ev-1"
ai.event.type="blocked"
ai.policy.name="pii"
ai.policy.decision="block"
ai.organization.id="org-1"
ai.gateway.id="gw-7"
gen_ai.request.model="gpt-4o"
user.id="svc-billing"
ai.policy.verdict="deny"
ai.policy.outcome="deny"
ai.policy.enforced=true
ai.policy.effective_decision="block""#
    );
}

#[test]
fn a_keeptrusts_action_decides_against_its_event_type() {
    for (event, number, outcome, is_inconsistent) in [
        (
            r#"{"event_type":"request","action":"allow"}"#,
            9,
            "allow",
            false,
        ),
        (
            r#"{"event_type":"event.escalated","action":"escalate"}"#,
            17,
            "escalate",
            false,
        ),
        (
            r#"{"event_type":"redacted","action":"redact"}"#,
            11,
            "modify",
            false,
        ),
        (
            r#"{"event_type":"event.blocked","policy_name":"p"}"#,
            13,
            "deny",
            false,
        ),
        (
            r#"{"event_type":"blocked","action":"allow"}"#,
            13,
            "allow",
            true,
        ),
        (
            r#"{"event_type":"something.new","action":"allow"}"#,
            9,
            "allow",
            false,
        ),
    ] {
        let batch = full(Format::Keeptrusts, event);
        assert_eq!(batch.record(0).severity_number(), number, "{event}");
        assert_eq!(
            attribute(&batch, "ai.policy.outcome").unwrap(),
            format!("{outcome:?}"),
            "{event}"
        );
        assert_eq!(
            attribute(&batch, "ai.audit.inconsistent").is_some(),
            is_inconsistent,
            "{event}"
        );
    }
}

#[test]
fn an_llm_gateway_record_is_an_admin_action() {
    let batch = full(Format::LlmGateway, ROTATED);
    let record = batch.record(0);
    assert_eq!(json(record.body()), ROTATED);
    assert_eq!(
        (record.name(), record.severity_number()),
        ("ai.gateway.admin_action", 13)
    );
    assert_eq!(
        attributes(record),
        r#"log.record.uid="al_1"
ai.admin.action="provider_key.rotate"
ai.admin.resource.type="provider_key"
ai.admin.resource.id="pk_1"
client.address="203.0.113.7"
user_agent.original="curl/8"
ai.organization.id="org_1"
ai.admin.before={"suffix":"aaaa"}
ai.admin.after={"suffix":"bbbb"}
user.id="u_9""#
    );
    let flat = map_as(
        Format::LlmGateway,
        Normalise::Short,
        r#"{"id":7,"actor.id":"u_9","action":"x","resource.type":"t"}"#,
    )
    .unwrap();
    assert_eq!(attribute(&flat, "user.id").unwrap(), r#""u_9""#);
    assert_eq!(attribute(&flat, "log.record.uid").unwrap(), r#""7""#);
}

#[test]
fn a_body_holds_one_event_or_many_in_any_of_the_usual_ways() {
    let ids = |format, body: &str| -> Vec<String> {
        let batch = map_as(format, Normalise::Short, body).unwrap();
        batch
            .records()
            .map(|r| r.get("log.record.uid").unwrap().to_text().into_owned())
            .collect()
    };
    let event = |id: &str| format!(r#"{{"event_id":"{id}","decision":"allow"}}"#);
    let (a, b) = (event("a"), event("b"));
    for body in [
        format!("[{a},{b}]"),
        format!("{a}\n{b}\n"),
        format!("{a}{b}"),
        format!("{a}\r\n\r\n {b}"),
        format!("\u{feff}{a}\n{b}"),
        format!(r#"{{"data":[{a},{b}]}}"#),
        format!(
            r#"{{"type":"policy.decision","timestamp":"2026-04-20T18:30:00Z","data":{a}}}{{"event":{b}}}"#
        ),
        format!(r#"[{{"data":{a}}},{b}]"#),
        format!("[{a}] [{b}]"),
    ] {
        assert_eq!(ids(Format::PolicyGateway, &body), ["a", "b"], "{body}");
    }
    assert_eq!(
        ids(
            Format::Json,
            r#"{"id":"outer","data":{"event_id":"inner"}}"#
        ),
        ["outer"],
        "json unwraps nothing"
    );
}

#[test]
fn an_event_with_a_field_named_data_or_event_is_no_wrapper() {
    let event = r#"{"event_id":"a","decision":"allow","data":{"event_id":"b"},"event":[]}"#;
    let batch = full(Format::PolicyGateway, event);
    assert_eq!(json(batch.record(0).body()), event);
    let event = r#"{"data":"text"}"#;
    assert_eq!(
        json(full(Format::PolicyGateway, event).record(0).body()),
        event
    );
}

#[test]
fn an_envelopes_id_is_the_events_only_when_it_is_alone_in_it() {
    let alone = full(
        Format::Keeptrusts,
        r#"{"id":"evt_1","type":"event.blocked","data":{"action":"block"}}"#,
    );
    assert_eq!(attribute(&alone, "log.record.uid").unwrap(), r#""evt_1""#);
    assert_eq!(
        attribute(&alone, "webhook.envelope.type").unwrap(),
        r#""event.blocked""#
    );
    let several = full(
        Format::Keeptrusts,
        r#"{"id":"evt_1","data":[{"action":"block"},{"action":"allow"}]}"#,
    );
    let uids: Vec<_> = several
        .records()
        .map(|r| json(r.get("log.record.uid").unwrap()))
        .collect();
    assert!(
        uids[0] != uids[1] && !uids.contains(&r#""evt_1""#.to_owned()),
        "equal ids would make one event of two: {uids:?}"
    );
}

#[test]
fn a_malformed_body_is_refused_whole_with_the_place_and_no_content() {
    let refused = |body: &str| map_as(Format::PolicyGateway, Normalise::Short, body).unwrap_err();
    assert_eq!(refused(""), BodyError::Empty);
    assert_eq!(refused(" \n"), BodyError::Empty);
    let not_utf8 = Mapping {
        format: Format::Json,
        ..Mapping::default()
    }
    .batch(b"{\"a\":\"\xff\"}", 0, None)
    .unwrap_err();
    assert_eq!(not_utf8, BodyError::Malformed { offset: 6 });
    assert_eq!(refused("[]"), BodyError::Empty);
    assert_eq!(refused("\u{feff}"), BodyError::Empty);
    assert_eq!(
        refused(r#"{"a":secret}"#),
        BodyError::Malformed { offset: 5 }
    );
    assert_eq!(
        refused("{}\n{\"a\":secret}"),
        BodyError::Malformed { offset: 8 }
    );
    assert_eq!(
        refused("{}\n{\"a\":\n secret}"),
        BodyError::Malformed { offset: 10 }
    );
    assert_eq!(
        refused(r#"[{},"secret"]"#),
        BodyError::NotAnObject { event: 2 }
    );
    assert_eq!(
        refused(r#"{"data":[{},[]]}"#),
        BodyError::NotAnObject { event: 2 }
    );
    assert_eq!(refused("{} 17"), BodyError::NotAnObject { event: 2 });
    assert!(matches!(
        refused(r#"{"a":"#),
        BodyError::Malformed { offset: 4 | 5 }
    ));
    assert_eq!(
        refused(r#"{"a":secret}"#).to_string(),
        "malformed JSON at byte 5"
    );
}

#[test]
fn nesting_is_taken_to_its_limit_and_such_a_record_can_be_read_again() {
    let nested = |levels: usize| {
        format!(
            "{}{}",
            r#"{"a":"#.repeat(levels - 1) + "{}",
            "}".repeat(levels - 1)
        )
    };
    let batch = full(Format::Json, &nested(28));
    let wire = batch.encode();
    assert!(Batch::decode(sluice_batch::Signal::Logs, wire.into()).is_ok());
    assert!(matches!(
        map_as(Format::Json, Normalise::Off, &nested(29)).unwrap_err(),
        BodyError::Unfit { offset: 140..146 }
    ));
    assert!(matches!(
        map_as(Format::Json, Normalise::Off, "{\"n\":1e999}").unwrap_err(),
        BodyError::Unfit { .. } | BodyError::Malformed { .. }
    ));
    assert!(map_as(Format::Json, Normalise::Off, &"[".repeat(100_000)).is_err());
    assert!(map_as(Format::Json, Normalise::Off, &r#"{"a":"#.repeat(100_000)).is_err());
}

#[test]
fn events_are_taken_to_their_limit() {
    for (open, event, between, close) in [("[", "{}", ",", "]"), ("", "{}", "\n", "")] {
        let body = |n| format!("{open}{}{close}", vec![event; n].join(between));
        assert_eq!(
            map_as(Format::Json, Normalise::Off, &body(MAX_EVENTS))
                .unwrap()
                .len(),
            MAX_EVENTS
        );
        assert_eq!(
            map_as(Format::Json, Normalise::Off, &body(MAX_EVENTS + 1)).unwrap_err(),
            BodyError::TooMany
        );
    }
    let body = format!(
        r#"{{"x":"{}","data":[{}]}}"#,
        "x".repeat(10_000),
        vec!["{}"; 10_000].join(",")
    );
    assert_eq!(
        map_as(Format::PolicyGateway, Normalise::Off, &body).unwrap_err(),
        BodyError::TooRepetitive
    );
}

#[test]
fn a_time_that_cannot_be_read_is_zero_and_said_so() {
    let batch = full(
        Format::PolicyGateway,
        r#"{"decision":"allow","created_at":"recently"}"#,
    );
    assert_eq!(
        (
            batch.record(0).time(),
            attribute(&batch, "ai.audit.time_error").unwrap()
        ),
        (0, r#""unparseable""#.into())
    );
    let batch = full(
        Format::PolicyGateway,
        r#"{"decision":"allow","created_at":null}"#,
    );
    assert_eq!(
        (
            batch.record(0).time(),
            attribute(&batch, "ai.audit.time_error").unwrap()
        ),
        (0, r#""missing""#.into())
    );
    assert_eq!(
        attribute(&full(Format::Json, "{}"), "ai.audit.time_error"),
        None
    );
}

#[test]
fn a_clock_five_minutes_off_is_marked_and_its_time_kept() {
    for (seconds, expected) in [
        (300, None),
        (301, Some("301000")),
        (-300, None),
        (-301, Some("-301000")),
    ] {
        let time = SAMPLE_TIME as i64 / 1_000_000_000 + seconds;
        let batch = full(
            Format::PolicyGateway,
            &format!(r#"{{"decision":"allow","created_at":{time}}}"#),
        );
        assert_eq!(
            attribute(&batch, "ai.audit.clock_skew_ms").as_deref(),
            expected,
            "{seconds}"
        );
        assert_eq!(batch.record(0).time(), time as u64 * 1_000_000_000);
    }
}

#[test]
fn trace_context_is_taken_when_it_is_valid() {
    let trace = |event: &str| {
        let batch = full(Format::Json, event);
        let record = batch.record(0);
        (
            hex::encode(record.trace_id()),
            hex::encode(record.span_id()),
            record.flags(),
        )
    };
    let (trace_id, span_id) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let none = (String::new(), String::new(), 0);
    assert_eq!(
        trace(&format!(
            r#"{{"traceparent":"00-{trace_id}-{span_id}-01"}}"#
        )),
        (trace_id.into(), span_id.into(), 1)
    );
    assert_eq!(
        trace(&format!(
            r#"{{"trace_id":"{trace_id}","span_id":"{span_id}"}}"#
        )),
        (trace_id.into(), span_id.into(), 0)
    );
    assert_eq!(
        trace(&format!(r#"{{"trace_id":"{trace_id}","span_id":"xyz"}}"#)),
        (trace_id.into(), String::new(), 0)
    );
    assert_eq!(
        trace(&format!(
            r#"{{"traceparent":"ff-{trace_id}-{span_id}-01"}}"#
        )),
        none
    );
    assert_eq!(
        trace(r#"{"trace_id":"00000000000000000000000000000000"}"#),
        none
    );
    assert_eq!(trace(r#"{"trace_id":"abc"}"#), none);
}

#[test]
fn the_users_choice_of_subject_goes_before_the_formats() {
    let mapping = Mapping {
        format: Format::PolicyGateway,
        normalise: Normalise::Short,
        subject_field: Some("actor.id".into()),
    };
    let batch = mapping.batch(br#"[{"decision":"allow","policy_user":"p","actor":{"id":"a"}},{"decision":"allow","user_id":"u","quota_subject":"q"}]"#, 0, None).unwrap();
    let users: Vec<_> = batch
        .records()
        .map(|r| r.get("user.id").unwrap().to_text().into_owned())
        .collect();
    assert_eq!(users, ["a", "q"]);
}

#[test]
fn classifications_are_joined_and_tags_name_the_environment() {
    let batch = full(
        Format::PolicyGateway,
        r#"{"decision":"allow","data_classification":["internal","pii"],"tags":["team:x","env:prod"]}"#,
    );
    assert_eq!(
        attribute(&batch, "data.classification").unwrap(),
        r#""internal,pii""#
    );
    assert_eq!(
        batch
            .record(0)
            .resource()
            .get("deployment.environment.name"),
        Some(Value::Str("prod"))
    );
}

#[test]
fn records_of_one_source_share_their_resource() {
    let batch = full(
        Format::Keeptrusts,
        r#"[{"gateway_id":"a"},{"gateway_id":"a"},{"gateway_id":"b"}]"#,
    );
    assert_eq!(
        batch
            .records()
            .map(|r| r.resource_index())
            .collect::<Vec<_>>(),
        [0, 0, 1]
    );
}

#[test]
fn any_json_and_raw_bodies_are_kept_as_they_are() {
    let event = r#"{"z":1,"a":[null,{}],"id":5,"time":1776709800,"":"","n":18446744073709551615}"#;
    let batch = full(Format::Json, event);
    assert_eq!(
        json(batch.record(0).body()),
        event.replace("18446744073709551615", r#""18446744073709551615""#)
    );
    assert_eq!(
        (
            batch.record(0).time(),
            attribute(&batch, "log.record.uid").unwrap()
        ),
        (SAMPLE_TIME, r#""5""#.into())
    );
    assert_eq!(
        full(Format::Raw, " not {json ").record(0).body(),
        Value::Str(" not {json ")
    );
    let bytes = Mapping {
        format: Format::Raw,
        ..Mapping::default()
    }
    .batch(b"\xff\xfe", 0, None)
    .unwrap();
    assert_eq!(bytes.record(0).body(), Value::Bytes(b"\xff\xfe"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn mutated_events_give_a_batch_or_an_error_and_never_a_panic(at in 0..2000usize, byte: u8, cut in 0..2000usize) {
        for (format, sample) in [(Format::PolicyGateway, DECISION), (Format::Keeptrusts, BLOCKED), (Format::LlmGateway, ROTATED)] {
            let mut body = sample.as_bytes().to_vec();
            let at = at % body.len();
            body[at] = byte;
            body.truncate(body.len() - cut % body.len() / 4);
            for format in [format, Format::Json, Format::Raw] {
                match (Mapping { format, normalise: Normalise::Full, subject_field: None }).batch(&body, SAMPLE_TIME, None) {
                    Ok(batch) => prop_assert!(!batch.is_empty()),
                    Err(BodyError::Malformed { offset }) => prop_assert!(offset <= body.len()),
                    Err(_) => {}
                }
            }
        }
    }
}

#[test]
fn a_record_without_an_id_has_the_same_uid_in_each_copy_of_a_delivery() {
    let uids = |format, id: Option<&str>, body: &[u8]| -> Vec<String> {
        let delivery = id.map(|id| super::Delivery::new(id, body));
        Mapping {
            format,
            ..Mapping::default()
        }
        .batch(body, SAMPLE_TIME, delivery.as_ref())
        .unwrap()
        .records()
        .map(|r| r.get("log.record.uid").unwrap().to_text().into_owned())
        .collect()
    };
    let body = br#"[{"a":1},{"id":"own"},{"a":1},{"event":{"a":1}}]"#;
    for format in [Format::Json, Format::PolicyGateway, Format::Raw] {
        let first = uids(format, Some("m1"), body);
        assert_eq!(uids(format, Some("m1"), body), first, "{format:?}");
        assert_ne!(
            uids(format, Some("m2"), body)[0],
            first[0],
            "another delivery"
        );
        assert_ne!(
            uids(format, Some("m1"), b"[{\"a\":2}]")[0],
            first[0],
            "another body"
        );
        assert_ne!(uids(format, None, body)[0], uids(format, None, body)[0]);
    }
    let first = uids(Format::Json, Some("m1"), body);
    assert_eq!(first[1], "own", "an event's own id stays");
    assert_ne!(
        first[0], first[2],
        "equal events at other places are other events"
    );
    let uid = uuid::Uuid::parse_str(&first[0]).unwrap();
    assert_eq!(
        (uid.get_version_num(), uid.get_variant()),
        (8, uuid::Variant::RFC4122)
    );
}

#[test]
fn the_uid_of_a_delivery_is_the_documented_hash() {
    let body = br#"{"a":1}"#;
    let delivery = super::Delivery::new("msg_1", body);
    let batch = Mapping::default().batch(body, 0, Some(&delivery)).unwrap();
    assert_eq!(
        batch.record(0).get("log.record.uid").unwrap().as_str(),
        Some("ad96d196-8f28-8ae1-bef5-2e91a1e7848f")
    );
    assert!(!format!("{delivery:?}").contains("msg_1"));
}
