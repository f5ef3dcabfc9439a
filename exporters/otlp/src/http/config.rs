//! The keys of an `otlp_http` exporter, those of the OpenTelemetry Collector's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_batch::Signal;
use sluice_component::{
    BuildContext, BuildError, BuiltExporter, ByteSize, Checked, DeliveryConfig, ExporterConfig,
    HumanDuration, Problems, QueueConfig, RetryConfig, Secret,
};
use sluice_net::client::{CookiesConfig, parse_url};
use sluice_net::{
    AuthConfig, Compression, CompressionParams, Headers, HttpClientConfig, Middleware,
    TlsClientConfig,
};
use url::Url;

use super::exporter::OtlpHttp;
use crate::delivery::Limits;
use crate::{DEFAULT_MAX_REQUEST_SIZE, PATIENCE, check_size, drive, timeout_or};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How requests are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Protobuf, `application/x-protobuf`.
    #[default]
    Proto,
    /// OTLP/JSON, `application/json`.
    Json,
}

/// Sends logs, traces and metrics to an OTLP/HTTP server.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Base URL; `/v1/logs`, `/v1/traces` or `/v1/metrics` is added to it. Required, unless the URLs of the signals
    /// are given.
    pub endpoint: String,
    /// URL for logs, used as it is.
    pub logs_endpoint: String,
    /// URL for traces, used as it is.
    pub traces_endpoint: String,
    /// URL for metrics, used as it is.
    pub metrics_endpoint: String,
    /// Accepted and without effect: there are no profiles.
    pub profiles_endpoint: String,
    /// `proto` (default) or `json`.
    pub encoding: Encoding,
    /// Proxy URL, which may hold credentials. Default: none; the environment is not asked.
    pub proxy_url: Option<Secret>,
    /// TLS settings of an `https://` endpoint.
    pub tls: TlsClientConfig,
    /// Headers added to each request.
    pub headers: Headers,
    /// The extension that adds credentials to each request.
    pub auth: Option<AuthConfig>,
    /// Longest that one request may take. Default 30s; an attempt may be several requests.
    pub timeout: Option<HumanDuration>,
    /// Compression of request bodies: `none`, `gzip`, `zstd`, `zlib`, `deflate`. Default `gzip`; a server need not know
    /// any other.
    pub compression: Compression,
    /// Effort of the compression.
    pub compression_params: CompressionParams,
    /// Accepted and without effect: buffers size themselves.
    pub read_buffer_size: u64,
    /// Accepted and without effect: buffers size themselves.
    pub write_buffer_size: u64,
    /// Idle connections kept, for each host. Default 100.
    pub max_idle_conns: usize,
    /// Idle connections kept for each host; wins over `max_idle_conns` when it is not 0. Default 0.
    pub max_idle_conns_per_host: usize,
    /// Accepted and without effect: the exporter's concurrency bounds the connections.
    pub max_conns_per_host: usize,
    /// An idle connection is closed after this long. Default 90s; 0: never.
    pub idle_conn_timeout: HumanDuration,
    /// A connection for each request. Default false.
    pub disable_keep_alives: bool,
    /// Ping an HTTP/2 connection on which nothing arrived for this long. Default 0: never.
    pub http2_read_idle_timeout: HumanDuration,
    /// Close it when the ping is not answered within this. Default 15s.
    pub http2_ping_timeout: HumanDuration,
    /// Offer HTTP/2 on TLS connections. Default true.
    pub force_attempt_http2: bool,
    /// Accepted only as `enabled: false`: cookies are not kept.
    pub cookies: CookiesConfig,
    /// Must be empty: middleware extensions do not exist.
    pub middlewares: Vec<Middleware>,
    /// Patience with a destination that does not take records.
    pub retry_on_failure: RetryConfig,
    /// Gathering and concurrency.
    pub sending_queue: QueueConfig,
    /// Most bytes of a request before compression, 1KiB to 64MiB; a larger batch goes out in several, a record larger
    /// than this in one of its own. Default 3774870 (4 MiB, which most servers are left at, less a tenth).
    pub max_request_size: ByteSize,
}

impl Default for Config {
    fn default() -> Self {
        let client = HttpClientConfig::default();
        Self {
            endpoint: String::new(),
            logs_endpoint: String::new(),
            traces_endpoint: String::new(),
            metrics_endpoint: String::new(),
            profiles_endpoint: String::new(),
            encoding: Encoding::Proto,
            proxy_url: None,
            tls: client.tls,
            headers: client.headers,
            auth: None,
            timeout: None,
            compression: Compression::Gzip,
            compression_params: client.compression_params,
            read_buffer_size: 0,
            write_buffer_size: 0,
            max_idle_conns: client.max_idle_conns,
            max_idle_conns_per_host: client.max_idle_conns_per_host,
            max_conns_per_host: client.max_conns_per_host,
            idle_conn_timeout: client.idle_conn_timeout,
            disable_keep_alives: client.disable_keep_alives,
            http2_read_idle_timeout: client.http2_read_idle_timeout,
            http2_ping_timeout: client.http2_ping_timeout,
            force_attempt_http2: client.force_attempt_http2,
            cookies: client.cookies,
            middlewares: Vec::new(),
            retry_on_failure: RetryConfig::default(),
            sending_queue: QueueConfig::default(),
            max_request_size: ByteSize(DEFAULT_MAX_REQUEST_SIZE),
        }
    }
}

