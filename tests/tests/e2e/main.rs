//! The real binary between real senders and doubles of the destinations. One binary for all of it, because each more
//! would be linked anew.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod acknowledgement;
mod answers;
mod crash;
mod doors;
mod hostile;
mod isolation;
mod main_job;
mod payloads;
mod reload;
mod settings;
mod siems;
mod signals;
