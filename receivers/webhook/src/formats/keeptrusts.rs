//! Keeptrusts: decision events as listed under "Common event fields" of the vendor's SIEM guide.

use sluice_batch::Value;

use super::Normalise::{Full, Short};
use super::judgement::{Judgement, Outcome, WARN, decision_severity};
use super::table::{Field, Fields, Source, full, read, short};

pub(super) static SOURCE: Source = Source {
    fields: FIELDS,
    marks: &["action", "policy_name", "gateway_id"],
    uid: &["event_id"],
    time: &["timestamp", "created_at"],
    has_time: true,
    scope: "audit",
    judge,
};

static FIELDS: &[Field] = &[
    read("event_id"),
    read("timestamp"),
    read("created_at"),
    read("user_id"),
    full("event_type", "ai.event.type"),
    full("policy_name", "ai.policy.name"),
    short("action", "ai.policy.decision"),
    full("org_id", "ai.organization.id"),
    full("gateway_id", "ai.gateway.id"),
    short("model", "gen_ai.request.model"),
];

fn judge<'v>(fields: &Fields<'v>) -> Judgement<'v> {
    let action = fields.get("action");
    // Subscriptions name event types `event.…`, so such names may be on the wire too.
    let event_type = fields
        .text("event_type")
        .map(|name| Outcome::of(name.strip_prefix("event.").unwrap_or(name)));
    // The action decides.
    let outcome = action
        .map(Outcome::of_value)
        .or(event_type)
        .unwrap_or(Outcome::Unknown);
    let is_inconsistent = event_type
        .is_some_and(|event_type| event_type != outcome && event_type != Outcome::Unknown);
    let severity = decision_severity(outcome, outcome, Some(true));
    let mut derived = vec![
        ("ai.policy.verdict", Value::Str(outcome.name()), Full),
        ("ai.policy.outcome", Value::Str(outcome.name()), Short),
        ("ai.policy.enforced", Value::Bool(true), Short),
    ];
    if let Some(action) = action {
        derived.push(("ai.policy.effective_decision", action, Full));
    }
    Judgement {
        event_name: "ai.policy.decision",
        severity: if is_inconsistent {
            severity.max(WARN)
        } else {
            severity
        },
        service: "keeptrusts".into(),
        instance: fields.text("gateway_id"),
        subject: fields.get("user_id"),
        is_inconsistent,
        derived,
    }
}
