//! One pipeline from a receiver's batch to its log: accept, stages, append, then the fate of what was reserved.

use std::sync::Arc;

use sluice_batch::{Batch, Signal};
use sluice_component::{After, Fate, Reservation, Stage, Undelivered, Verdict};
use sluice_ledger::{Log, Refused};
use tokio::time::{Instant, timeout_at};

/// A pipeline.
pub(crate) struct Path {
    pub(crate) signal: Signal,
    pub(crate) stages: Vec<Stage>,
    pub(crate) log: Log,
}

impl Path {
    /// Takes a batch to the end. Ok: every record was delivered or dropped by a named rule.
    /// Twins that other requests own are waited for until `deadline`, when the sender stops listening.
    pub(crate) async fn take(
        self: Arc<Self>,
        mut batch: Batch,
        deadline: Instant,
    ) -> Result<(), Undelivered> {
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
        let records = batch.len();
        let outcome = if records == 0 {
            Ok(Vec::new())
        } else {
            self.log.append(batch).await
        };
        let mut waits = Vec::new();
        // From the last to the first: a step must know whether a later one took records out to wait for them.
        for (seen, reservation) in reserved.into_iter().rev() {
            let Reservation {
                settle,
                waits: more,
            } = reservation;
            let positions_match = seen == records;
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
fn was_taken(outcome: &Result<Vec<Refused>, Undelivered>, i: usize, positions_match: bool) -> bool {
    match outcome {
        Ok(refused) if refused.is_empty() => true,
        Ok(refused) => positions_match && !refused.iter().any(|r| r.records.contains(&(i as u32))),
        Err(_) => false,
    }
}

/// What the sender hears. Records that another request failed to deliver are owed: the sender must send them again.
fn answer(outcome: Result<Vec<Refused>, Undelivered>, owed: usize) -> Result<(), Undelivered> {
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
