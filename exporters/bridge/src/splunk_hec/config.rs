//! `splunk_hec:` keys.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildError, Checked, Delivery, DeliveryConfig, HumanDuration, Problems, QueueConfig,
    RetryConfig, Secret,
};
use sluice_net::{AuthConfig, Compression, Headers, TlsClientConfig};
use url::Url;

use crate::Removed;
use crate::delivery::{Framing, HttpKeys, Limits, parse_url};

/// Vendor advice for Splunk Cloud is at most 1 MB before compression, and Cloud answers larger bodies misleadingly.
const DEFAULT_BODY: u64 = 1_000_000;
const DEFAULT_EVENT: u64 = 5 << 20;
/// Splunk's own `max_content_length`.
const MOST_BYTES: u64 = 838_860_800;
const MOST_EVENTS: usize = 1_000;
/// Attempts at once when most of them only wait for their acknowledgements.
const MOST_WAITING: usize = 24;

/// Exporter `splunk_hec`: the OpenTelemetry Collector's keys, and `ack`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The collector's token. Required.
    pub token: Secret,
    /// The collector's URL. Required. Without a path, `services/collector` is added.
    pub endpoint: String,
    /// `host` of every event. Default: for audit events their `source`, else `host.name`, else `service.name`, else
    /// `unknown`.
    pub host: String,
    /// `source` of events that name none in `com.splunk.source`. Default: for audit events their own, else `service.name`.
    pub source: String,
    /// `sourcetype` of events that name none in `com.splunk.sourcetype`. Default: the token's.
    pub sourcetype: String,
    /// `index` of events that name none in `com.splunk.index`. Default: the token's.
    pub index: String,
    /// Whether a record counts as delivered only once its indexer acknowledgement is confirmed. Default `auto`.
    pub ack: AckMode,
    /// Wait between two questions for acknowledgements. Default 1s; at least 10ms.
    pub ack_poll_interval: HumanDuration,
    /// What is not confirmed within this is sent again. Default 2m; longer than `ack_poll_interval`.
    pub ack_timeout: HumanDuration,
    /// Must be true: log records are what this exporter delivers.
    pub log_data_enabled: bool,
    /// Accepted and without effect.
    pub profiling_data_enabled: bool,
    /// Send plain bodies. Default: gzip, and plain on loopback.
    pub disable_compression: Option<bool>,
    /// Most bytes of a body before compression, at most 838860800; 0: unlimited. Default 1000000 (the Collector's is
    /// 2097152): Splunk advises 1 MB for Splunk Cloud.
    pub max_content_length_logs: Option<u64>,
    /// Accepted and without effect: `max_content_length_logs` holds for all.
    pub max_content_length_metrics: Option<u64>,
    /// Accepted and without effect: `max_content_length_logs` holds for all.
    pub max_content_length_traces: Option<u64>,
    /// Most bytes of one event, 1 to 838860800; a larger one becomes a dead letter. Default 5242880, as `maxEventSize`
    /// of Splunk.
    pub max_event_size: Option<u64>,
    /// The sender's name. Default `Sluice`.
    pub splunk_app_name: Option<String>,
    /// The sender's version. Default: this program's.
    pub splunk_app_version: Option<String>,
    /// Attributes whose values become `source`, `sourcetype`, `index` and `host`.
    pub otel_attrs_to_hec_metadata: HecMetadata,
    /// The earlier name of `otel_attrs_to_hec_metadata`.
    pub hec_metadata_to_otel_attrs: Option<HecMetadata>,
    /// Names of the fields that hold the severity.
    pub otel_to_hec_fields: HecFields,
    /// Send bodies alone, one a line, to `services/collector/raw`. Default false.
    pub export_raw: bool,
    /// Accepted and without effect: metrics are sent as events.
    pub use_multi_metric_format: bool,
    /// Path of the health check. Default `/services/collector/health`.
    pub health_path: String,
    /// Ask for the collector's health before the first records. Default false.
    pub health_check_enabled: bool,
    /// Accepted and without effect.
    pub heartbeat: Option<Heartbeat>,
    /// Accepted and without effect: Sluice has metrics of its own.
    pub telemetry: Option<Telemetry>,
    /// Longest that one request may take. Default 10s.
    pub timeout: Option<HumanDuration>,
    /// TLS settings of an `https://` endpoint.
    pub tls: TlsClientConfig,
    /// Headers added to each request.
    pub headers: Headers,
    /// The extension that adds credentials to each request.
    pub auth: Option<AuthConfig>,
    /// Proxy URL. Default: none.
    pub proxy_url: Option<Secret>,
    /// Idle connections kept. Default 100.
    pub max_idle_conns: Option<usize>,
    /// Idle connections kept for each host. Default: `max_idle_conns`.
    pub max_idle_conns_per_host: Option<usize>,
    /// An idle connection is closed after this long. Default 10s.
    pub idle_conn_timeout: Option<HumanDuration>,
    /// A connection for each request. Default false.
    pub disable_keep_alives: bool,
    /// Ping an HTTP/2 connection on which nothing arrived for this long. Default 10s.
    pub http2_read_idle_timeout: Option<HumanDuration>,
    /// Close it when the ping is not answered within this. Default 10s.
    pub http2_ping_timeout: Option<HumanDuration>,
    /// Back-off.
    pub retry_on_failure: RetryConfig,
    /// Batching and concurrency. `num_consumers` is 24 by default, because attempts wait for acknowledgements; with
    /// `ack: off` as for every exporter.
    pub sending_queue: QueueConfig,
    /// Removed from the Collector: a warning.
    #[schemars(skip)]
    pub max_connections: Option<Removed>,
    /// Removed from the Collector: a warning that names `sending_queue.batch`.
    #[schemars(skip)]
    pub batcher: Option<Removed>,
}

