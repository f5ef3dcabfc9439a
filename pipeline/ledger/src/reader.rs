//! The reading side: one exporter's way through the log, in leases of records in order, settled in any order.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sluice_batch::{Batch, Signal};
use sluice_component::Batching;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::feed::LedgerFeed;
use crate::gathered::Gathered;
use crate::lease::{Lease, Lender};
use crate::memory::MemoryFeed;

/// Records taken from the log and not lent yet.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Sequence number of the first record of `range`.
    pub(crate) first: u64,
    pub(crate) batch: Arc<Batch>,
    pub(crate) range: Range<usize>,
}

/// Where records come from.
#[derive(Debug)]
pub(crate) enum Feed {
    Memory(MemoryFeed),
    Ledger(Box<LedgerFeed>),
}

impl Feed {
    /// Takes more records if there are any. The future may be dropped and asked for again: nothing is lost by that.
    async fn more(&mut self, pieces: &mut VecDeque<Piece>) -> bool {
        match self {
            Self::Memory(feed) => feed.more(pieces),
            Self::Ledger(feed) => feed.more(pieces).await,
        }
    }

    /// Rung when there is more.
    fn arrived(&self) -> Arc<Notify> {
        match self {
            Self::Memory(feed) => feed.arrived(),
            Self::Ledger(feed) => feed.arrived(),
        }
    }

    fn lender(&self) -> Arc<dyn Lender> {
        match self {
            Self::Memory(feed) => feed.lender(),
            Self::Ledger(feed) => feed.lender(),
        }
    }
}

/// One exporter's place in one pipeline's records.
#[derive(Debug)]
pub struct Reader {
    feed: Feed,
    pending: VecDeque<Piece>,
    /// What of them makes the coming lease.
    gathered: Gathered,
    /// When the first record of the coming lease has waited long enough. Kept here, because a caller may drop the
    /// future of [`Reader::next`] and ask again.
    deadline: Option<Instant>,
}

impl Reader {
    pub(crate) fn new(feed: Feed) -> Self {
        Self {
            feed,
            pending: VecDeque::new(),
            gathered: Gathered::default(),
            deadline: None,
        }
    }

    /// Lends the next records, gathered as `batching` says: at least one, at most `max_records` and about `max_bytes`,
    /// where each record counts with its resource and scope: some destinations get those with every record.
    ///
    /// Without a timeout whatever is there goes at once: a caller that asks seldom, because its destination is busy,
    /// gets full batches.
    pub async fn next(&mut self, batching: &Batching) -> Lease {
        let bell = self.feed.arrived();
        loop {
            let arrived = bell.notified();
            tokio::pin!(arrived);
            // Listen before looking, or an arrival in between is missed.
            arrived.as_mut().enable();
            self.gathered.look(&self.pending, batching);
            while !self.gathered.is_full && self.feed.more(&mut self.pending).await {
                self.gathered.look(&self.pending, batching);
            }
            let patience = batching.timeout.filter(|t| *t > Duration::ZERO);
            match (self.gathered.records, patience) {
                (0, _) => arrived.await,
                (_, Some(patience)) if !self.gathered.is_full => {
                    let until = *self
                        .deadline
                        .get_or_insert_with(|| Instant::now() + patience);
                    if timeout_at(until, arrived).await.is_err() {
                        return self.take();
                    }
                }
                _ => return self.take(),
            }
        }
    }

    /// Lends what was gathered.
    fn take(&mut self) -> Lease {
        self.deadline = None;
        let records = std::mem::take(&mut self.gathered).records;
        let (mut runs, mut parts) = (Vec::<Range<u64>>::new(), Vec::new());
        let mut left = records;
        while left > 0
            && let Some(piece) = self.pending.front_mut()
        {
            let take = left.min(piece.range.len());
            let sequences = piece.first..piece.first + take as u64;
            match runs.last_mut() {
                Some(last) if last.end == sequences.start => last.end = sequences.end,
                _ => runs.push(sequences),
            }
            parts.push((
                piece.batch.clone(),
                piece.range.start..piece.range.start + take,
            ));
            left -= take;
            piece.first += take as u64;
            piece.range.start += take;
            if piece.range.is_empty() {
                self.pending.pop_front();
            }
        }
        Lease::new(self.feed.lender(), runs, merge(parts))
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
            None if whole => merged = Some((*batch).clone()),
            None => merged = Some(batch.slice(range)),
            Some(merged) if whole => merged.append(&batch),
            Some(merged) => merged.append(&batch.slice(range)),
        }
    }
    Arc::new(merged.unwrap_or_else(|| Batch::new(Signal::Logs)))
}
