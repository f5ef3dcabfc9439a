//! How long to wait before the next attempt.

use std::time::Duration;

use sluice_component::Retry;

/// Jittered exponential back-off.
#[derive(Debug)]
pub(crate) struct Backoff {
    retry: Retry,
    current: Duration,
}

impl Backoff {
    pub(crate) fn new(retry: Retry) -> Self {
        Self {
            retry,
            current: retry.initial,
        }
    }

    /// The next wait: grows by the multiplier up to the maximum, spread by the randomization around that.
    pub(crate) fn next(&mut self) -> Duration {
        let base = self.current.min(self.retry.max);
        self.current = base
            .mul_f64(self.retry.multiplier.max(1.0))
            .min(self.retry.max);
        let spread = self.retry.randomization.clamp(0.0, 1.0);
        base.mul_f64(1.0 + spread * (rand::random::<f64>() * 2.0 - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_stay_within_the_spread() {
        let retry = Retry {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(8),
            multiplier: 2.0,
            randomization: 0.5,
            ..Retry::default()
        };
        let mut backoff = Backoff::new(retry);
        for base in [1.0, 2.0, 4.0, 8.0, 8.0, 8.0] {
            let wait = backoff.next().as_secs_f64();
            assert!(
                (base * 0.5..=base * 1.5).contains(&wait),
                "{wait} around {base}"
            );
        }
    }
}
