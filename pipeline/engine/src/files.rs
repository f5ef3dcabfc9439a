//! What the files hold that components read when they are built: certificates, password files. One that has changed since
//! makes its reader another component, although the configuration says the same.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use sluice_component::{Checked, ComponentId};
use sluice_config::{Pipeline, Plan};

/// The files of a plan, each with a mark of its content; `None`: it cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Files(HashMap<PathBuf, Option<u64>>);

impl Files {
    /// As they are now.
    pub(crate) fn of(plan: &Plan) -> Self {
        Self(
            read_by(plan)
                .into_iter()
                .map(|path| {
                    let mark = mark(&path);
                    (path, mark)
                })
                .collect(),
        )
    }

    /// Whether a file is another one than `now`.
    pub(crate) fn differs(&self, now: &Self, path: &Path) -> bool {
        self.0.get(path) != now.0.get(path)
    }
}

/// Files that the components of a plan read when they are built: of those that run.
pub fn read_by(plan: &Plan) -> BTreeSet<PathBuf> {
    let used = |of: fn(&Pipeline) -> &Vec<ComponentId>| plan.pipelines.iter().flat_map(of);
    let receivers = used(|p| &p.receivers).map(|id| &*plan.receivers[id].config as &dyn Checked);
    let processors = used(|p| &p.processors).map(|id| &*plan.processors[id].config as &dyn Checked);
    let exporters = used(|p| &p.exporters).map(|id| &*plan.exporters[id].config as &dyn Checked);
    let extensions = plan.service_extensions.iter();
    let extensions = extensions.map(|id| &*plan.extensions[id].config as &dyn Checked);
    let all = receivers.chain(processors).chain(exporters);
    all.chain(extensions).flat_map(Checked::files).collect()
}

fn mark(path: &Path) -> Option<u64> {
    // What can be read once only is left to the component.
    std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    let content = std::fs::read(path).ok()?;
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    Some(hasher.finish())
}
