//! What a file means: components read and checked, references between them resolved. A plan that exists can be built,
//! but for what only the machine knows (a taken port, a missing certificate).

mod changes;
mod claims;
mod components;
mod elsewhere;
mod id;
mod ledger;
mod pipelines;
mod place;
mod running;
mod service;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use sluice_component::{
    ComponentId, ExporterConfig, ExtensionConfig, ProcessorConfig, ReceiverConfig, Severity,
};

pub use changes::{Changes, Fate, Reason};
pub(crate) use elsewhere::does_nothing;
#[cfg(test)]
pub(crate) use id::parse_id;
pub use ledger::{FsyncRule, IntegrityRule, Ledger, LedgerBlock, OnFullRule, RetentionBlock};
pub use service::{Admin, Encoding, LogLevel, Telemetry, Timeouts};

use crate::diagnostic::suggestion;
use crate::literal::literals;
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
    /// What `service.admin` says.
    pub admin: Admin,
    /// `service.drain_timeout` and `service.shutdown_timeout`.
    pub timeouts: Timeouts,
    /// What is worth saying but does not stop a start.
    pub warnings: Diagnostics,
}

/// A component's configuration. Equality compares what the file says, references resolved, wherever it stands in the
/// file: two equal components need no rebuild.
#[derive(Debug)]
pub struct Component<C: ?Sized> {
    /// The id as the file writes it; `service.extensions` and `authenticator` use this spelling.
    pub written: String,
    /// `file:line:column` of it.
    pub at: String,
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
    /// A plan with the ledger of another one and nothing that runs: what is there before a start.
    #[must_use]
    pub fn without_components(other: &Self) -> Self {
        Self {
            receivers: BTreeMap::new(),
            processors: BTreeMap::new(),
            exporters: BTreeMap::new(),
            extensions: BTreeMap::new(),
            service_extensions: Vec::new(),
            pipelines: Vec::new(),
            telemetry: other.telemetry,
            ledger: other.ledger.clone(),
            admin: other.admin.clone(),
            timeouts: other.timeouts,
            warnings: Diagnostics::new(Source::new("", ""), Vec::new()),
        }
    }

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
        let Resolved {
            document,
            found: mut found_before,
            covered,
        } = resolve(source, registry, lookup)
            .map_err(|diagnostic| Diagnostics::new(source.clone(), vec![diagnostic]))?;
        // A reference that failed left nothing behind, and that nothing is no second error.
        let broken: HashSet<Span> = found_before
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .map(|diagnostic| diagnostic.span)
            .collect();
        let mut found = Vec::new();
        check_sections(&document, &mut found);
        let components = components::read(&document, source, registry, &mut found);
        let service = service::read(&document, registry, &components, &mut found);
        let pipelines = pipelines::read(&document, registry, &components, &mut found);
        components.report_unused(&pipelines, &service.extensions, &mut found);
        claims::check(&components, &pipelines, &service.extensions, &mut found);
        found.retain(|diagnostic| !broken.contains(&diagnostic.span));
        found.append(&mut found_before);
        blame_unset(&document, &mut found);

        let found = Diagnostics::new(source.clone(), found).covering(covered);
        if found.errors() > 0 {
            return Err(found);
        }
        Ok(Self {
            receivers: components.receivers.take(source),
            processors: components.processors.take(source),
            exporters: components.exporters.take(source),
            extensions: components.extensions.take(source),
            service_extensions: service.extensions,
            pipelines,
            telemetry: service.telemetry,
            ledger: service.ledger,
            admin: service.admin,
            timeouts: service.timeouts,
            warnings: found,
        })
    }
}

