//! What the end-to-end tests are written with: the real `sluice` binary in a process of its own, senders that speak to
//! it as the sources do, and events like theirs.
//!
//! ```text
//!  events ──▶ senders ──▶ sluice (process) ──▶ doubles of sluice-testing
//! ```

#![allow(clippy::missing_panics_doc)]

mod binary;
pub mod encoding;
pub mod events;
pub mod mutation;
pub mod senders;
pub mod signature;
mod sluice;

pub use encoding::Encoding;
pub use events::Event;
pub use sluice::{Ended, Log, Sluice};

use std::time::Duration;

/// Only a failing test waits this long.
pub const SOON: Duration = Duration::from_secs(60);
