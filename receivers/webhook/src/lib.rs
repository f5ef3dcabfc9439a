//! Takes in what AI gateways and others post: `webhook`, and `webhookevent` with the Collector's keys.
//!
//! ```text
//!  POST ──▶ limits, decompression ──▶ verify (over the body's bytes) ──▶ replay memory ──▶ formats ──▶ Outlet
//!             413, 415, 503             401                                200 again         400       200, 422, 503
//! ```
//!
//! The sender gets its 200 only when the outlet has said Ok for every event of the request.

mod config;
pub mod formats;
mod intake;
mod receiver;
pub mod verify;
pub mod webhookevent;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use receiver::{Rejections, Webhook};
