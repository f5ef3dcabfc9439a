//! Which components run, and what the checks across components need to know of them.

use sluice_component::{Checked, Claim, ComponentId};

use super::Pipeline;
use super::components::{Components, Section};
use crate::node::Node;
use crate::{Class, Diagnostic, Span};

/// What the checks across components need to know of one.
pub(super) struct View<'a> {
    pub(super) class: Class,
    pub(super) id: &'a ComponentId,
    pub(super) written: &'a str,
    pub(super) key_span: Span,
    pub(super) block: &'a Node,
    pub(super) claims: Vec<Claim>,
    pub(super) extensions: Vec<String>,
}

impl<C: ?Sized> Section<C> {
    fn views<'a>(
        &'a self,
        class: Class,
        checked: fn(&C) -> &dyn Checked,
    ) -> impl Iterator<Item = View<'a>> {
        self.defined.iter().map(move |(id, defined)| {
            let config = defined.config.as_deref().map(checked);
            View {
                class,
                id,
                written: &defined.written,
                key_span: defined.key_span,
                block: &defined.block,
                claims: config.map(Checked::claims).unwrap_or_default(),
                extensions: config.map(Checked::extensions).unwrap_or_default(),
            }
        })
    }
}

impl Components {
    /// Every component that will run: those in a pipeline and in `service.extensions`.
    pub(super) fn running<'a>(
        &'a self,
        pipelines: &'a [Pipeline],
        extensions: &'a [ComponentId],
    ) -> impl Iterator<Item = View<'a>> {
        self.all()
            .filter(|view| is_used(view, pipelines, extensions))
    }

    fn all(&self) -> impl Iterator<Item = View<'_>> {
        let receivers = self.receivers.views(Class::Receiver, |config| config);
        let processors = self.processors.views(Class::Processor, |config| config);
        let exporters = self.exporters.views(Class::Exporter, |config| config);
        receivers
            .chain(processors)
            .chain(exporters)
            .chain(self.extensions.views(Class::Extension, |config| config))
    }

    /// Defined and used nowhere is allowed, and seldom meant.
    pub(super) fn report_unused(
        &self,
        pipelines: &[Pipeline],
        extensions: &[ComponentId],
        found: &mut Vec<Diagnostic>,
    ) {
        for view in self
            .all()
            .filter(|view| !is_used(view, pipelines, extensions))
        {
            let (where_to, what) = if view.class == Class::Extension {
                ("service.extensions", "list it there")
            } else {
                ("a pipeline", "name it in one")
            };
            found.push(
                Diagnostic::warning(
                    view.key_span,
                    format!(
                        "{} `{}` is not in {where_to}, so it does not run",
                        view.class, view.written
                    ),
                )
                .with_help(format!("{what}, or remove it")),
            );
        }
    }
}

fn is_used(view: &View<'_>, pipelines: &[Pipeline], extensions: &[ComponentId]) -> bool {
    match view.class {
        Class::Receiver => pipelines
            .iter()
            .any(|pipeline| pipeline.receivers.contains(view.id)),
        Class::Processor => pipelines
            .iter()
            .any(|pipeline| pipeline.processors.contains(view.id)),
        Class::Exporter => pipelines
            .iter()
            .any(|pipeline| pipeline.exporters.contains(view.id)),
        Class::Extension => extensions.contains(view.id),
    }
}
