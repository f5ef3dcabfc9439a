//! The keys of an HTTP server, as a type of their own and as the common part of a component's.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{BuildContext, BuildError, HumanDuration, Problems};

use crate::admission::{Admission, LARGEST_REQUEST};
use crate::auth::Gate;
use crate::body::Intake;
use crate::decompress::Encoding;
use crate::listener::{Limits, Listener};
use crate::middleware;

/// The deadline of a body whose server has `read_timeout: 0`: an endless one would hold memory for ever.
pub(super) const DEFAULT_READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Defines a configuration type with the keys of an HTTP server and a component's own, all on one level.
///
/// serde's `flatten` would lose the line and column of errors, so the fields are written out here, once.
///
/// ```
/// sluice_net::http_server_config! {
///     /// A receiver's keys.
///     pub struct Config {
///         /// Where events are posted.
///         pub path: String = "/events".to_owned(),
///     }
///     defaults { endpoint: "localhost:8088".to_owned() }
/// }
/// assert_eq!(Config::default().server().endpoint, "localhost:8088");
/// ```
#[macro_export]
macro_rules! http_server_config {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty = $default:expr,)* }
        defaults { $($shared:ident: $value:expr),* $(,)? }
    ) => {
        $crate::http_server_config! { @fields
            $(#[$meta])*
            pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
        }

        impl Default for $name {
            fn default() -> Self {
                let shared = $crate::HttpServerConfig { $($shared: $value,)* ..$crate::HttpServerConfig::default() };
                $crate::http_server_config! { @copy shared, Self { $($field: $default,)* } }
            }
        }

        impl $name {
            /// The keys that every HTTP server has.
            #[must_use]
            pub fn server(&self) -> $crate::HttpServerConfig {
                $crate::http_server_config! { @copy self, $crate::HttpServerConfig {} }
            }
        }
    };
    (@copy $from:ident, $to:path { $($field:ident: $value:expr,)* }) => {
        $to {
            endpoint: $from.endpoint.clone(),
            transport: $from.transport,
            tls: $from.tls.clone(),
            auth: $from.auth.clone(),
            cors: $from.cors.clone(),
            max_request_body_size: $from.max_request_body_size,
            include_metadata: $from.include_metadata,
            response_headers: $from.response_headers.clone(),
            compression_algorithms: $from.compression_algorithms.clone(),
            read_timeout: $from.read_timeout,
            read_header_timeout: $from.read_header_timeout,
            write_timeout: $from.write_timeout,
            idle_timeout: $from.idle_timeout,
            keep_alives_enabled: $from.keep_alives_enabled,
            middlewares: $from.middlewares.clone(),
            $($field: $value,)*
        }
    };
    (@fields $(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, ::serde::Deserialize, ::schemars::JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// Address to listen on, `host:port`. Port 0 takes a free one.
            pub endpoint: String,
            /// `tcp` (default), `tcp4` or `tcp6`; the address decides all the same.
            pub transport: $crate::Transport,
            /// TLS, and with `client_ca_file` mTLS. Default: plaintext.
            pub tls: Option<$crate::TlsServerConfig>,
            /// The extension that judges requests: 401 when it does not know them. Default: none.
            pub auth: Option<$crate::AuthConfig>,
            /// Accepted and without effect: browsers are not served.
            pub cors: Option<$crate::CorsConfig>,
            /// Most bytes of a request's body, before and after decompression, up to 80 MiB: 413 above it. Default
            /// (also for 0): 64 MiB.
            pub max_request_body_size: ::sluice_component::ByteSize,
            /// Hand request headers on to processors that ask for them (`from_context`). Default false.
            pub include_metadata: bool,
            /// Headers added to each answer.
            pub response_headers: ::std::collections::BTreeMap<String, String>,
            /// Encodings that requests may use, 415 for others: `""` (always accepted), `gzip`, `zstd`, `zlib`,
            /// `deflate` (the zlib format). Default: all of these.
            pub compression_algorithms: Vec<String>,
            /// A body that has not arrived within this is given up with 408. Default (also for 0): 60s.
            pub read_timeout: ::sluice_component::HumanDuration,
            /// A connection without a whole request header for this long is closed. Default 1m; 0: never.
            pub read_header_timeout: ::sluice_component::HumanDuration,
            /// Accepted and without effect: an answer is a few hundred bytes.
            pub write_timeout: ::sluice_component::HumanDuration,
            /// A connection without a request for this long is closed. Default 1m; 0: never.
            pub idle_timeout: ::sluice_component::HumanDuration,
            /// Several requests on one HTTP/1 connection. Default true.
            pub keep_alives_enabled: bool,
            /// Must be empty: middleware extensions do not exist.
            pub middlewares: Vec<$crate::Middleware>,
        }
    };
}

