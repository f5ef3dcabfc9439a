//! What follows from an event's fields together: outcome and severity.

use sluice_batch::Value;

use super::Normalise;

/// What a gateway concluded, or did, in one vocabulary for all sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Allow,
    Audit,
    Modify,
    Deny,
    Escalate,
    Unknown,
}

/// The sources' words, in lower case. Anything else is unknown.
static WORDS: &[(&str, Outcome)] = &[
    ("allow", Outcome::Allow),
    ("request", Outcome::Allow),
    ("rewrite", Outcome::Modify),
    ("redact", Outcome::Modify),
    ("redacted", Outcome::Modify),
    ("refuse", Outcome::Deny),
    ("block", Outcome::Deny),
    ("blocked", Outcome::Deny),
    ("deny", Outcome::Deny),
    ("escalate", Outcome::Escalate),
    ("escalated", Outcome::Escalate),
    ("log", Outcome::Audit),
    ("flag", Outcome::Audit),
    ("warn", Outcome::Audit),
    ("audit", Outcome::Audit),
];

impl Outcome {
    /// From a source's word, in any case.
    pub(super) fn of(word: &str) -> Self {
        WORDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word.trim()))
            .map_or(Self::Unknown, |(_, outcome)| *outcome)
    }

    /// From a decision that may be no text.
    pub(super) fn of_value(value: Value<'_>) -> Self {
        value.as_str().map_or(Self::Unknown, Self::of)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Audit => "audit",
            Self::Modify => "modify",
            Self::Deny => "deny",
            Self::Escalate => "escalate",
            Self::Unknown => "unknown",
        }
    }

    /// OpenTelemetry severity number of an outcome that was carried out.
    pub(super) fn severity(self) -> i32 {
        match self {
            Self::Allow => 9,
            Self::Audit => 10,
            Self::Modify => 11,
            Self::Deny | Self::Unknown => WARN,
            Self::Escalate => 17,
        }
    }
}

/// The least severity of a record that needs a look.
pub(super) const WARN: i32 = 13;

/// Severity of a decision. It follows what happened to the request: a refusal in shadow mode must wake nobody.
pub(super) fn decision_severity(verdict: Outcome, outcome: Outcome, enforced: Option<bool>) -> i32 {
    let severity = match (enforced, verdict) {
        (Some(false), Outcome::Allow) => 9,
        (Some(false), _) => 10,
        (Some(true) | None, _) => outcome.severity(),
    };
    if verdict == outcome {
        severity
    } else {
        severity.max(10)
    }
}

/// The text that belongs to a severity number.
pub(super) fn severity_text(number: i32) -> &'static str {
    match number {
        ..=0 => "",
        1..=12 => "INFO",
        13..=16 => "WARN",
        _ => "ERROR",
    }
}

/// A format's judgement of one event.
#[derive(Default)]
pub(super) struct Judgement<'v> {
    /// Static event name; empty: none.
    pub(super) event_name: &'static str,
    /// Severity number; 0: none.
    pub(super) severity: i32,
    /// `service.name`; empty: none.
    pub(super) service: std::borrow::Cow<'v, str>,
    /// `service.instance.id`.
    pub(super) instance: Option<&'v str>,
    /// `user.id`.
    pub(super) subject: Option<Value<'v>>,
    /// Fields that contradict each other.
    pub(super) is_inconsistent: bool,
    /// Attributes that no single field gives, and the least view that has them.
    pub(super) derived: Vec<(&'static str, Value<'v>, Normalise)>,
}
