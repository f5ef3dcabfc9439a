//! One reader's view of the ledger: from memory while it keeps up, from the segments while it does not. Never past what
//! is durable.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use sluice_component::{BoxError, BoxFuture};
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::ahead::Ahead;
use crate::chunk::Chunk;
use crate::cursors::CursorId;
use crate::dead_letters::Letter;
use crate::inner::Inner;
use crate::lease::{Lender, Refusal};
use crate::reader::Piece;

/// Takes about this much of memory at a time.
const FETCH_BYTES: usize = 2 << 20;

/// Dead letters take at most this part of `max_bytes`.
pub(crate) const LETTERS_SHARE: u64 = 2;

/// Waits this long before it reads again after the disk failed to.
const AFTER_FAILURE: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct LedgerFeed {
    inner: Arc<Inner>,
    id: CursorId,
    /// Its number in the tail.
    number: usize,
    /// The next record to take.
    position: u64,
    /// Below this some records may be finished already: what was in flight when the last process ended.
    resumed_below: u64,
    /// What was read of the disk behind it.
    ahead: Ahead,
}

impl LedgerFeed {
    pub(crate) fn new(inner: Arc<Inner>, id: CursorId, start: u64) -> Self {
        // First: whoever looks for orphans in between must not take this one for one.
        *inner.state.lock().claimed.entry(id.clone()).or_default() += 1;
        let cursor = inner.cursors.claim(&id, start);
        let position = cursor.low();
        let number = inner.state.lock().tail.join(position);
        Self {
            ahead: Ahead::new(inner.clone(), id.clone()),
            inner,
            id,
            number,
            position,
            resumed_below: cursor.high(),
        }
    }

    pub(crate) fn arrived(&self) -> Arc<Notify> {
        self.inner.arrived.clone()
    }

    pub(crate) fn lender(&self) -> Arc<dyn Lender> {
        Arc::new(LedgerLender {
            inner: self.inner.clone(),
            id: self.id.clone(),
        })
    }

    /// Takes the next records; false when there are none now. The future may be dropped and asked for again.
    pub(crate) async fn more(&mut self, pieces: &mut VecDeque<Piece>) -> bool {
        let before = pieces.len();
        if self.inner.cursors.is_full_of_gaps(&self.id) {
            return false;
        }
        loop {
            if let Some(chunk) = self.ahead.next().await {
                self.take_in(chunk, pieces).await;
            } else if !self.take_from_memory(pieces) {
                self.ahead.read_from(self.position);
                continue;
            } else if pieces.len() == before {
                return false;
            }
            if pieces.len() > before {
                return true;
            }
        }
    }

    /// What memory has from the position on; false when it begins later and the disk must be read.
    fn take_from_memory(&mut self, pieces: &mut VecDeque<Piece>) -> bool {
        let mut foreign = Vec::new();
        {
            let mut state = self.inner.state.lock();
            if self.position < state.durable {
                if !state.tail.covers(self.position) {
                    return false;
                }
                let mut bytes = 0;
                for entry in state.tail.from(self.position) {
                    if bytes >= FETCH_BYTES {
                        break;
                    }
                    if entry.pipeline == self.id.pipeline {
                        bytes += entry.batch.memory();
                        let open = self.open(entry.first.max(self.position)..entry.end);
                        push(pieces, entry.first, &entry.batch, open);
                    } else {
                        foreign.push(entry.first..entry.end);
                    }
                    self.position = entry.end;
                }
                state.tail.moved(self.number, self.position);
            }
        }
        self.ahead.leave();
        for range in foreign {
            self.inner.cursors.finish(&self.id, range);
        }
        true
    }

