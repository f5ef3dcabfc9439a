//! The stage itself.

use std::sync::Arc;
use std::time::Duration;

use sluice_batch::{Batch, Record, Signal};
use sluice_component::{EventId, IdMemory, Reservation, Reserve, Seen};

use crate::RecordKey;

/// Takes records out of a batch whose id is known, and claims the ids of the rest.
#[derive(Debug)]
pub struct Dedupe {
    keys: Vec<RecordKey>,
    /// Spans and data points pass: many of one event may carry its id.
    logs_only: bool,
    memory: Arc<IdMemory>,
}

impl Dedupe {
    /// A stage that takes a record's id from the first of `keys` where one stands; of log records only, or of all
    /// signals.
    #[must_use]
    pub fn new(keys: Vec<RecordKey>, logs_only: bool, memory: Arc<IdMemory>) -> Self {
        Self {
            keys,
            logs_only,
            memory,
        }
    }

    /// A log, a span and a data point never share an id, whatever they are called.
    fn id(&self, signal: Signal, record: Record<'_>) -> Option<EventId> {
        let kind = match signal {
            Signal::Logs => b"l",
            Signal::Traces => b"t",
            Signal::Metrics => b"m",
        };
        let id = self.keys.iter().find_map(|key| key.id(record))?;
        Some(EventId::new(&[kind, id.as_ref()].concat()))
    }
}

impl Reserve for Dedupe {
    fn reserve(&self, batch: &mut Batch) -> Reservation {
        let signal = batch.signal();
        if self.logs_only && signal != Signal::Logs {
            return Reservation {
                settle: Box::new(|_| ()),
                waits: Vec::new(),
            };
        }
        let ids: Vec<Option<EventId>> = batch
            .records()
            .map(|record| self.id(signal, record))
            .collect();
        let has_id: Vec<bool> = ids.iter().map(Option::is_some).collect();
        let (seen, claim) = self.memory.claim(ids.into_iter().flatten());

        let mut seen = seen.into_iter();
        let mut kept = Vec::with_capacity(has_id.len());
        // Where the i-th claimed record stands in the batch that is left.
        let mut positions = Vec::with_capacity(claim.len());
        let mut waits = Vec::new();
        let mut left = 0;
        for has_id in has_id {
            let keep = match if has_id { seen.next() } else { None } {
                None => true,
                Some(Seen::First) => {
                    positions.push(left);
                    true
                }
                Some(Seen::Again) => false,
                Some(Seen::Pending(wait)) => {
                    waits.push(wait);
                    false
                }
            };
            left += usize::from(keep);
            kept.push(keep);
        }
        if left < kept.len() {
            tracing::debug!(
                rule = "dedupe",
                dropped = kept.len() - left - waits.len(),
                waiting = waits.len(),
                "duplicates"
            );
            let mut kept = kept.into_iter();
            batch.retain(|_| kept.next().unwrap_or(true));
        }
        Reservation {
            settle: Box::new(move |delivered| claim.settle(|i| delivered(positions[i]))),
            waits,
        }
    }

    fn window(&self) -> Duration {
        self.memory.window()
    }

    fn is_blank(&self) -> bool {
        self.memory.is_empty()
    }

    fn remember(&self, batch: &Batch, age: Duration) {
        let signal = batch.signal();
        if self.logs_only && signal != Signal::Logs {
            return;
        }
        let ids = batch.records().filter_map(|record| self.id(signal, record));
        self.memory.restore(ids, age);
    }
}

#[cfg(test)]
mod tests;
