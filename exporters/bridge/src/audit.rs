//! What every destination wants to know of a record: whether it is an audit event, and the view of it that people read.
//!
//! An audit event's body is the source's own object; what a receiver derived from it stands in attributes beside it, in
//! a scope named `audit`.

use std::borrow::Cow;

use sluice_batch::Map;
use sluice_component::audit;
pub(crate) use sluice_component::audit::event_id;

use crate::view::{View, text};

/// The scope in which receivers put the audit events that they normalise.
const NORMALISED_SCOPE: &str = "audit";

/// An audit event.
#[derive(Clone, Copy)]
pub(crate) struct AuditEvent<'a> {
    record: View<'a>,
    /// The source's own object.
    pub(crate) object: Option<Map<'a>>,
}

impl<'a> AuditEvent<'a> {
    /// The record as an audit event, if it is one.
    pub(crate) fn of(record: View<'a>) -> Option<Self> {
        audit::is_event(*record).then(|| Self {
            record,
            object: record.body().as_map(),
        })
    }

    /// What was decided, in the source's own word.
    pub(crate) fn decision(&self) -> Option<Cow<'a, str>> {
        text(self.record.get("ai.policy.decision"))
            .or_else(|| self.member("decision"))
            .or_else(|| text(self.record.get("decision")))
            .or_else(|| {
                if self.is_admin_action() {
                    None
                } else {
                    self.member("action")
                }
            })
    }

    /// Whether this is an administrator's action and no decision about a request.
    pub(crate) fn is_admin_action(&self) -> bool {
        self.record.name() == "ai.gateway.admin_action"
            || self.record.get("ai.admin.action").is_some()
    }

    /// The line that people read: `policy decision: rewrite`, `admin action: provider_key.rotate`.
    pub(crate) fn message(&self) -> String {
        if self.is_admin_action() {
            let action = text(self.record.get("ai.admin.action")).or_else(|| self.member("action"));
            return format!("admin action: {}", action.as_deref().unwrap_or("unknown"));
        }
        match self.decision() {
            Some(decision) => format!("policy decision: {decision}"),
            None if self.record.name().is_empty() => "policy decision: unknown".to_owned(),
            None => self.record.name().to_owned(),
        }
    }

    /// Who produced it, as host names are written: `policy-gateway` for `policy_gateway`.
    pub(crate) fn source(&self) -> Option<Cow<'a, str>> {
        self.member("source")
            .or_else(|| text(self.record.of_resource("service.name")))
            .map(as_host)
    }

    /// The project that it belongs to.
    pub(crate) fn project(&self) -> Option<Cow<'a, str>> {
        text(self.record.get("ai.project.id")).or_else(|| self.member("project_id"))
    }

    /// Whether a receiver derived attributes from the object.
    pub(crate) fn has_view(&self) -> bool {
        self.object.is_some() && self.record.scope().name() == NORMALISED_SCOPE
    }

    /// Whether an attribute of this name says more than the object does: all do, except the view that a receiver derived.
    pub(crate) fn is_further(&self, key: &str) -> bool {
        !(self.has_view() && is_normalised_view(key))
    }

    fn member(&self, key: &str) -> Option<Cow<'a, str>> {
        text(self.object?.get(key))
    }
}

/// Whether an attribute only repeats, in OpenTelemetry's words, what an audit event's object says in its own.
fn is_normalised_view(key: &str) -> bool {
    // What a receiver found odd about the event stands nowhere else.
    (key.starts_with("ai.") && !key.starts_with("ai.audit."))
        || matches!(
            key,
            "log.record.uid" | "user.id" | "gen_ai.request.model" | "client.address"
        )
}

/// Whether `host` is what [`as_host`] makes of a source.
pub(crate) fn is_host_of(host: &str, source: &str) -> bool {
    let as_written = |byte| if byte == b'_' { b'-' } else { byte };
    source.bytes().map(as_written).eq(host.bytes())
}

