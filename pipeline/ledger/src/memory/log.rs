//! The writing side: entries with sequence numbers, each held until every reader has settled it.
//!
//! An OK of this log means delivered: [`Log::append`] resolves when every exporter has taken or refused the records. One
//! dead exporter keeps its pipeline's senders waiting; that is the price of having no disk.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_batch::Batch;
use sluice_component::{After, Undelivered, Verdict};
use tokio::sync::{Notify, oneshot};

use crate::memory::MemoryFeed;
use crate::reader::{Feed, Reader};

/// Records refused for good by one of the exporters, as positions in the appended batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Positions.
    pub records: Range<u32>,
    /// The exporter that refused them and its answer.
    pub reason: String,
}

/// The log of one pipeline. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    /// Rung when an entry arrives.
    pub(crate) arrived: Arc<Notify>,
    /// Rung when an entry is settled by every reader.
    settled: Notify,
    max_bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Entries in order; the first is the oldest that some reader has not settled.
    pub(crate) entries: VecDeque<Entry>,
    pub(crate) next_sequence: u64,
    readers: u64,
    bytes: usize,
    is_closed: bool,
}

#[derive(Debug)]
pub(crate) struct Entry {
    /// Sequence number of the first record.
    pub(crate) first: u64,
    pub(crate) records: u64,
    /// Let go as soon as every reader has settled it, also while an older entry waits.
    pub(crate) batch: Option<Arc<Batch>>,
    /// Records times readers that are still to be settled.
    open: u64,
    refused: Vec<Refused>,
    done: Option<oneshot::Sender<Vec<Refused>>>,
    bytes: usize,
}

impl Entry {
    pub(crate) fn end(&self) -> u64 {
        self.first + self.records
    }
}

impl Log {
    /// An empty log that holds at most `max_bytes` of batches (as [`Batch::memory`] counts) at a time; a single batch
    /// is taken whatever its size when the log is empty.
    #[must_use]
    pub fn in_memory(max_bytes: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::default()),
                arrived: Arc::default(),
                settled: Notify::new(),
                max_bytes,
            }),
        }
    }

    /// A cursor at the end of the log. Every record appended from now on waits for this reader too.
    #[must_use]
    pub fn reader(&self, name: impl Into<String>) -> Reader {
        let mut state = self.shared.state.lock();
        state.readers += 1;
        Reader::new(Feed::Memory(MemoryFeed::new(
            self.clone(),
            name.into(),
            state.next_sequence,
        )))
    }

    /// Appends a batch and waits until all its records are settled by all readers. Ok carries what was refused for
    /// good; everything else was delivered.
    ///
    /// # Errors
    /// Nothing was appended because the log is full, or the log was closed before the records were settled: the sender
    /// must try again.
    pub async fn append(&self, batch: Batch) -> Result<Vec<Refused>, Undelivered> {
        let records = batch.len();
        let settled = {
            let mut state = self.shared.state.lock();
            let bytes = batch.memory();
            if records == 0 || state.readers == 0 {
                return Ok(Vec::new());
            }
            if state.is_closed {
                return Err(Undelivered::retry(records, "the pipeline is stopping"));
            }
            if state.bytes != 0 && state.bytes + bytes > self.shared.max_bytes {
                let wait = Verdict::Retry(After::Delay(Duration::from_secs(1)));
                return Err(Undelivered::all(records, wait)
                    .because("the log is full of records that exporters have not taken yet"));
            }
            let (done, settled) = oneshot::channel();
            let first = state.next_sequence;
            let open = records as u64 * state.readers;
            state.entries.push_back(Entry {
                first,
                records: records as u64,
                batch: Some(Arc::new(batch)),
                open,
                refused: Vec::new(),
                done: Some(done),
                bytes,
            });
            state.next_sequence += records as u64;
            state.bytes += bytes;
            settled
        };
        self.shared.arrived.notify_waiters();
        settled.await.map_err(|_| {
            Undelivered::retry(
                records,
                "the pipeline stopped before its exporters took the records",
            )
        })
    }

    /// Bytes of batches that some exporter has not settled yet.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shared.state.lock().bytes
    }

    /// Records that some exporter has not settled yet.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.shared
            .state
            .lock()
            .entries
            .iter()
            .filter(|e| e.open > 0)
            .map(|e| e.records)
            .sum()
    }

    /// Where it is in memory: no two logs that are there at one time have the same.
    #[must_use]
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }

    /// Waits until every reader has settled everything.
    pub async fn drained(&self) {
        loop {
            let settled = self.shared.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.shared.state.lock().entries.is_empty() {
                return;
            }
            settled.await;
        }
    }

    /// Gives up on everything unsettled and takes nothing more: senders are told to try again.
    pub fn close(&self) {
        let mut state = self.shared.state.lock();
        state.is_closed = true;
        state.entries.clear();
        state.bytes = 0;
    }

    /// One reader's verdict on records `[sequences)`: delivered, or refused with this reason.
    pub(crate) fn settle(&self, reader: &str, sequences: Range<u64>, refused: Option<&str>) {
        let mut state = self.shared.state.lock();
        let from = state
            .entries
            .partition_point(|e| e.end() <= sequences.start);
        let mut freed = 0;
        for entry in state.entries.range_mut(from..) {
            let (start, end) = (
                sequences.start.max(entry.first),
                sequences.end.min(entry.end()),
            );
            if start >= end {
                break;
            }
            entry.open = entry.open.saturating_sub(end - start);
            if let Some(reason) = refused {
                let records = (start - entry.first) as u32..(end - entry.first) as u32;
                entry.refused.push(Refused {
                    records,
                    reason: format!("{reader}: {reason}"),
                });
            }
            if entry.open == 0
                && let Some(done) = entry.done.take()
            {
                // A sender that hung up no longer listens; its records are settled all the same.
                let _ = done.send(std::mem::take(&mut entry.refused));
                entry.batch = None;
                freed += entry.bytes;
            }
        }
        state.bytes = state.bytes.saturating_sub(freed);
        while state.entries.front().is_some_and(|e| e.open == 0) {
            state.entries.pop_front();
            self.shared.settled.notify_waiters();
        }
    }
}
