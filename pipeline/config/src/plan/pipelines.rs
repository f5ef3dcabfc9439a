//! `service.pipelines`: signals, and references to components.

use sluice_component::ComponentId;

use super::components::{Components, Section};
use super::id::parse_id;
use super::{Pipeline, PipelineId};
use crate::diagnostic::suggestion;
use crate::node::{Entry, Node, Value};
use crate::{Class, Diagnostic, Registry, Signal, Span};

const KEYS: &[&str] = &["receivers", "processors", "exporters"];

pub(super) fn read(
    document: &Node,
    registry: &Registry,
    components: &Components,
    found: &mut Vec<Diagnostic>,
) -> Vec<Pipeline> {
    let service = document.get("service");
    let Some(section) = service.and_then(|service| service.value.get("pipelines")) else {
        if matches!(document.value, Value::Map(_)) {
            let span = service.map_or(Span::default(), |service| service.key_span);
            found.push(Diagnostic::error(span, "no pipelines").with_help(
                "write `service: {pipelines: {logs: {receivers: […], exporters: […]}}}`",
            ));
        }
        return Vec::new();
    };
    if section.value.entries().is_empty() {
        found.push(Diagnostic::error(
            section.place(),
            "`service.pipelines` must be a mapping with at least one pipeline, such as `logs`",
        ));
    }
    section
        .value
        .entries()
        .iter()
        .filter_map(|entry| pipeline(entry, registry, components, found))
        .collect()
}

fn pipeline(
    entry: &Entry,
    registry: &Registry,
    components: &Components,
    found: &mut Vec<Diagnostic>,
) -> Option<Pipeline> {
    let id = match pipeline_id(entry) {
        Ok(id) => Some(id),
        Err(diagnostic) => {
            found.push(diagnostic);
            None
        }
    };
    let signal = id.as_ref().map(|id| id.signal);
    for key in entry
        .value
        .entries()
        .iter()
        .filter(|key| !KEYS.contains(&key.key.as_str()))
    {
        let diagnostic = Diagnostic::error(
            key.key_span,
            format!(
                "unknown key `{}` in `service.pipelines.{}`",
                key.shown(),
                entry.shown()
            ),
        );
        found.push(
            match suggestion("known keys", key.shown(), KEYS.iter().copied()) {
                Some(help) => diagnostic.with_help(help),
                None => diagnostic,
            },
        );
    }
    let receivers = references(
        entry,
        Class::Receiver,
        signal,
        &components.receivers,
        registry,
        found,
    );
    let processors = references(
        entry,
        Class::Processor,
        signal,
        &components.processors,
        registry,
        found,
    );
    let exporters = references(
        entry,
        Class::Exporter,
        signal,
        &components.exporters,
        registry,
        found,
    );
    Some(Pipeline {
        id: id?,
        receivers,
        processors,
        exporters,
    })
}

fn pipeline_id(entry: &Entry) -> Result<PipelineId, Diagnostic> {
    let wrong = |reason: &str| {
        Diagnostic::error(
            entry.key_span,
            format!("`{}` is not a pipeline id: {reason}", entry.shown()),
        )
    };
    let (kind, name) = parse_id(&entry.key).map_err(wrong)?;
    match Signal::ALL.iter().find(|signal| signal.name() == kind) {
        Some(signal) => Ok(PipelineId {
            signal: *signal,
            name: name.to_owned(),
        }),
        None if kind == "profiles" => Err(wrong("profiles are not supported yet")),
        None => Err(
            match suggestion(
                "signals",
                kind,
                Signal::ALL.iter().map(|signal| signal.name()),
            ) {
                Some(help) => wrong("it starts with a signal").with_help(help),
                None => wrong("it starts with a signal"),
            },
        ),
    }
}

/// The ids under one key of a pipeline. Receivers and exporters must not be empty.
fn references<C: ?Sized>(
    pipeline: &Entry,
    class: Class,
    signal: Option<Signal>,
    section: &Section<C>,
    registry: &Registry,
    found: &mut Vec<Diagnostic>,
) -> Vec<ComponentId> {
    let key = class.section();
    // What is no pipeline id may be anything.
    let name = match signal {
        Some(_) => &pipeline.key,
        None => pipeline.shown(),
    };
    let list = pipeline.value.get(key);
    let items = match list.map(|list| &list.value) {
        Some(Node {
            value: Value::List(items),
            ..
        }) => items.as_slice(),
        Some(value) if !value.is_null() => {
            let span = list.map_or(pipeline.key_span, Entry::place);
            found.push(
                Diagnostic::error(
                    span,
                    format!("`service.pipelines.{name}.{key}` must be a list of ids"),
                )
                .with_help(format!("write `{key}: [id, id]`")),
            );
            return Vec::new();
        }
        _ => &[],
    };
    if items.is_empty() && class != Class::Processor {
        let span = list.map_or(pipeline.key_span, Entry::place);
        found.push(
            Diagnostic::error(span, format!("pipeline `{name}` has no {class}"))
                .with_help(format!("name at least one: `{key}: [id]`")),
        );
    }
    let mut ids: Vec<(ComponentId, Span)> = Vec::new();
    for item in items {
        let Some((id, defined)) = section.find(registry, class, item, found) else {
            continue;
        };
        let written = id.to_string();
        if let Some(signal) = signal
            && !defined.signals.contains(&signal)
        {
            found.push(
                Diagnostic::error(
                    item.span,
                    format!("{class} `{written}` does not handle {}", signal.name()),
                )
                .with_related(defined.key_span, "defined here")
                .with_help(format!(
                    "it handles {}",
                    defined
                        .signals
                        .iter()
                        .map(|signal| signal.name())
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
            );
        }
        if let Some((_, first)) = ids.iter().find(|(known, _)| *known == id) {
            found.push(
                Diagnostic::error(
                    item.span,
                    format!(
                        "{class} `{written}` stands twice in pipeline `{}`",
                        pipeline.key
                    ),
                )
                .with_related(*first, "first here"),
            );
            continue;
        }
        ids.push((id, item.span));
    }
    ids.into_iter().map(|(id, _)| id).collect()
}
