//! `confighttp` and `configgrpc` servers: keys, and the [`Listener`](crate::listener::Listener) that they bind.

mod grpc;
mod http;
#[cfg(test)]
mod tests;

pub use grpc::{EnforcementPolicy, GrpcKeepalive, GrpcServerConfig, ServerParameters};
pub use http::{CorsConfig, HttpServerConfig, Transport};
