#![doc = include_str!("../README.md")]

mod arrays;
mod columns;
mod csv;
mod error;
mod format;
mod guard;
mod json;
mod object;
mod otlp;
mod parquet;
mod row;
#[cfg(test)]
mod tests;
mod writer;

pub use error::Error;
pub use format::Format;
pub use guard::{guard, unguard};
pub use row::RowInfo;
pub use writer::Writer;