/// A source as host names are written.
fn as_host(source: Cow<'_, str>) -> Cow<'_, str> {
    if source.contains('_') {
        Cow::Owned(source.replace('_', "-"))
    } else {
        source
    }
}

#[cfg(test)]
mod tests {
    use sluice_batch::{Batch, Signal, Value, ValueBuf};

    use super::*;
    use crate::tests::audit_batch;

    fn record(scope: &str, name: &str, body: &str, attributes: &[(&str, &str)]) -> Batch {
        let mut batch = Batch::new(Signal::Logs);
        batch.push_scope(&[], scope);
        let mut record = batch.push_log();
        record.set_name(name);
        record.set_body(
            ValueBuf::from_json(body.as_bytes())
                .expect("JSON")
                .as_value(),
        );
        attributes
            .iter()
            .for_each(|(key, value)| record.set(key, Value::Str(value)));
        batch
    }

    #[test]
    fn an_audit_event_is_told_by_its_name_or_by_a_decision() {
        for (name, body, attributes, expected) in [
            ("ai.policy.decision", "{}", &[][..], true),
            ("ai.", "null", &[][..], true),
            ("", r#"{"decision":"allow"}"#, &[][..], true),
            ("", r#""text""#, &[("decision", "allow")][..], true),
            (
                "http.request",
                r#"{"inner":{"decision":"allow"}}"#,
                &[][..],
                false,
            ),
            ("aim", r#""decision""#, &[("ai.policy.id", "x")][..], false),
        ] {
            let batch = record("", name, body, attributes);
            assert_eq!(
                AuditEvent::of(View::of(batch.record(0))).is_some(),
                expected,
                "{name} {body}"
            );
        }
    }

    #[test]
    fn the_normalised_view_is_left_out_only_where_a_receiver_made_it() {
        let further = |batch: &Batch| {
            let audit = AuditEvent::of(View::of(batch.record(0))).expect("an audit event");
            audit
                .record
                .attributes()
                .keys()
                .filter(|key| audit.is_further(key))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(further(&audit_batch(&["e"])), ["data.classification"]);
        let view = [("ai.policy.id", "p"), ("user.id", "u")];
        let mut odd = audit_batch(&["e"]);
        odd.record_mut(0)
            .set("ai.audit.time_error", Value::Str("unparseable"));
        assert_eq!(
            further(&odd),
            ["data.classification", "ai.audit.time_error"]
        );
        let from_elsewhere = record("my.gateway", "ai.policy.decision", "{}", &view);
        assert_eq!(further(&from_elsewhere), ["ai.policy.id", "user.id"]);
        let without_object = record("audit", "ai.policy.decision", r#""text""#, &view);
        assert_eq!(further(&without_object), ["ai.policy.id", "user.id"]);
    }

    #[test]
    fn a_source_and_a_host_name_are_compared_as_hosts_are_written() {
        for source in ["policy_gateway", "policy-gateway", "gateway", "", "größe_1"] {
            let host = as_host(source.into());
            assert!(is_host_of(&host, source), "{source}");
            assert!(!is_host_of(&format!("{host}x"), source), "{source}");
        }
        assert!(!is_host_of("policy_gateway", "policy_gateway"));
    }

    #[test]
    fn people_read_the_decision_or_the_action() {
        let message = |name: &str, body: &str| {
            let batch = record("", name, body, &[]);
            AuditEvent::of(View::of(batch.record(0)))
                .expect("an audit event")
                .message()
        };
        assert_eq!(
            message("ai.policy.decision", r#"{"decision":"refuse"}"#),
            "policy decision: refuse"
        );
        assert_eq!(
            message("ai.policy.decision", r#"{"action":"block"}"#),
            "policy decision: block"
        );
        assert_eq!(
            message("ai.gateway.admin_action", r#"{"action":"key.rotate"}"#),
            "admin action: key.rotate"
        );
        assert_eq!(message("ai.other", "{}"), "ai.other");
    }
}
