//! The keys of the `otlp` receiver.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use sluice_component::{
    BuildContext, BuildError, Checked, Claim, Problems, Receiver, ReceiverConfig,
};
use sluice_net::{GrpcServerConfig, TlsServerConfig, http_server_config};

use crate::receiver::OtlpReceiver;

/// The `otlp` receiver.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which protocols to speak; at least one.
    #[serde(default, deserialize_with = "present")]
    pub protocols: Protocols,
}

/// `protocols:` a key that is absent is off; a key without a value is on with its defaults.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Protocols {
    /// OTLP over gRPC.
    #[serde(deserialize_with = "some")]
    pub grpc: Option<GrpcServerConfig>,
    /// OTLP over HTTP/1.1 and HTTP/2.
    #[serde(deserialize_with = "some")]
    pub http: Option<HttpConfig>,
}

http_server_config! {
    /// `protocols.http:` the keys of an HTTP server (endpoint `localhost:4318`) and the paths.
    pub struct HttpConfig {
        /// Path for traces. Default `/v1/traces`.
        pub traces_url_path: String = "/v1/traces".to_owned(),
        /// Path for metrics. Default `/v1/metrics`.
        pub metrics_url_path: String = "/v1/metrics".to_owned(),
        /// Path for logs. Default `/v1/logs`.
        pub logs_url_path: String = "/v1/logs".to_owned(),
    }
    defaults { endpoint: "localhost:4318".to_owned() }
}

/// `key:` without a value means the default, as in the Collector.
fn present<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The same for a key whose absence means something.
fn some<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    present(deserializer).map(Some)
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        let Protocols { grpc, http } = &self.protocols;
        problems.at("protocols", |p| {
            if grpc.is_none() && http.is_none() {
                p.error("no protocol")
                    .help("write `grpc:` or `http:` or both");
            }
            if let Some(grpc) = grpc {
                p.at("grpc", |p| grpc.check(p));
            }
            if let Some(http) = http {
                p.at("http", |p| http.check(p));
            }
        });
    }

    fn claims(&self) -> Vec<Claim> {
        let Protocols { grpc, http } = &self.protocols;
        let endpoints = grpc
            .iter()
            .map(|grpc| &grpc.endpoint)
            .chain(http.iter().map(|http| &http.endpoint));
        endpoints.cloned().map(Claim::Listen).collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let Protocols { grpc, http } = &self.protocols;
        let tls = grpc
            .iter()
            .filter_map(|grpc| grpc.tls.as_ref())
            .chain(http.iter().filter_map(|http| http.tls.as_ref()));
        tls.flat_map(TlsServerConfig::files).collect()
    }

    fn extensions(&self) -> Vec<String> {
        let Protocols { grpc, http } = &self.protocols;
        let auth = grpc
            .iter()
            .filter_map(|grpc| grpc.auth.as_ref())
            .chain(http.iter().filter_map(|http| http.auth.as_ref()));
        auth.map(|auth| auth.authenticator.clone()).collect()
    }
}

impl HttpConfig {
    fn check(&self, problems: &mut Problems) {
        self.server().check(problems);
        let paths = [
            ("traces_url_path", &self.traces_url_path),
            ("metrics_url_path", &self.metrics_url_path),
            ("logs_url_path", &self.logs_url_path),
        ];
        for (i, (key, path)) in paths.iter().enumerate() {
            let is_taken = paths[..i]
                .iter()
                .any(|(_, earlier)| absolute(earlier) == absolute(path));
            problems.at(*key, |p| {
                if path.is_empty() {
                    p.error("is empty");
                } else if path.contains(['?', '#']) {
                    p.error("is not a path: it contains `?` or `#`");
                } else if is_taken {
                    p.error(format!("`{path}` is the path of another signal"));
                }
            });
        }
    }
}

/// A path with its leading slash.
pub(crate) fn absolute(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

impl ReceiverConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Box<dyn Receiver>, BuildError> {
        OtlpReceiver::new(self, context).map(|receiver| Box::new(receiver) as _)
    }
}
