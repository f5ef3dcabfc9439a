//! Blocks inside `elasticsearch:`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{Delivery, HumanDuration, Problems, RetryConfig};

/// `enabled:` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Enabled {
    /// Default false.
    pub enabled: bool,
}

/// Where a document's `_id` comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdMode {
    /// The event's own id, so that a repeated event is recognised.
    #[default]
    Event,
    /// The server makes one: for OpenSearch Serverless time series, which refuse ids. A repeated event is stored twice.
    None,
}

/// `logstash_format:`: a date behind the index name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogstashFormat {
    /// Default false.
    pub enabled: bool,
    /// Between name and date. Default `-`.
    pub prefix_separator: String,
    /// The date, strftime, in UTC from the event's time. Default `%Y.%m.%d`.
    pub date_format: String,
}

impl Default for LogstashFormat {
    fn default() -> Self {
        Self {
            enabled: false,
            prefix_separator: "-".to_owned(),
            date_format: "%Y.%m.%d".to_owned(),
        }
    }
}

/// `mapping:`: the documents' shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// Default: `source` for audit events, `otel` for other records.
    pub mode: Option<MappingMode>,
    /// Accepted and without effect: senders do not choose the mode.
    pub allowed_modes: Vec<String>,
}

/// A document's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MappingMode {
    /// The body's own members, `@timestamp`, and everything else under `otel`.
    Source,
    /// OpenTelemetry-native documents.
    Otel,
    /// The Elastic Common Schema: attributes as nested objects, renamed where ECS has another name, the text in
    /// `message`, an audit event's own object under `policy`.
    Ecs,
    /// Prefixed names: `Attributes.*`, `Resource.*`, `Scope.*`, `Body`.
    None,
    /// As `none`, with attributes at the top level.
    Raw,
    /// The body map is the document; a body that is no map falls back to `otel`.
    Bodymap,
}

impl Mapping {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !self.allowed_modes.is_empty() {
            problems.at("allowed_modes", |p| {
                p.warning("has no effect: senders do not choose the mode");
            });
        }
    }
}

/// Whether the exporter looks after the index template and the retention policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Setup {
    /// No.
    #[default]
    Off,
    /// Records are held until the template is there.
    Check,
    /// What is missing is created before the first record; what is there is never changed.
    Create,
}

/// The template that `setup` looks for or creates.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Template {
    /// Its name, and that of the retention policy. Default: from the index.
    pub name: String,
    /// Its priority; above 200, or stock templates win. Default 300.
    pub priority: u32,
    /// Delete documents after this long. Default: never.
    pub retention: Option<HumanDuration>,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            name: String::new(),
            priority: 300,
            retention: None,
        }
    }
}

impl Template {
    pub(super) fn check(&self, setup: Setup, problems: &mut Problems) {
        if setup != Setup::Off && self.priority <= 200 {
            problems.at("priority", |p| {
                p.warning(
                    "templates that come with Elasticsearch have priorities up to 200 and may win",
                );
            });
        }
        if self
            .retention
            .is_some_and(|keep| keep.0 < Duration::from_secs(24 * 3600))
        {
            problems.at("retention", |p| {
                p.error("must be at least 24h")
                    .help("write for example 2160h for 90 days");
            });
        }
        if !self.name.is_empty()
            && self.name.contains(|c: char| {
                !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c))
            })
        {
            problems.at("name", |p| {
                p.error("may hold lower-case letters, digits, `-`, `_` and `.` only");
            });
        }
    }
}

/// The Collector's `retry:` block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Default true.
    pub enabled: Option<bool>,
    /// Accepted and without effect: see `retry_on_failure.max_elapsed_time`.
    pub max_retries: Option<u64>,
    /// Accepted and without effect: see `retry_on_failure.max_elapsed_time`.
    pub max_requests: Option<u64>,
    /// First back-off.
    pub initial_interval: Option<HumanDuration>,
    /// Longest back-off.
    pub max_interval: Option<HumanDuration>,
    /// Accepted and without effect: with `create` and an id, all answers that may change are safe to retry.
    pub retry_on_status: Option<Vec<u16>>,
}

impl Retry {
    pub(super) fn shared(&self) -> RetryConfig {
        RetryConfig {
            enabled: self.enabled,
            initial_interval: self.initial_interval,
            max_interval: self.max_interval,
            ..RetryConfig::default()
        }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        self.shared().check(problems);
        let without_effect = [
            ("max_retries", self.max_retries.is_some()),
            ("max_requests", self.max_requests.is_some()),
            ("retry_on_status", self.retry_on_status.is_some()),
        ];
        for (key, is_given) in without_effect {
            if is_given {
                problems.at(key, |p| {
                    p.warning("has no effect: documents are tried again for ever, by id")
                        .help("see retry_on_failure.max_elapsed_time");
                });
            }
        }
    }
}

/// The Collector's earlier `flush:` block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Flush {
    /// Most bytes of a request. Default 5 MB.
    pub bytes: Option<u64>,
    /// Longest wait for more records. Default 30s.
    pub interval: Option<HumanDuration>,
}

impl Flush {
    pub(super) fn apply(&self, delivery: &mut Delivery) {
        let batching = &mut delivery.batching;
        batching.timeout =
            Some(self.interval.map_or(Duration::from_secs(30), |d| d.0)).filter(|d| !d.is_zero());
        batching.max_bytes = self.bytes.map_or(batching.max_bytes, |n| {
            usize::try_from(n).unwrap_or(usize::MAX)
        });
        batching.min_records = batching.max_records;
        delivery.batching_is_explicit = true;
    }
}

/// `discover:`, read and without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Discover {
    /// Without effect.
    pub on_start: bool,
    /// Without effect.
    pub interval: Option<HumanDuration>,
}

/// `telemetry:`, read and without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Without effect.
    pub log_request_body: bool,
    /// Without effect.
    pub log_response_body: bool,
    /// Without effect.
    pub log_failed_docs_input: bool,
    /// Without effect.
    pub log_failed_docs_input_rate_limit: Option<HumanDuration>,
}
