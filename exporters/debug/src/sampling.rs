//! Which batches are shown when there are many.

use std::time::Duration;

use tokio::time::Instant;

/// The first `initial` batches of each second, then every `thereafter`-th.
#[derive(Debug)]
pub(crate) struct Sampling {
    initial: u64,
    thereafter: u64,
    second: Option<Instant>,
    seen: u64,
}

impl Sampling {
    pub(crate) fn new(initial: u64, thereafter: u64) -> Self {
        Self {
            initial,
            thereafter,
            second: None,
            seen: 0,
        }
    }

    /// Whether the batch that comes `now` is shown.
    pub(crate) fn shows(&mut self, now: Instant) -> bool {
        if self
            .second
            .is_none_or(|begun| now.duration_since(begun) >= Duration::from_secs(1))
        {
            self.second = Some(now);
            self.seen = 0;
        }
        self.seen += 1;
        match self.seen.checked_sub(self.initial) {
            None | Some(0) => true,
            Some(after) => self.thereafter > 0 && after.is_multiple_of(self.thereafter),
        }
    }
}
