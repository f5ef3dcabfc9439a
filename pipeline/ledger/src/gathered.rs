//! How many of the pending records make one attempt.

use std::collections::VecDeque;

use sluice_component::Batching;

use crate::reader::Piece;

/// A lease never holds more than about this many bytes, whatever the batching says: an exporter that was down for days
/// must not get all of them at once.
const LEASE_BYTES: usize = 16 << 20;

/// What was counted of the records for the coming lease. Records arrive a few at a time while it waits for more, so each
/// is measured once and not at every arrival.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Records of the coming lease so far.
    pub(crate) records: usize,
    /// Whether they make a lease that need not wait.
    pub(crate) is_full: bool,
    bytes: usize,
    /// Where counting goes on: the piece, and the record in it.
    piece: usize,
    within: usize,
    /// For which batching they were counted.
    batching: Option<Batching>,
}

impl Gathered {
    /// Counts what has come since. Until a lease is taken, pieces are only added at the end.
    pub(crate) fn look(&mut self, pending: &VecDeque<Piece>, batching: &Batching) {
        if self.batching.as_ref() != Some(batching) {
            *self = Self {
                batching: Some(*batching),
                ..Self::default()
            };
        }
        self.is_full = self.fills_up(pending, batching);
    }

    fn fills_up(&mut self, pending: &VecDeque<Piece>, batching: &Batching) -> bool {
        let max_bytes = match batching.max_bytes {
            0 => LEASE_BYTES,
            bytes => bytes.min(LEASE_BYTES),
        };
        let is_at = |limit: usize, records: usize| limit > 0 && records >= limit;
        while let Some(piece) = pending.get(self.piece) {
            for i in piece.range.clone().skip(self.within) {
                if is_at(batching.max_records, self.records) {
                    return true;
                }
                let size = piece.batch.record_bytes_alone(i);
                if self.records > 0 && self.bytes + size > max_bytes {
                    return true;
                }
                self.bytes += size;
                self.records += 1;
                self.within += 1;
            }
            self.piece += 1;
            self.within = 0;
        }
        is_at(batching.min_records, self.records) || is_at(batching.max_records, self.records)
    }
}
