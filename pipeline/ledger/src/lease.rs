//! Records lent to an exporter for its attempts.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use sluice_batch::Batch;
use sluice_component::{BoxError, BoxFuture};

/// Whoever lent records and wants to know what became of them.
pub trait Lender: Send + Sync {
    /// These were delivered.
    fn delivered(&self, sequences: Range<u64>);
    /// These were refused for good. Ok means that this is on record as durably as the log is.
    fn refused(&self, records: Refusal) -> BoxFuture<'_, Result<(), BoxError>>;
}

/// Records that a destination refused for good.
#[derive(Debug)]
pub struct Refusal {
    /// Their sequence numbers, in the order of the batch.
    pub sequences: Vec<u64>,
    /// The records.
    pub batch: Batch,
    /// The destination's answer.
    pub reason: String,
    /// Attempts until then.
    pub attempts: u32,
}

/// Records lent to an exporter. What is not settled when the process ends was not delivered.
#[derive(Clone)]
pub struct Lease {
    lender: Arc<dyn Lender>,
    /// Which sequence numbers the batch's records have, in its order.
    runs: Arc<[Range<u64>]>,
    /// The records.
    pub batch: Arc<Batch>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl Lease {
    /// Lends `batch`, whose records have the sequence numbers of `runs` in its order.
    #[must_use]
    pub fn new(lender: Arc<dyn Lender>, runs: Vec<Range<u64>>, batch: Arc<Batch>) -> Self {
        Self {
            lender,
            runs: runs.into(),
            batch,
        }
    }

    /// The sequence number of the first record.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.runs.first().map_or(0, |r| r.start)
    }

    /// Some of its records alone, by their positions in the batch, in order.
    #[must_use]
    pub fn part(&self, records: &[Range<u32>]) -> Self {
        let runs = records.iter().flat_map(|r| self.sequences(r.clone()));
        let places: Vec<_> = records
            .iter()
            .map(|r| r.start as usize..r.end as usize)
            .collect();
        let batch = Arc::new(self.batch.slices(&places));
        Self::new(self.lender.clone(), runs.collect(), batch)
    }

    /// Settles records that the destination took, by their positions in the batch.
    pub fn delivered(&self, records: Range<u32>) {
        for sequences in self.sequences(records) {
            self.lender.delivered(sequences);
        }
    }

    /// Settles records that the destination will never take, with its answer and how often they were tried.
    ///
    /// # Errors
    /// The refusal could not be put on record: the records are still owed.
    pub async fn refused(
        &self,
        records: Range<u32>,
        reason: &str,
        attempts: u32,
    ) -> Result<(), BoxError> {
        if records.is_empty() {
            return Ok(());
        }
        let refusal = Refusal {
            sequences: self
                .sequences(records.clone())
                .into_iter()
                .flatten()
                .collect(),
            batch: self
                .batch
                .slice(records.start as usize..records.end as usize),
            reason: reason.to_owned(),
            attempts,
        };
        self.lender.refused(refusal).await
    }

    fn sequences(&self, records: Range<u32>) -> Vec<Range<u64>> {
        let (mut from, mut left) = (
            u64::from(records.start),
            u64::from(records.end.saturating_sub(records.start)),
        );
        let mut sequences = Vec::new();
        for run in self.runs.iter() {
            let len = run.end - run.start;
            if from >= len {
                from -= len;
                continue;
            }
            let take = left.min(len - from);
            if take > 0 {
                sequences.push(run.start + from..run.start + from + take);
            }
            left -= take;
            from = 0;
        }
        sequences
    }
}
