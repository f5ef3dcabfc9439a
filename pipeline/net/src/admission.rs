//! Admission: one budget of memory for everything that requests bring in.
//!
//! Bytes are charged as they arrive, never by what a header announces, and given back when the request is answered.
//! A charge that does not fit fails at once: the sender gets 503 / UNAVAILABLE with a delay, nobody queues.
//!
//! Bodies that are still arriving may use half of the budget, so that what has arrived can be unpacked. When that half
//! is full, the body that arrives most slowly gives way, after a second at the least: stalled senders lose their
//! connection, a good one is served.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The budget that all receivers of a process share, in bytes: 192 MiB. Half of it is for bodies that are still
/// arriving.
pub const DEFAULT_BUDGET: usize = 192 << 20;

/// The largest limit that a server may set for one request, in bytes: 80 MiB. A body that does not shrink when it is
/// compressed is held twice while it is unpacked, with a decoder's window of up to 32 MiB: a request must fit into
/// the budget alone, or its sender would try for ever.
pub const LARGEST_REQUEST: usize = 80 << 20;

/// A body younger than this never gives way to another.
const LEAST_AGE: Duration = Duration::from_secs(1);
/// How long a charge waits for a slow body to give way.
const PATIENCE: Duration = Duration::from_secs(1);

/// The budget has no room: try again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much is under way, try again later")]
pub struct Full;

/// A budget of bytes. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Admission(Arc<Budget>);

struct Budget {
    limit: usize,
    used: AtomicUsize,
    arriving: AtomicUsize,
    arrivals: Mutex<HashMap<u64, Arc<Arrival>>>,
    next: AtomicU64,
    freed: Notify,
}

struct Arrival {
    since: Instant,
    bytes: AtomicUsize,
    give_way: CancellationToken,
}

impl Admission {
    /// A budget of its own.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Budget {
            limit,
            used: AtomicUsize::new(0),
            arriving: AtomicUsize::new(0),
            arrivals: Mutex::default(),
            next: AtomicU64::new(0),
            freed: Notify::new(),
        }))
    }

    /// The budget of [`DEFAULT_BUDGET`] bytes that all receivers share.
    #[must_use]
    pub fn shared() -> Self {
        static SHARED: LazyLock<Admission> = LazyLock::new(|| Admission::new(DEFAULT_BUDGET));
        SHARED.clone()
    }

    /// The budget: what all requests together may use.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Bytes charged at the moment.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// An empty charge, to be raised.
    #[must_use]
    pub fn charge(&self) -> Charge {
        Charge {
            budget: Arc::clone(&self.0),
            bytes: 0,
        }
    }

    /// Starts the account of a body that is about to arrive.
    #[must_use]
    pub fn arrival(&self) -> ArrivalCharge {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let arrival = Arc::new(Arrival {
            since: Instant::now(),
            bytes: AtomicUsize::new(0),
            give_way: CancellationToken::new(),
        });
        self.0.arrivals().insert(id, Arc::clone(&arrival));
        ArrivalCharge {
            id,
            arrival,
            charge: self.charge(),
        }
    }
}

impl Budget {
    fn arrivals(&self) -> MutexGuard<'_, HashMap<u64, Arc<Arrival>>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(counter: &AtomicUsize, bytes: usize, limit: usize) -> Result<(), Full> {
        counter
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= limit)
            })
            .map(drop)
            .map_err(|_| Full)
    }

    /// Asks the slowest body that is older than [`LEAST_AGE`] to give way. False: there is none but `own`.
    fn evict_slowest(&self, own: u64) -> bool {
        let slowest = self
            .arrivals()
            .iter()
            .filter(|(_, arrival)| {
                arrival.since.elapsed() >= LEAST_AGE && !arrival.give_way.is_cancelled()
            })
            .min_by_key(|(_, arrival)| arrival.bytes_per_second())
            .map(|(id, arrival)| (*id, Arc::clone(arrival)));
        match slowest {
            Some((id, arrival)) if id != own => {
                arrival.give_way.cancel();
                true
            }
            _ => false,
        }
    }
}

impl Arrival {
    fn bytes_per_second(&self) -> u64 {
        let millis = u64::try_from(self.since.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        (self.bytes.load(Ordering::Relaxed) as u64).saturating_mul(1000) / millis
    }
}

/// Bytes of a budget that are in use. Given back when dropped.
pub struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    /// Takes `more` bytes.
    ///
    /// # Errors
    /// [`Full`]: the charge stays as it was.
    pub fn add(&mut self, more: usize) -> Result<(), Full> {
        Budget::take(&self.budget.used, more, self.budget.limit)?;
        self.bytes += more;
        Ok(())
    }

    /// Takes what is missing to `bytes` in all, if it has fewer.
    ///
    /// # Errors
    /// [`Full`]: the charge stays as it was.
    pub fn raise_to(&mut self, bytes: usize) -> Result<(), Full> {
        self.add(bytes.saturating_sub(self.bytes))
    }

    /// An empty charge to the same budget.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            budget: Arc::clone(&self.budget),
            bytes: 0,
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.budget.freed.notify_waiters();
    }
}

/// The account of a body that is still arriving.
pub struct ArrivalCharge {
    id: u64,
    arrival: Arc<Arrival>,
    charge: Charge,
}

impl ArrivalCharge {
    /// Takes `more` bytes; when there is no room, makes a slower body give way and waits for it for a second.
    ///
    /// # Errors
    /// [`Full`]: no room, and nobody slower than this body.
    pub async fn add(&mut self, more: usize) -> Result<(), Full> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let budget = Arc::clone(&self.charge.budget);
            let freed = budget.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.try_add(more).is_ok() {
                return Ok(());
            }
            if !budget.evict_slowest(self.id)
                || tokio::time::timeout_at(deadline, freed).await.is_err()
            {
                return Err(Full);
            }
        }
    }

    fn try_add(&mut self, more: usize) -> Result<(), Full> {
        let budget = &self.charge.budget;
        Budget::take(&budget.arriving, more, budget.limit / 2)?;
        if let Err(full) = self.charge.add(more) {
            self.charge
                .budget
                .arriving
                .fetch_sub(more, Ordering::Relaxed);
            return Err(full);
        }
        self.arrival.bytes.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Ends when this body is asked to give way to another.
    pub async fn asked_to_give_way(&self) {
        self.arrival.give_way.cancelled().await;
    }

    /// The body has arrived: its bytes stay charged, but no longer as arriving.
    #[must_use]
    pub fn arrived(mut self) -> Charge {
        let empty = self.charge.another();
        std::mem::replace(&mut self.charge, empty)
    }
}

impl Drop for ArrivalCharge {
    fn drop(&mut self) {
        let budget = &self.charge.budget;
        budget.arrivals().remove(&self.id);
        budget.arriving.fetch_sub(
            self.arrival.bytes.load(Ordering::Relaxed),
            Ordering::Relaxed,
        );
        budget.freed.notify_waiters();
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admission({} of {})", self.used(), self.0.limit)
    }
}

impl fmt::Debug for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Charge({})", self.bytes)
    }
}

impl fmt::Debug for ArrivalCharge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArrivalCharge({})", self.charge.bytes)
    }
}

#[cfg(test)]
mod tests;
