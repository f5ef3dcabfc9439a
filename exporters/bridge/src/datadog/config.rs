//! `datadog:` keys.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildError, Checked, Delivery, DeliveryConfig, HumanDuration, Problems, QueueConfig,
    RetryConfig, Secret, nearest,
};
use sluice_net::{Compression, TlsClientConfig};

use super::key_check::KeyCheck;
use crate::Removed;
use crate::delivery::{HttpKeys, no_credentials, parse_url};

/// Datadog's sites, from its page "Send logs".
const SITES: [&str; 9] = [
    "datadoghq.com",
    "us3.datadoghq.com",
    "us5.datadoghq.com",
    "datadoghq.eu",
    "ap1.datadoghq.com",
    "ap2.datadoghq.com",
    "uk1.datadoghq.com",
    "ddog-gov.com",
    "us2.ddog-gov.com",
];

/// Exporter `datadog`: the OpenTelemetry Collector's keys for logs, and `service`, `ddsource`, `tags`, `stale`.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The API.
    pub api: ApiConfig,
    /// `hostname` of logs whose resource names no host. Default: for audit events their `source`.
    pub hostname: String,
    /// Accepted and without effect: no host name is detected.
    pub hostname_detection_timeout: Option<HumanDuration>,
    /// Accepted and without effect: no host metadata is sent.
    pub host_metadata: Option<HostMetadata>,
    /// Must be false: then no log would be sent.
    pub only_metadata: bool,
    /// The logs' keys.
    pub logs: LogsConfig,
    /// `service` of every log. Default: `service.name`; audit events: their `source`.
    pub service: String,
    /// `ddsource` of every log. Default: `datadog.log.source`, else `otlp_log_ingestion`; audit events: their `source`.
    pub ddsource: String,
    /// Tags of every log, each `key:value`.
    pub tags: Vec<String>,
    /// What to do with logs that Datadog would silently throw away: more than 18 hours old, or 2 hours ahead.
    /// Default `restamp`.
    pub stale: Stale,
    /// Longest that one request may take. Default 15s.
    pub timeout: Option<HumanDuration>,
    /// TLS settings.
    pub tls: TlsClientConfig,
    /// Proxy URL. Default: none.
    pub proxy_url: Option<Secret>,
    /// Idle connections kept. Default 100.
    pub max_idle_conns: Option<usize>,
    /// Idle connections kept for each host. Default: `max_idle_conns`.
    pub max_idle_conns_per_host: Option<usize>,
    /// An idle connection is closed after this long. Default 90s.
    pub idle_conn_timeout: Option<HumanDuration>,
    /// A connection for each request. Default false.
    pub disable_keep_alives: bool,
    /// Back-off.
    pub retry_on_failure: RetryConfig,
    /// Batching and concurrency.
    pub sending_queue: QueueConfig,
    /// Metrics are not sent. Accepted and without effect.
    #[schemars(skip)]
    pub metrics: Option<Removed>,
    /// Traces are not sent. Accepted and without effect.
    #[schemars(skip)]
    pub traces: Option<Removed>,
    /// Removed: an error that names `logs.endpoint`.
    #[schemars(skip)]
    pub endpoint: Option<Removed>,
    /// Removed: an error that names `logs.use_compression`.
    #[schemars(skip)]
    pub compression: Option<Removed>,
    /// Removed: an error that names `api.key`.
    #[schemars(skip)]
    pub auth: Option<Removed>,
    /// Removed: an error.
    #[schemars(skip)]
    pub headers: Option<Removed>,
    /// Removed: an error that names `api.site`.
    #[schemars(skip)]
    pub site: Option<Removed>,
    /// Removed: an error that names `tags`.
    #[schemars(skip)]
    pub env: Option<Removed>,
    /// Removed: an error that names `tags`.
    #[schemars(skip)]
    pub version: Option<Removed>,
    /// Removed: an error that names `host_metadata.enabled`.
    #[schemars(skip)]
    pub send_metadata: Option<Removed>,
    /// Removed: an error that names `host_metadata.enabled`.
    #[schemars(skip)]
    pub use_resource_metadata: Option<Removed>,
}

/// `api:` of a `datadog` exporter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// The API key. Required.
    pub key: Secret,
    /// The site that the key belongs to. Default `datadoghq.com`.
    pub site: String,
    /// Send nothing before `https://api.SITE` has found the key valid; everything is kept until then, and other exporters go
    /// on. Default false: an invalid key is warned of. With `logs.endpoint`, the key is checked only if this is true.
    pub fail_on_invalid_key: bool,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            key: Secret::default(),
            site: "datadoghq.com".to_owned(),
            fail_on_invalid_key: false,
        }
    }
}

