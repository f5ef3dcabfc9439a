//! One exporter's loop over one pipeline's log: lease, attempt, settle, try again what is owed.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sluice_batch::Batch;
use sluice_component::{Batching, Delivery, DynExporter, Undelivered, Verdict};
use sluice_ledger::{Lease, Reader};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::health::{Health, State};
use crate::lent::{Lending, Lent};
use crate::pace::Pace;

/// An exporter with how to drive it. One for each destination, shared by the pipelines that name it.
pub(crate) struct Destination {
    /// `type/name`, and the key of one of several destinations.
    pub(crate) name: String,
    pub(crate) exporter: Arc<dyn DynExporter>,
    pub(crate) delivery: Delivery,
    pub(crate) health: Arc<Health>,
    pub(crate) pace: Arc<Pace>,
    /// Those who send to it; when the last one is gone it can be closed.
    pub(crate) users: TaskTracker,
}

/// How a loop is told to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop {
    /// Begin no attempt; those under way may end.
    pub(crate) soon: CancellationToken,
    /// At once. Attempts under way are abandoned: what they had not settled was not delivered.
    pub(crate) now: CancellationToken,
}

/// Delivers until it is told to stop.
pub(crate) async fn run(
    destination: Arc<Destination>,
    mut reader: Reader,
    batching: Batching,
    stop: Stop,
) {
    let mut leases = JoinSet::new();
    let lending = Arc::new(Lending::default());
    loop {
        // A lease is taken only when its attempt can begin, so that a busy destination gets full batches. Those on hold
        // count: set aside, they would let every new record ask a destination that refuses all of them.
        let has_room =
            leases.len() < destination.pace.max() && (leases.is_empty() || lending.has_room());
        let next = async {
            destination.pace.has_place().await;
            reader.next(&batching).await
        };
        tokio::select! {
            () = stop.now.cancelled() => break,
            () = stop.soon.cancelled() => break,
            Some(_) = leases.join_next(), if !leases.is_empty() => {}
            () = lending.returned(), if !has_room => {}
            lease = next, if has_room => {
                let lent = Lent::new(lease, &lending);
                leases.spawn(deliver(destination.clone(), lent, stop.soon.clone()));
            }
        }
    }
    let rest = async { while leases.join_next().await.is_some() {} };
    tokio::select! {
        biased;
        () = stop.now.cancelled() => {}
        () = rest => return,
    }
    // Whoever comes next to the cursor must find no lease of ours.
    leases.shutdown().await;
}

/// Tries until every record of the lease is settled, or until no further attempt is to begin.
pub(crate) async fn deliver(
    destination: Arc<Destination>,
    mut lease: Lent,
    stop: CancellationToken,
) {
    let retry = destination.delivery.retry;
    let mut started = Instant::now();
    let mut backoff = Backoff::new(retry);
    let mut owed = Owed::all(&lease);
    let mut attempts = 0;
    loop {
        let place = tokio::select! {
            place = destination.pace.enter() => place,
            () = stop.cancelled() => return,
        };
        attempts += 1;
        let undelivered = match attempt(&destination, &lease.batch).await {
            Ok(()) => {
                owed.settle(&destination, &lease, attempts, &[], &stop)
                    .await;
                destination.pace.went_well(&place);
                recovered(&destination);
                return;
            }
            Err(undelivered) => undelivered,
        };
        let still = owed
            .settle(&destination, &lease, attempts, &undelivered.verdicts, &stop)
            .await;
        if still.is_empty() {
            destination.pace.went_well(&place);
            report_refusals(&destination, &undelivered);
            return;
        }
        let has_progressed = still.records() < owed.records();
        owed = still.alone_in(&mut lease);
        if has_progressed && undelivered.delay() == Some(Duration::ZERO) {
            // No trouble: the exporter took a part and asks to be called again with the rest.
            report_refusals(&destination, &undelivered);
            continue;
        }
        drop(place);
        destination.health.count_failed_attempt();
        destination.pace.was_turned_away();
        report_refusals(&destination, &undelivered);
        report_trouble(&destination, &undelivered);
        let is_over = retry
            .max_elapsed
            .is_some_and(|limit| started.elapsed() >= limit);
        if !retry.enabled || is_over {
            let why = if retry.enabled {
                "max_elapsed_time is over"
            } else {
                "retry_on_failure is off"
            };
            let reason = format!("gave up because {why}: {undelivered}");
            // What is held is not the record's fault, and no letter to its reader.
            for records in owed.give_up() {
                refused(&destination, &lease, records, &reason, attempts, &stop).await;
            }
            if owed.is_empty() {
                return;
            }
            owed = owed.alone_in(&mut lease);
        }
        let next = wait(&mut backoff, &undelivered, owed.is_held(), retry.max);
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = stop.cancelled() => return,
        }
        if owed.is_held() {
            // Time on hold counts for nothing: once someone has mended the settings the records get all of theirs.
            started = Instant::now();
        }
    }
}

/// One attempt, bounded in time; a panic counts as a failure of the attempt, not of the process.
async fn attempt(destination: &Destination, batch: &Batch) -> Result<(), Undelivered> {
    let limit = destination.delivery.attempt_timeout;
    let attempt = AssertUnwindSafe(destination.exporter.export(batch)).catch_unwind();
    match tokio::time::timeout(limit, attempt).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(Undelivered::retry(
            batch.len(),
            "the exporter failed unexpectedly (a bug; see the panic message above)",
        )),
        Err(_) => Err(Undelivered::retry(
            batch.len(),
            format!("no answer within {limit:?}"),
        )),
    }
}

