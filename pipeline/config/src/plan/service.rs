//! The rest of `service`: extensions, telemetry, ledger.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sluice_component::{ComponentId, HumanDuration};

use super::components::Components;
use super::ledger::{self, Ledger};
use crate::diagnostic::suggestion;
use crate::node::{Entry, Node, Value};
use crate::{Block, Class, Diagnostic, Registry};

const KEYS: &[&str] = &[
    "extensions",
    "pipelines",
    "telemetry",
    "ledger",
    "admin",
    "drain_timeout",
    "shutdown_timeout",
];

/// How long what is on its way out may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// `service.drain_timeout`: of what a reload replaces or removes. Default 10s.
    pub drain: Duration,
    /// `service.shutdown_timeout`: of everything, after SIGTERM. Default 30s.
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            drain: Duration::from_secs(10),
            shutdown: Duration::from_secs(30),
        }
    }
}

/// Where operators reach a running instance over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Admin {
    /// Nowhere (`admin: none`).
    None,
    /// On the default address, if it is free.
    #[default]
    Default,
    /// `service.admin.endpoint`.
    At(String),
}

impl Admin {
    /// The address unless the file says otherwise.
    pub const DEFAULT: &str = "127.0.0.1:8687";

    /// The address to listen on.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Default => Some(Self::DEFAULT),
            Self::At(endpoint) => Some(endpoint),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdminBlock {
    endpoint: String,
}

/// How Sluice's own logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Telemetry {
    /// `service.telemetry.logs.level`; the default is `info`.
    pub level: LogLevel,
    /// `service.telemetry.logs.encoding`; the default is `console`.
    pub encoding: Encoding,
}

/// The least severity that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    #[serde(alias = "DEBUG")]
    Debug,
    /// What an operator may want to know.
    #[default]
    #[serde(alias = "INFO")]
    Info,
    /// What may need a hand.
    #[serde(alias = "WARN")]
    Warn,
    /// What does not work.
    #[serde(alias = "ERROR")]
    Error,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Text for people.
    #[default]
    Console,
    /// One JSON object a line.
    Json,
}

/// `service.telemetry` with the Collector's keys. Those that change nothing in Sluice yet are taken all the same.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TelemetryBlock {
    logs: LogsBlock,
    metrics: Option<IgnoredAny>,
    traces: Option<IgnoredAny>,
    resource: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LogsBlock {
    level: LogLevel,
    encoding: Encoding,
    development: Option<IgnoredAny>,
    sampling: Option<IgnoredAny>,
    disable_caller: Option<IgnoredAny>,
    disable_stacktrace: Option<IgnoredAny>,
    disable_zap_resource: Option<IgnoredAny>,
    output_paths: Option<IgnoredAny>,
    error_output_paths: Option<IgnoredAny>,
    initial_fields: Option<IgnoredAny>,
    processors: Option<IgnoredAny>,
}

#[derive(Default)]
pub(super) struct Service {
    pub(super) admin: Admin,
    pub(super) timeouts: Timeouts,
    pub(super) extensions: Vec<ComponentId>,
    pub(super) telemetry: Telemetry,
    pub(super) ledger: Ledger,
}

pub(super) fn read(
    document: &Node,
    registry: &Registry,
    components: &Components,
    found: &mut Vec<Diagnostic>,
) -> Service {
    let mut service = Service::default();
    let storage = ledger::storage_directory(document);
    if let Ledger::Disk(block) = &mut service.ledger {
        block.directory.clone_from(&storage);
    }
    let Some(section) = document.get("service") else {
        return service;
    };
    if !matches!(section.value.value, Value::Map(_)) && !section.value.is_null() {
        found.push(Diagnostic::error(
            section.key_span,
            "`service` must be a mapping",
        ));
        return service;
    }
    for entry in section.value.entries() {
        match entry.key.as_str() {
            "pipelines" => {}
            "extensions" => {
                service.extensions = extensions(&entry.value, registry, components, found)
            }
            "telemetry" => match TelemetryBlock::deserialize(Block::new(&entry.value)) {
                Ok(block) => {
                    service.telemetry = Telemetry {
                        level: block.logs.level,
                        encoding: block.logs.encoding,
                    };
                    warn_without_effect(&entry.value, &block, found);
                }
                Err(error) => found.push(error.into_diagnostic(
                    "service.telemetry",
                    entry.key_span,
                    &entry.value,
                )),
            },
            "ledger" => {
                service.ledger = ledger::read(&entry.value, entry.key_span, found);
                if let Ledger::Disk(block) = &mut service.ledger
                    && block.directory.is_none()
                {
                    block.directory.clone_from(&storage);
                }
            }
            "admin" => service.admin = admin(entry, found),
            "drain_timeout" => time(entry, &mut service.timeouts.drain, found),
            "shutdown_timeout" => time(entry, &mut service.timeouts.shutdown, found),
            _ => {
                let unknown = entry.shown();
                let diagnostic = Diagnostic::error(
                    entry.key_span,
                    format!("unknown key `{unknown}` in `service`"),
                );
                found.push(
                    match suggestion("known keys", unknown, KEYS.iter().copied()) {
                        Some(help) => diagnostic.with_help(help),
                        None => diagnostic,
                    },
                );
            }
        }
    }
    service
}

