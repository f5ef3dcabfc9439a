//! What is known of one exporter: counts, and whether its destination takes records.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// One exporter's counts and state. Read by the log, and by whatever shows health.
#[derive(Debug, Default)]
pub struct Health {
    sent: AtomicU64,
    refused: AtomicU64,
    failed_attempts: AtomicU64,
    state: Mutex<State>,
}

/// Whether a destination takes records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// The last attempt went well, or there was none.
    #[default]
    Well,
    /// Trying again, with the last answer.
    Retrying(String),
    /// The destination refuses us: its answer. Everything is kept; someone must mend the configuration.
    Held(String),
}

impl Health {
    /// Records that the destination took.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Records that the destination will never take.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Attempts that must be repeated.
    #[must_use]
    pub fn failed_attempts(&self) -> u64 {
        self.failed_attempts.load(Ordering::Relaxed)
    }

    /// The state now.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.lock().clone()
    }

    pub(crate) fn count_sent(&self, records: u64) {
        self.sent.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self, records: u64) {
        self.refused.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn count_failed_attempt(&self) {
        self.failed_attempts.fetch_add(1, Ordering::Relaxed);
    }

    /// Moves to `state`; `Some(before)` when the kind of state changed, which is worth a line in the log.
    pub(crate) fn set(&self, state: State) -> Option<State> {
        let mut current = self.state.lock();
        let changed = std::mem::discriminant(&*current) != std::mem::discriminant(&state);
        let before = std::mem::replace(&mut *current, state);
        changed.then_some(before)
    }
}
