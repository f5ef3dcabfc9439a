//! What stands between a receiver and the ledger: a list of stages, applied in order.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sluice_batch::Batch;

use crate::{Batching, BoxFuture, Undelivered};

/// Batch in, batch out; no waiting, no I/O. It may drop records by a rule that it counts, and refuse a batch.
pub trait Transform: Send + Sync + 'static {
    /// Applies the step to every record.
    ///
    /// # Errors
    /// The whole batch goes back to its sender (memory limit, or a value that could not be made safe).
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered>;

    /// Whether records that are sent again from the ledger pass this step once more. True for what hides secrets, so
    /// that a rule of today holds for records of yesterday too; it must change nothing that it has changed already.
    fn applies_on_replay(&self) -> bool {
        false
    }
}

/// A step that claims something for a batch (an event id) until the batch's fate is known.
pub trait Reserve: Send + Sync + 'static {
    /// Drops the records whose ids are known as delivered or stand twice in the batch, and claims the rest, all in
    /// one step. Records whose id another request has claimed are taken out of the batch too, and waited for after
    /// this batch's own part was decided ([`Reservation::waits`]): never hold and wait.
    fn reserve(&self, batch: &mut Batch) -> Reservation;

    /// How long a delivered id is remembered. Zero: nothing is worth restoring.
    fn window(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether it knows of no delivered id, so that there is something to restore.
    fn is_blank(&self) -> bool {
        true
    }

    /// Remembers the ids of records that an earlier process took this long ago.
    fn remember(&self, _batch: &Batch, _age: Duration) {}
}

/// What [`Reserve::reserve`] claimed. Dropping it undecided gives every claim back.
pub struct Reservation {
    /// Tells the claims' fate. `delivered(i)` says for the i-th record of the batch as `reserve` left it whether it
    /// was taken for good.
    pub settle: Settle,
    /// One for each twin in another request. Wait only after `settle`.
    pub waits: Vec<Wait>,
}

/// Told once: which records, by position, were taken for good.
pub type Settle = Box<dyn FnOnce(&dyn Fn(usize) -> bool) + Send>;

/// The fate of a record that another request owns.
pub type Wait = BoxFuture<'static, Fate>;

/// What became of the request that had claimed the same id first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Delivered: our copy was a duplicate.
    Delivered,
    /// Given back: our copy is owed, so its sender must send it again.
    GivenBack,
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("waits", &self.waits.len())
            .finish_non_exhaustive()
    }
}

/// What a processor's configuration builds.
#[derive(Clone)]
pub enum Stage {
    /// A plain step.
    Transform(Arc<dyn Transform>),
    /// A step with memory of what was delivered.
    Reserve(Arc<dyn Reserve>),
    /// No step: batching defaults for the pipeline's exporters (the `batch` processor).
    Batching(Batching),
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transform(_) => "Transform",
            Self::Reserve(_) => "Reserve",
            Self::Batching(_) => "Batching",
        })
    }
}
