//! The Collector's `memory_limiter`: refuses batches while the process uses too much memory.
//!
//! ```text
//!  0 ────────── soft = limit - spike ────────── limit
//!     accept    │          refuse, retryable
//! ```
//!
//! Senders are told to try again in a second; nothing is lost. Memory is read when a batch comes by, at most once every
//! `check_interval`: there is no thread of its own, and an idle pipeline reads nothing. Measured is the process's
//! resident memory (`VmRSS` of `/proc/self/status`), which an allocator gives back with some delay after a peak. There is no
//! garbage to collect, so the soft and the hard limit of the Collector do the same here.

mod config;
mod limiter;
mod memory;

pub use config::Config;
pub use limiter::{Limiter, Probe};
pub use memory::{ProcessProbe, memory_limit};
