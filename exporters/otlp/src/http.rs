//! `otlp_http` (also `otlphttp`): OTLP over HTTP, as protobuf or JSON.

mod config;
mod exporter;

pub use config::{Config, Encoding};
