//! One destination: the keys of all kinds in one structure, so that a wrong key is shown where it stands.

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, BuiltExporter, Checked, ExporterConfig, HumanDuration, Problems,
    Secret, nearest,
};
use sluice_net::{Headers, TlsClientConfig};

use crate::datadog::{self, Stale};
use crate::elasticsearch::{self, MappingMode, Setup};
use crate::splunk_hec::{self, AckMode};

/// The words for `destination`.
const KINDS: [&str; 6] = [
    "splunk_hec",
    "datadog_logs",
    "datadog",
    "elastic",
    "elasticsearch",
    "opensearch",
];

/// A destination.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Destination {
    /// What it is: `splunk_hec`, `datadog_logs` (or `datadog`), `elastic` (or `elasticsearch`), `opensearch`.
    pub destination: String,
    /// Its URL. Required, except for `datadog_logs` (default: the site `datadoghq.com`).
    pub endpoint: String,
    /// `splunk_hec`: the token.
    pub token: Option<Secret>,
    /// `splunk_hec`: the index. `elastic`: index or data stream, with dates such as `%Y.%m.%d`.
    pub index: Option<String>,
    /// `splunk_hec`: the sourcetype.
    pub sourcetype: Option<String>,
    /// `splunk_hec`: `source` of every event. Default: the event's own.
    pub source: Option<String>,
    /// `splunk_hec`: `host` of every event. Default: the event's source.
    pub host: Option<String>,
    /// `splunk_hec`: indexer acknowledgement. Default `auto`.
    pub ack: Option<AckMode>,
    /// `datadog_logs` and `elastic`: the API key.
    pub api_key: Option<Secret>,
    /// `datadog_logs`: the site, instead of `endpoint`.
    pub site: Option<String>,
    /// `datadog_logs`: `service` of every log.
    pub service: Option<String>,
    /// `datadog_logs`: `ddsource` of every log.
    pub ddsource: Option<String>,
    /// `datadog_logs`: tags of every log.
    pub tags: Option<Vec<String>>,
    /// `datadog_logs`: `hostname` of every log.
    pub hostname: Option<String>,
    /// `datadog_logs`: what to do with logs that are too old. Default `restamp`.
    pub stale: Option<Stale>,
    /// `elastic`: several nodes, instead of `endpoint`.
    pub endpoints: Option<Vec<String>>,
    /// `elastic`: an Elastic Cloud id, instead of `endpoint`.
    pub cloudid: Option<String>,
    /// `elastic`: name for basic authentication.
    pub user: Option<String>,
    /// `elastic`: password for basic authentication.
    pub password: Option<Secret>,
    /// `elastic`: the ingest pipeline.
    pub pipeline: Option<String>,
    /// `elastic`: the documents' shape.
    pub mapping: Option<MappingMode>,
    /// `elastic`: index template and retention. Default `off`.
    pub setup: Option<Setup>,
    /// TLS settings.
    pub tls: Option<TlsClientConfig>,
    /// `splunk_hec` and `elastic`: headers added to each request.
    pub headers: Option<Headers>,
}

/// A destination as the exporter that it stands for.
enum Exporter {
    Splunk(Box<splunk_hec::Config>),
    Datadog(Box<datadog::Config>),
    Elastic(Box<elasticsearch::Config>),
}

impl Destination {
    /// Reports everything wrong with it, keys of other kinds included.
    pub(super) fn check(&self, problems: &mut Problems) {
        let Some(exporter) = self.exporter(None) else {
            if self.destination.is_empty() {
                problems
                    .error("`destination` is missing")
                    .help(format!("write one of {}", KINDS.join(", ")));
            } else {
                problems.at("destination", |p| {
                    let help = nearest(&self.destination, KINDS).map_or_else(
                        || format!("write one of {}", KINDS.join(", ")),
                        |kind| format!("did you mean `{kind}`?"),
                    );
                    p.error(format!("`{}` is no destination", self.destination))
                        .help(help);
                });
            }
            return;
        };
        let known: &[&str] = match &exporter {
            Exporter::Splunk(_) => &[
                "token",
                "index",
                "sourcetype",
                "source",
                "host",
                "ack",
                "headers",
            ],
            Exporter::Datadog(_) => &[
                "api_key", "site", "service", "ddsource", "tags", "hostname", "stale",
            ],
            Exporter::Elastic(_) => &[
                "index",
                "api_key",
                "endpoints",
                "cloudid",
                "user",
                "password",
                "pipeline",
                "mapping",
                "setup",
                "headers",
            ],
        };
        for key in self.given() {
            if !known.contains(&key) {
                problems.at(key, |p| {
                    p.error(format!("is no key of a `{}` destination", self.destination))
                        .help(format!(
                            "its keys are destination, endpoint, tls, {}",
                            known.join(", ")
                        ));
                });
            }
        }
        match &exporter {
            Exporter::Splunk(config) => config.check(problems),
            Exporter::Datadog(config) => {
                // The key stands elsewhere there, and its problem would point at nothing here.
                if self.api_key.as_ref().is_none_or(Secret::is_empty) {
                    problems
                        .error("`api_key` is missing")
                        .help("write it as ${env:DD_API_KEY}");
                } else {
                    config.check(problems);
                }
            }
            Exporter::Elastic(config) => config.check(problems),
        }
    }

