//! The reading side: one cursor, leases of records in order, settled in any order.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sluice_batch::Batch;
use sluice_component::Batching;
use tokio::time::{Instant, timeout_at};

use crate::log::{Log, State};

/// What became of leased records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The exporter took them.
    Delivered,
    /// The exporter will never take them; its answer.
    Refused(String),
}

/// One exporter's cursor in one log.
#[derive(Debug)]
pub struct Reader {
    log: Log,
    name: String,
    position: u64,
    /// When the first record of the coming lease has waited long enough. Kept here, because a caller may drop the
    /// future of [`Reader::next`] and ask again.
    deadline: Option<Instant>,
}

/// Records lent to an exporter. What is not settled when the process ends was not delivered.
#[derive(Clone, Debug)]
pub struct Lease {
    log: Log,
    reader: String,
    /// Sequence number of record 0.
    pub first: u64,
    /// The records.
    pub batch: Arc<Batch>,
}

impl Lease {
    /// Settles records of this lease, by their positions in its batch.
    pub fn settle(&self, records: Range<u32>, outcome: &Settled) {
        if !records.is_empty() {
            let sequences =
                self.first + u64::from(records.start)..self.first + u64::from(records.end);
            self.log.settle(&self.reader, sequences, outcome);
        }
    }
}

impl Reader {
    pub(crate) fn new(log: Log, name: String, position: u64) -> Self {
        Self {
            log,
            name,
            position,
            deadline: None,
        }
    }

    /// Lends the next records, gathered as `batching` says: at least one, at most `max_records` and about `max_bytes`,
    /// where each record counts with its resource and scope: some destinations get those with every record.
    ///
    /// Without a timeout whatever is there goes at once: a caller that asks seldom, because its destination is busy,
    /// gets full batches.
    pub async fn next(&mut self, batching: &Batching) -> Lease {
        let shared = self.log.shared.clone();
        loop {
            let arrived = shared.arrived.notified();
            tokio::pin!(arrived);
            // Listen before looking, or an arrival in between is missed.
            arrived.as_mut().enable();
            let found = Gathered::look(&shared.state.lock(), self.position, batching);
            let patience = batching.timeout.filter(|t| *t > Duration::ZERO);
            match (found.records, patience) {
                (0, _) => arrived.await,
                (_, Some(patience)) if !found.is_full => {
                    let until = *self
                        .deadline
                        .get_or_insert_with(|| Instant::now() + patience);
                    if timeout_at(until, arrived).await.is_err() {
                        return self.take(batching);
                    }
                }
                _ => return self.take(batching),
            }
        }
    }

    /// The lease of what [`Gathered::look`] has found.
    fn take(&mut self, batching: &Batching) -> Lease {
        let (found, parts) = {
            let state = self.log.shared.state.lock();
            let found = Gathered::look(&state, self.position, batching);
            let parts: Vec<(Arc<Batch>, Range<usize>)> = found.parts(&state, self.position);
            (found, parts)
        };
        self.deadline = None;
        let first = self.position;
        self.position += found.records as u64;
        Lease {
            log: self.log.clone(),
            reader: self.name.clone(),
            first,
            batch: merge(parts),
        }
    }
}

/// One batch of these parts: the batch itself when it is a whole one, a merged copy otherwise.
fn merge(mut parts: Vec<(Arc<Batch>, Range<usize>)>) -> Arc<Batch> {
    if parts.len() == 1
        && let Some((batch, range)) = parts.pop()
    {
        return if range == (0..batch.len()) {
            batch
        } else {
            Arc::new(batch.slice(range))
        };
    }
    let mut merged: Option<Batch> = None;
    for (batch, range) in parts {
        let whole = range == (0..batch.len());
        match &mut merged {
            None => {
                merged = Some(if whole {
                    (*batch).clone()
                } else {
                    batch.slice(range)
                })
            }
            Some(merged) if whole => merged.append(&batch),
            Some(merged) => merged.append(&batch.slice(range)),
        }
    }
    Arc::new(merged.unwrap_or_else(|| Batch::new(sluice_batch::Signal::Logs)))
}

/// How many records from a cursor on make one attempt.
struct Gathered {
    records: usize,
    is_full: bool,
}

impl Gathered {
    fn look(state: &State, position: u64, batching: &Batching) -> Self {
        let (mut records, mut bytes) = (0, 0);
        let enough = |records: usize| batching.min_records > 0 && records >= batching.min_records;
        let from = state.entries.partition_point(|e| e.end() <= position);
        for entry in state.entries.range(from..) {
            let start = position.saturating_sub(entry.first) as usize;
            let Some(batch) = &entry.batch else { continue };
            let mut left = batch.len() - start;
            if batching.max_records > 0 && records + left > batching.max_records {
                left = batching.max_records - records;
            }
            for i in start..start + left {
                let size = batch.record_bytes_alone(i);
                if batching.max_bytes > 0 && records > 0 && bytes + size > batching.max_bytes {
                    return Self {
                        records,
                        is_full: true,
                    };
                }
                bytes += size;
                records += 1;
            }
            if batching.max_records > 0 && records >= batching.max_records {
                return Self {
                    records,
                    is_full: true,
                };
            }
        }
        Self {
            records,
            is_full: enough(records),
        }
    }

    fn parts(&self, state: &State, position: u64) -> Vec<(Arc<Batch>, Range<usize>)> {
        let mut left = self.records;
        let mut parts = Vec::new();
        let from = state.entries.partition_point(|e| e.end() <= position);
        for entry in state.entries.range(from..) {
            if left == 0 {
                break;
            }
            let start = position.saturating_sub(entry.first) as usize;
            let Some(batch) = &entry.batch else { continue };
            let end = batch.len().min(start + left);
            left -= end - start;
            parts.push((batch.clone(), start..end));
        }
        parts
    }
}
