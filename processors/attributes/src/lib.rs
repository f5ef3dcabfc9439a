//! The Collector's `attributes` and `resource` processors: insert, update, upsert, delete, hash, extract and convert
//! attributes, of records or of their resources.
//!
//! Differences from the Collector: where a key stands twice, `delete` and `hash` take care of every copy; `hash` also
//! hides lists and maps (as JSON) and bytes, which the Collector replaces by an empty text.
//! `from_context: auth.NAME` is an error, because authenticators hand nothing on.

mod action;
mod config;
mod context;
mod matching;
mod processor;
pub mod resource;
mod step;
#[cfg(test)]
mod tests;
mod value;

pub use action::{ActionConfig, ActionKind, ConvertedType};
pub use config::Config;
pub use matching::{
    AttributeMatch, LibraryMatch, MatchConfig, MatchType, RegexpConfig, SeverityMatch,
};
pub use value::AnyValue;
