//! `sluice components`, in the shape of the Collector's command of that name.

use serde::Serialize;
use sluice_config::{ComponentType, Registry};

use crate::exit::Exit;
use crate::source::say;

#[derive(Serialize)]
struct Listing {
    buildinfo: BuildInfo,
    receivers: Vec<Listed>,
    processors: Vec<Listed>,
    exporters: Vec<Listed>,
    connectors: Vec<Listed>,
    extensions: Vec<Listed>,
    providers: Vec<Provider>,
}

#[derive(Serialize)]
struct BuildInfo {
    command: &'static str,
    description: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<&'static str>,
    stability: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize)]
struct Provider {
    scheme: &'static str,
}

/// Prints every component type with its spellings and, for each signal, its stability.
pub(crate) fn components() -> Exit {
    let Registry {
        receivers,
        processors,
        exporters,
        extensions,
    } = crate::registry::registry();
    let listing = Listing {
        buildinfo: BuildInfo {
            command: "sluice",
            description: "AI-gateway audit events and OpenTelemetry signals to SIEMs",
            version: env!("CARGO_PKG_VERSION"),
        },
        receivers: receivers.iter().map(listed).collect(),
        processors: processors.iter().map(listed).collect(),
        exporters: exporters.iter().map(listed).collect(),
        connectors: Vec::new(),
        extensions: extensions.iter().map(listed).collect(),
        providers: vec![Provider { scheme: "env" }, Provider { scheme: "file" }],
    };
    match serde_yaml::to_string(&listing) {
        Ok(text) => {
            say(&text);
            Exit::Ok
        }
        Err(error) => {
            crate::source::complain(&format!("error: {error}\n"));
            Exit::Runtime
        }
    }
}

fn listed<C: ?Sized>(known: &ComponentType<C>) -> Listed {
    let stability = known.stability.name();
    let by_signal = if known.signals.is_empty() {
        serde_json::Map::from_iter([("extension".to_owned(), stability.into())])
    } else {
        known
            .signals
            .iter()
            .map(|signal| (signal.name().to_owned(), stability.into()))
            .collect()
    };
    Listed {
        name: known.name,
        aliases: known.aliases.to_vec(),
        stability: by_signal,
    }
}