/// The longest of what the back-off says and what the destination asked for; a held destination is probed slowly.
fn wait(
    backoff: &mut Backoff,
    undelivered: &Undelivered,
    is_held: bool,
    slow: Duration,
) -> Duration {
    let next = backoff.next();
    let next = if is_held { next.max(slow) } else { next };
    undelivered.delay().map_or(next, |asked| next.max(asked))
}

/// The records of a lease that are not settled yet.
struct Owed(Vec<Piece>);

/// Some of them.
struct Piece {
    records: Range<u32>,
    /// The destination refuses us, not the records.
    is_held: bool,
}

impl Owed {
    fn all(lease: &Lease) -> Self {
        Self(vec![Piece {
            records: 0..lease.batch.len() as u32,
            is_held: false,
        }])
    }

    /// Whether nothing but our settings stands between the records and the destination.
    fn is_held(&self) -> bool {
        self.0.iter().all(|piece| piece.is_held)
    }

    /// Takes out the records that are not held.
    fn give_up(&mut self) -> Vec<Range<u32>> {
        let given_up = self.0.extract_if(.., |piece| !piece.is_held);
        given_up.map(|piece| piece.records).collect()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn records(&self) -> usize {
        self.0.iter().map(|piece| piece.records.len()).sum()
    }

    /// Lets everything else of the lease go.
    fn alone_in(mut self, lease: &mut Lent) -> Self {
        if self.records() < lease.batch.len() {
            let records: Vec<_> = self.0.iter().map(|piece| piece.records.clone()).collect();
            lease.keep(&records);
            let mut start = 0;
            for Piece { records, .. } in &mut self.0 {
                let end = start + records.end - records.start;
                *records = std::mem::replace(&mut start, end)..end;
            }
        }
        self
    }

    /// Settles what an attempt at them decided; returns what is still owed. Records without a verdict were delivered.
    async fn settle(
        &self,
        destination: &Destination,
        lease: &Lease,
        attempts: u32,
        verdicts: &[(Range<u32>, Verdict)],
        stop: &CancellationToken,
    ) -> Self {
        let health = &destination.health;
        let mut still = Vec::new();
        let mut base = 0;
        for Piece { records: range, .. } in &self.0 {
            let len = range.end - range.start;
            let mut at = 0;
            for (verdict_range, verdict) in verdicts {
                let start = verdict_range.start.max(base).min(base + len) - base;
                let end = verdict_range.end.max(base).min(base + len) - base;
                let start = start.max(at);
                if start >= end {
                    continue;
                }
                delivered(lease, health, range.start + at..range.start + start);
                let records = range.start + start..range.start + end;
                match verdict {
                    Verdict::Refused(reason) => {
                        refused(destination, lease, records, reason, attempts, stop).await;
                    }
                    Verdict::Retry(_) | Verdict::Hold(_) => still.push(Piece {
                        records,
                        is_held: matches!(verdict, Verdict::Hold(_)),
                    }),
                }
                at = end;
            }
            delivered(lease, health, range.start + at..range.end);
            base += len;
        }
        Self(still)
    }
}

fn delivered(lease: &Lease, health: &Health, records: Range<u32>) {
    if records.is_empty() {
        return;
    }
    health.count_sent(records.len() as u64);
    lease.delivered(records);
}

/// Puts a refusal on record, for as long as it takes: until then the records are not settled.
async fn refused(
    destination: &Destination,
    lease: &Lease,
    records: Range<u32>,
    reason: &str,
    attempts: u32,
    stop: &CancellationToken,
) {
    let mut is_told = false;
    while let Err(error) = lease.refused(records.clone(), reason, attempts).await {
        if !std::mem::replace(&mut is_told, true) {
            error!(
                exporter = destination.name, %error,
                "refused records cannot be put on record as dead letters; they are kept and this is tried until it works"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            // They are owed, and refused again after the next start.
            () = stop.cancelled() => return,
        }
    }
    destination.health.count_refused(records.len() as u64);
}

fn recovered(destination: &Destination) {
    if destination.health.set(State::Well).is_some() {
        info!(
            exporter = destination.name,
            "the destination takes records again"
        );
    }
}

fn report_refusals(destination: &Destination, undelivered: &Undelivered) {
    let records = undelivered.count(|v| matches!(v, Verdict::Refused(_)));
    if records > 0 {
        let reason = undelivered.reason().unwrap_or_default();
        error!(
            exporter = destination.name,
            records, reason, "the destination refused records for good"
        );
    }
}

/// One line when the trouble begins or changes its kind, not one an attempt.
fn report_trouble(destination: &Destination, undelivered: &Undelivered) {
    let held = undelivered.verdicts.iter().find_map(|(_, v)| {
        if let Verdict::Hold(reason) = v {
            Some(reason.clone())
        } else {
            None
        }
    });
    let asked = undelivered.delay();
    if let Some(reason) = held {
        if destination
            .health
            .set(State::Held(reason.clone()))
            .is_some()
        {
            error!(
                exporter = destination.name,
                reason,
                "the destination refuses us; everything is kept and it is probed slowly: check its settings"
            );
        }
        return;
    }
    let reason = undelivered.source.as_ref().map_or_else(
        || {
            asked.map_or_else(
                || "it answered so".to_owned(),
                |delay| format!("it asked to wait {delay:?}"),
            )
        },
        ToString::to_string,
    );
    if destination
        .health
        .set(State::Retrying(reason.clone()))
        .is_some()
    {
        warn!(
            exporter = destination.name,
            reason, "the destination does not take records now; trying again until it does"
        );
    }
}
