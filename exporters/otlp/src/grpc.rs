//! `otlp_grpc` (also `otlp`): OTLP over gRPC.

mod config;
mod exporter;

pub use config::Config;
