//! The keys of a gRPC server.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{BuildContext, BuildError, HumanDuration, Problems};

use super::http::{DEFAULT_READ_TIMEOUT, Transport, check_endpoint, limit_or_default};
use crate::admission::{Admission, LARGEST_REQUEST};
use crate::auth::Gate;
use crate::body::Intake;
use crate::decompress::Encoding;
use crate::listener::{Limits, Listener};
use crate::middleware::{self, Middleware};
use crate::{AuthConfig, TlsServerConfig};

/// The keys of a gRPC server.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcServerConfig {
    /// Address to listen on, `host:port`. Port 0 takes a free one. Default `localhost:4317`.
    pub endpoint: String,
    /// `tcp` (default), `tcp4` or `tcp6`; the address decides all the same.
    pub transport: Transport,
    /// TLS, and with `client_ca_file` mTLS. Default: plaintext.
    pub tls: Option<TlsServerConfig>,
    /// Largest message in MiB, before and after decompression, up to 80: RESOURCE_EXHAUSTED above it. Default (also
    /// for 0): 64, which the OTLP specification recommends; the Collector's is 4.
    pub max_recv_msg_size_mib: u64,
    /// Most requests under way on one connection. Default (also for 0): 100.
    pub max_concurrent_streams: u32,
    /// Accepted and without effect: buffers size themselves.
    pub read_buffer_size: u64,
    /// Accepted and without effect: buffers size themselves.
    pub write_buffer_size: u64,
    /// Pings and ages of connections.
    pub keepalive: Option<GrpcKeepalive>,
    /// The extension that judges requests: UNAUTHENTICATED when it does not know them. Default: none.
    pub auth: Option<AuthConfig>,
    /// Hand request metadata on to processors that ask for it (`from_context`). Default false.
    pub include_metadata: bool,
    /// Must be empty: middleware extensions do not exist.
    pub middlewares: Vec<Middleware>,
}

impl Default for GrpcServerConfig {
    fn default() -> Self {
        Self {
            endpoint: "localhost:4317".to_owned(),
            transport: Transport::Tcp,
            tls: None,
            max_recv_msg_size_mib: 64,
            max_concurrent_streams: 100,
            read_buffer_size: 512 << 10,
            write_buffer_size: 0,
            keepalive: None,
            auth: None,
            include_metadata: false,
            middlewares: Vec::new(),
        }
    }
}

/// `keepalive:` of a gRPC server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcKeepalive {
    /// What the server does.
    pub server_parameters: Option<ServerParameters>,
    /// Accepted and without effect: a client may ping as often as it likes.
    pub enforcement_policy: Option<EnforcementPolicy>,
}

/// `keepalive.server_parameters:`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ServerParameters {
    /// A connection without a request for this long is closed. Default 0: never.
    pub max_connection_idle: HumanDuration,
    /// A connection is asked to end after this long. Default 0: never.
    pub max_connection_age: HumanDuration,
    /// Requests under way at that time get this much longer. Default 0: as long as they need.
    pub max_connection_age_grace: HumanDuration,
    /// Ping a connection on which nothing arrived for this long. Default 2h.
    pub time: HumanDuration,
    /// Close it when the ping is not answered within this. Default 20s.
    pub timeout: HumanDuration,
}

impl Default for ServerParameters {
    fn default() -> Self {
        Self {
            max_connection_idle: HumanDuration::default(),
            max_connection_age: HumanDuration::default(),
            max_connection_age_grace: HumanDuration::default(),
            time: HumanDuration(Duration::from_secs(2 * 3600)),
            timeout: HumanDuration(Duration::from_secs(20)),
        }
    }
}

/// `keepalive.enforcement_policy:`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnforcementPolicy {
    /// Without effect.
    pub min_time: HumanDuration,
    /// Without effect.
    pub permit_without_stream: bool,
}

impl GrpcServerConfig {
    /// Reports what is wrong.
    pub fn check(&self, problems: &mut Problems) {
        check_endpoint(&self.endpoint, problems);
        if let Some(tls) = &self.tls {
            problems.at("tls", |p| tls.check(p));
        }
        if let Some(auth) = &self.auth {
            problems.at("auth", |p| auth.check(p));
        }
        if self.max_recv_msg_size_mib > (LARGEST_REQUEST >> 20) as u64 {
            problems.at("max_recv_msg_size_mib", |p| {
                p.error("is more than 80, the most that fits into the memory for requests");
            });
        }
        middleware::check(&self.middlewares, problems);
    }

    /// Leases the socket and loads the certificates.
    ///
    /// # Errors
    /// The address cannot be bound, or a file cannot be used.
    pub fn bind(&self, context: &BuildContext) -> Result<Listener, BuildError> {
        let listener = Listener::bind(&self.endpoint, self.tls.as_ref(), self.limits(), context)?;
        Ok(listener.handing_on_headers(self.include_metadata))
    }

    /// What bounds this server's connections.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let parameters = self
            .keepalive
            .and_then(|keepalive| keepalive.server_parameters)
            .unwrap_or_default();
        Limits {
            idle_timeout: parameters.max_connection_idle.0,
            max_age: parameters.max_connection_age.0,
            max_age_grace: parameters.max_connection_age_grace.0,
            ping_interval: parameters.time.0,
            ping_timeout: parameters.timeout.0,
            max_concurrent_streams: if self.max_concurrent_streams == 0 {
                100
            } else {
                self.max_concurrent_streams
            },
            ..Limits::default()
        }
    }

    /// What bounds this server's messages.
    #[must_use]
    pub fn intake(&self) -> Intake {
        Intake {
            limit: limit_or_default(self.max_recv_msg_size_mib.saturating_mul(1 << 20)),
            deadline: DEFAULT_READ_TIMEOUT,
            admission: Admission::shared(),
            encodings: vec![Encoding::Gzip, Encoding::Zstd, Encoding::Deflate],
        }
    }

    /// Who may come in.
    ///
    /// # Errors
    /// The authenticator is missing.
    pub fn gate(&self, context: &BuildContext) -> Result<Gate, BuildError> {
        Gate::new(self.auth.as_ref(), context)
    }
}