fn admin(entry: &Entry, found: &mut Vec<Diagnostic>) -> Admin {
    if entry.value.text() == Some("none") {
        return Admin::None;
    }
    if entry.value.is_null() {
        return Admin::Default;
    }
    let endpoint = match AdminBlock::deserialize(Block::new(&entry.value)) {
        Ok(block) => block.endpoint,
        Err(error) => {
            found.push(error.into_diagnostic("service.admin", entry.key_span, &entry.value));
            return Admin::None;
        }
    };
    let host = endpoint.rsplit_once(':').map_or("", |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if host != "localhost" && !address.is_ok_and(|address| address.is_loopback()) {
        let written = entry.value.get("endpoint").map(|entry| &entry.value);
        let shown = entry.value.shown().or_else(|| written?.shown());
        found.push(
            Diagnostic::warning(
                entry.value.span,
                format!(
                    "`{}` is no loopback address: whoever reaches it can read the configuration and reload it",
                    shown.unwrap_or_default()
                ),
            )
            .with_help("write `localhost:8687`, and reach it through a tunnel"),
        );
    }
    Admin::At(endpoint)
}

fn time(entry: &Entry, into: &mut Duration, found: &mut Vec<Diagnostic>) {
    match HumanDuration::deserialize(Block::new(&entry.value)) {
        Ok(time) => *into = time.0,
        Err(error) => found.push(error.into_diagnostic(
            &format!("service.{}", entry.key),
            entry.key_span,
            &entry.value,
        )),
    }
}

fn extensions(
    list: &Node,
    registry: &Registry,
    components: &Components,
    found: &mut Vec<Diagnostic>,
) -> Vec<ComponentId> {
    let Value::List(items) = &list.value else {
        if !list.is_null() {
            found.push(
                Diagnostic::error(list.span, "`service.extensions` must be a list of ids")
                    .with_help("write `extensions: [id, id]`"),
            );
        }
        return Vec::new();
    };
    let mut ids = Vec::new();
    for item in items {
        match components
            .extensions
            .find(registry, Class::Extension, item, found)
        {
            Some((id, _)) if ids.contains(&id) => found.push(Diagnostic::error(
                item.span,
                format!("extension `{id}` is listed twice"),
            )),
            Some((id, _)) => ids.push(id),
            None => {}
        }
    }
    ids
}

/// Says which of the Collector's telemetry keys change nothing here.
fn warn_without_effect(telemetry: &Node, block: &TelemetryBlock, found: &mut Vec<Diagnostic>) {
    let logs = &block.logs;
    let below_telemetry = [
        ("metrics", &block.metrics),
        ("traces", &block.traces),
        ("resource", &block.resource),
    ];
    let below_logs = [
        ("development", &logs.development),
        ("sampling", &logs.sampling),
        ("disable_caller", &logs.disable_caller),
        ("disable_stacktrace", &logs.disable_stacktrace),
        ("disable_zap_resource", &logs.disable_zap_resource),
        ("output_paths", &logs.output_paths),
        ("error_output_paths", &logs.error_output_paths),
        ("initial_fields", &logs.initial_fields),
        ("processors", &logs.processors),
    ];
    let mut warn = |node: Option<&Node>, path: &str, keys: &[(&str, &Option<IgnoredAny>)]| {
        for (key, _) in keys.iter().filter(|(_, value)| value.is_some()) {
            if let Some(entry) = node.and_then(|node| node.get(key)) {
                found.push(
                    Diagnostic::warning(
                        entry.key_span,
                        format!("`{path}.{key}` has no effect in this version"),
                    )
                    .with_help("it can stay; Sluice logs to standard error"),
                );
            }
        }
    };
    warn(Some(telemetry), "service.telemetry", &below_telemetry);
    warn(
        telemetry.get("logs").map(|logs| &logs.value),
        "service.telemetry.logs",
        &below_logs,
    );
}
