//! How far a replay or a retry has come, and why it left records out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

/// Different reasons that are told; and records that are named for each.
const REASONS: usize = 20;
const NAMED: usize = 10;

/// How far a replay or a retry has come. Each record that it matched is delivered, refused, withheld, skipped or not sent.
#[derive(Debug, Default)]
pub struct Progress {
    matched: AtomicU64,
    delivered: AtomicU64,
    refused: AtomicU64,
    withheld: AtomicU64,
    skipped: AtomicU64,
    lost: AtomicU64,
    is_cut_short: AtomicBool,
    reasons: Mutex<BTreeMap<String, Numbers>>,
}

/// Records with one reason.
#[derive(Debug, Default)]
struct Numbers {
    named: Vec<u64>,
    more: u64,
}

impl Progress {
    /// Records that are to be sent, as far as is known: times the exporter's destinations.
    #[must_use]
    pub fn matched(&self) -> u64 {
        self.matched.load(Ordering::Relaxed)
    }

    /// Records that the destination took.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Records that it refused for good: they are dead letters.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Records that a rule of today drops or cannot handle: they were not sent.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    /// Letters that cannot be sent: they cannot be read, or their pipeline or exporter is configured no longer.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Records in the range that are damaged.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Records of which nothing is known but that they are to be sent; at the end: those that were not.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        let settled = self.delivered() + self.refused() + self.withheld() + self.skipped();
        self.matched().saturating_sub(settled)
    }

    /// Whether there may be more records than were matched: it was told to stop while it looked for them.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short.load(Ordering::Relaxed)
    }

    /// Why records were withheld or skipped, a line each, with their numbers.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let reasons = self.reasons.lock();
        let lines = reasons.iter().map(|(why, numbers)| {
            let named: Vec<_> = numbers.named.iter().map(u64::to_string).collect();
            let named = named.join(", ");
            match (numbers.named.len(), numbers.more) {
                (1, 0) => format!("record {named}: {why}"),
                (_, 0) => format!("records {named}: {why}"),
                (_, more) => format!("records {named} and {more} more: {why}"),
            }
        });
        lines.collect()
    }

    pub(crate) fn count_matched(&self, records: usize) {
        self.matched.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_delivered(&self, records: u64) {
        self.delivered.fetch_add(records, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self, records: usize) {
        self.refused.fetch_add(records as u64, Ordering::Relaxed);
    }

    /// Each destination's reader sees the same damage.
    pub(crate) fn has_lost(&self, records: u64) {
        self.lost.fetch_max(records, Ordering::Relaxed);
    }

    pub(crate) fn cut_short(&self) {
        self.is_cut_short.store(true, Ordering::Relaxed);
    }

    pub(crate) fn withhold(&self, sequences: &[u64], why: &str) {
        self.withheld
            .fetch_add(sequences.len() as u64, Ordering::Relaxed);
        self.tell(sequences, why);
    }

    pub(crate) fn skip(&self, sequences: &[u64], why: &str) {
        self.skipped
            .fetch_add(sequences.len() as u64, Ordering::Relaxed);
        self.tell(sequences, why);
    }

    /// Notes something about records that whoever gave the order must hear.
    pub(crate) fn tell(&self, sequences: &[u64], why: &str) {
        let mut reasons = self.reasons.lock();
        if sequences.is_empty() || (reasons.len() == REASONS && !reasons.contains_key(why)) {
            return;
        }
        let numbers = reasons.entry(why.to_owned()).or_default();
        let room = NAMED.saturating_sub(numbers.named.len());
        let (named, more) = sequences.split_at(room.min(sequences.len()));
        numbers.named.extend(named);
        numbers.more += more.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_counted_in_full_and_named_in_part() {
        let progress = Progress::default();
        progress.count_matched(40);
        progress.skip(&[7], "gone");
        progress.withhold(&(10..25).collect::<Vec<_>>(), "too deep");
        progress.count_delivered(20);
        assert_eq!((progress.skipped(), progress.withheld()), (1, 15));
        assert_eq!(progress.unsent(), 4);
        assert_eq!(
            progress.reasons(),
            [
                "record 7: gone",
                "records 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 5 more: too deep"
            ]
        );
    }
}
