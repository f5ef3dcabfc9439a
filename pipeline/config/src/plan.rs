//! What a file means: components read and checked, references between them resolved. A plan that exists can be built,
//! but for what only the machine knows (a taken port, a missing certificate).

mod claims;
mod components;
mod id;
mod pipelines;
mod place;
mod running;
mod service;

use std::collections::BTreeMap;
use std::fmt;

use sluice_component::{
    ComponentId, ExporterConfig, ExtensionConfig, ProcessorConfig, ReceiverConfig, Severity,
};

#[cfg(test)]
pub(crate) use id::parse_id;
pub use service::{Encoding, Ledger, LogLevel, Telemetry};

use crate::diagnostic::suggestion;
use crate::node::{Node, Value};
use crate::reference::Resolver;
use crate::{Class, Diagnostic, Diagnostics, Lookup, Registry, Signal, Source, Span, parse};

/// A checked configuration.
#[derive(Debug)]
pub struct Plan {
    /// Receivers by canonical id, also those that no pipeline uses.
    pub receivers: BTreeMap<ComponentId, Component<dyn ReceiverConfig>>,
    /// Processors by canonical id.
    pub processors: BTreeMap<ComponentId, Component<dyn ProcessorConfig>>,
    /// Exporters by canonical id.
    pub exporters: BTreeMap<ComponentId, Component<dyn ExporterConfig>>,
    /// Extensions by canonical id.
    pub extensions: BTreeMap<ComponentId, Component<dyn ExtensionConfig>>,
    /// Extensions to start, in the order of `service.extensions`.
    pub service_extensions: Vec<ComponentId>,
    /// Pipelines in the file's order. Every id in them is in the maps above.
    pub pipelines: Vec<Pipeline>,
    /// What `service.telemetry` says about Sluice's own logs.
    pub telemetry: Telemetry,
    /// What `service.ledger` says.
    pub ledger: Ledger,
    /// What is worth saying but does not stop a start.
    pub warnings: Diagnostics,
}

/// A component's configuration. Equality compares what the file says, references resolved, wherever it stands in the
/// file: two equal components need no rebuild.
#[derive(Debug)]
pub struct Component<C: ?Sized> {
    /// The id as the file writes it; `service.extensions` and `authenticator` use this spelling.
    pub written: String,
    /// The configuration.
    pub config: Box<C>,
    block: Node,
}

impl<C: ?Sized> PartialEq for Component<C> {
    fn eq(&self, other: &Self) -> bool {
        self.block == other.block
    }
}

/// A pipeline's name in the file: `signal` or `signal/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PipelineId {
    /// What it carries.
    pub signal: Signal,
    /// The name after the slash; empty without one.
    pub name: String,
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signal.name())?;
        if self.name.is_empty() {
            Ok(())
        } else {
            write!(f, "/{}", self.name)
        }
    }
}

/// One way from receivers through processors to exporters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name.
    pub id: PipelineId,
    /// At least one.
    pub receivers: Vec<ComponentId>,
    /// In the order in which they are applied.
    pub processors: Vec<ComponentId>,
    /// At least one.
    pub exporters: Vec<ComponentId>,
}

const SECTIONS: &[&str] = &[
    "receivers",
    "processors",
    "exporters",
    "extensions",
    "service",
    "connectors",
];

