//! Tags records with how sensitive they are, by conditions, by what redaction found in them, and by words.
//!
//! ```text
//!  existing tags ─┐
//!  conditions    ─┤
//!  detectors     ─┼──▶ set of tags ──▶ highest on the scale → `attribute`,  all → `list_attribute`
//!  keywords      ─┘                     highest severity of the rules that matched, if above the record's
//! ```
//!
//! A tag is never lowered: what the source itself says, in `attribute` or in `data_classification` of a body that is a
//! map, takes part in the ranking. A value that is not on the scale cannot be ranked: a rule's tag replaces it (and it
//! stays in `list_attribute`), the default does not.
//!
//! Redaction goes before classification: a detector rule then matches by the marks that redaction left, although the
//! secret is gone. What no redaction looked for is looked for here. Where redaction masked a part that it could not scan, every detector
//! rule matches: nobody knows what stood there.

mod config;
mod detectors;
mod keywords;
mod processor;
mod tags;
#[cfg(test)]
mod tests;
mod walk;

pub use config::{Config, Rule};
