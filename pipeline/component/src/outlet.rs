//! Where a receiver hands its batches over.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use sluice_batch::Batch;

use crate::{After, BoxFuture, Undelivered, Verdict};

/// Takes a batch and answers for it: Ok means every record is in someone else's durable care.
pub trait Consume: Send + Sync + 'static {
    /// Takes a batch through the pipelines behind this outlet.
    fn consume(&self, batch: Batch) -> BoxFuture<'static, Result<(), Undelivered>>;
}

/// A receiver's way into the pipelines that name it, one for all signals. Cheap to clone; a reload swaps what is
/// behind it in one store, so the next request takes the new path while the requests under way finish on the old one.
#[derive(Clone)]
pub struct Outlet {
    target: Arc<ArcSwap<Box<dyn Consume>>>,
}

impl Outlet {
    /// An outlet into `target`.
    #[must_use]
    pub fn new(target: Box<dyn Consume>) -> Self {
        Self {
            target: Arc::new(ArcSwap::from_pointee(target)),
        }
    }

    /// From the next request on, everything goes to `target`.
    pub fn swap(&self, target: Box<dyn Consume>) {
        self.target.store(Arc::new(target));
    }

    /// Delivers a batch. Ok: every record is durable (ledger) or delivered to every exporter (no ledger).
    ///
    /// The work is detached: a caller that is dropped (its client hung up) loses the answer, but never leaves a
    /// delivery half done.
    ///
    /// # Errors
    /// [`Undelivered`] names the records that were not taken, and whether to try again.
    pub async fn deliver(&self, batch: Batch) -> Result<(), Undelivered> {
        let records = batch.len();
        let work = self.target.load().consume(batch);
        match tokio::spawn(work).await {
            Ok(result) => result,
            Err(panicked) => {
                Err(Undelivered::all(records, Verdict::Retry(After::Backoff)).because(panicked))
            }
        }
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlet")
    }
}
