//! The newest durable records, in memory for the readers that keep up.

use std::collections::VecDeque;
use std::sync::Arc;

use sluice_batch::Batch;

/// One frame's records.
#[derive(Clone, Debug)]
pub(crate) struct TailEntry {
    pub(crate) pipeline: Arc<str>,
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) batch: Arc<Batch>,
    bytes: usize,
}

impl TailEntry {
    pub(crate) fn new(pipeline: Arc<str>, first: u64, batch: Arc<Batch>) -> Self {
        Self {
            pipeline,
            first,
            end: first + batch.len() as u64,
            bytes: batch.memory() + size_of::<Self>(),
            batch,
        }
    }
}

/// A bounded window on the end of the log. What leaves it is read from the disk by those who still need it.
#[derive(Debug)]
pub(crate) struct Tail {
    entries: VecDeque<TailEntry>,
    bytes: usize,
    max_bytes: usize,
    /// Where each reader stands, by its number.
    readers: Vec<Option<u64>>,
}

impl Tail {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            max_bytes,
            readers: Vec::new(),
        }
    }

    /// A new reader; its number.
    pub(crate) fn join(&mut self, position: u64) -> usize {
        self.readers.push(Some(position));
        self.readers.len() - 1
    }

    /// A reader is gone.
    pub(crate) fn leave(&mut self, reader: usize) {
        self.readers[reader] = None;
        self.evict();
    }

    pub(crate) fn moved(&mut self, reader: usize, position: u64) {
        self.readers[reader] = Some(position);
        self.evict();
    }

    pub(crate) fn push(&mut self, entry: TailEntry) {
        self.bytes += entry.bytes;
        self.entries.push_back(entry);
    }

    /// Lets go of what nobody needs, and of the oldest beyond the limit. A reader that stands before the window reads
    /// the disk anyway, so only those within it keep entries.
    pub(crate) fn evict(&mut self) {
        while let Some(front) = self.entries.front() {
            let is_awaited = self
                .readers
                .iter()
                .flatten()
                .any(|at| (front.first..front.end).contains(at));
            if is_awaited && self.bytes <= self.max_bytes {
                return;
            }
            self.bytes -= front.bytes;
            self.entries.pop_front();
        }
    }

    /// Whether the window reaches back to `position`.
    pub(crate) fn covers(&self, position: u64) -> bool {
        self.entries.front().is_some_and(|e| e.first <= position)
    }

    /// The entries from `position` on.
    pub(crate) fn from(&self, position: u64) -> impl Iterator<Item = &TailEntry> {
        let start = self.entries.partition_point(|e| e.end <= position);
        self.entries.range(start..)
    }

    #[cfg(test)]
    fn first(&self) -> Option<u64> {
        self.entries.front().map(|e| e.first)
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use sluice_batch::Signal;

    use super::*;

    fn entry(first: u64) -> TailEntry {
        let mut batch = Batch::new(Signal::Logs);
        let _ = batch.push_log();
        TailEntry::new("logs".into(), first, Arc::new(batch))
    }

    #[test]
    fn an_entry_stays_until_every_reader_within_the_window_has_passed_it() {
        let mut tail = Tail::new(1 << 20);
        let (quick, slow) = (tail.join(0), tail.join(0));
        for first in 0..3 {
            tail.push(entry(first));
        }
        tail.moved(quick, 3);
        assert_eq!(tail.first(), Some(0), "the slow one needs it");
        tail.moved(slow, 2);
        assert_eq!(tail.first(), Some(2));
        tail.leave(slow);
        assert_eq!(tail.first(), None, "nobody waits for a reader that is gone");
    }

    #[test]
    fn a_reader_that_falls_behind_holds_no_more_than_the_limit() {
        let one = entry(0).bytes;
        let mut tail = Tail::new(3 * one);
        let _dead = tail.join(0);
        for first in 0..100 {
            tail.push(entry(first));
            tail.evict();
            assert!(tail.bytes() <= 3 * one);
        }
        assert!(!tail.covers(0), "the dead one reads the disk");
    }
}
