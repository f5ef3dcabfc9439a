//! Which component types exist, how their blocks are read, and what they are called.

use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use sluice_batch::Signal;
use sluice_component::{ExporterConfig, ExtensionConfig, ProcessorConfig, ReceiverConfig};

use crate::{Block, Error};

/// The kinds of components that a file can define.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Takes records in.
    Receiver,
    /// Changes them on their way.
    Processor,
    /// Hands them on.
    Exporter,
    /// Serves other components.
    Extension,
}

impl Class {
    /// Every class, in the order in which records meet them.
    pub(crate) const ALL: [Self; 4] = [
        Self::Receiver,
        Self::Processor,
        Self::Exporter,
        Self::Extension,
    ];

    /// The file's section for it.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Receiver => "receivers",
            Self::Processor => "processors",
            Self::Exporter => "exporters",
            Self::Extension => "extensions",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receiver => "receiver",
            Self::Processor => "processor",
            Self::Exporter => "exporter",
            Self::Extension => "extension",
        })
    }
}

/// How far a component type can be relied on, in the Collector's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stability {
    /// Works as documented; keys may still change between versions.
    Alpha,
    /// Keys change only with a warning first.
    Beta,
    /// Keys do not change.
    Stable,
}

impl Stability {
    /// The word that `sluice components` prints.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alpha => "Alpha",
            Self::Beta => "Beta",
            Self::Stable => "Stable",
        }
    }
}

/// One component type of class `C` (such as `dyn ReceiverConfig`).
pub struct ComponentType<C: ?Sized> {
    /// The canonical spelling.
    pub name: &'static str,
    /// Other spellings that are taken without a word: both are in use.
    pub aliases: &'static [&'static str],
    /// The signals that it handles; empty for an extension.
    pub signals: &'static [Signal],
    /// Whether a bare `$NAME` in its block, alone or inside a text, is a reference to the environment, as this
    /// component's vendors write it.
    pub expands_bare_names: bool,
    /// How far it can be relied on.
    pub stability: Stability,
    pub(crate) read: for<'de> fn(Block<'de>) -> Result<Box<C>, Error>,
    /// The JSON Schema of its block.
    pub schema: fn() -> Schema,
}

impl<C: ?Sized> ComponentType<C> {
    /// Other spellings.
    #[must_use]
    pub const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The signals that it handles, when that is not all.
    #[must_use]
    pub const fn only(mut self, signals: &'static [Signal]) -> Self {
        self.signals = signals;
        self
    }

    /// See [`Self::expands_bare_names`].
    #[must_use]
    pub const fn with_bare_names(mut self) -> Self {
        self.expands_bare_names = true;
        self
    }

    /// How far it can be relied on, when that is not [`Stability::Alpha`].
    #[must_use]
    pub const fn is(mut self, stability: Stability) -> Self {
        self.stability = stability;
        self
    }

    /// Whether this type is written so.
    #[must_use]
    pub fn is_called(&self, written: &str) -> bool {
        self.name == written || self.aliases.contains(&written)
    }
}

impl<C: ?Sized> fmt::Debug for ComponentType<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentType")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

macro_rules! constructor {
    ($(#[$doc:meta])* $name:ident, $class:ident, $signals:expr) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name<T>(name: &'static str) -> ComponentType<dyn $class>
        where
            T: $class + for<'de> Deserialize<'de> + JsonSchema,
        {
            fn read<T: $class + for<'de> Deserialize<'de>>(block: Block<'_>) -> Result<Box<dyn $class>, Error> {
                T::deserialize(block).map(|config| Box::new(config) as Box<dyn $class>)
            }
            ComponentType { name, aliases: &[], signals: $signals, expands_bare_names: false, stability: Stability::Alpha, read: read::<T>, schema: || schemars::schema_for!(T) }
        }
    };
}

constructor!(
    /// A receiver type whose block is a `T`.
    receiver,
    ReceiverConfig,
    &Signal::ALL
);
constructor!(
    /// A processor type whose block is a `T`.
    processor,
    ProcessorConfig,
    &Signal::ALL
);
constructor!(
    /// An exporter type whose block is a `T`.
    exporter,
    ExporterConfig,
    &Signal::ALL
);
constructor!(
    /// An extension type whose block is a `T`.
    extension,
    ExtensionConfig,
    &[]
);

/// Every component type of a program.
#[derive(Debug, Default)]
pub struct Registry {
    /// What `receivers:` may hold.
    pub receivers: Vec<ComponentType<dyn ReceiverConfig>>,
    /// What `processors:` may hold.
    pub processors: Vec<ComponentType<dyn ProcessorConfig>>,
    /// What `exporters:` may hold.
    pub exporters: Vec<ComponentType<dyn ExporterConfig>>,
    /// What `extensions:` may hold.
    pub extensions: Vec<ComponentType<dyn ExtensionConfig>>,
}

/// A type's entry without its configuration's type.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) expands_bare_names: bool,
    pub(crate) schema: fn() -> Schema,
}

impl Registry {
    /// The entry for a type as written in the file.
    pub(crate) fn find(&self, class: Class, written: &str) -> Option<Known> {
        fn of<C: ?Sized>(types: &[ComponentType<C>], written: &str) -> Option<Known> {
            types
                .iter()
                .find(|known| known.is_called(written))
                .map(|known| Known {
                    name: known.name,
                    expands_bare_names: known.expands_bare_names,
                    schema: known.schema,
                })
        }
        match class {
            Class::Receiver => of(&self.receivers, written),
            Class::Processor => of(&self.processors, written),
            Class::Exporter => of(&self.exporters, written),
            Class::Extension => of(&self.extensions, written),
        }
    }

    /// Canonical names, in the registry's order.
    #[must_use]
    pub fn names(&self, class: Class) -> Vec<&'static str> {
        match class {
            Class::Receiver => self.receivers.iter().map(|known| known.name).collect(),
            Class::Processor => self.processors.iter().map(|known| known.name).collect(),
            Class::Exporter => self.exporters.iter().map(|known| known.name).collect(),
            Class::Extension => self.extensions.iter().map(|known| known.name).collect(),
        }
    }
}