/// `ack:` of a `splunk_hec` exporter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AckMode {
    /// Wait for the confirmation of every ackId that the collector gives; without one, its success is final.
    #[default]
    Auto,
    /// Nothing counts without a confirmed ackId.
    Required,
    /// The collector's success is final.
    Off,
}

/// Names of the attributes (record over resource) that become an event's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HecMetadata {
    /// Default `com.splunk.source`.
    pub source: String,
    /// Default `com.splunk.sourcetype`.
    pub sourcetype: String,
    /// Default `com.splunk.index`.
    pub index: String,
    /// Default `host.name`.
    pub host: String,
}

impl Default for HecMetadata {
    fn default() -> Self {
        Self {
            source: "com.splunk.source".to_owned(),
            sourcetype: "com.splunk.sourcetype".to_owned(),
            index: "com.splunk.index".to_owned(),
            host: "host.name".to_owned(),
        }
    }
}

/// Names of the indexed fields that hold the severity.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HecFields {
    /// Default `otel.log.severity.text`.
    pub severity_text: String,
    /// Default `otel.log.severity.number`.
    pub severity_number: String,
}

impl Default for HecFields {
    fn default() -> Self {
        Self {
            severity_text: "otel.log.severity.text".to_owned(),
            severity_number: "otel.log.severity.number".to_owned(),
        }
    }
}

/// `heartbeat:`, read and without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Heartbeat {
    /// Without effect.
    pub interval: HumanDuration,
    /// Without effect.
    pub startup: bool,
}

