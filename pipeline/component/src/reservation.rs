//! The memory of delivered ids that `dedupe` and the webhook replay cache share.
//!
//! ```text
//!            claim                    settle(true)
//!  unknown ─────────▶ claimed ───────────────────────▶ delivered ──window over, or the oldest of too many──▶ unknown
//!     ▲                  │ settle(false), or the claim dropped
//!     └──────────────────┘        (a refused first attempt leaves no trace)
//! ```
//!
//! All ids of a request are claimed in one step under one lock, and a request waits for another's claim only when it
//! holds none of its own any more. So no two requests can wait for each other, in whatever order they name their ids.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::{Fate, Wait};

/// An event's id, as remembered: compared byte for byte. An id longer than [`EventId::MAX_BYTES`] is represented by
/// its SHA-256, which bounds the memory and still tells any two ids apart.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventId(Arc<[u8]>);

impl EventId {
    /// Ids up to this many bytes are remembered whole.
    pub const MAX_BYTES: usize = 1024;

    /// From an id's bytes.
    #[must_use]
    pub fn new(id: &[u8]) -> Self {
        // The first byte keeps a digest apart from an id of the same bytes.
        let mut tagged = Vec::with_capacity(1 + id.len().min(Self::MAX_BYTES));
        if id.len() <= Self::MAX_BYTES {
            tagged.push(b'w');
            tagged.extend_from_slice(id);
        } else {
            tagged.push(b'd');
            tagged.extend_from_slice(&Sha256::digest(id));
        }
        Self(tagged.into())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ids are event content.
        f.write_str("EventId(***)")
    }
}

/// What [`IdMemory::claim`] found out about one id.
pub enum Seen {
    /// New: it now belongs to the caller's [`IdClaim`].
    First,
    /// Delivered within the window, or named earlier in the same call.
    Again,
    /// Claimed by another request: await its fate, but settle your own claim before.
    Pending(Wait),
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "First",
            Self::Again => "Again",
            Self::Pending(_) => "Pending",
        })
    }
}

/// Remembers which ids were delivered within a window of time, exactly, and which are being delivered.
///
/// Bounded: at most `max_ids` delivered ids (the oldest goes, see [`IdMemory::evicted`]), about 150 bytes each for ids
/// of 36 characters, and those of the requests under way.
pub struct IdMemory {
    window: Duration,
    max_ids: usize,
    known: Arc<KnownIds>,
}

/// What an [`IdMemory`] knows, without its rules: a component and its successor share it, each with a window of its own.
#[derive(Default)]
pub struct KnownIds {
    ids: Mutex<Ids>,
    evicted: AtomicU64,
}

#[derive(Default)]
struct Ids {
    claimed: HashMap<EventId, Claimed>,
    delivered: HashSet<EventId>,
    /// The delivered ones in the order of their delivery, which is the order of their expiry.
    by_age: VecDeque<(Instant, EventId)>,
    claims: u64,
}

struct Claimed {
    /// Number of the claim that owns the id.
    by: u64,
    waiters: Vec<oneshot::Sender<Fate>>,
}

impl IdMemory {
    /// An empty memory that knows a delivered id for `window`, and at most `max_ids` of them.
    #[must_use]
    pub fn new(window: Duration, max_ids: usize) -> Arc<Self> {
        Self::over(Arc::default(), window, max_ids)
    }

    /// A memory by these rules over what is known already.
    #[must_use]
    pub fn over(known: Arc<KnownIds>, window: Duration, max_ids: usize) -> Arc<Self> {
        Arc::new(Self {
            window,
            max_ids,
            known,
        })
    }

    /// Looks up all `ids` of a request and claims the unknown ones, in one step. What was found stands in the order of
    /// the ids.
    pub fn claim(self: &Arc<Self>, ids: impl IntoIterator<Item = EventId>) -> (Vec<Seen>, IdClaim) {
        // Before the lock, so that whatever is claimed is given back should `ids` panic.
        let mut claim = IdClaim {
            memory: Arc::clone(self),
            ids: Vec::new(),
        };
        let mut known = self.known.ids.lock();
        known.forget_before(Instant::now().checked_sub(self.window));
        known.claims += 1;
        let number = known.claims;
        let seen = ids
            .into_iter()
            .map(|id| {
                if known.delivered.contains(&id) {
                    return Seen::Again;
                }
                match known.claimed.entry(id) {
                    Entry::Vacant(vacant) => {
                        claim.ids.push(vacant.key().clone());
                        vacant.insert(Claimed {
                            by: number,
                            waiters: Vec::new(),
                        });
                        Seen::First
                    }
                    Entry::Occupied(own) if own.get().by == number => Seen::Again,
                    Entry::Occupied(mut other) => {
                        let (tell, told) = oneshot::channel();
                        let waiters = &mut other.get_mut().waiters;
                        // Whoever stopped listening takes no room, however often its sender repeats itself.
                        if waiters.len() >= 16 && waiters.len().is_power_of_two() {
                            waiters.retain(|waiter| !waiter.is_closed());
                        }
                        waiters.push(tell);
                        Seen::Pending(Box::pin(async { told.await.unwrap_or(Fate::GivenBack) }))
                    }
                }
            })
            .collect();
        drop(known);
        (seen, claim)
    }

