//! The log between the processors and the exporters: one log a pipeline, one cursor an exporter. Knows no exporter.
//!
//! ```text
//!  append(batch) ──▶ │ entry │ entry │ entry │ … ◀── next(): a lease of records from a reader's cursor on
//!        │               ▲        settle(records, delivered | refused)
//!        └── resolves once the records are durable
//! ```
//!
//! This is the in-memory form (`service.ledger: none`): records are durable once **every** exporter has taken or refused
//! them for good, so that is when [`Log::append`] resolves. A sender that hears Ok therefore never loses a record, at
//! the price that one dead exporter keeps its pipeline's senders waiting. Sequence numbers, leases and settling are
//! those of a log on disk, which resolves after its fsync instead.

mod log;
mod reader;

#[cfg(test)]
mod tests;

pub use log::{Log, Refused};
pub use reader::{Lease, Reader, Settled};
