//! What a user writes.

mod sanitizers;

pub use sanitizers::{DbSanitizer, Sanitizer, UrlSanitizer};

use std::fmt;
use std::sync::Arc;

use processor_detect::DetectorSet;
use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use sluice_component::{
    BuildContext, BuildError, Checked, Problems, ProcessorConfig, Secret, Stage,
};

use crate::Redactor;

/// Takes personal data and secrets out of attributes, bodies and texts.
///
/// The keys from `allow_all_keys` to `db_sanitizer` are the OpenTelemetry Collector's, with its meaning; `detectors` and
/// `action` find by checksum and context what patterns cannot. For one value the order is: `ignored_keys`, the allow list,
/// `allowed_values`, blocked keys, `blocked_values`, `url_sanitizer`, `db_sanitizer`, detectors.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `false`: attributes (and keys of a body) that are not in `allowed_keys` are deleted. Default: `true` with
    /// `detectors`, else `false`.
    pub allow_all_keys: Option<bool>,
    /// Keys that stay when `allow_all_keys` is `false`. Default: none, so every attribute is deleted.
    pub allowed_keys: Vec<String>,
    /// Keys whose values pass untouched: not deleted, not scanned, not even by detectors.
    pub ignored_keys: Vec<String>,
    /// The same by regular expressions, matched anywhere in the key.
    pub ignored_key_patterns: Vec<String>,
    /// Regular expressions; a value whose key matches is masked whole.
    pub blocked_key_patterns: Vec<String>,
    /// Regular expressions; what matches in a text is masked, in the order of the list. About 1.4 µs a value for a handful
    /// of them: prefer `detectors` where one exists.
    pub blocked_values: Vec<String>,
    /// Regular expressions; a value in which one matches anywhere is exempt from `blocked_key_patterns` and
    /// `blocked_values`. A detector's find is exempt only if one matches within the find.
    pub allowed_values: Vec<String>,
    /// `true`: `blocked_values` and `allowed_values` look at numbers and booleans too, as text. Detectors always do.
    pub redact_all_types: bool,
    /// What `blocked_values` and blocked keys leave: `****` (default), or a hash in hexadecimal: `md5`, `sha1`, `sha3`
    /// (SHA3-256), `hmac-sha256`, `hmac-sha512`. Unkeyed hashes of short values can be reversed by trying all of them.
    pub hash_function: HashFunction,
    /// The key of `hash_function: hmac-*` and of `action: hmac`: at least 32 bytes, 64 for `hmac-sha512`.
    pub hmac_key: Secret,
    /// Adds attributes that say what was done: `debug` with the names of the keys, `info` with counts only, `silent`
    /// (default) none.
    pub summary: Summary,
    /// Takes what varies out of URLs: segments of a path that are no words become `*`, queries, fragments and credentials
    /// go. Default: off.
    pub url_sanitizer: UrlSanitizer,
    /// Takes values out of database statements: what is left is their shape, with `?` for each value. Default: off.
    pub db_sanitizer: DbSanitizer,
    /// What to find: names of detectors, or the groups `pii`, `secrets` and `all` (both, without `ip_address`). `secrets`
    /// and `all` include `named_secret`: any value whose key says it is a secret (`password`, `api_key`, `token` as whole
    /// last words).
    pub detectors: Option<Detectors>,
    /// What becomes of a detector's find: `mask` (default) puts `[REDACTED:name]` in its place; `hash` puts
    /// `sha256:<hex>`; `hmac` puts `tok_<name>_<key_id>_<24 characters>`, which can be joined on but not reversed without
    /// the key; `drop` removes the whole attribute, map entry or array item.
    pub action: Action,
    /// Names the key in `action: hmac`, so that a rotation shows: 1 to 16 of `a-z 0-9`. Default `k1`.
    pub key_id: Option<String>,
}

/// Names of detectors or groups: one text or a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Detectors {
    names: Vec<String>,
    is_list: bool,
}

impl Detectors {
    /// A list of names.
    #[must_use]
    pub fn list(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            is_list: true,
        }
    }
}

/// What becomes of a find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// `[REDACTED:name]`
    #[default]
    Mask,
    /// `sha256:<hex>`
    Hash,
    /// `tok_<name>_<key_id>_<24 characters>`
    Hmac,
    /// The attribute, map entry or array item goes.
    Drop,
}

/// What the Collector's keys leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
pub enum HashFunction {
    /// `****`
    #[default]
    #[serde(rename = "")]
    Stars,
    /// MD5.
    #[serde(rename = "md5")]
    Md5,
    /// SHA-1.
    #[serde(rename = "sha1")]
    Sha1,
    /// SHA3-256.
    #[serde(rename = "sha3")]
    Sha3,
    /// HMAC-SHA-256 with `hmac_key`.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// HMAC-SHA-512 with `hmac_key`.
    #[serde(rename = "hmac-sha512")]
    HmacSha512,
}

/// How much is said about what was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Summary {
    /// Names and counts.
    Debug,
    /// Counts.
    Info,
    /// Nothing.
    #[default]
    #[serde(alias = "")]
    Silent,
}