/// The files of a source as one document: mappings are merged key by key, of anything else the later file's wins.
fn read_all(source: &Source) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    let mut all: Option<Node> = None;
    let mut found = Vec::new();
    for (_, span) in source.files() {
        let text = &source.text()[span.start..span.end];
        let parsed = parse::parse(text).map_err(|error| error.moved(span.start))?;
        let (mut document, more) = parsed;
        document.shift(span.start);
        found.extend(more.into_iter().map(|d| d.moved(span.start)));
        match &mut all {
            Some(all) => all.merge(document),
            None => all = Some(document),
        }
    }
    let nothing = || Node::scalar(String::new(), true, Span::default());
    Ok((all.unwrap_or_else(nothing), found))
}

/// A document without references.
pub(crate) struct Resolved {
    pub(crate) document: Node,
    /// What was wrong with the references.
    pub(crate) found: Vec<Diagnostic>,
    /// What is not shown of the file.
    pub(crate) covered: Vec<Span>,
}

/// Text to a document.
pub(crate) fn resolve(
    source: &Source,
    registry: &Registry,
    lookup: &dyn Lookup,
) -> Result<Resolved, Diagnostic> {
    let (mut document, mut found) = read_all(source)?;
    let mut literals = literals(&document, registry);
    let mut resolver = Resolver::new(lookup);
    if let Value::Map(sections) = &mut document.value {
        for section in sections {
            let class = Class::ALL
                .into_iter()
                .find(|class| class.section() == section.key);
            let (Some(class), Value::Map(blocks)) = (class, &mut section.value.value) else {
                resolver.replace(&mut section.value);
                continue;
            };
            for block in blocks {
                let kind = block.key.split('/').next().unwrap_or_default();
                let known = registry.find(class, kind);
                if known.is_none() && does_nothing(class, kind).is_some() {
                    // Nobody needs its variables.
                    continue;
                }
                resolver.bare_names = known.is_some_and(|known| known.expands_bare_names);
                resolver.replace(&mut block.value);
                resolver.bare_names = false;
            }
        }
    }
    found.append(&mut literals.found);
    found.append(&mut resolver.diagnostics);
    Ok(Resolved {
        document,
        found,
        covered: literals.covered,
    })
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
            let diagnostic = Diagnostic::error(
                entry.key_span,
                format!("unknown section `{}`", entry.shown()),
            );
            found.push(
                match suggestion("sections", entry.shown(), SECTIONS.iter().copied()) {
                    Some(help) => diagnostic.with_help(help),
                    None => diagnostic,
                },
            );
        }
    }
}

/// One finding for each value that an unset variable left out: an error in place of what was found wrong there, or a
/// warning where it can do without.
fn blame_unset(document: &Node, found: &mut Vec<Diagnostic>) {
    let mut unset = HashMap::new();
    unset_values(document, &mut String::new(), &mut unset);
    let mut needed = HashSet::new();
    found.retain_mut(|diagnostic| {
        let Some((variable, path)) = unset.get(&diagnostic.span) else {
            return true;
        };
        // A second one says no more.
        if diagnostic.severity == Severity::Warning || !needed.insert(diagnostic.span) {
            return false;
        }
        *diagnostic = Diagnostic::unset(diagnostic.span, variable, path);
        true
    });
    found.extend(
        unset
            .into_iter()
            .filter(|(span, _)| !needed.contains(span))
            .map(|(span, (variable, _))| {
                Diagnostic::warning(
                    span,
                    format!("the environment variable `{variable}` is not set; this is left out"),
                )
                .with_help(format!(
                    "set it, or give a default: `${{env:{variable}:-…}}`"
                ))
            }),
    );
}

/// Every value that an unset variable left out: its place in the file, the variable, and its path.
fn unset_values<'d>(
    node: &'d Node,
    path: &mut String,
    unset: &mut HashMap<Span, (&'d str, String)>,
) {
    if let Some(variable) = node.unset() {
        unset
            .entry(node.span)
            .or_insert_with(|| (variable, path.clone()));
    }
    let length = path.len();
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                unset_values(item, path, unset);
                path.truncate(length);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&entry.key);
                unset_values(&entry.value, path, unset);
                path.truncate(length);
            }
        }
    }
}