impl Plan {
    /// Reads a file. Touches neither the network nor, but through `lookup`, the environment and files.
    ///
    /// # Errors
    /// Everything wrong with it, in the order of the file; a syntax error comes alone, because nothing after it can
    /// be trusted.
    pub fn read(
        source: &Source,
        registry: &Registry,
        lookup: &dyn Lookup,
    ) -> Result<Self, Diagnostics> {
        let (document, mut found) = match resolve(source, registry, lookup) {
            Ok(document) => document,
            Err(diagnostic) => return Err(Diagnostics::new(source.clone(), vec![diagnostic])),
        };
        // A reference that failed left nothing behind, and that nothing is no second error.
        let broken: Vec<Span> = found
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .map(|diagnostic| diagnostic.span)
            .collect();
        let mut found_before = std::mem::take(&mut found);
        check_sections(&document, &mut found);
        let components = components::read(&document, source, registry, &mut found);
        let service = service::read(&document, registry, &components, &mut found);
        let pipelines = pipelines::read(&document, registry, &components, &mut found);
        components.report_unused(&pipelines, &service.extensions, &mut found);
        claims::check(&components, &pipelines, &service.extensions, &mut found);
        found.retain(|diagnostic| !broken.contains(&diagnostic.span));
        found.append(&mut found_before);
        warn_of_unset(&document, &mut found);

        let found = Diagnostics::new(source.clone(), found);
        if found.errors() > 0 {
            return Err(found);
        }
        Ok(Self {
            receivers: components.receivers.take(),
            processors: components.processors.take(),
            exporters: components.exporters.take(),
            extensions: components.extensions.take(),
            service_extensions: service.extensions,
            pipelines,
            telemetry: service.telemetry,
            ledger: service.ledger,
            warnings: found,
        })
    }
}

/// Text to a document without references, and what was wrong with those.
pub(crate) fn resolve(
    source: &Source,
    registry: &Registry,
    lookup: &dyn Lookup,
) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    let (mut document, mut found) = parse::parse(source.text())?;
    let mut resolver = Resolver::new(lookup);
    if let Value::Map(sections) = &mut document.value {
        for section in sections {
            let is_exporters = section.key == "exporters";
            let Value::Map(blocks) = &mut section.value.value else {
                resolver.replace(&mut section.value);
                continue;
            };
            for block in blocks {
                let kind = block.key.split('/').next().unwrap_or_default();
                resolver.bare_names = is_exporters
                    && registry
                        .find(Class::Exporter, kind)
                        .is_some_and(|known| known.expands_bare_names);
                resolver.replace(&mut block.value);
                resolver.bare_names = false;
            }
        }
    }
    found.append(&mut resolver.diagnostics);
    Ok((document, found))
}

fn check_sections(document: &Node, found: &mut Vec<Diagnostic>) {
    if document.is_null() {
        found.push(
            Diagnostic::error(Span::default(), "the file is empty")
                .with_help("write `receivers`, `exporters` and `service.pipelines`"),
        );
        return;
    }
    if !matches!(document.value, Value::Map(_)) {
        found.push(
            Diagnostic::error(document.span, "the file must be a mapping of sections")
                .with_help(format!("sections: {}", SECTIONS.join(", "))),
        );
        return;
    }
    for entry in document.entries() {
        if entry.key == "connectors" {
            if !entry.value.is_null() && !entry.value.entries().is_empty() {
                found.push(
                    Diagnostic::error(entry.key_span, "connectors are not supported yet")
                        .with_help("give each pipeline its receivers and exporters, and remove this section"),
                );
            }
        } else if !SECTIONS.contains(&entry.key.as_str()) {
            let diagnostic =
                Diagnostic::error(entry.key_span, format!("unknown section `{}`", entry.key));
            found.push(
                match suggestion("sections", &entry.key, SECTIONS.iter().copied()) {
                    Some(help) => diagnostic.with_help(help),
                    None => diagnostic,
                },
            );
        }
    }
}

/// What no error has spoken of yet is an optional value: it is left out, and the writer should know.
fn warn_of_unset(document: &Node, found: &mut Vec<Diagnostic>) {
    let mut warnings = Vec::new();
    document.walk(&mut |node| {
        if let Some(variable) = node.unset()
            && !found.iter().any(|diagnostic| {
                diagnostic.severity == Severity::Error && diagnostic.span == node.span
            })
        {
            warnings.push(
                Diagnostic::warning(
                    node.span,
                    format!("the environment variable `{variable}` is not set; this is left out"),
                )
                .with_help(format!(
                    "set it, or give a default: `${{env:{variable}:-…}}`"
                )),
            );
        }
    });
    found.append(&mut warnings);
}
