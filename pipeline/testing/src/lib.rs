//! Doubles of the destinations that Sluice delivers to, as strict as the vendors' documents say the real ones are.
//!
//! Each double is a server on a free loopback port. It refuses what the real one refuses, keeps what arrived, and can
//! be told to misbehave through one fault layer that all share:
//!
//! ```text
//!  client ──▶ listener ──▶ Faults (stall, cut, lie, throttle, slow) ──▶ Destination::answer ──▶ Watched<State>
//! ```
//!
//! No test needs to sleep: [`Double::wait_for`] returns as soon as what arrived satisfies a condition.
//!
//! | module | double of | written from |
//! |---|---|---|
//! | [`splunk`] | Splunk HTTP Event Collector | Splunk's HEC REST and troubleshooting pages, `limits.conf.spec` |
//! | [`datadog`] | Datadog Logs intake | Datadog's "Send logs" API page |
//! | [`elastic`] | Elasticsearch 8 and 9, OpenSearch: `_bulk`, templates, policies | Elastic's and OpenSearch's Bulk API pages |
//! | [`otlp`] | an OTLP server, gRPC and HTTP on one port | the OTLP specification 1.11.0 |
//! | [`http`] | any HTTP endpoint | — |

#![allow(clippy::module_name_repetitions)]

pub mod datadog;
mod double;
pub mod elastic;
mod encoding;
mod faults;
pub mod http;
pub mod otlp;
pub mod splunk;
mod watched;

pub use double::{Destination, Double, Outcome, Reply, Seen, Traffic};
pub use faults::{Answer, Fault, Faults, RetryAfter, Script};
pub use watched::{TimedOut, Watched};

#[cfg(test)]
mod tests;
