//! The Collector's keys, compiled: what they say of a key and of a text.

use std::collections::HashSet;

use regex::Regex;
use sluice_component::BuildError;

use crate::Config;
use crate::hash::Replacement;

pub(crate) struct Rules {
    /// `None`: all keys are allowed.
    allowed_keys: Option<HashSet<String>>,
    ignored_keys: HashSet<String>,
    ignored_key_patterns: Vec<Regex>,
    blocked_key_patterns: Vec<Regex>,
    blocked_values: Vec<Regex>,
    allowed_values: Vec<Regex>,
    all_types: bool,
    /// Whether any of the lists of keys says something.
    keys_matter: bool,
}

/// What is to become of a value because of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyRule {
    Ignored,
    Deleted,
    Blocked,
    Scanned,
}

impl Rules {
    pub(crate) fn new(config: &Config) -> Result<Self, BuildError> {
        let compile = |patterns: &[String]| {
            patterns
                .iter()
                .map(|p| Regex::new(p).map_err(BuildError::new))
                .collect::<Result<Vec<_>, _>>()
        };
        let keys_matter = !config.allows_all_keys()
            || !config.ignored_keys.is_empty()
            || !config.ignored_key_patterns.is_empty()
            || !config.blocked_key_patterns.is_empty();
        Ok(Self {
            keys_matter,
            allowed_keys: (!config.allows_all_keys())
                .then(|| config.allowed_keys.iter().cloned().collect()),
            ignored_keys: config.ignored_keys.iter().cloned().collect(),
            ignored_key_patterns: compile(&config.ignored_key_patterns)?,
            blocked_key_patterns: compile(&config.blocked_key_patterns)?,
            blocked_values: compile(&config.blocked_values)?,
            allowed_values: compile(&config.allowed_values)?,
            all_types: config.redact_all_types,
        })
    }

    /// Whether some keys pass without a look at their values.
    pub(crate) fn ignores_keys(&self) -> bool {
        !self.ignored_keys.is_empty() || !self.ignored_key_patterns.is_empty()
    }

    /// Whether every value must be looked at: these rules are not in the search over raw bytes.
    pub(crate) fn need_every_value(&self) -> bool {
        self.allowed_keys.is_some()
            || !self.blocked_key_patterns.is_empty()
            || !self.blocked_values.is_empty()
    }

    pub(crate) fn key(&self, key: &str) -> KeyRule {
        if !self.keys_matter {
            return KeyRule::Scanned;
        }
        let matches = |patterns: &[Regex]| patterns.iter().any(|p| p.is_match(key));
        if self.ignored_keys.contains(key) || matches(&self.ignored_key_patterns) {
            KeyRule::Ignored
        } else if self
            .allowed_keys
            .as_ref()
            .is_some_and(|allowed| !allowed.contains(key))
        {
            KeyRule::Deleted
        } else if matches(&self.blocked_key_patterns) {
            KeyRule::Blocked
        } else {
            KeyRule::Scanned
        }
    }

    pub(crate) fn allow_value(&self, text: &str) -> bool {
        self.allowed_values.iter().any(|p| p.is_match(text))
    }

    /// Whether scalars other than texts are looked at.
    pub(crate) fn all_types(&self) -> bool {
        self.all_types
    }

    /// The text with what is blocked in it replaced; `None` when nothing is.
    pub(crate) fn block_values(&self, text: &str, replacement: &Replacement) -> Option<String> {
        let mut changed: Option<String> = None;
        for pattern in &self.blocked_values {
            let current = changed.as_deref().unwrap_or(text);
            if let std::borrow::Cow::Owned(new) =
                pattern.replace_all(current, |c: &regex::Captures<'_>| {
                    if c[0].is_empty() {
                        String::new()
                    } else {
                        replacement.of_blocked(&c[0])
                    }
                })
                && new != current
            {
                changed = Some(new);
            }
        }
        changed
    }
}