    async fn take_in(&mut self, chunk: Chunk, pieces: &mut VecDeque<Piece>) {
        for piece in chunk.pieces {
            let sequences = piece.first..piece.first + piece.range.len() as u64;
            let open = self.open(sequences);
            push(
                pieces,
                piece.first - piece.range.start as u64,
                &piece.batch,
                open,
            );
        }
        for range in chunk.foreign {
            self.inner.cursors.finish(&self.id, range);
        }
        for range in chunk.lost {
            error!(
                exporter = %self.id.exporter, pipeline = %self.id.pipeline, first = range.start, end = range.end,
                "these records are gone from the ledger before this exporter had them"
            );
            self.inner.cursors.lose(&self.id, range);
        }
        self.position = chunk.end;
        self.inner
            .state
            .lock()
            .tail
            .moved(self.number, self.position);
        if let Some(failure) = chunk.failure {
            warn!(exporter = %self.id.exporter, error = %failure, "the ledger cannot be read; trying again");
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }

    /// What of these records is not finished.
    fn open(&self, sequences: Range<u64>) -> Vec<Range<u64>> {
        if sequences.start >= self.resumed_below {
            return std::iter::once(sequences).collect();
        }
        self.inner.cursors.open_in(&self.id, sequences)
    }
}

impl Drop for LedgerFeed {
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        state.tail.leave(self.number);
        if let Some(readers) = state.claimed.get_mut(&self.id) {
            *readers -= 1;
            if *readers == 0 {
                state.claimed.remove(&self.id);
            }
        }
    }
}

fn push(
    pieces: &mut VecDeque<Piece>,
    first: u64,
    batch: &Arc<sluice_batch::Batch>,
    open: Vec<Range<u64>>,
) {
    for range in open {
        pieces.push_back(Piece {
            first: range.start,
            batch: batch.clone(),
            range: (range.start - first) as usize..(range.end - first) as usize,
        });
    }
}

/// Puts refused records on record as dead letters, durably.
pub(crate) fn put_letters(
    inner: &Inner,
    pipeline: &str,
    exporter: &Arc<str>,
    refusal: &Refusal,
) -> io::Result<()> {
    // Letters are for ever until someone sees to them, so they get a share and no more: beyond it the records stay with
    // their exporter, as those of one that is down do. What has a letter may get it again.
    let share = inner.settings().max_bytes / LETTERS_SHARE;
    if inner.dead_letters.bytes() >= share
        && !inner.dead_letters.has_all(exporter, &refusal.sequences)
    {
        return Err(io::Error::new(
            io::ErrorKind::QuotaExceeded,
            format!(
                "dead letters take {share} bytes, a half of `max_bytes`: `sluice dead-letters` sends or drops them"
            ),
        ));
    }
    let letters: Vec<Letter> = refusal
        .sequences
        .iter()
        .map(|sequence| Letter {
            sequence: *sequence,
            pipeline: pipeline.to_owned(),
            exporter: exporter.to_string(),
            signal: refusal.batch.signal().name().to_owned(),
            reason: refusal.reason.clone(),
            // A letter that is sent again and refused again is the same letter.
            attempts: refusal
                .attempts
                .saturating_add(inner.dead_letters.attempts(exporter, *sequence)),
            refused_at: inner.clock.now(),
            payload: Vec::new(),
        })
        .collect();
    inner.dead_letters.put(exporter, &letters, &refusal.batch)
}

struct LedgerLender {
    inner: Arc<Inner>,
    id: CursorId,
}

impl Lender for LedgerLender {
    fn delivered(&self, sequences: Range<u64>) {
        self.inner.finish(&self.id, sequences);
        self.inner.chores.cursor_moved();
    }

    fn refused(&self, refusal: Refusal) -> BoxFuture<'_, Result<(), BoxError>> {
        let (inner, id) = (self.inner.clone(), self.id.clone());
        Box::pin(async move {
            let stored = tokio::task::spawn_blocking(move || {
                put_letters(&inner, &id.pipeline, &id.exporter, &refusal)?;
                // Only now: a letter is durable before its record counts as finished.
                for sequence in refusal.sequences {
                    inner.finish(&id, sequence..sequence + 1);
                }
                inner.chores.cursor_moved();
                Ok::<(), io::Error>(())
            });
            stored.await??;
            Ok(())
        })
    }
}
