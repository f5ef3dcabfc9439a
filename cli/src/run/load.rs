//! From the file to a plan, with what tells it apart from another.

use std::cell::RefCell;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use sluice_config::{Diagnostics, Lookup, Plan, Source};

use crate::lookup::Surroundings;
use crate::source::{count, texts};

/// A configuration that can run.
pub(crate) struct Loaded {
    pub(crate) plan: Plan,
    pub(crate) shown: Shown,
}

/// The surroundings, with a list of the files that were read.
struct Recording(RefCell<Vec<PathBuf>>);

impl Lookup for Recording {
    fn variable(&self, name: &str) -> Option<String> {
        Surroundings.variable(name)
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.0.borrow_mut().push(path.into());
        Surroundings.file(path)
    }
}

/// What is told of a configuration to those who ask.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// SHA-256 of the file, the first 16 digits.
    pub(crate) hash: String,
    source: Source,
}

impl Shown {
    /// The configuration as it is understood, secrets hidden.
    pub(crate) fn text(&self) -> String {
        let text = sluice_config::print(&self.source, &crate::registry::registry(), &Surroundings);
        // What it refers to may have gone since.
        text.unwrap_or_else(|errors| format!("# {}\n", count(&errors)))
    }
}

/// Why there is none.
pub(crate) enum LoadError {
    /// The file cannot be read.
    Unreadable(String),
    /// What is wrong with it.
    Wrong(Box<Diagnostics>),
}

/// Reads the files. Beside the result: what it refers to, good or not.
pub(crate) fn load(paths: &[PathBuf]) -> (Result<Loaded, LoadError>, Vec<PathBuf>) {
    let lookup = Recording(RefCell::default());
    let loaded = read(paths, &lookup);
    (loaded, lookup.0.into_inner())
}

fn read(paths: &[PathBuf], lookup: &Recording) -> Result<Loaded, LoadError> {
    let source = texts(paths).map_err(LoadError::Unreadable)?;
    let registry = crate::registry::registry();
    let wrong = |errors| LoadError::Wrong(Box::new(errors));
    let plan = Plan::read(&source, &registry, lookup).map_err(wrong)?;
    let digest = Sha256::digest(source.text().as_bytes());
    let hash = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let shown = Shown { hash, source };
    Ok(Loaded { plan, shown })
}
