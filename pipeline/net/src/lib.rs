//! The network blocks that the Collector's components share, and what runs on them.
//!
//! ```text
//!  HttpServerConfig ─▶ Listener ─▶ Respond ─▶ Intake (limit, deadline, admission, decompression) ─▶ the receiver
//!  HttpClientConfig ─▶ HttpClient          GrpcClientConfig ─▶ tonic Channel
//!  TlsServerConfig, TlsClientConfig ─▶ rustls          BearerConfig, BasicConfig ─▶ ServerAuth, ClientAuth
//! ```
//!
//! Key names, shapes and defaults are those of the OpenTelemetry Collector's `confighttp`, `configgrpc` and
//! `configtls`, except where a field says otherwise.

pub mod admission;
pub mod auth;
pub mod body;
pub mod client;
pub mod compress;
pub mod decompress;
pub mod grpc_client;
pub mod headers;
mod identity;
pub mod listener;
mod middleware;
pub mod reply;
pub mod retry_after;
pub mod server;
pub mod status;
pub mod tls;

#[cfg(test)]
mod test_support;

pub use admission::{Admission, Charge};
pub use auth::{AuthConfig, BasicConfig, BearerConfig, Gate};
pub use body::{Intake, IntakeError, Payload};
pub use client::{Answer, HttpClient, HttpClientConfig, SendError};
pub use compress::{Compression, CompressionParams};
pub use decompress::Encoding;
pub use grpc_client::{GrpcClient, GrpcClientConfig};
pub use headers::{Headers, OutgoingHeaders};
pub use listener::{Limits, Listener, Respond};
pub use middleware::Middleware;
pub use reply::Reply;
pub use retry_after::{MAX_RETRY_AFTER, retry_after};
pub use server::{CorsConfig, GrpcServerConfig, HttpServerConfig, Transport};
pub use status::Outcome;
pub use tls::{TlsClientConfig, TlsServerConfig, TlsVersion};
