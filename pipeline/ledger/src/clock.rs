//! Wall-clock time as the log writes it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from: unix nanoseconds.
pub(crate) type Wall = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Unix nanoseconds that never go back: while the system's clock does, the last reading holds.
pub(crate) struct Clock {
    last: AtomicU64,
    wall: Wall,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

impl Clock {
    /// A clock that never reads less than `last`.
    pub(crate) fn after(last: u64, wall: Wall) -> Self {
        Self {
            last: AtomicU64::new(last),
            wall,
        }
    }

    /// The time as the log writes it.
    pub(crate) fn now(&self) -> u64 {
        let now = self.wall();
        self.last.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// The time as the machine tells it, which may go back: for how long ago something was.
    pub(crate) fn wall(&self) -> u64 {
        (self.wall)()
    }
}

/// The machine's clock.
pub(crate) fn system() -> Wall {
    Arc::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
