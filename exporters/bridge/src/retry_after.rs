//! `Retry-After` as the engine takes it.

use std::time::SystemTime;

use http::HeaderMap;
use sluice_component::After;

/// When to try again, as an answer's headers ask; without a usable `Retry-After` by back-off.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> After {
    sluice_net::retry_after(headers, now).map_or(After::Backoff, After::Delay)
}
