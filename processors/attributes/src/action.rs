//! One entry of `actions`, and the step that it becomes.

use processor_ottl::Pattern;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::Problems;

use crate::AnyValue;
use crate::context::Context;
use crate::step::{Presence, Source, Step};

/// What to do with an attribute. Which other keys are needed or allowed depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActionKind {
    /// Sets `key` unless it is there.
    #[serde(alias = "INSERT")]
    Insert,
    /// Sets `key` if it is there.
    #[serde(alias = "UPDATE")]
    Update,
    /// Sets `key` in any case.
    #[serde(alias = "UPSERT")]
    Upsert,
    /// Removes `key`, and every key that `pattern` matches.
    #[serde(alias = "DELETE")]
    Delete,
    /// Replaces the value of `key`, and of every key that `pattern` matches, by its SHA-256 in lower-case hex, as the
    /// Collector does (its documentation still names SHA-1, which ended when the feature gate
    /// `coreinternal.attraction.hash.sha256` became stable: opentelemetry-collector-contrib issue 4759). An unkeyed hash of a guessable value can be reversed by guessing; to hide values use the
    /// redaction processor's `hmac`. A text is hashed as it is, an integer or double as its 8 little-endian bytes, a
    /// boolean as one byte, a list or map as JSON; an empty text stays empty.
    #[serde(alias = "HASH")]
    Hash,
    /// Sets the attributes named by the groups of `pattern` to what they match in the text under `key`.
    #[serde(alias = "EXTRACT")]
    Extract,
    /// Changes the type of the value of `key` to `converted_type`; a value that cannot be changed stays.
    #[serde(alias = "CONVERT")]
    Convert,
}

impl ActionKind {
    fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Upsert => "upsert",
            Self::Delete => "delete",
            Self::Hash => "hash",
            Self::Extract => "extract",
            Self::Convert => "convert",
        }
    }
}

/// What `convert` converts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConvertedType {
    /// From a double (cut), a boolean (1 or 0) or a decimal text.
    Int,
    /// From an integer, a boolean (1 or 0) or a decimal text.
    Double,
    /// From anything: numbers in decimal, bytes in base64, lists and maps as JSON.
    String,
}

/// One action on attributes.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionConfig {
    /// The attribute to act upon. Required, except that `delete` and `hash` can do with `pattern` alone.
    #[serde(default)]
    pub key: String,
    /// What to do: insert, update, upsert, delete, hash, extract or convert. Required.
    pub action: ActionKind,
    /// insert, update, upsert: the value. One of `value`, `from_attribute` and `from_context`.
    #[serde(default)]
    pub value: Option<AnyValue>,
    /// insert, update, upsert: the attribute that the value is copied from. If it is not there, nothing happens.
    #[serde(default)]
    pub from_attribute: Option<String>,
    /// insert, update, upsert: what the request says of its sender. `metadata.NAME`: a header, in any case, several values
    /// joined by `;`; the receiver needs `include_metadata: true`. `client.address`: the other end of the connection. If it
    /// is not there, nothing happens.
    #[serde(default)]
    pub from_context: Option<String>,
    /// insert, update, upsert: the value to use when `from_attribute` or `from_context` is not there, or alone.
    #[serde(default)]
    pub default_value: Option<AnyValue>,
    /// delete, hash: a regular expression for keys, matched anywhere in them. extract: one for the value, all of whose
    /// groups have names (`(?P<name>…)`).
    #[serde(default)]
    pub pattern: Option<String>,
    /// convert: int, double or string.
    #[serde(default)]
    pub converted_type: Option<ConvertedType>,
}

impl ActionConfig {
    /// The step to take; `None` when something is wrong, which is then in `problems`.
    pub(crate) fn step(&self, problems: &mut Problems) -> Option<Step> {
        let before = problems.found.len();
        let step = match self.action {
            ActionKind::Insert => self.put(Presence::Absent, problems),
            ActionKind::Update => self.put(Presence::Present, problems),
            ActionKind::Upsert => self.put(Presence::Any, problems),
            ActionKind::Delete => self
                .keys(problems)
                .map(|(key, pattern)| Step::Delete { key, pattern }),
            ActionKind::Hash => self
                .keys(problems)
                .map(|(key, pattern)| Step::Hash { key, pattern }),
            ActionKind::Extract => self.extract(problems),
            ActionKind::Convert => self.convert(problems),
        };
        step.filter(|_| problems.found.len() == before)
    }