/// `logs:` of a `datadog` exporter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogsConfig {
    /// The intake's URL. Default `https://http-intake.logs.SITE`; without a path, `/api/v2/logs` is added.
    pub endpoint: String,
    /// Compress. Default true, and false on loopback.
    pub use_compression: Option<bool>,
    /// `gzip` (default) or `zstd`, which Datadog's Agent uses and its page on the intake does not name.
    pub compression_kind: CompressionKind,
    /// Effort, 1 to 12; of zstd 1 to 22. Default 1 (the Collector's is 6, three times the work for a tenth less).
    pub compression_level: Option<i32>,
    /// Longest wait for more logs, in seconds. Default: none while the intake keeps up.
    pub batch_wait: Option<u64>,
    /// Removed from the Collector, without effect.
    pub dump_payloads: Option<bool>,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompressionKind {
    /// gzip
    #[default]
    Gzip,
    /// zstd
    Zstd,
}

impl CompressionKind {
    fn encoding(self) -> Compression {
        match self {
            Self::Gzip => Compression::Gzip,
            Self::Zstd => Compression::Zstd,
        }
    }

    fn most_effort(self) -> i32 {
        match self {
            Self::Gzip => 12,
            Self::Zstd => 22,
        }
    }
}

/// `host_metadata:` of a `datadog` exporter, read and without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostMetadata {
    /// Without effect.
    pub enabled: Option<bool>,
    /// Without effect.
    pub hostname_source: Option<String>,
    /// Without effect.
    pub reporter_period: Option<HumanDuration>,
    /// Without effect.
    pub tags: Vec<String>,
}

/// What to do with logs that Datadog would silently throw away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// Send them with the present time, the attribute `event.original_timestamp` and the tag `replayed:true`.
    #[default]
    Restamp,
    /// Do not send them: they are refused, counted and reported as dropped.
    Drop,
    /// Make them dead letters.
    Divert,
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.http().check(problems);
        self.shared().check(problems);
        problems.at("api", |p| {
            if self.api.key.is_empty() {
                p.error("`key` is missing")
                    .help("write it as ${env:DD_API_KEY}");
            } else if HeaderValue::from_str(self.api.key.expose()).is_err() {
                p.at("key", |p| {
                    p.error("holds characters that no header can, such as a line break");
                });
            }
            if self.logs.endpoint.is_empty() && !SITES.contains(&self.api.site.as_str()) {
                p.at("site", |p| {
                    let near = nearest(&self.api.site, SITES)
                        .map_or(SITES.join(", "), |site| format!("did you mean `{site}`?"));
                    p.warning(format!(
                        "`{}` is no site that Datadog documents",
                        self.api.site
                    ))
                    .help(near);
                });
            }
        });
        problems.at("logs", |p| {
            p.at("endpoint", |p| no_credentials(&self.logs.endpoint, p));
            let url = self.url();
            if let Err(error) = sluice_net::client::parse_url(&url) {
                p.at("endpoint", |p| {
                    p.error(error)
                        .help("write `https://http-intake.logs.datadoghq.com`, or leave it out");
                });
            }
            if self.logs.compression_level.is_some_and(|level| {
                !(1..=self.logs.compression_kind.most_effort()).contains(&level)
            }) {
                let most = self.logs.compression_kind.most_effort();
                p.at("compression_level", |p| {
                    p.error(format!("must be between 1 and {most}"));
                });
            }
            if self.logs.dump_payloads.is_some() {
                p.at("dump_payloads", |p| {
                    p.warning("has no effect: events are not written to the log");
                });
            }
        });
        for (at, text) in self.tags.iter().enumerate() {
            if super::tags::tag(text).as_deref() != Some(text) {
                problems.at("tags", |p| {
                    p.at(at, |p| {
                        match super::tags::tag(text) {
                            Some(tag) => p.warning(format!("Datadog stores this tag as `{tag}`")),
                            None => p.error("is no tag: write `key:value`, starting with a letter"),
                        };
                    });
                });
            }
        }
        if self.only_metadata {
            problems.at("only_metadata", |p| {
                p.error("then no log would be sent")
                    .help("take the exporter out of the pipeline");
            });
        }
        self.check_removed(problems);
    }

    fn files(&self) -> Vec<PathBuf> {
        self.tls.files()
    }
}

