//! The log without a disk (`service.ledger: none`).

mod feed;
mod log;
#[cfg(test)]
mod tests;

pub(crate) use feed::MemoryFeed;
pub use log::{Log, Refused};
