//! `configgrpc` client: keys, and the channel that they build.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{BuildContext, BuildError, HumanDuration, Problems};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};

use crate::middleware::{self, Middleware};
use crate::{
    AuthConfig, Compression, CompressionParams, Headers, OutgoingHeaders, TlsClientConfig,
};

/// The keys of a gRPC client.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcClientConfig {
    /// `host:port`, `dns:///host:port`, or an `http://` (plaintext) or `https://` (TLS) URL. Without a scheme,
    /// `tls.insecure` decides; TLS is the default.
    pub endpoint: String,
    /// Compression of messages: `none`, `gzip`, `zstd`. Default: the component's.
    pub compression: Option<Compression>,
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
    /// Put before the library's own `User-Agent`.
    pub user_agent: Option<String>,
    /// Accepted and without effect: one connection carries all requests.
    pub balancer_name: Option<String>,
    /// `:authority` to send instead of the endpoint's.
    pub authority: Option<String>,
    /// The extension that adds credentials to each request.
    pub auth: Option<AuthConfig>,
    /// Must be empty: middleware extensions do not exist.
    pub middlewares: Vec<Middleware>,
}

/// `keepalive:` of a gRPC client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeepaliveClientConfig {
    /// Ping after this long without a sign of life. Default 10s.
    pub time: HumanDuration,
    /// Close the connection when the ping is not answered within this. Default 10s.
    pub timeout: HumanDuration,
    /// Ping also while no request is under way. Default false.
    pub permit_without_stream: bool,
}

impl Default for KeepaliveClientConfig {
    fn default() -> Self {
        let ten = HumanDuration(Duration::from_secs(10));
        Self {
            time: ten,
            timeout: ten,
            permit_without_stream: false,
        }
    }
}

/// A connection, made on first use and again after it breaks, with the metadata for each request.
#[derive(Clone, Debug)]
pub struct GrpcClient {
    /// The connection, for a generated client.
    pub channel: Channel,
    headers: Arc<OutgoingHeaders>,
}

impl GrpcClient {
    /// Adds the static metadata and the authenticator's to a request.
    pub fn add_metadata(&self, metadata: &mut MetadataMap) {
        let mut headers = std::mem::take(metadata).into_headers();
        self.headers.add_to(&mut headers);
        *metadata = MetadataMap::from_headers(headers);
    }
}

impl GrpcClientConfig {
    /// Reports what is wrong, except for an empty `endpoint`, which not every component requires.
    pub fn check(&self, problems: &mut Problems) {
        if !self.endpoint.is_empty()
            && let Err(error) = self.target()
        {
            problems.at("endpoint", |p| {
                p.error(error.0)
                    .help("write `host:4317`, or a URL for an explicit choice of TLS");
            });
        }
        problems.at("tls", |p| self.tls.check(p));
        problems.at("headers", |p| self.headers.check(p));
        if matches!(
            self.compression,
            Some(Compression::Zlib | Compression::Deflate)
        ) {
            problems.at("compression", |p| {
                p.error("gRPC messages can be compressed with gzip or zstd");
            });
        }
        middleware::check(&self.middlewares, problems);
    }

    /// The client. Connects on the first request.
    ///
    /// # Errors
    /// The endpoint or the certificates are unusable, or the authenticator is missing.
    pub fn build(&self, context: &BuildContext) -> Result<GrpcClient, BuildError> {
        let target = self.target()?;
        let tls = if target.is_encrypted {
            let mut config = self.tls.build()?;
            config.alpn_protocols = vec![b"h2".to_vec()];
            let name = self
                .tls
                .server_name_override
                .as_deref()
                .unwrap_or(&target.host);
            let name =
                ServerName::try_from(name.trim_matches(['[', ']']).to_owned()).map_err(|_| {
                    BuildError(format!(
                        "tls.server_name_override: `{name}` is not a host name"
                    ))
                })?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        // The library sees `http` and our own connector encrypts: its TLS settings know no `insecure_skip_verify`.
        let uri = |scheme: &str, authority: &str| {
            Uri::builder()
                .scheme(scheme)
                .authority(authority)
                .path_and_query("/")
                .build()
                .map_err(|_| BuildError(format!("`{authority}` is not a host and port")))
        };
        let scheme = if target.is_encrypted { "https" } else { "http" };
        let authority = format!("{}:{}", target.host, target.port);
        let invalid = |error: tonic::transport::Error| BuildError(format!("endpoint: {error}"));
        let mut endpoint = Endpoint::new(uri("http", &authority)?)
            .map_err(invalid)?
            .origin(uri(
                scheme,
                self.authority.as_deref().unwrap_or(&authority),
            )?)
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true);
        if let Some(agent) = &self.user_agent {
            endpoint = endpoint
                .user_agent(agent.as_str())
                .map_err(|_| BuildError("user_agent: not a header value".to_owned()))?;
        }
        if let Some(keepalive) = self.keepalive {
            endpoint = endpoint
                .http2_keep_alive_interval(keepalive.time.0)
                .keep_alive_timeout(keepalive.timeout.0)
                .keep_alive_while_idle(keepalive.permit_without_stream);
        }
        let address = (target.host.trim_matches(['[', ']']).to_owned(), target.port);
        let connector = tower::service_fn(move |_: Uri| connect(address.clone(), tls.clone()));
        Ok(GrpcClient {
            channel: endpoint.connect_with_connector_lazy(connector),
            headers: Arc::new(OutgoingHeaders::new(
                &self.headers,
                self.auth.as_ref(),
                context,
            )?),
        })
    }

    fn target(&self) -> Result<Target, BuildError> {
        let text = self.endpoint.as_str();
        let (is_encrypted, authority) = if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if text.starts_with("unix:") {
            return Err(BuildError(
                "endpoint: unix sockets are not supported".to_owned(),
            ));
        } else {
            (
                !self.tls.insecure,
                text.strip_prefix("dns:///").unwrap_or(text),
            )
        };
        let invalid = || BuildError(format!("endpoint: `{text}` is not `host:port`"));
        let authority: http::uri::Authority = authority
            .trim_end_matches('/')
            .parse()
            .map_err(|_| invalid())?;
        let port = match (authority.port_u16(), text.contains("://")) {
            (Some(port), _) => port,
            (None, true) => {
                if is_encrypted {
                    443
                } else {
                    80
                }
            }
            (None, false) => return Err(invalid()),
        };
        Ok(Target {
            is_encrypted,
            host: authority.host().to_owned(),
            port,
        })
    }
}

struct Target {
    is_encrypted: bool,
    host: String,
    port: u16,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(
    address: (String, u16),
    tls: Option<(TlsConnector, ServerName<'static>)>,
) -> std::io::Result<TokioIo<Box<dyn Stream>>> {
    let tcp = TcpStream::connect((address.0.as_str(), address.1)).await?;
    tcp.set_nodelay(true)?;
    Ok(TokioIo::new(match tls {
        None => Box::new(tcp),
        Some((connector, name)) => Box::new(connector.connect(name, tcp).await?),
    }))
}
