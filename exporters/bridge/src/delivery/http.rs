//! One HTTP request: compression, headers, time limit.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use sluice_component::{BuildContext, BuildError, HumanDuration, Problems, Secret};
use sluice_net::client::{self, Answer, HttpClient, HttpClientConfig, SendError};
use sluice_net::{AuthConfig, Compression, CompressionParams, Headers, TlsClientConfig};
use url::{Host, Url};

/// Bodies above this are compressed away from the threads that drive connections.
const COMPRESS_ELSEWHERE: usize = 256 << 10;

/// The HTTP keys of an exporter's configuration, gathered.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpKeys {
    pub(crate) endpoint: String,
    pub(crate) tls: TlsClientConfig,
    pub(crate) headers: Headers,
    pub(crate) auth: Option<AuthConfig>,
    pub(crate) proxy_url: Option<Secret>,
    pub(crate) max_idle_conns: Option<usize>,
    pub(crate) max_idle_conns_per_host: Option<usize>,
    pub(crate) idle_conn_timeout: Option<HumanDuration>,
    pub(crate) disable_keep_alives: bool,
    pub(crate) http2_read_idle_timeout: Option<HumanDuration>,
    pub(crate) http2_ping_timeout: Option<HumanDuration>,
    /// `None`: gzip, and nothing on loopback.
    pub(crate) compression: Option<Compression>,
    pub(crate) level: i32,
}

impl HttpKeys {
    /// Reports what is wrong with them, at their places in the exporter's block.
    pub(crate) fn check(&self, problems: &mut Problems) {
        self.client().check(problems);
        problems.at("endpoint", |p| no_credentials(&self.endpoint, p));
    }

    /// The client. `fixed`: headers of every request; the values are secrets.
    pub(crate) fn build(
        &self,
        context: &BuildContext,
        timeout: Duration,
        fixed: &[(HeaderName, &str)],
    ) -> Result<Http, BuildError> {
        let mut headers = HeaderMap::new();
        for (name, value) in fixed {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                BuildError(format!(
                    "the value of the header `{name}` holds characters that no header can"
                ))
            })?;
            value.set_sensitive(true);
            headers.insert(name.clone(), value);
        }
        let client = self.client().build(context)?;
        Ok(Http {
            client,
            headers,
            timeout,
            compression: self.compression,
            params: CompressionParams { level: self.level },
        })
    }

    fn client(&self) -> HttpClientConfig {
        let defaults = HttpClientConfig::default();
        HttpClientConfig {
            endpoint: self.endpoint.clone(),
            tls: self.tls.clone(),
            headers: self.headers.clone(),
            auth: self.auth.clone(),
            proxy_url: self.proxy_url.clone(),
            max_idle_conns: self.max_idle_conns.unwrap_or(defaults.max_idle_conns),
            max_idle_conns_per_host: self
                .max_idle_conns_per_host
                .unwrap_or(defaults.max_idle_conns_per_host),
            idle_conn_timeout: self.idle_conn_timeout.unwrap_or(defaults.idle_conn_timeout),
            disable_keep_alives: self.disable_keep_alives,
            http2_read_idle_timeout: self
                .http2_read_idle_timeout
                .unwrap_or(defaults.http2_read_idle_timeout),
            http2_ping_timeout: self
                .http2_ping_timeout
                .unwrap_or(defaults.http2_ping_timeout),
            ..defaults
        }
    }
}

/// Makes requests of one destination.
#[derive(Debug)]
pub(crate) struct Http {
    client: HttpClient,
    headers: HeaderMap,
    timeout: Duration,
    compression: Option<Compression>,
    params: CompressionParams,
}

impl Http {
    /// Posts records, compressed. `more`: headers of this request, which win.
    pub(crate) async fn post(
        &self,
        url: &Url,
        more: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, SendError> {
        let compression = self.compression.unwrap_or(if is_loopback(url) {
            Compression::None
        } else {
            Compression::Gzip
        });
        let params = self.params;
        let body = match compression {
            Compression::None => body,
            _ if body.len() <= COMPRESS_ELSEWHERE => {
                compression.compress(params, &body).map_err(broken)?.into()
            }
            _ => tokio::task::spawn_blocking(move || compression.compress(params, &body))
                .await
                .map_err(broken)?
                .map_err(broken)?
                .into(),
        };
        let mut headers = more;
        if let Some(encoding) = compression.content_encoding() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        self.send(Method::POST, url, headers, body).await
    }

    /// Makes any request, uncompressed.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        more: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, SendError> {
        let mut headers = self.headers.clone();
        headers.extend(more);
        self.client
            .send(method, url, headers, body, self.timeout)
            .await
    }
}

fn broken(error: impl std::fmt::Display) -> SendError {
    SendError::Broken(error.to_string())
}

/// Whether a URL names this machine, where compression costs more than it saves.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Reports a URL that holds credentials: URLs are shown where secrets must not be.
pub(crate) fn no_credentials(url: &str, problems: &mut Problems) {
    if Url::parse(url).is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
        problems
            .error("holds credentials, and URLs are shown in logs")
            .help("give them in keys of their own");
    }
}

/// Parses an endpoint that `check` accepted.
pub(crate) fn parse_url(text: &str) -> Result<Url, BuildError> {
    client::parse_url(text).map_err(|error| BuildError(format!("endpoint {error}")))
}

#[cfg(test)]
mod tests {
    use sluice_testing::datadog;

    use super::*;

    async fn encoding_of(compression: Option<Compression>) -> Option<String> {
        let double = datadog::Double::start().await;
        let keys = HttpKeys {
            compression,
            ..HttpKeys::default()
        };
        let http = keys
            .build(&crate::tests::context(), Duration::from_secs(5), &[])
            .expect("a client");
        let url = parse_url(&double.url("/api/v2/logs")).expect("a URL");
        // Below and above the size that is compressed elsewhere.
        for size in [10, COMPRESS_ELSEWHERE + 1] {
            http.post(&url, HeaderMap::new(), vec![b'x'; size].into())
                .await
                .expect("an answer");
        }
        let seen = double.traffic().read(|traffic| traffic.seen.clone());
        let encodings: Vec<_> = seen
            .iter()
            .map(|seen| seen.headers.get(header::CONTENT_ENCODING).cloned())
            .collect();
        assert_eq!(encodings[0], encodings[1]);
        assert_eq!(seen[1].body_bytes < 10_000, encodings[1].is_some());
        encodings[0]
            .as_ref()
            .map(|value| value.to_str().expect("text").to_owned())
    }

    #[tokio::test]
    async fn loopback_gets_plain_bodies_unless_told_otherwise() {
        assert_eq!(encoding_of(None).await, None);
        assert_eq!(
            encoding_of(Some(Compression::Gzip)).await.as_deref(),
            Some("gzip")
        );
        assert_eq!(
            encoding_of(Some(Compression::Zstd)).await.as_deref(),
            Some("zstd")
        );
    }

    #[test]
    fn loopback_is_a_name_or_an_address_of_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:2", true),
            ("http://LOCALHOST", true),
            ("http://localhost.example.com", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(
                is_loopback(&Url::parse(url).expect("a URL")),
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn a_header_with_a_line_break_is_an_error_that_does_not_show_it() {
        let fixed = [(header::AUTHORIZATION, "secret\nline")];
        let error = HttpKeys::default()
            .build(&crate::tests::context(), Duration::ZERO, &fixed)
            .expect_err("not a header");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
