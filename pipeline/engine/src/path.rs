//! One pipeline: the stages before the log, and after it the fate of what they reserved.

use std::sync::Arc;

use sluice_batch::{Batch, Signal};
use sluice_component::{After, Fate, Reservation, Stage, Undelivered, Verdict};
use tokio::time::{Instant, timeout_at};

use crate::sink::{Outcome, Sink};

/// A pipeline.
pub(crate) struct Path {
    /// `signal` or `signal/name`.
    pub(crate) name: Arc<str>,
    pub(crate) signal: Signal,
    pub(crate) stages: Vec<Stage>,
    pub(crate) sink: Sink,
}

/// A batch after the stages, with what they claimed for it.
pub(crate) struct Prepared {
    pub(crate) batch: Batch,
    pub(crate) claims: Claims,
}

/// What stages hold until the batch's fate is known. Dropped, it gives everything back.
pub(crate) struct Claims {
    /// Records of the batch when it left all stages.
    records: usize,
    /// Each with the records it saw.
    reserved: Vec<(usize, Reservation)>,
}

impl Path {
    /// Takes a batch through the stages.
    pub(crate) fn prepare(&self, mut batch: Batch) -> Result<Prepared, Undelivered> {
        let mut reserved = Vec::new();
        for stage in &self.stages {
            match stage {
                Stage::Transform(step) => step.apply(&mut batch)?,
                Stage::Reserve(step) => {
                    let reservation = step.reserve(&mut batch);
                    reserved.push((batch.len(), reservation));
                }
                Stage::Batching(_) => {}
            }
        }
        // Headers hold credentials, and nothing behind here asks for them.
        batch.set_sender(None);
        let records = batch.len();
        Ok(Prepared {
            batch,
            claims: Claims { records, reserved },
        })
    }
}

impl Claims {
    /// Tells the stages what became of the records. Ok: every record was taken or dropped by a named rule.
    /// Twins that other requests own are waited for until `deadline`, when the sender stops listening.
    pub(crate) async fn settle(
        self,
        outcome: Outcome,
        deadline: Instant,
    ) -> Result<(), Undelivered> {
        let mut waits = Vec::new();
        // From the last to the first: a step must know whether a later one took records out to wait for them.
        for (seen, reservation) in self.reserved.into_iter().rev() {
            let Reservation {
                settle,
                waits: more,
            } = reservation;
            let positions_match = seen == self.records;
            let is_undecided = !positions_match && !waits.is_empty();
            settle(&|i| !is_undecided && was_taken(&outcome, i, positions_match));
            waits.extend(more);
        }
        // Only now: nothing of ours is reserved any more, so two requests can never wait for each other.
        let mut owed = 0;
        for wait in waits {
            let fate = timeout_at(deadline, wait).await.unwrap_or(Fate::GivenBack);
            owed += usize::from(fate == Fate::GivenBack);
        }
        answer(outcome, owed)
    }
}

/// Whether record `i` was taken for good. When a later step dropped records, positions no longer match: then only a
/// complete success counts, so that nothing that failed is remembered as delivered.
fn was_taken(outcome: &Outcome, i: usize, positions_match: bool) -> bool {
    match outcome {
        Ok(refused) if refused.is_empty() => true,
        Ok(refused) => positions_match && !refused.iter().any(|r| r.records.contains(&(i as u32))),
        Err(_) => false,
    }
}

/// What the sender hears. Records that another request failed to deliver are owed: the sender must send them again.
fn answer(outcome: Outcome, owed: usize) -> Result<(), Undelivered> {
    let refused = outcome?;
    if owed > 0 {
        return Err(Undelivered::all(owed, Verdict::Retry(After::Backoff))
            .because("another request with the same events failed"));
    }
    if refused.is_empty() {
        return Ok(());
    }
    let mut verdicts: Vec<_> = refused
        .into_iter()
        .map(|r| (r.records, Verdict::Refused(r.reason)))
        .collect();
    verdicts.sort_by_key(|(range, _)| (range.start, range.end));
    // Two exporters may refuse one record: it counts once.
    let mut end = 0;
    verdicts.retain_mut(|(range, _)| {
        range.start = range.start.max(end);
        end = end.max(range.end);
        range.start < range.end
    });
    Err(Undelivered {
        verdicts,
        source: None,
    })
}
