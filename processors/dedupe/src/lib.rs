//! Drops records whose event id was delivered already: `dedupe`.
//!
//! ```text
//!  batch ──reserve──▶ without known ids, twins, and ids of other requests ──ledger──▶ settle ──▶ await those others
//! ```
//!
//! An id counts as known once its record was delivered, never earlier: a refused request leaves no trace, so its
//! sender's retry passes. Records without an id always pass; content is never compared.

mod config;
mod dedupe;
mod key;

pub use config::Config;
pub use dedupe::Dedupe;
pub use key::{KeyError, RecordKey};
