//! Wall-clock time as the log writes it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix nanoseconds that never go back: while the system's clock does, the last reading holds.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: AtomicU64,
}

impl Clock {
    /// A clock that never reads less than `last`.
    pub(crate) fn after(last: u64) -> Self {
        Self {
            last: AtomicU64::new(last),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        let now = wall();
        self.last.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

/// Unix nanoseconds.
pub(crate) fn wall() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
