//! `elasticsearch:` keys.

mod blocks;
mod cloud_id;

pub use blocks::{
    Discover, Enabled, Flush, IdMode, LogstashFormat, Mapping, MappingMode, Retry, Setup,
    Telemetry, Template,
};

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildError, Checked, Delivery, DeliveryConfig, HumanDuration, Problems, QueueConfig,
    RetryConfig, Secret,
};
use sluice_net::{AuthConfig, Compression, CompressionParams, Headers, TlsClientConfig};
use url::Url;

use super::index::IndexPattern;
use crate::Removed;
use crate::delivery::{Framing, HttpKeys, Limits, no_credentials, parse_url};

/// What of an answer is asked for: `status` of every item, or positions would no longer match the request's.
const FILTER: &str = "errors,took,error.type,error.reason,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store";
/// Vendors advise 5 to 15 MB a request.
const MAX_BODY: usize = 5_000_000;
const MAX_DOCUMENTS: usize = 1_000;

/// Exporter `elasticsearch`, also for OpenSearch: the OpenTelemetry Collector's keys, and `index`, `setup`, `template`,
/// `id_mode`.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A node's URL. One of `endpoint`, `endpoints`, `cloudid` is required.
    pub endpoint: String,
    /// URLs of nodes that take turns.
    pub endpoints: Vec<String>,
    /// An Elastic Cloud id, `LABEL:BASE64`.
    pub cloudid: String,
    /// Name for basic authentication.
    pub user: String,
    /// Password for basic authentication.
    pub password: Secret,
    /// API key, as base64 of `id:key` (the `encoded` form) or as `id:key`.
    pub api_key: Secret,
    /// Index or data stream of all records, with strftime (`%Y.%m.%d`) or Logstash (`%{+YYYY.MM.dd}`) dates of the
    /// event's time in UTC. Default: `elasticsearch.index`, else a data stream: `logs-SOURCE.audit-default` for audit
    /// events, `logs-generic.otel-default` for others.
    pub index: String,
    /// The Collector's name of `index`.
    pub logs_index: String,
    /// Accepted and without effect: metrics are not delivered.
    pub metrics_index: String,
    /// Accepted and without effect: traces are not delivered.
    pub traces_index: String,
    /// Accepted and without effect: without `index`, the record names its index.
    pub logs_dynamic_index: Option<Enabled>,
    /// Accepted and without effect.
    pub metrics_dynamic_index: Option<Enabled>,
    /// Accepted and without effect.
    pub traces_dynamic_index: Option<Enabled>,
    /// Take `_id` from the attribute `elasticsearch.document_id`. Default false.
    pub logs_dynamic_id: Enabled,
    /// Accepted and without effect.
    pub traces_dynamic_id: Option<Enabled>,
    /// Take the ingest pipeline from the attribute `elasticsearch.ingest_pipeline`. Default false.
    pub logs_dynamic_pipeline: Enabled,
    /// Where `_id` comes from. Default `event`.
    pub id_mode: IdMode,
    /// Ingest pipeline of all records. Default: none.
    pub pipeline: String,
    /// A date behind the index name.
    pub logstash_format: LogstashFormat,
    /// The documents' shape.
    pub mapping: Mapping,
    /// Index template and retention. Default `off`.
    pub setup: Setup,
    /// The template that `setup` looks for or creates.
    pub template: Template,
    /// Ask Elasticsearch (not OpenSearch) to keep documents out of its error texts. Default: not sent.
    pub include_source_on_error: Option<bool>,
    /// Accepted and without effect: the answer's form is this exporter's own.
    pub bulk_response_filter_path: Vec<String>,
    /// Accepted and without effect: nodes are not discovered.
    pub discover: Option<Discover>,
    /// Accepted only empty: senders' metadata is not kept with the records.
    pub metadata_keys: Vec<String>,
    /// The Collector's retry block; `retry_on_failure` wins.
    pub retry: Option<Retry>,
    /// The Collector's earlier batching block; `sending_queue.batch` wins.
    pub flush: Option<Flush>,
    /// The Collector's earlier name of `sending_queue.num_consumers`.
    pub num_workers: Option<usize>,
    /// Removed from the Collector: a warning that names `sending_queue.batch`.
    #[schemars(skip)]
    pub batcher: Option<Removed>,
    /// Accepted and without effect: events are not written to the log.
    pub telemetry: Option<Telemetry>,
    /// Longest that one request may take. Default 90s.
    pub timeout: Option<HumanDuration>,
    /// `gzip` or `none`. Default gzip, and none on loopback.
    pub compression: Option<Compression>,
    /// Effort of the compression, 1 to 12. Default 1.
    pub compression_params: CompressionParams,
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
    /// An idle connection is closed after this long. Default 90s.
    pub idle_conn_timeout: Option<HumanDuration>,
    /// A connection for each request. Default false.
    pub disable_keep_alives: bool,
    /// Ping an HTTP/2 connection on which nothing arrived for this long. Default: never.
    pub http2_read_idle_timeout: Option<HumanDuration>,
    /// Close it when the ping is not answered within this. Default 15s.
    pub http2_ping_timeout: Option<HumanDuration>,
    /// Back-off.
    pub retry_on_failure: RetryConfig,
    /// Batching and concurrency.
    pub sending_queue: QueueConfig,
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.http().check(problems);
        self.shared(&self.retry_on_failure).check(problems);
        self.check_endpoints(problems);
        self.check_index(problems);
        if let Some(Compression::Zstd | Compression::Zlib | Compression::Deflate) = self.compression
        {
            problems.at("compression", |p| {
                p.error("only `gzip` and `none` are known to Elasticsearch");
            });
        }
        if !self.metadata_keys.is_empty() {
            problems.at("metadata_keys", |p| {
                p.error("senders' metadata is not kept with the records")
                    .help("remove the key");
            });
        }
        if let Some(retry) = &self.retry {
            problems.at("retry", |p| retry.check(p));
        }
        if self.num_workers == Some(0) {
            problems.at("num_workers", |p| {
                p.error("must be at least 1");
            });
        }
        problems.at("mapping", |p| self.mapping.check(p));
        problems.at("template", |p| self.template.check(self.setup, p));
        let without_effect = [
            (
                "metrics_index",
                !self.metrics_index.is_empty(),
                "this exporter delivers logs only",
            ),
            (
                "traces_index",
                !self.traces_index.is_empty(),
                "this exporter delivers logs only",
            ),
            (
                "logs_dynamic_index",
                self.logs_dynamic_index.is_some(),
                "without `logs_index`, the record names its index",
            ),
            (
                "metrics_dynamic_index",
                self.metrics_dynamic_index.is_some(),
                "this exporter delivers logs only",
            ),
            (
                "traces_dynamic_index",
                self.traces_dynamic_index.is_some(),
                "this exporter delivers logs only",
            ),
            (
                "traces_dynamic_id",
                self.traces_dynamic_id.is_some(),
                "this exporter delivers logs only",
            ),
            (
                "bulk_response_filter_path",
                !self.bulk_response_filter_path.is_empty(),
                "the answer's form is this exporter's own",
            ),
            (
                "discover",
                self.discover.is_some(),
                "nodes are not discovered: list them in `endpoints`",
            ),
            (
                "batcher",
                self.batcher.is_some(),
                "removed from the Collector; use sending_queue.batch",
            ),
            (
                "telemetry",
                self.telemetry.is_some(),
                "events are not written to the log",
            ),
        ];
        for (key, is_given, why) in without_effect {
            if is_given {
                problems.at(key, |p| {
                    p.warning(format!("has no effect: {why}"));
                });
            }
        }
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
    fn check_endpoints(&self, problems: &mut Problems) {
        let given = [
            !self.endpoint.is_empty(),
            !self.endpoints.is_empty(),
            !self.cloudid.is_empty(),
        ];
        let what = match given.iter().filter(|is| **is).count() {
            0 => "one of `endpoint`, `endpoints`, `cloudid` is required",
            1 => "",
            _ => "only one of `endpoint`, `endpoints`, `cloudid` can be given",
        };
        if !what.is_empty() {
            problems.error(what);
        }
        for (at, url) in self.endpoints.iter().enumerate() {
            problems.at("endpoints", |p| p.at(at, |p| no_credentials(url, p)));
            if let Err(error) = sluice_net::client::parse_url(url) {
                problems.at("endpoints", |p| {
                    p.at(at, |p| {
                        p.error(error).help("write `https://host:9200`");
                    });
                });
            }
        }
        if !self.cloudid.is_empty()
            && let Err(error) = cloud_id::url(&self.cloudid)
        {
            problems.at("cloudid", |p| {
                p.error(error)
                    .help("copy it from the deployment's page in Elastic Cloud");
            });
        }
        if self.user.is_empty() != self.password.is_empty() {
            problems.error("`user` and `password` go together");
        }
        if !self.api_key.is_empty() && !self.user.is_empty() {
            problems.error("give either `api_key` or `user` and `password`");
        }
    }

    fn check_index(&self, problems: &mut Problems) {
        if !self.index.is_empty() && !self.logs_index.is_empty() {
            problems.at("logs_index", |p| {
                p.error("is another name of `index`: give one of them");
            });
        }
        let key = if self.index.is_empty() {
            "logs_index"
        } else {
            "index"
        };
        if let Some(text) = self.index_text()
            && let Err(error) = IndexPattern::parse(&text)
        {
            problems.at(key, |p| {
                p.error(error);
            });
        }
        if self.logstash_format.enabled
            && let Err(error) =
                IndexPattern::parse(&format!("a{}", self.logstash_format.date_format))
        {
            problems.at("logstash_format", |p| {
                p.at("date_format", |p| {
                    p.error(error);
                });
            });
        }
    }

    /// The index of all records, as a pattern; `None`: records name theirs.
    pub(super) fn index_text(&self) -> Option<String> {
        let index = if self.index.is_empty() {
            &self.logs_index
        } else {
            &self.index
        };
        let format = &self.logstash_format;
        match (index.is_empty(), format.enabled) {
            (true, _) => None,
            (false, false) => Some(index.clone()),
            (false, true) => Some(format!(
                "{index}{}{}",
                format.prefix_separator, format.date_format
            )),
        }
    }

    /// The nodes.
    pub(super) fn urls(&self) -> Result<Vec<Url>, BuildError> {
        if !self.cloudid.is_empty() {
            let url = cloud_id::url(&self.cloudid)
                .map_err(|error| BuildError(format!("cloudid {error}")))?;
            return Ok(vec![parse_url(&url)?]);
        }
        let urls: Vec<&str> = if self.endpoints.is_empty() {
            vec![&self.endpoint]
        } else {
            self.endpoints.iter().map(String::as_str).collect()
        };
        urls.into_iter().map(parse_url).collect()
    }

    /// The query of every bulk request.
    pub(super) fn bulk_query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("filter_path", FILTER);
        if !self.pipeline.is_empty() {
            query.append_pair("pipeline", &self.pipeline);
        }
        if let Some(include) = self.include_source_on_error {
            query.append_pair(
                "include_source_on_error",
                if include { "true" } else { "false" },
            );
        }
        query.finish()
    }

    /// The `Authorization` of every request.
    pub(super) fn authorization(&self) -> Option<Secret> {
        if !self.api_key.is_empty() {
            let key = self.api_key.expose();
            let encoded = if key.contains(':') {
                STANDARD.encode(key)
            } else {
                key.to_owned()
            };
            return Some(Secret::new(format!("ApiKey {encoded}")));
        }
        (!self.user.is_empty()).then(|| {
            Secret::new(format!(
                "Basic {}",
                STANDARD.encode(format!("{}:{}", self.user, self.password.expose()))
            ))
        })
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_bytes: MAX_BODY,
            max_records: MAX_DOCUMENTS,
            framing: Framing::Concatenated,
        }
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.timeout
            .filter(|t| !t.0.is_zero())
            .map_or(Duration::from_secs(90), |t| t.0)
    }

    pub(super) fn patience(&self) -> Duration {
        self.request_timeout() * 3
    }

    pub(super) fn http(&self) -> HttpKeys {
        HttpKeys {
            endpoint: self.endpoint.clone(),
            tls: self.tls.clone(),
            headers: self.headers.clone(),
            auth: self.auth.clone(),
            proxy_url: self.proxy_url.clone(),
            max_idle_conns: self.max_idle_conns,
            max_idle_conns_per_host: self.max_idle_conns_per_host,
            idle_conn_timeout: self.idle_conn_timeout,
            disable_keep_alives: self.disable_keep_alives,
            http2_read_idle_timeout: self.http2_read_idle_timeout,
            http2_ping_timeout: self.http2_ping_timeout,
            compression: self.compression,
            level: self.compression_params.level,
        }
    }

    fn shared<'a>(&'a self, retry: &'a RetryConfig) -> DeliveryConfig<'a> {
        DeliveryConfig {
            retry,
            queue: &self.sending_queue,
            timeout: self.timeout,
        }
    }

    pub(crate) fn delivery(&self) -> Delivery {
        let mut defaults = Delivery::default();
        defaults.max_concurrency = self.num_workers.unwrap_or(defaults.max_concurrency).max(1);
        if let Some(flush) = &self.flush {
            flush.apply(&mut defaults);
        }
        if let Some(retry) = &self.retry {
            retry.shared().apply(&mut defaults);
        }
        let mut delivery = self.shared(&self.retry_on_failure).delivery(defaults);
        delivery.attempt_timeout = self.patience() + self.request_timeout() * 2;
        delivery
    }
}
