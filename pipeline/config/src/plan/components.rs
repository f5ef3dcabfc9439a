//! The four sections of components: ids, types, blocks.

use std::collections::BTreeMap;

use sluice_component::{
    Checked, ComponentId, ExporterConfig, ExtensionConfig, Problems, ProcessorConfig,
    ReceiverConfig,
};

use super::Component;
use super::elsewhere::{does_nothing, renamed};
use super::id::parse_id;
use super::place::locate;
use crate::diagnostic::suggestion;
use crate::node::{Entry, Node, Value};
use crate::registry::ComponentType;
use crate::{Block, Class, Diagnostic, Registry, Signal, Source, Span};

/// A component of one section, as far as it could be read.
pub(super) struct Defined<C: ?Sized> {
    pub(super) key_span: Span,
    pub(super) signals: &'static [Signal],
    pub(super) written: String,
    pub(super) block: Node,
    /// `None`: its block has errors, which have been reported; references to it are still good.
    pub(super) config: Option<Box<C>>,
}

pub(super) struct Section<C: ?Sized> {
    pub(super) defined: BTreeMap<ComponentId, Defined<C>>,
    /// Ids as written whose type or form was reported already, or that do nothing: a reference to one is no error.
    rejected: Vec<String>,
}

/// Every component of the file.
pub(super) struct Components {
    pub(super) receivers: Section<dyn ReceiverConfig>,
    pub(super) processors: Section<dyn ProcessorConfig>,
    pub(super) exporters: Section<dyn ExporterConfig>,
    pub(super) extensions: Section<dyn ExtensionConfig>,
}

pub(super) fn read(
    document: &Node,
    source: &Source,
    registry: &Registry,
    found: &mut Vec<Diagnostic>,
) -> Components {
    Components {
        receivers: section(
            document,
            Class::Receiver,
            &registry.receivers,
            |config| config,
            source,
            found,
        ),
        processors: section(
            document,
            Class::Processor,
            &registry.processors,
            |config| config,
            source,
            found,
        ),
        exporters: section(
            document,
            Class::Exporter,
            &registry.exporters,
            |config| config,
            source,
            found,
        ),
        extensions: section(
            document,
            Class::Extension,
            &registry.extensions,
            |config| config,
            source,
            found,
        ),
    }
}

fn section<C: ?Sized>(
    document: &Node,
    class: Class,
    types: &[ComponentType<C>],
    checked: fn(&C) -> &dyn Checked,
    source: &Source,
    found: &mut Vec<Diagnostic>,
) -> Section<C> {
    let mut section = Section {
        defined: BTreeMap::new(),
        rejected: Vec::new(),
    };
    let Some(entry) = document.get(class.section()) else {
        return section;
    };
    if !matches!(entry.value.value, Value::Map(_)) && !entry.value.is_null() {
        found.push(
            Diagnostic::error(
                entry.key_span,
                format!(
                    "`{}` must be a mapping from component id to settings",
                    entry.key
                ),
            )
            .with_help(format!(
                "write `{}:` and below it `type:` or `type/name:`",
                entry.key
            )),
        );
        return section;
    }
    for block in entry.value.entries() {
        let (kind, name) = match parse_id(&block.key) {
            Ok(parts) => parts,
            Err(reason) => {
                found.push(Diagnostic::error(
                    block.key_span,
                    format!("`{}` is not a component id: {reason}", block.shown()),
                ));
                section.rejected.push(block.key.clone());
                continue;
            }
        };
        let Some(known) = types.iter().find(|known| known.is_called(kind)) else {
            if let Some(reason) = does_nothing(class, kind) {
                found.push(
                    Diagnostic::warning(
                        block.key_span,
                        format!("{class} `{kind}` is taken and does nothing yet"),
                    )
                    .with_help(reason),
                );
                section.rejected.push(block.key.clone());
                continue;
            }
            found.push(unknown_type(
                class,
                kind,
                block,
                types.iter().map(|known| known.name),
            ));
            section.rejected.push(block.key.clone());
            continue;
        };
        let id = ComponentId {
            kind: known.name.to_owned(),
            name: name.to_owned(),
        };
        if let Some(first) = section.defined.get(&id) {
            found.push(
                Diagnostic::error(
                    block.key_span,
                    format!(
                        "`{}` and `{}` are two spellings of one {class}",
                        first.written, block.key
                    ),
                )
                .with_related(first.key_span, "first here")
                .with_help("give one of them another name: `type/name`"),
            );
            continue;
        }
        let path = format!("{}.{}", class.section(), block.key);
        let config = match (known.read)(Block::new(&block.value)) {
            Ok(config) => Some(config),
            Err(error) => {
                found.push(error.into_diagnostic(&path, block.key_span, &block.value));
                None
            }
        };
        if let Some(config) = &config {
            let mut problems = Problems::new();
            checked(config).check(&mut problems);
            found.extend(
                problems
                    .found
                    .into_iter()
                    .map(|problem| locate(problem, &block.value, block.key_span, &path, source)),
            );
        }
        let defined = Defined {
            key_span: block.key_span,
            signals: known.signals,
            written: block.key.clone(),
            block: block.value.clone(),
            config,
        };
        section.defined.insert(id, defined);
    }
    section
}

