//! What a reload has to do: one plan against another, component by component.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use sluice_component::{Checked, ComponentId};

use super::{Component, Pipeline, PipelineId, Plan};
use crate::Class;

/// What becomes of a component or a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is the same object afterwards.
    Kept,
    /// It is built anew, or put together anew.
    Changed(Reason),
    /// It was not there.
    Added,
    /// It is there no more.
    Removed,
}

/// Why something is built anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The file says something else about it.
    Settings,
    /// An extension that it uses changes.
    Extension(String),
    /// A file that it reads has changed.
    File(PathBuf),
    /// A processor of the pipeline changes.
    Processor(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => f.write_str("its settings differ"),
            Self::Extension(id) => write!(f, "extension {id} changes"),
            Self::File(path) => write!(f, "{} has changed", path.display()),
            Self::Processor(id) => write!(f, "processor {id} changes"),
        }
    }
}

/// What differs between two plans, of what runs: components in pipelines and in `service.extensions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Each component's fate.
    pub components: BTreeMap<(Class, ComponentId), Fate>,
    /// Each pipeline's fate, by its name.
    pub pipelines: BTreeMap<String, Fate>,
    /// Whether `service.ledger` differs. Some of its keys take a restart.
    pub ledger: bool,
    /// Whether the rest of `service` (telemetry, admin, timeouts) differs.
    pub service: bool,
}

impl Changes {
    /// Whether this component is the same object afterwards.
    #[must_use]
    pub fn keeps(&self, class: Class, id: &ComponentId) -> bool {
        self.components.get(&(class, id.clone())) == Some(&Fate::Kept)
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let fates = self.components.values().chain(self.pipelines.values());
        !self.ledger && !self.service && fates.into_iter().all(|fate| *fate == Fate::Kept)
    }

    /// How many components and pipelines are kept, changed, added and removed.
    #[must_use]
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for fate in self.components.values().chain(self.pipelines.values()) {
            let kind = match fate {
                Fate::Kept => 0,
                Fate::Changed(_) => 1,
                Fate::Added => 2,
                Fate::Removed => 3,
            };
            counts[kind] += 1;
        }
        counts
    }
}

impl Plan {
    /// What differs from an `old` plan that runs. `has_changed` says of a file whether it is another one than when the
    /// component that reads it was built.
    #[must_use]
    pub fn changes_from(&self, old: &Self, has_changed: &dyn Fn(&Path) -> bool) -> Changes {
        let mut changes = Changes {
            ledger: self.ledger != old.ledger,
            service: (self.telemetry, &self.admin, self.timeouts)
                != (old.telemetry, &old.admin, old.timeouts),
            ..Changes::default()
        };
        // Extensions first: the others depend on them.
        let extensions = |plan: &Self| plan.service_extensions.iter().cloned().collect();
        compare(
            &mut changes,
            Class::Extension,
            (&old.extensions, extensions(old)),
            (&self.extensions, extensions(self)),
            |config| config,
            has_changed,
        );
        let used = |plan: &Self, of: fn(&Pipeline) -> &Vec<ComponentId>| {
            plan.pipelines.iter().flat_map(of).cloned().collect()
        };
        compare(
            &mut changes,
            Class::Receiver,
            (&old.receivers, used(old, |p| &p.receivers)),
            (&self.receivers, used(self, |p| &p.receivers)),
            |config| config,
            has_changed,
        );
        compare(
            &mut changes,
            Class::Processor,
            (&old.processors, used(old, |p| &p.processors)),
            (&self.processors, used(self, |p| &p.processors)),
            |config| config,
            has_changed,
        );
        compare(
            &mut changes,
            Class::Exporter,
            (&old.exporters, used(old, |p| &p.exporters)),
            (&self.exporters, used(self, |p| &p.exporters)),
            |config| config,
            has_changed,
        );
        let find = |plan: &Self, id: &PipelineId| plan.pipelines.iter().position(|p| p.id == *id);
        for pipeline in &old.pipelines {
            if find(self, &pipeline.id).is_none() {
                changes
                    .pipelines
                    .insert(pipeline.id.to_string(), Fate::Removed);
            }
        }
        for pipeline in &self.pipelines {
            let fate = match find(old, &pipeline.id) {
                None => Fate::Added,
                Some(i) if old.pipelines[i] != *pipeline => Fate::Changed(Reason::Settings),
                Some(_) => {
                    let mut processors = pipeline.processors.iter();
                    match processors.find(|id| !changes.keeps(Class::Processor, id)) {
                        Some(id) => Fate::Changed(Reason::Processor(id.to_string())),
                        None => Fate::Kept,
                    }
                }
            };
            changes.pipelines.insert(pipeline.id.to_string(), fate);
        }
        changes
    }
}

type Side<'a, C> = (
    &'a BTreeMap<ComponentId, Component<C>>,
    BTreeSet<ComponentId>,
);

fn compare<C: ?Sized>(
    changes: &mut Changes,
    class: Class,
    (old, were): Side<'_, C>,
    (new, are): Side<'_, C>,
    checked: fn(&C) -> &dyn Checked,
    has_changed: &dyn Fn(&Path) -> bool,
) {
    for id in were.difference(&are) {
        let key = (class, id.clone());
        changes.components.insert(key, Fate::Removed);
    }
    for id in are {
        let (before, now) = (old.get(&id).filter(|_| were.contains(&id)), &new[&id]);
        let config = checked(&now.config);
        let fate = match before {
            None => Fate::Added,
            Some(before) if before != now || before.written != now.written => {
                Fate::Changed(Reason::Settings)
            }
            Some(_) => {
                let extension = config.extensions().into_iter().find(|written| {
                    let kept = changes.components.iter().any(|((class, id), fate)| {
                        *class == Class::Extension
                            && id.to_string() == *written
                            && *fate == Fate::Kept
                    });
                    !kept
                });
                match (
                    extension,
                    config.files().into_iter().find(|f| has_changed(f)),
                ) {
                    (Some(extension), _) => Fate::Changed(Reason::Extension(extension)),
                    (None, Some(file)) => Fate::Changed(Reason::File(file)),
                    (None, None) => Fate::Kept,
                }
            }
        };
        changes.components.insert((class, id), fate);
    }
}