    /// Names its state: `splunk_hec@hec.example.com:8088/ai_audit`.
    pub(super) fn key(&self) -> String {
        let place = match (&self.cloudid, &self.endpoints, &self.site) {
            _ if !self.endpoint.is_empty() => host_and_port(&self.endpoint),
            (Some(id), ..) => id.clone(),
            (_, Some(urls), _) => urls
                .iter()
                .map(|url| host_and_port(url))
                .collect::<Vec<_>>()
                .join(","),
            (.., Some(site)) => site.clone(),
            _ => "default".to_owned(),
        };
        let kind = match self.destination.as_str() {
            "datadog" => "datadog_logs",
            "elastic" | "opensearch" => "elasticsearch",
            kind => kind,
        };
        match self.index.as_deref().unwrap_or_default() {
            "" => format!("{kind}@{place}"),
            index => format!("{kind}@{place}/{index}"),
        }
    }

    /// Builds its exporter.
    pub(super) fn build(
        &self,
        timeout: Option<HumanDuration>,
        context: &BuildContext,
    ) -> Result<Vec<BuiltExporter>, BuildError> {
        match self.exporter(timeout) {
            Some(Exporter::Splunk(config)) => config.build(context),
            Some(Exporter::Datadog(config)) => config.build(context),
            Some(Exporter::Elastic(config)) => config.build(context),
            None => Err(BuildError(format!(
                "`{}` is no destination",
                self.destination
            ))),
        }
    }

    fn exporter(&self, timeout: Option<HumanDuration>) -> Option<Exporter> {
        let this = self.clone();
        Some(match self.destination.as_str() {
            "splunk_hec" => Exporter::Splunk(Box::new(splunk_hec::Config {
                endpoint: this.endpoint,
                token: this.token.unwrap_or_default(),
                index: this.index.unwrap_or_default(),
                sourcetype: this.sourcetype.unwrap_or_default(),
                source: this.source.unwrap_or_default(),
                host: this.host.unwrap_or_default(),
                ack: this.ack.unwrap_or_default(),
                tls: this.tls.unwrap_or_default(),
                headers: this.headers.unwrap_or_default(),
                timeout,
                ..splunk_hec::Config::default()
            })),
            "datadog_logs" | "datadog" => {
                let defaults = datadog::ApiConfig::default();
                Exporter::Datadog(Box::new(datadog::Config {
                    api: datadog::ApiConfig {
                        key: this.api_key.unwrap_or_default(),
                        site: this.site.unwrap_or(defaults.site),
                        ..defaults
                    },
                    logs: datadog::LogsConfig {
                        endpoint: this.endpoint,
                        ..datadog::LogsConfig::default()
                    },
                    service: this.service.unwrap_or_default(),
                    ddsource: this.ddsource.unwrap_or_default(),
                    tags: this.tags.unwrap_or_default(),
                    hostname: this.hostname.unwrap_or_default(),
                    stale: this.stale.unwrap_or_default(),
                    tls: this.tls.unwrap_or_default(),
                    timeout,
                    ..datadog::Config::default()
                }))
            }
            "elastic" | "elasticsearch" | "opensearch" => {
                Exporter::Elastic(Box::new(elasticsearch::Config {
                    endpoint: this.endpoint,
                    endpoints: this.endpoints.unwrap_or_default(),
                    cloudid: this.cloudid.unwrap_or_default(),
                    index: this.index.unwrap_or_default(),
                    api_key: this.api_key.unwrap_or_default(),
                    user: this.user.unwrap_or_default(),
                    password: this.password.unwrap_or_default(),
                    pipeline: this.pipeline.unwrap_or_default(),
                    mapping: elasticsearch::Mapping {
                        mode: this.mapping,
                        ..elasticsearch::Mapping::default()
                    },
                    setup: this.setup.unwrap_or_default(),
                    tls: this.tls.unwrap_or_default(),
                    headers: this.headers.unwrap_or_default(),
                    timeout,
                    ..elasticsearch::Config::default()
                }))
            }
            _ => return None,
        })
    }

    /// Keys that were written, beside those that every kind has.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("token", self.token.is_some()),
            ("index", self.index.is_some()),
            ("sourcetype", self.sourcetype.is_some()),
            ("source", self.source.is_some()),
            ("host", self.host.is_some()),
            ("ack", self.ack.is_some()),
            ("api_key", self.api_key.is_some()),
            ("site", self.site.is_some()),
            ("service", self.service.is_some()),
            ("ddsource", self.ddsource.is_some()),
            ("tags", self.tags.is_some()),
            ("hostname", self.hostname.is_some()),
            ("stale", self.stale.is_some()),
            ("endpoints", self.endpoints.is_some()),
            ("cloudid", self.cloudid.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("pipeline", self.pipeline.is_some()),
            ("mapping", self.mapping.is_some()),
            ("setup", self.setup.is_some()),
            ("headers", self.headers.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_given)| is_given.then_some(key))
    }
}

/// `host:port` of a URL, without credentials and path; the text itself if it is no URL.
fn host_and_port(text: &str) -> String {
    match url::Url::parse(text) {
        Ok(url) => match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => text.to_owned(),
        },
        Err(_) => text.to_owned(),
    }
}
