//! Policy Gateway: the audit object of its decisions, simulations and revisions.
//!
//! Fields as in the vendor's pages on log export ("Every decision emits one event. All three event classes share a base
//! schema"); the exports to Splunk and Datadog carry a part of them, without `event_id`.

use sluice_batch::Value;

use super::Normalise::{Full, Short};
use super::judgement::{Judgement, Outcome, WARN, decision_severity};
use super::table::{Field, Fields, Kind, Source, full, read, same, short};

pub(super) static SOURCE: Source = Source {
    fields: FIELDS,
    marks: &[
        "decision",
        "effective_decision",
        "policy_id",
        "edit_type",
        "config_snapshot",
    ],
    uid: &["event_id"],
    time: &["created_at", "timestamp"],
    has_time: true,
    scope: "audit",
    judge,
};

static FIELDS: &[Field] = &[
    read("event_id"),
    read("created_at"),
    read("timestamp"),
    read("source"),
    read("enforced"),
    read("policy_user"),
    full("event_type", "ai.event.type"),
    short("policy_id", "ai.policy.id"),
    full("policy_name", "ai.policy.name"),
    short("decision", "ai.policy.decision"),
    full("effective_decision", "ai.policy.effective_decision"),
    full("rollout_mode", "ai.policy.rollout_mode"),
    full("reason_code", "ai.policy.reason_code"),
    full("policy_target", "ai.policy.target"),
    same("triggered_categories", "ai.policy.triggered_categories"),
    same("allowlist_hits", "ai.policy.allowlist_hits"),
    same("denylist_hits", "ai.policy.denylist_hits"),
    same("scenario_categories", "ai.policy.scenario_categories"),
    full("edit_type", "ai.policy.edit_type"),
    same("config_snapshot", "ai.policy.config_snapshot"),
    full("history_id", "ai.policy.history_id"),
    full("quota_subject", "ai.policy.quota_subject"),
    short("project_id", "ai.project.id"),
    full("project_label", "ai.project.label"),
    full("org_id", "ai.organization.id"),
    full("user_id", "ai.account.user.id"),
    short("model", "gen_ai.request.model"),
    Field {
        path: "data_classification",
        attribute: "data.classification",
        from: Short,
        kind: Kind::Joined,
    },
];

/// Judged APIs with a name in the GenAI conventions. A bot's name may stand in the same field, so the list is closed.
static OPERATIONS: &[(&str, &str)] = &[
    ("chat.completions", "chat"),
    ("embeddings", "embeddings"),
    ("completions", "text_completion"),
    ("text_completion", "text_completion"),
];

/// Words of an `edit_type` that takes protection away.
static LOOSENING: &[&str] = &[
    "delet",
    "disabl",
    "deactivat",
    "remov",
    "loosen",
    "relax",
    "weaken",
];

fn judge<'v>(fields: &Fields<'v>) -> Judgement<'v> {
    let event_type = fields.text("event_type").unwrap_or_default();
    let is_revision = event_type.eq_ignore_ascii_case("revision");
    let mut judgement = Judgement {
        event_name: match () {
            () if is_revision => "ai.policy.revision",
            () if event_type.eq_ignore_ascii_case("simulation") => "ai.policy.simulation",
            () => "ai.policy.decision",
        },
        service: fields
            .text("source")
            .filter(|source| !source.is_empty())
            .unwrap_or("policy-gateway")
            .replace('_', "-")
            .into(),
        // A revision is made by an account; a decision is about the caller's end user.
        subject: fields.first(if is_revision {
            &["user_id"]
        } else {
            &["policy_user", "quota_subject", "user_id"]
        }),
        ..Judgement::default()
    };
    let decision = fields
        .first(&["decision", "effective_decision"])
        .map(Outcome::of_value);
    let verdict = decision.unwrap_or(Outcome::Unknown);
    let outcome = fields
        .first(&["effective_decision", "decision"])
        .map_or(Outcome::Unknown, Outcome::of_value);
    let enforced = fields.get("enforced").map(as_bool);
    let enforced_value = enforced.flatten();
    let is_shadow = fields
        .text("rollout_mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("shadow"));

    let refused_unenforced = enforced_value == Some(false) && outcome == Outcome::Deny;
    let unreadable = enforced == Some(None);
    judgement.is_inconsistent =
        refused_unenforced || unreadable || is_shadow && enforced_value == Some(true);
    judgement.severity = match judgement.event_name {
        "ai.policy.simulation" => 9,
        "ai.policy.revision" => {
            let edit = fields
                .text("edit_type")
                .unwrap_or_default()
                .to_ascii_lowercase();
            if LOOSENING.iter().any(|word| edit.contains(word)) {
                WARN
            } else {
                12
            }
        }
        // What happened outweighs what was said about it.
        _ if refused_unenforced => outcome.severity(),
        _ if unreadable => outcome.severity().max(WARN),
        _ => decision_severity(verdict, outcome, enforced_value),
    };
    if decision.is_some() {
        judgement
            .derived
            .push(("ai.policy.verdict", Value::Str(verdict.name()), Full));
        judgement
            .derived
            .push(("ai.policy.outcome", Value::Str(outcome.name()), Short));
    }
    if let Some(enforced) = enforced_value {
        judgement
            .derived
            .push(("ai.policy.enforced", Value::Bool(enforced), Short));
    }
    let target = fields.text("policy_target").unwrap_or_default();
    if let Some((_, operation)) = OPERATIONS.iter().find(|(name, _)| *name == target) {
        judgement
            .derived
            .push(("gen_ai.operation.name", Value::Str(operation), Full));
    }
    judgement
}

/// A bool, also as the text or number that a CSV export makes of it.
fn as_bool(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(value),
        Value::Str(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::Str(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Value::Int(number @ (0 | 1)) => Some(number == 1),
        _ => None,
    }
}