fn unknown_type<'a>(
    class: Class,
    kind: &str,
    block: &Entry,
    known: impl Iterator<Item = &'a str>,
) -> Diagnostic {
    let kind = if block.is_from_reference() {
        block.shown()
    } else {
        kind
    };
    let diagnostic = Diagnostic::error(block.key_span, format!("unknown {class} type `{kind}`"));
    let known: Vec<&str> = known.collect();
    if let Some(today) = renamed(class, kind).filter(|today| known.contains(today)) {
        return diagnostic.with_help(format!("use `{today}`: that is its name today"));
    }
    match suggestion(&format!("known {}", class.section()), kind, known) {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}

impl<C: ?Sized> Section<C> {
    /// The components for the plan. Only called when nothing had an error.
    pub(super) fn take(self, source: &Source) -> BTreeMap<ComponentId, Component<C>> {
        let component = |defined: Defined<C>| {
            defined.config.map(|config| Component {
                written: defined.written,
                at: source.place(defined.key_span),
                config,
                block: defined.block,
            })
        };
        self.defined
            .into_iter()
            .filter_map(|(id, defined)| component(defined).map(|component| (id, component)))
            .collect()
    }

    /// Written ids, for suggestions.
    fn written(&self) -> Vec<&str> {
        self.defined
            .values()
            .map(|defined| defined.written.as_str())
            .collect()
    }

    /// The component that a reference names. Reports it when it names none.
    pub(super) fn find(
        &self,
        registry: &Registry,
        class: Class,
        item: &Node,
        found: &mut Vec<Diagnostic>,
    ) -> Option<(ComponentId, &Defined<C>)> {
        let Some(written) = item.text().filter(|_| !item.is_null()) else {
            found.push(Diagnostic::error(
                item.span,
                format!(
                    "the id of a component in `{}` was expected",
                    class.section()
                ),
            ));
            return None;
        };
        if self.rejected.iter().any(|id| id == written) {
            return None;
        }
        // The rules for ids were applied where it is defined; here anything else is simply not defined.
        let (kind, name) = parse_id(written).unwrap_or((written, ""));
        let kind = registry.find(class, kind).map_or(kind, |known| known.name);
        let id = ComponentId {
            kind: kind.to_owned(),
            name: name.to_owned(),
        };
        if let Some(defined) = self.defined.get(&id) {
            return Some((id, defined));
        }
        let shown = item.shown().unwrap_or(written);
        let diagnostic = Diagnostic::error(
            item.span,
            format!("{class} `{shown}` is not defined in `{}`", class.section()),
        );
        found.push(match suggestion("defined are", shown, self.written()) {
            Some(help) => diagnostic.with_help(help),
            None if !self.rejected.is_empty() => diagnostic,
            None => {
                diagnostic.with_help(format!("`{}` is empty: define it there", class.section()))
            }
        });
        None
    }
}
