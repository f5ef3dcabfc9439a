//! Refuse above the limit, accept below it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sluice_batch::Batch;
use sluice_component::{After, Transform, Undelivered, Verdict};

/// What a refused sender is asked to wait.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where the limiter's two measurements come from.
pub trait Probe: Send + Sync {
    /// Bytes of memory that the process holds; `None` when that cannot be read.
    fn resident_bytes(&self) -> Option<u64>;
    /// Time since any fixed moment.
    fn now(&self) -> Duration;
}

/// The processor: passes batches on untouched, or refuses them whole.
pub struct Limiter {
    soft_limit_bytes: u64,
    interval: Duration,
    probe: Box<dyn Probe>,
    /// When memory is to be read next, in nanoseconds on the probe's clock.
    next_check: AtomicU64,
    refusing: AtomicBool,
}

impl Limiter {
    /// A limiter that refuses above `soft_limit_bytes` and reads memory at most once every `interval`.
    #[must_use]
    pub fn new(soft_limit_bytes: u64, interval: Duration, probe: Box<dyn Probe>) -> Self {
        Self {
            soft_limit_bytes,
            interval,
            probe,
            next_check: AtomicU64::new(0),
            refusing: AtomicBool::new(false),
        }
    }

    /// Whether batches are refused now. Reads memory when a check is due; of several callers one does it.
    fn is_refusing(&self) -> bool {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let now = self.probe.now();
        let due = self.next_check.load(Ordering::Relaxed);
        if nanos(now) >= due
            && self.next_check.compare_exchange(due, nanos(now + self.interval).max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
            // A failed read keeps the last answer.
            && let Some(resident) = self.probe.resident_bytes()
        {
            let refusing = resident > self.soft_limit_bytes;
            let before = self.refusing.swap(refusing, Ordering::Relaxed);
            let soft_limit = self.soft_limit_bytes;
            match (before, refusing) {
                (false, true) => tracing::warn!(
                    resident,
                    soft_limit,
                    "memory is above the soft limit: refusing data"
                ),
                (true, false) => tracing::info!(
                    resident,
                    soft_limit,
                    "memory is below the soft limit again: accepting data"
                ),
                _ => {}
            }
        }
        self.refusing.load(Ordering::Relaxed)
    }
}

impl Transform for Limiter {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        if self.is_refusing() {
            return Err(
                Undelivered::all(batch.len(), Verdict::Retry(After::Delay(RETRY_AFTER)))
                    .because("memory is above the limit"),
            );
        }
        Ok(())
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("soft_limit_bytes", &self.soft_limit_bytes)
            .field("refusing", &self.refusing)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sluice_batch::Signal;

    use super::*;

    /// A process whose memory and clock the test sets, and that counts how often memory was read.
    #[derive(Default)]
    struct Set {
        resident: AtomicU64,
        unreadable: AtomicBool,
        seconds: AtomicU64,
        reads: AtomicU64,
    }

    impl Probe for Arc<Set> {
        fn resident_bytes(&self) -> Option<u64> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            (!self.unreadable.load(Ordering::Relaxed))
                .then(|| self.resident.load(Ordering::Relaxed))
        }
        fn now(&self) -> Duration {
            Duration::from_secs(self.seconds.load(Ordering::Relaxed))
        }
    }

    fn limiter() -> (Limiter, Arc<Set>) {
        let process = Arc::new(Set::default());
        (
            Limiter::new(100, Duration::from_secs(10), Box::new(Arc::clone(&process))),
            process,
        )
    }

    fn apply(limiter: &Limiter) -> Result<(), Undelivered> {
        let mut batch = Batch::new(Signal::Logs);
        batch.push_scope(&[], "");
        batch.push_log();
        batch.push_log();
        limiter.apply(&mut batch)
    }

    #[test]
    fn above_the_limit_the_whole_batch_is_owed_in_a_second() {
        let (limiter, process) = limiter();
        process.resident.store(101, Ordering::Relaxed);
        let refused = apply(&limiter).unwrap_err();
        assert_eq!(
            refused.verdicts,
            [(0..2, Verdict::Retry(After::Delay(Duration::from_secs(1))))]
        );
    }

    #[test]
    fn exactly_the_limit_is_accepted() {
        let (limiter, process) = limiter();
        process.resident.store(100, Ordering::Relaxed);
        assert!(apply(&limiter).is_ok());
    }

    #[test]
    fn memory_is_read_once_an_interval_and_the_answer_holds_until_then() {
        let (limiter, process) = limiter();
        for _ in 0..5 {
            assert!(apply(&limiter).is_ok());
        }
        process.resident.store(500, Ordering::Relaxed);
        process.seconds.store(9, Ordering::Relaxed);
        assert!(apply(&limiter).is_ok());
        assert_eq!(process.reads.load(Ordering::Relaxed), 1);
        process.seconds.store(10, Ordering::Relaxed);
        assert!(apply(&limiter).is_err());
        process.resident.store(50, Ordering::Relaxed);
        assert!(apply(&limiter).is_err());
        process.seconds.store(20, Ordering::Relaxed);
        assert!(apply(&limiter).is_ok());
        assert_eq!(process.reads.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_failed_read_keeps_the_last_answer() {
        let (limiter, process) = limiter();
        process.resident.store(500, Ordering::Relaxed);
        assert!(apply(&limiter).is_err());
        process.unreadable.store(true, Ordering::Relaxed);
        process.seconds.store(10, Ordering::Relaxed);
        assert!(apply(&limiter).is_err());
    }
}
