//! LLM Gateway: audit records of privileged actions.
//!
//! The vendor's page names the facts (actor, action, resource, time, IP, user agent, before and after) but not the
//! fields; these are the names we take, with the spellings that are most common beside them.

use super::judgement::{Judgement, WARN};
use super::table::{Field, Fields, Source, full, read, same, short};

pub(super) static SOURCE: Source = Source {
    fields: FIELDS,
    marks: &["action", "actor", "actor.id", "resource", "resource.type"],
    uid: &["id", "event_id"],
    time: &["timestamp", "created_at"],
    has_time: true,
    scope: "audit",
    judge,
};

static FIELDS: &[Field] = &[
    read("id"),
    read("event_id"),
    read("timestamp"),
    read("created_at"),
    read("actor.id"),
    short("action", "ai.admin.action"),
    short("resource.type", "ai.admin.resource.type"),
    short("resource.id", "ai.admin.resource.id"),
    short("ip", "client.address"),
    full("user_agent", "user_agent.original"),
    full("org_id", "ai.organization.id"),
    same("before", "ai.admin.before"),
    same("after", "ai.admin.after"),
];

/// Severity by the words of the action and of its resource's type: the first row of which both sets are met; an empty
/// set is always met. Words are matched by their beginning, so that `rotate`, `rotated` and `rotation` are one.
static SEVERITIES: &[(i32, &[&str], &[&str])] = &[
    // Audit or forwarding switched off, the chain broken.
    (
        17,
        &["disabl", "deactivat", "off", "stop", "paus"],
        &["audit", "forward", "siem", "log"],
    ),
    (17, &["delet", "remov"], &["forward", "siem"]),
    (
        17,
        &["broken", "break", "mismatch", "tamper", "invalid"],
        &["chain"],
    ),
    (12, &["export", "download"], &[]),
    (
        WARN,
        &["delet", "destroy", "remov", "rotat", "revok", "grant"],
        &[],
    ),
    (
        WARN,
        &["assign", "chang", "updat", "creat", "add", "set"],
        &["role", "routing"],
    ),
];

fn judge<'v>(fields: &Fields<'v>) -> Judgement<'v> {
    let action = fields.text("action").unwrap_or_default();
    Judgement {
        event_name: "ai.gateway.admin_action",
        severity: severity(action, fields.text("resource.type").unwrap_or_default()),
        service: "llm-gateway".into(),
        subject: fields.get("actor.id"),
        ..Judgement::default()
    }
}

fn severity(action: &str, resource: &str) -> i32 {
    if action.trim().is_empty() {
        return WARN;
    }
    let words: Vec<String> = words(action).chain(words(resource)).collect();
    let has = |stems: &[&str]| {
        stems.is_empty()
            || stems
                .iter()
                .any(|stem| words.iter().any(|word| word.starts_with(stem)))
    };
    SEVERITIES
        .iter()
        .find(|(_, verbs, things)| has(verbs) && has(things))
        .map_or(9, |(severity, ..)| *severity)
}

/// `provider_key.rotate` and `ProviderKeyRotate` are the words provider, key, rotate.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut before_is_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && before_is_lower {
            words.push(String::new());
        }
        before_is_lower = letter.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::severity;

    #[test]
    fn severity_follows_what_an_action_does_to_security() {
        for (action, resource, expected) in [
            ("project.read", "project", 9),
            ("project.create", "project", 9),
            ("provider_key.update", "provider_key", 9),
            ("audit_log.export", "", 12),
            ("logs.downloaded", "", 12),
            ("provider_key.rotate", "provider_key", 13),
            ("ProviderKeyRotated", "", 13),
            ("member.remove", "user", 13),
            ("role.grant", "", 13),
            ("update", "role", 13),
            ("routing_config.update", "", 13),
            ("project.delete", "", 13),
            ("audit.disable", "", 17),
            ("disabled", "siem_forwarding", 17),
            ("siem_webhook.delete", "", 17),
            ("audit_chain.broken", "", 17),
            ("catalog.stop", "", 9),
            ("", "", 13),
        ] {
            assert_eq!(severity(action, resource), expected, "{action} {resource}");
        }
    }
}
