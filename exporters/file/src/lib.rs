//! `file`: appends records to a file, as OTLP/JSON lines, OTLP protobuf frames, or one plain JSON object a record.
//!
//! Records count as delivered when their bytes are written to the operating system, or with `fsync: true` when they
//! are on the disk. A write that fails half way is taken back, so a file holds whole lines or frames; what a crash tore
//! off is set apart from what follows it. The file may be moved away by another program (`logrotate`) at any time: the
//! next write opens a new one.

mod config;
mod exporter;
mod frame;
mod rotation;
mod writer;

#[cfg(test)]
mod tests;

pub use config::{Compression, CompressionParams, Config, Format, GroupByConfig, RotationConfig};
