//! What the files hold that components read when they are built: certificates, password files. One that has changed since
//! makes its reader another component, although the configuration says the same.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use sluice_component::Checked;
use sluice_config::Plan;

/// The files of a plan, each with a mark of its content; `None`: it cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Files(HashMap<PathBuf, Option<u64>>);

impl Files {
    /// As they are now.
    pub(crate) fn of(plan: &Plan) -> Self {
        let receivers = plan.receivers.values().map(|c| &*c.config as &dyn Checked);
        let processors = plan.processors.values().map(|c| &*c.config as &dyn Checked);
        let exporters = plan.exporters.values().map(|c| &*c.config as &dyn Checked);
        let extensions = plan.extensions.values().map(|c| &*c.config as &dyn Checked);
        let all = receivers.chain(processors).chain(exporters);
        let files = all.chain(extensions).flat_map(Checked::files);
        Self(
            files
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

    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }
}

fn mark(path: &Path) -> Option<u64> {
    let content = std::fs::read(path).ok()?;
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    Some(hasher.finish())
}
