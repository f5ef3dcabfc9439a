//! How many attempts at one destination may be under way at once.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Adds one place after each attempt that went well while all were taken, halves them after each that the destination
/// turned away: what TCP does, for the same reason. An attempt that waits to be repeated holds no place, so records that
/// a destination cannot digest do not keep the others from it.
#[derive(Debug)]
pub(crate) struct Pace {
    state: Mutex<State>,
    freed: Notify,
    max: usize,
}

#[derive(Debug)]
struct State {
    limit: f64,
    taken: usize,
}

/// A place for one attempt, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pace: Arc<Pace>,
    /// Whether all places were taken with this one: then more may be worth a try.
    was_last: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pace.state.lock().taken -= 1;
        self.pace.freed.notify_waiters();
    }
}

impl Pace {
    /// Starts at one place and never passes `max`.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                limit: 1.0,
                taken: 0,
            }),
            freed: Notify::new(),
            max: max.max(1),
        }
    }

    /// Most leases that may be open at once, those that wait to be repeated included.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Waits until a place is free, without taking it.
    pub(crate) async fn has_place(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            {
                let state = self.state.lock();
                if state.taken < state.limit as usize {
                    return;
                }
            }
            freed.await;
        }
    }

    /// Takes a place, waiting for one.
    pub(crate) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            self.has_place().await;
            let mut state = self.state.lock();
            if state.taken < state.limit as usize {
                state.taken += 1;
                return Place {
                    was_last: state.taken >= state.limit as usize,
                    pace: self.clone(),
                };
            }
        }
    }

    pub(crate) fn went_well(&self, place: &Place) {
        if place.was_last {
            let mut state = self.state.lock();
            state.limit = (state.limit + 1.0).min(self.max as f64);
            drop(state);
            self.freed.notify_waiters();
        }
    }

    pub(crate) fn was_turned_away(&self) {
        let mut state = self.state.lock();
        state.limit = (state.limit / 2.0).max(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(pace: &Pace) -> usize {
        pace.state.lock().limit as usize
    }

    #[tokio::test]
    async fn the_limit_grows_under_load_and_halves_when_turned_away() {
        let pace = Arc::new(Pace::new(4));
        for _ in 0..10 {
            let mut places = Vec::new();
            for _ in 0..limit(&pace) {
                places.push(pace.enter().await);
            }
            pace.went_well(places.last().unwrap());
        }
        assert_eq!(limit(&pace), 4, "never past the maximum");
        pace.went_well(&pace.enter().await);
        pace.was_turned_away();
        assert_eq!(limit(&pace), 2);
        let idle = pace.enter().await;
        pace.went_well(&idle);
        assert_eq!(limit(&pace), 2, "an idle destination needs no more");
        pace.was_turned_away();
        pace.was_turned_away();
        assert_eq!(limit(&pace), 1, "never below one");
    }

    #[tokio::test]
    async fn a_place_is_free_again_once_its_attempt_is_over() {
        let pace = Arc::new(Pace::new(1));
        let place = pace.enter().await;
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move { drop(pace.enter().await) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(place);
        waiting.await.unwrap();
    }
}