impl Config {
    fn client(&self) -> HttpClientConfig {
        HttpClientConfig {
            endpoint: self.endpoint.clone(),
            proxy_url: self.proxy_url.clone(),
            tls: self.tls.clone(),
            headers: self.headers.clone(),
            auth: self.auth.clone(),
            timeout: self.timeout,
            compression: Some(self.compression),
            compression_params: self.compression_params,
            read_buffer_size: self.read_buffer_size,
            write_buffer_size: self.write_buffer_size,
            max_idle_conns: self.max_idle_conns,
            max_idle_conns_per_host: self.max_idle_conns_per_host,
            max_conns_per_host: self.max_conns_per_host,
            idle_conn_timeout: self.idle_conn_timeout,
            disable_keep_alives: self.disable_keep_alives,
            http2_read_idle_timeout: self.http2_read_idle_timeout,
            http2_ping_timeout: self.http2_ping_timeout,
            force_attempt_http2: self.force_attempt_http2,
            cookies: self.cookies,
            middlewares: self.middlewares.clone(),
        }
    }

    fn delivery(&self) -> DeliveryConfig<'_> {
        DeliveryConfig {
            retry: &self.retry_on_failure,
            queue: &self.sending_queue,
            timeout: self.timeout,
        }
    }

    fn own_endpoints(&self) -> [(&'static str, &str); 3] {
        [
            ("logs_endpoint", &self.logs_endpoint),
            ("traces_endpoint", &self.traces_endpoint),
            ("metrics_endpoint", &self.metrics_endpoint),
        ]
    }

    /// Where a signal goes; `None` when neither its own URL nor the base is given.
    pub(crate) fn url(&self, signal: Signal) -> Result<Option<Url>, BuildError> {
        let (key, own) = match signal {
            Signal::Logs => self.own_endpoints()[0],
            Signal::Traces => self.own_endpoints()[1],
            Signal::Metrics => self.own_endpoints()[2],
        };
        if !own.is_empty() {
            return parse_url(own)
                .map(Some)
                .map_err(|error| BuildError(format!("{key}: {error}")));
        }
        if self.endpoint.is_empty() {
            return Ok(None);
        }
        let mut url =
            parse_url(&self.endpoint).map_err(|error| BuildError(format!("endpoint: {error}")))?;
        url.set_path(&format!(
            "{}/v1/{}",
            url.path().trim_end_matches('/'),
            signal.name()
        ));
        Ok(Some(url))
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        if self.endpoint.is_empty() && self.own_endpoints().iter().all(|(_, url)| url.is_empty()) {
            problems.at("endpoint", |p| {
                p.error("is required, unless `logs_endpoint`, `traces_endpoint` or `metrics_endpoint` is given").help("write `http://host:4318`");
            });
        }
        for (key, url) in self.own_endpoints() {
            if !url.is_empty()
                && let Err(error) = parse_url(url)
            {
                problems.at(key, |p| {
                    p.error(error).help("write `https://host:port/path`");
                });
            }
        }
        if !self.profiles_endpoint.is_empty() {
            problems.at("profiles_endpoint", |p| {
                p.warning("has no effect: there are no profiles");
            });
        }
        self.client().check(problems);
        self.delivery().check(problems);
        check_size(self.max_request_size, problems);
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

impl ExporterConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        let timeout = timeout_or(self.timeout, DEFAULT_TIMEOUT);
        let exporter = OtlpHttp {
            client: self.client().build(context)?,
            urls: [
                self.url(Signal::Logs)?,
                self.url(Signal::Traces)?,
                self.url(Signal::Metrics)?,
            ],
            encoding: self.encoding,
            compression: self.compression,
            compression_params: self.compression_params,
            timeout,
            limits: Limits {
                max_bytes: usize::try_from(self.max_request_size.0).unwrap_or(usize::MAX),
                patience: timeout.saturating_mul(PATIENCE),
            },
        };
        let delivery = drive(self.delivery(), timeout, self.max_request_size);
        Ok(vec![BuiltExporter {
            key: String::new(),
            exporter: Arc::new(exporter),
            delivery,
        }])
    }
}
