//! One reader's view of the log in memory.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use sluice_component::{BoxError, BoxFuture};
use tokio::sync::Notify;

use super::Log;
use crate::lease::{Lender, Refusal};
use crate::reader::Piece;

#[derive(Debug)]
pub(crate) struct MemoryFeed {
    log: Log,
    reader: String,
    position: u64,
}

impl MemoryFeed {
    pub(crate) fn new(log: Log, reader: String, position: u64) -> Self {
        Self {
            log,
            reader,
            position,
        }
    }

    pub(crate) fn arrived(&self) -> Arc<Notify> {
        self.log.shared.arrived.clone()
    }

    pub(crate) fn lender(&self) -> Arc<dyn Lender> {
        Arc::new(MemoryLender {
            log: self.log.clone(),
            reader: self.reader.clone(),
        })
    }

    /// Takes everything that is there: the log holds it in any case.
    pub(crate) fn more(&mut self, pieces: &mut VecDeque<Piece>) -> bool {
        let state = self.log.shared.state.lock();
        let before = pieces.len();
        let from = state.entries.partition_point(|e| e.end() <= self.position);
        for entry in state.entries.range(from..) {
            // Its records are settled by every reader there was.
            let Some(batch) = &entry.batch else { continue };
            let start = self.position.saturating_sub(entry.first);
            pieces.push_back(Piece {
                first: entry.first + start,
                batch: batch.clone(),
                range: start as usize..batch.len(),
            });
        }
        self.position = state.next_sequence;
        pieces.len() > before
    }
}

struct MemoryLender {
    log: Log,
    reader: String,
}

impl Lender for MemoryLender {
    fn delivered(&self, sequences: Range<u64>) {
        self.log.settle(&self.reader, sequences, None);
    }

    fn refused(&self, refusal: Refusal) -> BoxFuture<'_, Result<(), BoxError>> {
        // On record with the sender, who is still waiting and is told.
        for sequence in refusal.sequences {
            self.log
                .settle(&self.reader, sequence..sequence + 1, Some(&refusal.reason));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
