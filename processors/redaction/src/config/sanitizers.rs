//! `url_sanitizer:` and `db_sanitizer:`.

use schemars::JsonSchema;
use sluice_component::Problems;

/// The Collector's `url_sanitizer` block.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UrlSanitizer {
    /// Default `false`. In the bodies of logs, URLs and absolute paths within a text are then sanitized too, under
    /// whatever key.
    pub enabled: bool,
    /// Attributes, and entries of a body, that hold a URL or a path.
    pub attributes: Vec<String>,
    /// Also the names of client and server spans that have a slash. Default `true`.
    pub sanitize_span_name: Option<bool>,
}

/// The Collector's `db_sanitizer` block: which language a statement is in says `db.system.name`, else `db.system`, beside
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DbSanitizer {
    /// Also the names of client, server and internal spans with a system. Default `true`.
    pub sanitize_span_name: Option<bool>,
    /// `true`: attributes with no system beside them go through each sanitizer that names them, so that only what all of
    /// them keep is left. Default `false`: they stay as they are.
    pub allow_fallback_without_system: bool,
    /// SQL: strings, numbers, truths and comments go.
    pub sql: Sanitizer,
    /// Redis: commands stay without what they are given.
    pub redis: Sanitizer,
    /// Valkey: as `redis`.
    pub valkey: Sanitizer,
    /// Memcached: commands stay without what they are given.
    pub memcached: Sanitizer,
    /// MongoDB: of JSON the keys stay; what is not JSON goes whole.
    pub mongo: Sanitizer,
    /// OpenSearch: as `mongo`.
    pub opensearch: Sanitizer,
    /// Elasticsearch: as `mongo`.
    pub es: Sanitizer,
}

/// One of the Collector's database sanitizers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sanitizer {
    /// Default `false`. A body that is a text is then taken for a statement too, unless the record's system is another
    /// that is on.
    pub enabled: bool,
    /// Attributes, and entries of a body, that hold statements. Empty: no attribute, and every text of a body.
    pub attributes: Vec<String>,
}

impl UrlSanitizer {
    pub(crate) fn check(&self, problems: &mut Problems) {
        if !self.enabled && !self.attributes.is_empty() {
            is_off(problems);
        }
    }
}

impl DbSanitizer {
    pub(crate) fn check(&self, problems: &mut Problems) {
        for (name, sanitizer) in [
            ("sql", &self.sql),
            ("redis", &self.redis),
            ("valkey", &self.valkey),
            ("memcached", &self.memcached),
            ("mongo", &self.mongo),
            ("opensearch", &self.opensearch),
            ("es", &self.es),
        ] {
            problems.at(name, |p| match (sanitizer.enabled, sanitizer.attributes.is_empty()) {
                (true, true) => {
                    p.warning("without attributes, no attribute is sanitized, and every text of every log body is taken for a statement")
                        .help("name the attributes that hold statements, such as `db.query.text` and `db.statement`");
                }
                (false, false) => is_off(p),
                _ => {}
            });
        }
    }
}

fn is_off(problems: &mut Problems) {
    problems.at("attributes", |p| {
        p.warning("has no effect: the sanitizer is off")
            .help("write `enabled: true` beside it");
    });
}
