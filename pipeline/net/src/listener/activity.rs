//! Whether a connection is in use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;

/// When a connection was last in use.
pub(super) struct Activity {
    under_way: AtomicUsize,
    /// The end of the last request, or of the handshake; and whether there was a request.
    last: Mutex<(Instant, bool)>,
    /// Told at the end of each request.
    pub(super) ended: Notify,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            last: Mutex::new((Instant::now(), false)),
            ended: Notify::new(),
        }
    }

    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// When the connection has been idle for too long, as things stand.
    pub(super) fn idle_until(&self, limits: &Limits) -> Option<Instant> {
        let (since, has_served) = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let since = if self.under_way.load(Ordering::Relaxed) > 0 {
            Instant::now()
        } else {
            since
        };
        // Also before the first request: neither HTTP/1's header timeout nor HTTP/2's pings run before the first byte.
        after(
            since,
            if has_served {
                limits.idle_timeout
            } else {
                limits.header_timeout
            },
        )
    }
}

/// A request under way.
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), true);
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        self.0.ended.notify_one();
    }
}

/// The end of a duration, of which 0 means "never".
pub(super) fn after(start: Instant, duration: Duration) -> Option<Instant> {
    if duration.is_zero() {
        None
    } else {
        start.checked_add(duration)
    }
}
