//! `debug`: shows records on the terminal. The one component that prints event content, and only because it was asked
//! to; a pipeline whose records must not be seen should not have it.
//!
//! Text from records is shown with its control characters escaped, so that no event can move the cursor, colour the
//! screen or fake a line.

mod config;
mod exporter;
mod sampling;
mod text;

#[cfg(test)]
mod tests;

pub use config::{Config, Verbosity};
pub use exporter::Debug;
