//! JSON in and out: OTLP/JSON requests by the schema table, and plain JSON documents as `AnyValue`s.
//!
//! ```text
//!  OTLP/JSON ──input──▶ protobuf ──(the one decoder)──▶ Batch ──▶ protobuf ──output──▶ OTLP/JSON
//!  plain JSON ──plain──▶ AnyValue protobuf ──▶ Value ──plain──▶ plain JSON
//! ```
//!
//! Source of the OTLP/JSON rules: OpenTelemetry protocol specification, "JSON Protobuf Encoding", and the proto3 JSON
//! mapping that it builds on.

mod input;
mod output;
mod plain;
mod text;

#[cfg(test)]
mod tests;

pub(crate) use input::to_protobuf;
pub(crate) use output::from_protobuf;
pub(crate) use plain::{any_value_from_json, write_value};
pub use text::write_string;