/// `telemetry:`, read and without effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Without effect.
    pub enabled: bool,
    /// Without effect.
    pub override_metrics_names: std::collections::BTreeMap<String, String>,
    /// Without effect.
    pub extra_attributes: std::collections::BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            token: Secret::default(),
            endpoint: String::new(),
            host: String::new(),
            source: String::new(),
            sourcetype: String::new(),
            index: String::new(),
            ack: AckMode::Auto,
            ack_poll_interval: HumanDuration(Duration::from_secs(1)),
            ack_timeout: HumanDuration(Duration::from_secs(120)),
            log_data_enabled: true,
            profiling_data_enabled: true,
            disable_compression: None,
            max_content_length_logs: None,
            max_content_length_metrics: None,
            max_content_length_traces: None,
            max_event_size: None,
            splunk_app_name: None,
            splunk_app_version: None,
            otel_attrs_to_hec_metadata: HecMetadata::default(),
            hec_metadata_to_otel_attrs: None,
            otel_to_hec_fields: HecFields::default(),
            export_raw: false,
            use_multi_metric_format: false,
            health_path: "/services/collector/health".to_owned(),
            health_check_enabled: false,
            heartbeat: None,
            telemetry: None,
            timeout: None,
            tls: TlsClientConfig::default(),
            headers: Headers::default(),
            auth: None,
            proxy_url: None,
            max_idle_conns: None,
            max_idle_conns_per_host: None,
            idle_conn_timeout: None,
            disable_keep_alives: false,
            http2_read_idle_timeout: None,
            http2_ping_timeout: None,
            retry_on_failure: RetryConfig::default(),
            sending_queue: QueueConfig::default(),
            max_connections: None,
            batcher: None,
        }
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.http().check(problems);
        self.shared().check(problems);
        if self.endpoint.is_empty() {
            problems
                .error("`endpoint` is missing")
                .help("write the collector's URL, such as https://splunk.example.com:8088");
        }
        if self.token.is_empty() {
            problems
                .error("`token` is missing")
                .help("write it as ${env:SPLUNK_HEC_TOKEN}");
        } else if super::authorization(self.token.expose()).is_none() {
            problems.at("token", |p| {
                p.error("holds characters that no header can, such as a line break");
            });
        }
        for (key, size, least) in [
            ("max_content_length_logs", self.max_content_length_logs, 0),
            ("max_event_size", self.max_event_size, 1),
        ] {
            if size.is_some_and(|n| n < least || n > MOST_BYTES) {
                problems.at(key, |p| {
                    p.error(format!("must be between {least} and {MOST_BYTES} bytes"));
                });
            }
        }
        if self.ack_poll_interval.0 < Duration::from_millis(10) {
            problems.at("ack_poll_interval", |p| {
                p.error("must be at least 10ms");
            });
        }
        if self.ack_timeout.0 <= self.ack_poll_interval.0 {
            problems.at("ack_timeout", |p| {
                p.error("must be longer than ack_poll_interval");
            });
        }
        if !self.log_data_enabled {
            problems.at("log_data_enabled", |p| {
                p.error("log records are what this exporter delivers")
                    .help("take the exporter out of the pipeline");
            });
        }
        self.check_what_has_no_effect(problems);
    }

    fn extensions(&self) -> Vec<String> {
        self.auth
            .iter()
            .map(|auth| auth.authenticator.clone())
            .collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.tls.files()
    }
}

impl Config {
    fn check_what_has_no_effect(&self, problems: &mut Problems) {
        let without_effect = [
            (
                "max_content_length_metrics",
                self.max_content_length_metrics.is_some(),
                "max_content_length_logs holds for all records",
            ),
            (
                "max_content_length_traces",
                self.max_content_length_traces.is_some(),
                "max_content_length_logs holds for all records",
            ),
            (
                "use_multi_metric_format",
                self.use_multi_metric_format,
                "metrics are sent as events",
            ),
            (
                "heartbeat",
                self.heartbeat.is_some(),
                "no heartbeat events are sent",
            ),
            (
                "telemetry",
                self.telemetry.is_some(),
                "Sluice has metrics of its own",
            ),
            (
                "max_connections",
                self.max_connections.is_some(),
                "removed from the Collector; use max_idle_conns",
            ),
            (
                "batcher",
                self.batcher.is_some(),
                "removed from the Collector; use sending_queue.batch",
            ),
        ];
        for (key, is_given, why) in without_effect {
            if is_given {
                problems.at(key, |p| {
                    p.warning(format!("has no effect: {why}"));
                });
            }
        }
        if self.hec_metadata_to_otel_attrs.is_some() {
            problems.at("hec_metadata_to_otel_attrs", |p| {
                p.warning("is the earlier name of otel_attrs_to_hec_metadata")
                    .help("rename the key");
            });
        }
    }

