//! `confighttp` client: keys, and the client that they build.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{BuildContext, BuildError, HumanDuration, Problems, Secret};
use url::Url;

use crate::middleware::{self, Middleware};
use crate::{
    AuthConfig, Compression, CompressionParams, Headers, OutgoingHeaders, TlsClientConfig,
};

/// At most this many bytes of an answer's body are read; what a destination says beyond that is of no use.
pub const MAX_ANSWER_BYTES: usize = 4 << 20;

/// The keys of an HTTP client.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpClientConfig {
    /// Where to send: `http://` or `https://` URL.
    pub endpoint: String,
    /// Proxy URL, which may hold credentials. Default: none; the environment is not asked.
    pub proxy_url: Option<Secret>,
    /// TLS settings of an `https://` endpoint.
    pub tls: TlsClientConfig,
    /// Headers added to each request.
    pub headers: Headers,
    /// The extension that adds credentials to each request.
    pub auth: Option<AuthConfig>,
    /// Longest that one request may take. Default: the component's.
    pub timeout: Option<HumanDuration>,
    /// Compression of request bodies: `none`, `gzip`, `zstd`, `zlib`, `deflate`. Default: the component's.
    pub compression: Option<Compression>,
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
}

impl Default for HttpClientConfig {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            proxy_url: None,
            tls: TlsClientConfig::default(),
            headers: Headers::default(),
            auth: None,
            timeout: None,
            compression: None,
            compression_params: CompressionParams::default(),
            read_buffer_size: 0,
            write_buffer_size: 0,
            max_idle_conns: 100,
            max_idle_conns_per_host: 0,
            max_conns_per_host: 0,
            idle_conn_timeout: HumanDuration(Duration::from_secs(90)),
            disable_keep_alives: false,
            http2_read_idle_timeout: HumanDuration(Duration::ZERO),
            http2_ping_timeout: HumanDuration(Duration::from_secs(15)),
            force_attempt_http2: true,
            cookies: CookiesConfig::default(),
            middlewares: Vec::new(),
        }
    }
}

/// `cookies:` of an HTTP client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CookiesConfig {
    /// Must be false.
    pub enabled: bool,
}

impl HttpClientConfig {
    /// Reports what is wrong, except for an empty `endpoint`, which not every component requires.
    pub fn check(&self, problems: &mut Problems) {
        if !self.endpoint.is_empty() {
            problems.at("endpoint", |p| {
                if let Err(error) = parse_url(&self.endpoint) {
                    p.error(error).help("write `https://host:port/path`");
                }
            });
        }
        if let Some(proxy) = &self.proxy_url
            && Url::parse(proxy.expose()).is_err()
        {
            problems.at("proxy_url", |p| {
                p.error("is not a URL");
            });
        }
        problems.at("tls", |p| self.tls.check(p));
        problems.at("headers", |p| self.headers.check(p));
        if self.cookies.enabled {
            problems.at("cookies", |p| {
                p.at("enabled", |p| {
                    p.warning("cookies are not kept: this has no effect");
                })
            });
        }
        middleware::check(&self.middlewares, problems);
    }

    /// The client.
    ///
    /// # Errors
    /// Certificates or the proxy are unusable, or the authenticator is missing.
    pub fn build(&self, context: &BuildContext) -> Result<HttpClient, BuildError> {
        // The TLS backend negotiates HTTP/2 through ALPN, which reqwest leaves alone in a given configuration.
        let mut tls = self.tls.build()?;
        tls.alpn_protocols = if self.force_attempt_http2 {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        } else {
            vec![b"http/1.1".to_vec()]
        };
        let idle_per_host = match (self.disable_keep_alives, self.max_idle_conns_per_host) {
            (true, _) => 0,
            (false, 0) => self.max_idle_conns,
            (false, n) => n,
        };
        let some_unless_zero = |duration: HumanDuration| Some(duration.0).filter(|d| !d.is_zero());
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // The engine retries; a hidden second attempt would be sent without its knowledge.
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .pool_max_idle_per_host(idle_per_host)
            .pool_idle_timeout(some_unless_zero(self.idle_conn_timeout))
            .http2_keep_alive_interval(some_unless_zero(self.http2_read_idle_timeout))
            .http2_keep_alive_timeout(self.http2_ping_timeout.0);
        builder = match &self.proxy_url {
            None => builder.no_proxy(),
            Some(url) => builder.proxy(
                reqwest::Proxy::all(url.expose())
                    .map_err(|_| BuildError("proxy_url: not a proxy's URL".to_owned()))?,
            ),
        };
        let inner = builder
            .build()
            .map_err(|error| BuildError(format!("the HTTP client: {}", root_cause(&error))))?;
        Ok(HttpClient {
            inner,
            headers: Arc::new(OutgoingHeaders::new(
                &self.headers,
                self.auth.as_ref(),
                context,
            )?),
        })
    }
}

/// An `http` or `https` URL with a host.
///
/// # Errors
/// What is wrong with it, without the URL itself (it may hold credentials).
pub fn parse_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        scheme => Err(format!("is not an HTTP URL: its scheme is `{scheme}`")),
    }
}

/// Sends requests. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    inner: reqwest::Client,
    headers: Arc<OutgoingHeaders>,
}

/// A destination's answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to [`MAX_ANSWER_BYTES`].
    pub body: Bytes,
    /// The body was longer and its rest was not read.
    pub is_truncated: bool,
}

/// Why there is no answer. The texts name no URL and no header.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection (name, TCP, TLS): the request was not sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No complete answer in time: whether the request was carried out is unknown.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke: whether the request was carried out is unknown.
    #[error("connection broken: {0}")]
    Broken(String),
}

impl HttpClient {
    /// Makes one request. The static headers and the authenticator's are added; no redirect is followed and nothing
    /// is tried twice. `timeout` covers everything from connecting to the last byte of the answer.
    ///
    /// # Errors
    /// [`SendError`] when there is no complete answer.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, SendError> {
        self.headers.add_to(&mut headers);
        let request = self
            .inner
            .request(method, url.clone())
            .headers(headers)
            .body(body);
        let exchange = async {
            let mut response = request.send().await?;
            let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
            let mut body = BytesMut::new();
            let mut is_truncated = false;
            while let Some(chunk) = response.chunk().await? {
                let room = MAX_ANSWER_BYTES - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    is_truncated = true;
                    break;
                }
            }
            Ok::<_, reqwest::Error>(Answer {
                status,
                headers,
                body: body.freeze(),
                is_truncated,
            })
        };
        match tokio::time::timeout(timeout, exchange).await {
            Err(_) => Err(SendError::Timeout(timeout)),
            Ok(Err(error)) if error.is_connect() => Err(SendError::Connect(root_cause(&error))),
            Ok(Err(error)) => Err(SendError::Broken(root_cause(&error))),
            Ok(Ok(answer)) => Ok(answer),
        }
    }
}

/// The innermost error, which says what happened; the outer ones name the URL.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // reqwest's own error without a source would show its URL.
    match cause.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_builder() => "invalid request".to_owned(),
        Some(_) => "request failed".to_owned(),
        None => fmt::format(format_args!("{cause}")),
    }
}

#[cfg(test)]
mod tests;
