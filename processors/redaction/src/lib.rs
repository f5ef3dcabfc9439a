//! `redaction`: takes personal data and secrets out of every value of a batch, before anything is stored or sent on.
//!
//! ```text
//!  batch ──raw bytes, once──▶ candidates ──▶ the records they stand in ──▶ each value: keys, patterns, detectors
//!        └─ resources, scopes, metrics, and records that an earlier step changed: every value, always
//! ```
//!
//! Two languages in one component: the Collector's redaction keys with its meaning, and `detectors` with an `action`. What
//! was found is left as bits on the record (`Finding::bit`), so a later classification still knows of it.

mod config;
mod hash;
mod redactor;
mod rules;
mod sanitize;
mod surroundings;
mod walk;

pub use config::{
    Action, Config, DbSanitizer, Detectors, HashFunction, Sanitizer, Summary, UrlSanitizer,
};
pub use redactor::Redactor;

#[cfg(test)]
mod tests;