    fn put(&self, presence: Presence, problems: &mut Problems) -> Option<Step> {
        self.need_key(problems);
        self.refuse("pattern", self.pattern.is_some(), problems);
        self.refuse("converted_type", self.converted_type.is_some(), problems);
        let default = self
            .default_value
            .as_ref()
            .map(|AnyValue(value)| value.clone());
        let given = [
            ("value", self.value.is_some()),
            ("from_attribute", self.from_attribute.is_some()),
            ("from_context", self.from_context.is_some()),
        ];
        let mut given = given.iter().filter(|(_, is)| *is).map(|(name, _)| *name);
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            problems.at(second, |p| {
                p.error(format!("{first} and {second} exclude each other"))
                    .help("remove one of the two");
            });
            return None;
        }
        let source = if let Some(AnyValue(value)) = &self.value {
            Source::Value(value.clone())
        } else if let Some(from) = &self.from_attribute {
            Source::Attribute {
                from: from.clone(),
                default,
            }
        } else if let Some(text) = &self.from_context {
            let from = Context::parse(text)
                .map_err(|(error, help)| {
                    problems.at("from_context", |p| {
                        p.error(error).help(help);
                    });
                })
                .ok()?;
            Source::Context { from, default }
        } else if let Some(value) = default {
            Source::Value(value)
        } else {
            problems.error(format!(
                "`{}` needs value, from_attribute or from_context",
                self.action.name()
            ));
            return None;
        };
        Some(Step::Put {
            key: self.key.clone(),
            source,
            presence,
        })
    }

    fn keys(&self, problems: &mut Problems) -> Option<(Option<String>, Option<Pattern>)> {
        self.refuse_source(problems);
        self.refuse("converted_type", self.converted_type.is_some(), problems);
        let key = (!self.key.is_empty()).then(|| self.key.clone());
        if key.is_none() && self.pattern.is_none() {
            problems.error(format!("`{}` needs key or pattern", self.action.name()));
        }
        let pattern = match &self.pattern {
            Some(text) => Some(compile(text, problems)?),
            None => None,
        };
        Some((key, pattern))
    }

    fn extract(&self, problems: &mut Problems) -> Option<Step> {
        self.need_key(problems);
        self.refuse_source(problems);
        self.refuse("converted_type", self.converted_type.is_some(), problems);
        let Some(text) = &self.pattern else {
            problems
                .error("`extract` needs pattern")
                .help("write `pattern: ^(?P<name>[^/]+)`");
            return None;
        };
        let pattern = compile(text, problems)?;
        let groups = pattern.regex().capture_names().skip(1);
        if groups.len() == 0 || groups.clone().any(|name| name.is_none()) {
            problems.at("pattern", |p| {
                p.error("every group of the pattern needs a name, and there must be one")
                    .help("write `(?P<name>…)` for what to extract and `(?:…)` for a group that is not");
            });
            return None;
        }
        Some(Step::Extract {
            key: self.key.clone(),
            pattern,
        })
    }

    fn convert(&self, problems: &mut Problems) -> Option<Step> {
        self.need_key(problems);
        self.refuse_source(problems);
        self.refuse("pattern", self.pattern.is_some(), problems);
        let Some(to) = self.converted_type else {
            problems
                .error("`convert` needs converted_type")
                .help("write int, double or string");
            return None;
        };
        Some(Step::Convert {
            key: self.key.clone(),
            to,
        })
    }

    fn need_key(&self, problems: &mut Problems) {
        if self.key.is_empty() {
            problems.error(format!("`{}` needs key", self.action.name()));
        }
    }

    fn refuse_source(&self, problems: &mut Problems) {
        self.refuse("value", self.value.is_some(), problems);
        self.refuse("from_attribute", self.from_attribute.is_some(), problems);
        self.refuse("from_context", self.from_context.is_some(), problems);
        self.refuse("default_value", self.default_value.is_some(), problems);
    }

    fn refuse(&self, name: &str, is_there: bool, problems: &mut Problems) {
        if is_there {
            problems.at(name, |p| {
                p.error(format!("`{}` does not use {name}", self.action.name()))
                    .help("remove it");
            });
        }
    }
}

fn compile(text: &str, problems: &mut Problems) -> Option<Pattern> {
    Pattern::new(text)
        .map_err(|bad| {
            problems.at("pattern", |p| {
                p.error(bad.to_string()).offset(bad.offset);
            });
        })
        .ok()
}