    pub(super) fn metadata(&self) -> &HecMetadata {
        self.hec_metadata_to_otel_attrs
            .as_ref()
            .unwrap_or(&self.otel_attrs_to_hec_metadata)
    }

    pub(super) fn app_name(&self) -> &str {
        self.splunk_app_name.as_deref().unwrap_or("Sluice")
    }

    pub(super) fn app_version(&self) -> &str {
        self.splunk_app_version
            .as_deref()
            .unwrap_or(env!("CARGO_PKG_VERSION"))
    }

    pub(super) fn max_event_bytes(&self) -> usize {
        usize::try_from(self.max_event_size.unwrap_or(DEFAULT_EVENT)).unwrap_or(usize::MAX)
    }

    pub(super) fn limits(&self) -> Limits {
        let bytes = match self.max_content_length_logs.unwrap_or(DEFAULT_BODY) {
            0 => MOST_BYTES,
            n => n,
        };
        Limits {
            max_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            max_records: MOST_EVENTS,
            framing: Framing::Concatenated,
        }
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.timeout
            .filter(|t| !t.0.is_zero())
            .map_or(Duration::from_secs(10), |t| t.0)
    }

    /// How long an attempt may begin new requests.
    pub(super) fn patience(&self) -> Duration {
        self.request_timeout() * 8
    }

    pub(super) fn ack_timing(&self) -> (Duration, Duration) {
        (self.ack_poll_interval.0, self.ack_timeout.0)
    }

    /// Where records go: the endpoint, with the collector's path if it has none.
    pub(super) fn url(&self) -> Result<Url, BuildError> {
        let mut url = parse_url(&self.endpoint)?;
        if url.path().trim_matches('/').is_empty() {
            url.set_path(if self.export_raw {
                "/services/collector/raw"
            } else {
                "/services/collector"
            });
        }
        Ok(url)
    }

    /// Where acknowledgements are asked for, beside `url`.
    pub(super) fn ack_url(&self, url: &Url) -> Url {
        const ROOT: &str = "/services/collector";
        let mut ack = url.clone();
        let before = url.path().find(ROOT).map_or("", |at| &url.path()[..at]);
        ack.set_path(&format!("{before}{ROOT}/ack"));
        ack.set_query(None);
        ack
    }

    pub(super) fn http(&self) -> HttpKeys {
        let ten_seconds = Some(HumanDuration(Duration::from_secs(10)));
        HttpKeys {
            endpoint: self.endpoint.clone(),
            tls: self.tls.clone(),
            headers: self.headers.clone(),
            auth: self.auth.clone(),
            proxy_url: self.proxy_url.clone(),
            max_idle_conns: self.max_idle_conns,
            max_idle_conns_per_host: self.max_idle_conns_per_host,
            idle_conn_timeout: self.idle_conn_timeout.or(ten_seconds),
            disable_keep_alives: self.disable_keep_alives,
            http2_read_idle_timeout: self.http2_read_idle_timeout.or(ten_seconds),
            http2_ping_timeout: self.http2_ping_timeout.or(ten_seconds),
            compression: self.disable_compression.map(|off| {
                if off {
                    Compression::None
                } else {
                    Compression::Gzip
                }
            }),
            level: 1,
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
        let mut defaults = Delivery::default();
        if self.ack != AckMode::Off {
            defaults.max_concurrency = MOST_WAITING;
        }
        let mut delivery = self.shared().delivery(defaults);
        let acks = if self.ack == AckMode::Off {
            Duration::ZERO
        } else {
            self.ack_timeout.0
        };
        // `timeout` bounds a request; an attempt may need several, and ends by itself before this.
        delivery.attempt_timeout = self.patience() + self.request_timeout() * 2 + acks;
        delivery
    }
}