    /// How long an id is known.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// Takes in ids that were delivered `age` ago, by an earlier process. To be called with the oldest first.
    pub fn restore(&self, ids: impl IntoIterator<Item = EventId>, age: Duration) {
        if age >= self.window {
            return;
        }
        // A clock that began later than that makes it known a little longer than needed.
        let at = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        let mut known = self.known.ids.lock();
        for id in ids {
            if known.delivered.insert(id.clone()) {
                known.by_age.push_back((at, id));
            }
        }
        while known.by_age.len() > self.max_ids {
            known.forget_oldest();
        }
    }

    /// How many delivered ids it knows now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.ids.lock().delivered.len()
    }

    /// Whether it knows no delivered id.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many ids went before their window was over, because there were more than `max_ids`. A duplicate of one of
    /// them would have passed as new.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.known.evicted.load(Ordering::Relaxed)
    }

    fn settle(&self, ids: &[EventId], delivered: &[bool]) {
        let now = Instant::now();
        let mut known = self.known.ids.lock();
        for (id, &delivered) in ids.iter().zip(delivered) {
            if delivered {
                known.delivered.insert(id.clone());
                known.by_age.push_back((now, id.clone()));
            }
            let waiters = known
                .claimed
                .remove(id)
                .map(|claimed| claimed.waiters)
                .unwrap_or_default();
            let fate = if delivered {
                Fate::Delivered
            } else {
                Fate::GivenBack
            };
            for waiter in waiters {
                // A waiter that hung up needs no answer.
                let _ = waiter.send(fate);
            }
        }
        known.forget_before(now.checked_sub(self.window));
        let surplus = known.by_age.len().saturating_sub(self.max_ids);
        for _ in 0..surplus {
            known.forget_oldest();
        }
        drop(known);
        let before = self
            .known
            .evicted
            .fetch_add(surplus as u64, Ordering::Relaxed);
        let evicted = before + surplus as u64;
        // The first at once, and then each time that their number has doubled.
        if evicted.leading_zeros() != before.leading_zeros() {
            tracing::warn!(
                evicted,
                max_ids = self.max_ids,
                "ids were forgotten before their window was over: their duplicates pass"
            );
        }
    }
}

impl Ids {
    fn forget_before(&mut self, end: Option<Instant>) {
        while let (Some((at, _)), Some(end)) = (self.by_age.front(), end)
            && *at <= end
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.by_age.pop_front() {
            self.delivered.remove(&id);
        }
    }
}

impl fmt::Debug for KnownIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownIds({})", self.ids.lock().delivered.len())
    }
}

impl fmt::Debug for IdMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdMemory")
            .field("window", &self.window)
            .field("max_ids", &self.max_ids)
            .finish_non_exhaustive()
    }
}

/// The ids that one request claimed, until it is known whether they were delivered. Dropped undecided, it gives all of
/// them back.
#[derive(Debug)]
#[must_use = "dropping a claim gives its ids back"]
pub struct IdClaim {
    memory: Arc<IdMemory>,
    ids: Vec<EventId>,
}

impl IdClaim {
    /// Number of ids claimed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether nothing was claimed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Remembers the ids that were delivered and gives the others back, and tells both to those who wait.
    /// `delivered(i)` judges the i-th id that [`Seen::First`] was said of.
    pub fn settle(mut self, delivered: impl Fn(usize) -> bool) {
        // Judged in full first: a judge that panics leaves the claim whole, and dropping it gives everything back.
        let delivered: Vec<bool> = (0..self.ids.len()).map(delivered).collect();
        self.memory
            .settle(&std::mem::take(&mut self.ids), &delivered);
    }
}

impl Drop for IdClaim {
    fn drop(&mut self) {
        if !self.ids.is_empty() {
            self.memory.settle(&self.ids, &vec![false; self.ids.len()]);
        }
    }
}

#[cfg(test)]
mod tests;
