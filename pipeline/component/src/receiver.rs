//! Receivers own an input until told to stop.

use tokio_util::sync::CancellationToken;

use crate::{BoxError, BoxFuture, Outlet};

/// Owns an input until `stop` fires; answers its sender only after the outlet said Ok.
///
/// On `stop` it takes no new request, finishes those under way, and returns. An `Err` ends the process: only for
/// faults that no retry mends.
pub trait Receiver: Send + 'static {
    /// Runs until stopped.
    fn run(
        self: Box<Self>,
        outlet: Outlet,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), BoxError>>;
}
