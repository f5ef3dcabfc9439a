//! The bridge: AI-gateway decisions, and any log record, into the SIEMs' own HTTP inputs.
//!
//! ```text
//!  siem_bridge ──▶ splunk_hec | datadog | elasticsearch     one configuration, one encoder, one answer table each
//!                          │ Payload: encoded records, one run for each route
//!                          ▼
//!                      delivery: split by limits, compress, one request, answer ──▶ a verdict for each record
//! ```
//!
//! An `export` is one attempt. It may take several requests (splits, halvings after a 413, the rest after a bad
//! record), but it never sends the same record twice; waiting, back-off and concurrency are the engine's.

mod audit;
pub mod datadog;
mod delivery;
pub mod elasticsearch;
mod json;
mod keys;
mod names;
mod removed;
mod retry_after;
pub mod siem_bridge;
pub mod splunk_hec;
#[cfg(test)]
mod tests;
mod view;

pub use removed::Removed;
