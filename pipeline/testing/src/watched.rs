//! State that a test can wait on.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

/// State that others change and a test reads or waits on, without polling and without sleeping.
pub struct Watched<T>(watch::Sender<T>);

/// A condition did not come true in time; the text shows the state as it was left.
#[derive(Debug, thiserror::Error)]
#[error("not within {within:?}; the state is still {state}")]
pub struct TimedOut {
    within: Duration,
    state: String,
}

impl<T: fmt::Debug> Watched<T> {
    /// Watches `state`.
    pub fn new(state: T) -> Self {
        Self(watch::Sender::new(state))
    }

    /// Looks at the state. Do not wait inside: writers stand still meanwhile.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0.borrow())
    }

    /// Changes the state and wakes everyone who waits on it.
    pub fn edit<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let mut result = None;
        self.0.send_modify(|state| result = Some(change(state)));
        result.expect("send_modify calls its closure exactly once")
    }

    /// Returns as soon as `condition` holds; it is asked now and after every change.
    ///
    /// # Errors
    /// [`TimedOut`] when `deadline` passes first. Deadlines are for failing tests: make them generous.
    pub async fn wait_for(
        &self,
        condition: impl FnMut(&T) -> bool,
        deadline: Duration,
    ) -> Result<(), TimedOut> {
        let mut changes = self.0.subscribe();
        let waited = tokio::time::timeout(deadline, changes.wait_for(condition))
            .await
            .is_ok();
        if waited {
            return Ok(());
        }
        let mut state = self.read(|state| format!("{state:?}"));
        if state.len() > 2_000 {
            let cut = (0..=2_000)
                .rev()
                .find(|&at| state.is_char_boundary(at))
                .unwrap_or(0);
            state.truncate(cut);
            state.push('…');
        }
        Err(TimedOut {
            within: deadline,
            state,
        })
    }
}

impl<T: fmt::Debug> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read(|state| state.fmt(f))
    }
}