impl Config {
    fn check_removed(&self, problems: &mut Problems) {
        let removed = [
            ("endpoint", self.endpoint.is_some(), "use `logs.endpoint`"),
            (
                "compression",
                self.compression.is_some(),
                "use `logs.use_compression` and `logs.compression_kind`",
            ),
            ("auth", self.auth.is_some(), "use `api.key`"),
            (
                "headers",
                self.headers.is_some(),
                "headers cannot be set on this exporter",
            ),
            ("site", self.site.is_some(), "use `api.site`"),
            ("env", self.env.is_some(), "use `tags: [\"env:…\"]`"),
            (
                "version",
                self.version.is_some(),
                "use `tags: [\"version:…\"]`",
            ),
            (
                "send_metadata",
                self.send_metadata.is_some(),
                "use `host_metadata.enabled`",
            ),
            (
                "use_resource_metadata",
                self.use_resource_metadata.is_some(),
                "use `host_metadata.enabled`",
            ),
        ];
        for (key, is_given, help) in removed {
            if is_given {
                problems.at(key, |p| {
                    p.error("was removed from this exporter").help(help);
                });
            }
        }
        let without_effect = [
            ("metrics", self.metrics.is_some()),
            ("traces", self.traces.is_some()),
            ("host_metadata", self.host_metadata.is_some()),
            (
                "hostname_detection_timeout",
                self.hostname_detection_timeout.is_some(),
            ),
        ];
        for (key, is_given) in without_effect {
            if is_given {
                problems.at(key, |p| {
                    p.warning("has no effect: this exporter delivers logs only");
                });
            }
        }
    }

    /// Where logs go.
    pub(super) fn url(&self) -> String {
        if self.logs.endpoint.is_empty() {
            return format!("https://http-intake.logs.{}/api/v2/logs", self.api.site);
        }
        match sluice_net::client::parse_url(&self.logs.endpoint) {
            Ok(mut url) if url.path().trim_matches('/').is_empty() => {
                url.set_path("/api/v2/logs");
                url.into()
            }
            _ => self.logs.endpoint.clone(),
        }
    }

    /// Whom to ask about the key. An endpoint that is not Datadog's own has its reasons, and may have its own keys.
    pub(super) fn key_check(&self) -> Result<Option<KeyCheck>, BuildError> {
        if !self.logs.endpoint.is_empty() && !self.api.fail_on_invalid_key {
            return Ok(None);
        }
        let url = parse_url(&format!("https://api.{}/api/v1/validate", self.api.site))?;
        Ok(Some(KeyCheck::new(url, self.api.fail_on_invalid_key)))
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.timeout
            .filter(|t| !t.0.is_zero())
            .map_or(Duration::from_secs(15), |t| t.0)
    }

    pub(super) fn patience(&self) -> Duration {
        self.request_timeout() * 8
    }

    pub(super) fn http(&self) -> HttpKeys {
        HttpKeys {
            tls: self.tls.clone(),
            proxy_url: self.proxy_url.clone(),
            max_idle_conns: self.max_idle_conns,
            max_idle_conns_per_host: self.max_idle_conns_per_host,
            idle_conn_timeout: self.idle_conn_timeout,
            disable_keep_alives: self.disable_keep_alives,
            compression: match (self.logs.use_compression, self.logs.compression_kind) {
                (Some(false), _) => Some(Compression::None),
                (Some(true), kind) => Some(kind.encoding()),
                // Plain on loopback.
                (None, CompressionKind::Gzip) => None,
                (None, kind) => Some(kind.encoding()),
            },
            level: self.logs.compression_level.unwrap_or(1),
            ..HttpKeys::default()
        }
    }

    fn shared(&self) -> DeliveryConfig<'_> {
        DeliveryConfig {
            retry: &self.retry_on_failure,
            queue: &self.sending_queue,
            timeout: self.timeout,
        }
    }

    pub(crate) fn delivery(&self) -> Delivery {
        let mut delivery = self.shared().delivery(Delivery::default());
        if let (Some(seconds @ 1..), None) = (self.logs.batch_wait, &self.sending_queue.batch) {
            delivery.batching.timeout = Some(Duration::from_secs(seconds));
            delivery.batching.min_records = delivery.batching.max_records;
            delivery.batching_is_explicit = true;
        }
        delivery.attempt_timeout = self.patience() + self.request_timeout() * 2;
        delivery
    }
}