http_server_config! { @fields
    /// The keys of an HTTP server.
    pub struct HttpServerConfig {}
}

impl Default for HttpServerConfig {
    fn default() -> Self {
        let minute = HumanDuration(Duration::from_secs(60));
        Self {
            endpoint: String::new(),
            transport: Transport::Tcp,
            tls: None,
            auth: None,
            cors: None,
            max_request_body_size: sluice_component::ByteSize(64 << 20),
            include_metadata: false,
            response_headers: BTreeMap::new(),
            compression_algorithms: ["", "gzip", "zstd", "zlib", "deflate"]
                .map(str::to_owned)
                .to_vec(),
            read_timeout: HumanDuration::default(),
            read_header_timeout: minute,
            write_timeout: HumanDuration(Duration::from_secs(30)),
            idle_timeout: minute,
            keep_alives_enabled: true,
            middlewares: Vec::new(),
        }
    }
}

/// `transport:` of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP over what the address says.
    #[default]
    Tcp,
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
}

/// `cors:` of an HTTP server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CorsConfig {
    /// Without effect.
    pub allowed_origins: Vec<String>,
    /// Without effect.
    pub allowed_headers: Vec<String>,
    /// Without effect.
    pub exposed_headers: Vec<String>,
    /// Without effect. Seconds.
    pub max_age: u64,
}

impl HttpServerConfig {
    /// Reports what is wrong.
    pub fn check(&self, problems: &mut Problems) {
        check_endpoint(&self.endpoint, problems);
        if let Some(tls) = &self.tls {
            problems.at("tls", |p| tls.check(p));
        }
        if let Some(auth) = &self.auth {
            problems.at("auth", |p| auth.check(p));
        }
        if self.cors.is_some() {
            problems.at("cors", |p| {
                p.warning("is not supported and has no effect: browsers are not served");
            });
        }
        if self.max_request_body_size.0 > LARGEST_REQUEST as u64 {
            problems.at("max_request_body_size", |p| {
                p.error("is more than 80 MiB, the most that fits into the memory for requests");
            });
        }
        for (name, value) in &self.response_headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err()
                || HeaderValue::from_str(value).is_err()
            {
                problems.at("response_headers", |p| {
                    p.at(name.as_str(), |p| {
                        p.error("is not a valid header");
                    })
                });
            }
        }
        for (i, name) in self.compression_algorithms.iter().enumerate() {
            if Encoding::from_name(name).is_none() {
                problems.at("compression_algorithms", |p| {
                    p.at(i, |p| {
                        p.warning(format!("`{name}` is not supported: such requests get 415"))
                            .help("write gzip, zstd, zlib or deflate");
                    })
                });
            }
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
        Limits {
            header_timeout: self.read_header_timeout.0,
            idle_timeout: self.idle_timeout.0,
            keep_alive: self.keep_alives_enabled,
            response_headers: self
                .response_headers
                .iter()
                .filter_map(|(name, value)| {
                    Some((
                        HeaderName::from_bytes(name.as_bytes()).ok()?,
                        HeaderValue::from_str(value).ok()?,
                    ))
                })
                .collect::<HeaderMap>(),
            ..Limits::default()
        }
    }

    /// What bounds this server's bodies.
    #[must_use]
    pub fn intake(&self) -> Intake {
        Intake {
            limit: limit_or_default(self.max_request_body_size.0),
            deadline: Some(self.read_timeout.0)
                .filter(|timeout| !timeout.is_zero())
                .unwrap_or(DEFAULT_READ_TIMEOUT),
            admission: Admission::shared(),
            encodings: self
                .compression_algorithms
                .iter()
                .filter_map(|name| Encoding::from_name(name))
                .collect(),
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

pub(super) fn limit_or_default(bytes: u64) -> usize {
    match usize::try_from(bytes) {
        Ok(0) | Err(_) => 64 << 20,
        Ok(bytes) => bytes,
    }
}

pub(super) fn check_endpoint(endpoint: &str, problems: &mut Problems) {
    let port = endpoint
        .rsplit_once(':')
        .map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(_))) {
        problems.at("endpoint", |p| {
            p.error(format!("`{endpoint}` is not `host:port`"))
                .help("write an address such as `localhost:4318`");
        });
    }
}
