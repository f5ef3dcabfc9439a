//! Sends records to any OTLP server: `otlp_grpc` ([`grpc::Config`]) and `otlp_http` ([`http::Config`]).
//!
//! ```text
//!  batch ──▶ requests below the size limit ──▶ one attempt each ──▶ answer ──▶ verdict
//!                  ▲                                                  │
//!                  └──────────── halves, when one is too large ◀──────┘
//!                                or holds a record that is refused
//! ```
//!
//! The wire contract is the OpenTelemetry protocol specification 1.11; where it asks a client to drop records, they
//! are kept instead: tried again, held, or refused one by one (see [`answer`]).

pub mod answer;
mod delivery;
pub mod grpc;
pub mod http;
mod response;
mod retry_info;

#[cfg(test)]
mod tests;

use std::time::Duration;

use sluice_component::{ByteSize, Delivery, DeliveryConfig, HumanDuration, Problems};

/// What a request may take by default: the 4 MiB that most gRPC servers are left at, less a tenth.
pub const DEFAULT_MAX_REQUEST_SIZE: u64 = (4 << 20) / 10 * 9;

/// An attempt may take several requests (splits, halvings). None is begun when this many times the time of one has
/// passed, unless nothing is decided yet: halving a batch down to its first bad record takes its own number.
const PATIENCE: u32 = 4;
/// The engine gives an attempt up after this many times the time of one request: enough to halve 64 000 records down
/// to one, each request at its own limit.
const LONGEST: u32 = 20;

/// How the engine drives an OTLP exporter whose requests take at most `timeout` and `max_request_size`.
fn drive(config: DeliveryConfig<'_>, timeout: Duration, max_request_size: ByteSize) -> Delivery {
    let mut delivery = Delivery::default();
    delivery.batching.max_bytes = usize::try_from(max_request_size.0).unwrap_or(usize::MAX);
    let mut delivery = DeliveryConfig {
        timeout: None,
        ..config
    }
    .delivery(delivery);
    delivery.attempt_timeout = timeout.saturating_mul(LONGEST);
    delivery
}

fn timeout_or(timeout: Option<HumanDuration>, default: Duration) -> Duration {
    timeout
        .map(|t| t.0)
        .filter(|t| !t.is_zero())
        .unwrap_or(default)
}

fn check_size(size: ByteSize, problems: &mut Problems) {
    if size.0 < 1024 || size.0 > 64 << 20 {
        problems.at("max_request_size", |p| {
            p.error("must be between 1KiB and 64MiB")
                .help("64 MiB is the largest request of the OTLP specification");
        });
    }
}
