//! How many attempts at one destination may be under way at once.

use parking_lot::Mutex;

/// Adds one attempt after each that went well while all places were taken, halves after each that the destination
/// turned away: what TCP does, for the same reason.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: Mutex<f64>,
    max: f64,
}

impl Pace {
    /// Starts at one attempt and never passes `max`.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            limit: Mutex::new(1.0),
            max: max.max(1) as f64,
        }
    }

    /// Attempts that may be under way now, at least one.
    pub(crate) fn limit(&self) -> usize {
        *self.limit.lock() as usize
    }

    pub(crate) fn went_well(&self, under_way: usize) {
        let mut limit = self.limit.lock();
        if under_way >= *limit as usize {
            *limit = (*limit + 1.0).min(self.max);
        }
    }

    pub(crate) fn was_turned_away(&self) {
        let mut limit = self.limit.lock();
        *limit = (*limit / 2.0).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_grows_under_load_and_halves_when_turned_away() {
        let pace = Pace::new(4);
        pace.went_well(0);
        assert_eq!(pace.limit(), 1, "an idle destination needs no more");
        for _ in 0..10 {
            pace.went_well(pace.limit());
        }
        assert_eq!(pace.limit(), 4, "never past the maximum");
        pace.was_turned_away();
        assert_eq!(pace.limit(), 2);
        pace.was_turned_away();
        pace.was_turned_away();
        assert_eq!(pace.limit(), 1, "never below one");
    }
}
