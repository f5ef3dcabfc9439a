//! What a component's configuration type can do, and what it is built with.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{BuiltExporter, Extension, Kept, Problems, Receiver, Stage};

/// A component's name in the file: `type` or `type/name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId {
    /// The component's type, canonical spelling.
    pub kind: String,
    /// The name after the slash; empty without one.
    pub name: String,
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str(&self.kind)
        } else {
            write!(f, "{}/{}", self.kind, self.name)
        }
    }
}

/// A thing that only one component may own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// A TCP address to listen on, as written (`host:port`). Port 0 never clashes.
    Listen(String),
    /// A file or directory to write.
    Path(PathBuf),
}

/// Why a valid configuration could not be built (an address in use, a certificate that cannot be read).
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

impl BuildError {
    /// From anything that can be shown.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

/// What a component is built with.
#[derive(Clone)]
pub struct BuildContext {
    /// The component's own id.
    pub id: ComponentId,
    /// The pipeline that a processor stands in; empty for others.
    pub pipeline: String,
    /// Built extensions by id as written.
    pub extensions: Arc<HashMap<String, Extension>>,
    /// What outlives a component.
    pub kept: Arc<Kept>,
}

impl BuildContext {
    /// For a component by itself: no extensions, nothing kept.
    #[must_use]
    pub fn alone(kind: &str) -> Self {
        Self {
            id: ComponentId {
                kind: kind.to_owned(),
                name: String::new(),
            },
            pipeline: String::new(),
            extensions: Arc::default(),
            kept: Arc::default(),
        }
    }

    /// What this component's predecessor held of this type, or something new: it is found again by the component's id
    /// and, for a processor, its pipeline.
    #[must_use]
    pub fn kept<T: Any + Send + Sync + Default>(&self) -> Arc<T> {
        self.kept_of("")
    }

    /// The same of a predecessor that was alike in `what`: with another setting it held something else.
    #[must_use]
    pub fn kept_of<T: Any + Send + Sync + Default>(&self, what: &str) -> Arc<T> {
        self.kept
            .get(&format!("{} {} {what}", self.id, self.pipeline))
    }

    /// The extension named `id`.
    ///
    /// # Errors
    /// No such extension in `service.extensions`.
    pub fn extension(&self, id: &str) -> Result<&Extension, BuildError> {
        self.extensions
            .get(id)
            .ok_or_else(|| BuildError(format!("extension `{id}` is not in service.extensions")))
    }
}

impl fmt::Debug for BuildContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildContext")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What every configuration type has in common: it can be checked without touching the network, compared with the one
/// that runs, and says what it claims.
pub trait Checked: fmt::Debug + Send + Sync + Any {
    /// Reports everything wrong with this configuration. Pure: no file, no network.
    fn check(&self, problems: &mut Problems) {
        let _ = problems;
    }
    /// Sockets and files that this component owns alone.
    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }
    /// Files that are read when it is built: when one has changed, the component is not the same any more.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }
    /// Ids of extensions that it refers to.
    fn extensions(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A receiver's configuration.
pub trait ReceiverConfig: Checked {
    /// Builds the receiver: binds its sockets, loads its certificates, starts nothing.
    ///
    /// # Errors
    /// [`BuildError`] says what stands in the way.
    fn build(&self, context: &BuildContext) -> Result<Box<dyn Receiver>, BuildError>;
}

/// A processor's configuration.
pub trait ProcessorConfig: Checked {
    /// Builds the stage.
    ///
    /// # Errors
    /// [`BuildError`] says what stands in the way.
    fn build(&self, context: &BuildContext) -> Result<Stage, BuildError>;
}

/// An exporter's configuration.
pub trait ExporterConfig: Checked {
    /// Builds the exporter, or one for each of its destinations.
    ///
    /// # Errors
    /// [`BuildError`] says what stands in the way.
    fn build(&self, context: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError>;
}

/// An extension's configuration.
pub trait ExtensionConfig: Checked {
    /// Builds the extension.
    ///
    /// # Errors
    /// [`BuildError`] says what stands in the way.
    fn build(&self, context: &BuildContext) -> Result<Extension, BuildError>;
}
