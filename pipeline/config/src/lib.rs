#![doc = include_str!("../README.md")]

mod de;
mod diagnostic;
mod error;
mod literal;
mod mask;
mod node;
mod parse;
mod plan;
mod print;
mod reference;
mod registry;
mod schema;
mod scrub;
mod source;

pub use de::Block;
pub use diagnostic::{Diagnostic, Diagnostics, Style};
pub use error::Error;
pub use parse::{MAX_BYTES, MAX_DEPTH, MAX_NODES};
pub use plan::{
    Admin, Changes, Component, Encoding, Fate, FsyncRule, IntegrityRule, Ledger, LedgerBlock,
    LogLevel, OnFullRule, Pipeline, PipelineId, Plan, Reason, RetentionBlock, Telemetry, Timeouts,
};
pub use print::print;
pub use reference::{Lookup, MAX_REFERENCES};
pub use registry::{
    Class, ComponentType, Registry, Stability, exporter, extension, processor, receiver,
};
pub use sluice_batch::Signal;
pub use source::{Source, Span};

#[cfg(test)]
mod tests;
