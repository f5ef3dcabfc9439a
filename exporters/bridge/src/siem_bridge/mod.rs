//! `siem_bridge`: several destinations under one name, in the shape of the gateway vendors' own examples.
//!
//! Each destination is an exporter of its own, with its own place in the ledger, named by type, endpoint and index: the
//! order of the list may change without a record being sent twice.

mod config;
mod destination;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use destination::Destination;
