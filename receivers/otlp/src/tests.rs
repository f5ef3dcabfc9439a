//! The receiver as its senders see it: over real loopback connections, into an outlet that the test controls.

mod bounds;
mod config;
mod grpc;
mod harness;
mod http;
mod security;
