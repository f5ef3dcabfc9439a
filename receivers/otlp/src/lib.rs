//! The `otlp` receiver: OTLP over gRPC and HTTP, protobuf and JSON, for logs, traces and metrics.
//!
//! ```text
//!  gRPC frame ─┐
//!              ├─▶ Intake (limit, deadline, admission, decompression) ─▶ Batch ─▶ Outlet ─▶ answer
//!  HTTP body ──┘
//! ```
//!
//! A sender gets its OK only after every record is in durable care. The gRPC framing is done here, on the same server
//! as HTTP: a unary call is one body with five bytes in front, and so both protocols share their limits, deadlines and
//! memory accounting, and the request's bytes go into the batch without a copy or an intermediate structure.
//!
//! Answers follow the [OTLP specification 1.11](https://github.com/open-telemetry/opentelemetry-proto/blob/main/docs/specification.md);
//! where it is silent, the OpenTelemetry Collector's `otlpreceiver`.

mod answer;
mod config;
mod door;
mod grpc;
mod http;
mod receiver;
#[cfg(test)]
mod tests;

pub use config::{Config, HttpConfig, Protocols};
