//! The keys of an `otlp_grpc` exporter, those of the OpenTelemetry Collector's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, BuiltExporter, ByteSize, Checked, DeliveryConfig, ExporterConfig,
    HumanDuration, Problems, QueueConfig, RetryConfig,
};
use sluice_net::grpc_client::KeepaliveClientConfig;
use sluice_net::{
    AuthConfig, Compression, CompressionParams, GrpcClientConfig, Headers, Middleware,
    TlsClientConfig,
};
use tonic::codec::CompressionEncoding;

use super::exporter::OtlpGrpc;
use crate::delivery::Limits;
use crate::{DEFAULT_MAX_REQUEST_SIZE, PATIENCE, check_size, drive, timeout_or};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const USER_AGENT: &str = concat!("sluice/", env!("CARGO_PKG_VERSION"));

/// Sends logs, traces and metrics to an OTLP/gRPC server.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `host:port`, `dns:///host:port`, or an `http://` (plaintext) or `https://` (TLS) URL. Without a scheme,
    /// `tls.insecure` decides; TLS is the default. Required.
    pub endpoint: String,
    /// Compression of messages: `none`, `gzip`, `zstd`. Default `gzip`; a server need not know `zstd`.
    pub compression: Compression,
    /// Accepted and without effect: the gRPC library chooses the effort.
    pub compression_params: CompressionParams,
    /// TLS settings.
    pub tls: TlsClientConfig,
    /// Pings on a silent connection. Default: none.
    pub keepalive: Option<KeepaliveClientConfig>,
    /// Accepted and without effect: buffers size themselves.
    pub read_buffer_size: u64,
    /// Accepted and without effect: buffers size themselves.
    pub write_buffer_size: u64,
    /// Accepted and without effect: a request waits for its connection and is tried again by the engine.
    pub wait_for_ready: bool,
    /// Metadata added to each request.
    pub headers: Headers,
    /// Put before the library's own `User-Agent`. Default `sluice/VERSION`.
    pub user_agent: Option<String>,
    /// Accepted and without effect: one connection carries all requests.
    pub balancer_name: Option<String>,
    /// `:authority` to send instead of the endpoint's.
    pub authority: Option<String>,
    /// The extension that adds credentials to each request.
    pub auth: Option<AuthConfig>,
    /// Must be empty: middleware extensions do not exist.
    pub middlewares: Vec<Middleware>,
    /// Longest that one request may take. Default 5s; an attempt may be several requests.
    pub timeout: Option<HumanDuration>,
    /// Patience with a destination that does not take records.
    pub retry_on_failure: RetryConfig,
    /// Gathering and concurrency.
    pub sending_queue: QueueConfig,
    /// Most bytes of a request before compression, 1KiB to 64MiB; a larger batch goes out in several, a record larger
    /// than this in one of its own. Default 3774870 (4 MiB, which most gRPC servers are left at, less a tenth).
    pub max_request_size: ByteSize,
    /// Whether RESOURCE_EXHAUSTED without `RetryInfo` is tried again. Default true: many servers limit their rate so.
    /// False, as the protocol's letter has it: the records are refused.
    pub retry_resource_exhausted: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            compression: Compression::Gzip,
            compression_params: CompressionParams::default(),
            tls: TlsClientConfig::default(),
            keepalive: None,
            read_buffer_size: 0,
            write_buffer_size: 0,
            wait_for_ready: false,
            headers: Headers::default(),
            user_agent: None,
            balancer_name: None,
            authority: None,
            auth: None,
            middlewares: Vec::new(),
            timeout: None,
            retry_on_failure: RetryConfig::default(),
            sending_queue: QueueConfig::default(),
            max_request_size: ByteSize(DEFAULT_MAX_REQUEST_SIZE),
            retry_resource_exhausted: true,
        }
    }
}

impl Config {
    fn client(&self) -> GrpcClientConfig {
        GrpcClientConfig {
            endpoint: self.endpoint.clone(),
            compression: Some(self.compression),
            compression_params: self.compression_params,
            tls: self.tls.clone(),
            keepalive: self.keepalive,
            read_buffer_size: self.read_buffer_size,
            write_buffer_size: self.write_buffer_size,
            wait_for_ready: self.wait_for_ready,
            headers: self.headers.clone(),
            user_agent: Some(
                self.user_agent
                    .clone()
                    .unwrap_or_else(|| USER_AGENT.to_owned()),
            ),
            balancer_name: self.balancer_name.clone(),
            authority: self.authority.clone(),
            auth: self.auth.clone(),
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
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        if self.endpoint.is_empty() {
            problems.at("endpoint", |p| {
                p.error("is required").help("write `host:4317`");
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
        let exporter = OtlpGrpc {
            client: self.client().build(context)?,
            compression: match self.compression {
                Compression::Gzip => Some(CompressionEncoding::Gzip),
                Compression::Zstd => Some(CompressionEncoding::Zstd),
                Compression::None | Compression::Zlib | Compression::Deflate => None,
            },
            timeout,
            limits: Limits {
                max_bytes: usize::try_from(self.max_request_size.0).unwrap_or(usize::MAX),
                patience: timeout.saturating_mul(PATIENCE),
            },
            retry_exhausted: self.retry_resource_exhausted,
        };
        let delivery = drive(self.delivery(), timeout, self.max_request_size);
        Ok(vec![BuiltExporter {
            key: String::new(),
            exporter: Arc::new(exporter),
            delivery,
        }])
    }
}
