//! The Collector's `batch` processor: accepted in configurations, where it becomes the batching defaults of the
//! pipeline's exporters.
//!
//! Gathering records before the log would only delay the acknowledgement, so no record ever waits here.

mod config;

pub use config::Config;