impl<'de> Deserialize<'de> for Detectors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Detectors;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of detectors, or one of pii, secrets, all")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Detectors, E> {
                Ok(Detectors {
                    names: vec![name.to_owned()],
                    is_list: false,
                })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Detectors, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Detectors {
                    names,
                    is_list: true,
                })
            }
        }
        deserializer.deserialize_any(Names)
    }
}

impl JsonSchema for Detectors {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Detectors".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = processor_detect::Detector::ALL
            .iter()
            .map(|d| d.name())
            .chain(["pii", "secrets", "all"])
            .collect();
        json_schema!({"anyOf": [{"enum": names}, {"type": "array", "items": {"enum": names}}]})
    }
}

impl Config {
    /// Whether attributes outside `allowed_keys` stay.
    #[must_use]
    pub fn allows_all_keys(&self) -> bool {
        self.allow_all_keys.unwrap_or(self.detectors.is_some())
    }

    /// The detectors named.
    pub(crate) fn detector_set(&self) -> Result<DetectorSet, BuildError> {
        let names = self.detectors.iter().flat_map(|d| &d.names);
        names
            .map(|n| DetectorSet::from_name(n).map_err(BuildError::new))
            .try_fold(DetectorSet::EMPTY, |all, set| Ok(all.union(set?)))
    }

    fn check_patterns(problems: &mut Problems, name: &str, patterns: &[String]) {
        problems.at(name, |problems| {
            for (i, pattern) in patterns.iter().enumerate() {
                if let Err(error) = Regex::new(pattern) {
                    let text = error.to_string();
                    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    problems.at(i, |p| {
                        p.error(format!("invalid regular expression: {reason}")).help("the syntax is RE2's, as in the Collector: no look-around, no back-references");
                    });
                }
            }
        });
    }

    fn check_detectors(&self, problems: &mut Problems) {
        let Some(detectors) = &self.detectors else {
            return;
        };
        problems.at("detectors", |problems| {
            if detectors.names.is_empty() {
                problems.error("no detector is named").help("name detectors, or write `all`");
            }
            for (i, name) in detectors.names.iter().enumerate() {
                let Err(error) = DetectorSet::from_name(name) else { continue };
                let report = |problems: &mut Problems| {
                    let problem = problems.error(format!("unknown detector `{name}`"));
                    let names = processor_detect::Detector::ALL.iter().map(|d| d.name()).collect::<Vec<_>>().join(", ");
                    problem.help(match error.nearest {
                        Some(nearest) => format!("did you mean `{nearest}`? There are {names}, and the groups pii, secrets, all"),
                        None => format!("there are {names}, and the groups pii, secrets, all"),
                    });
                };
                if detectors.is_list { problems.at(i, report) } else { report(problems) }
            }
        });
    }

    fn check_keys(&self, problems: &mut Problems) {
        let least = match (self.action, self.hash_function) {
            (_, HashFunction::HmacSha512) => 64,
            (Action::Hmac, _) | (_, HashFunction::HmacSha256) => 32,
            _ => 0,
        };
        let length = self.hmac_key.expose().len();
        if length < least {
            problems.at("hmac_key", |p| {
                p.error(format!(
                    "hmac_key has {length} bytes and needs at least {least}"
                ))
                .help("generate one with `openssl rand -hex 32` and write ${env:NAME} here");
            });
        }
        if length > 0 && least == 0 {
            problems.at("hmac_key", |p| {
                p.warning("hmac_key is not used: neither action nor hash_function is an HMAC");
            });
        }
        if let Some(id) = &self.key_id
            && !((1..=16).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
        {
            problems.at("key_id", |p| {
                p.error("key_id must be 1 to 16 of a-z and 0-9");
            });
        }
        if self.action == Action::Hash {
            problems.at("action", |p| {
                p.warning("a plain hash of a short value can be reversed by trying all of them")
                    .help("use `hmac` with an hmac_key");
            });
        }
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.check_detectors(problems);
        self.check_keys(problems);
        Self::check_patterns(problems, "ignored_key_patterns", &self.ignored_key_patterns);
        Self::check_patterns(problems, "blocked_key_patterns", &self.blocked_key_patterns);
        Self::check_patterns(problems, "blocked_values", &self.blocked_values);
        Self::check_patterns(problems, "allowed_values", &self.allowed_values);
        if self.detectors.is_some()
            && self.allow_all_keys.is_none()
            && !self.allowed_keys.is_empty()
        {
            problems.at("allowed_keys", |p| { p.error("with `detectors` all keys are allowed, so allowed_keys has no effect").help("write `allow_all_keys: false` to delete all others, or leave allowed_keys out"); });
        }
        if !self.allows_all_keys() && self.allowed_keys.is_empty() {
            problems.warning("every attribute will be deleted: allow_all_keys is false and allowed_keys is empty").help("write `allow_all_keys: true`, or name `detectors`");
        }
        problems.at("url_sanitizer", |p| self.url_sanitizer.check(p));
        problems.at("db_sanitizer", |p| self.db_sanitizer.check(p));
    }
}

impl ProcessorConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Stage, BuildError> {
        Ok(Stage::Transform(Arc::new(Redactor::new(self)?)))
    }
}
