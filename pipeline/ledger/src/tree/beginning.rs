//! Why an epoch begins, as the log itself tells it: the keeper puts it on record, and a verification reads it.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sluice_batch::{Batch, Record, Signal, Value};

use super::Epoch;
use crate::erasure::{parse_sequences, write_ranges};

const EVENT: &str = "audit.epoch";
const ORIGIN: &str = "audit.log.origin";
const REASON: &str = "audit.epoch.reason";
const PREVIOUS: &str = "audit.epoch.previous_checkpoint";
/// Records that a checkpoint covers, as `3,7-9`.
const LOST_SIGNED: &str = "audit.epoch.lost_signed";
/// Records that no checkpoint covers.
const LOST: &str = "audit.epoch.lost";

/// What the first record of an epoch says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Beginning {
    /// The reason, in words.
    pub(crate) why: String,
    /// The newest checkpoint before it.
    pub(crate) previous: Option<String>,
    /// Signed records that were gone.
    pub(crate) lost_signed: Vec<Range<u64>>,
    /// Records that were gone and that nobody had signed yet.
    pub(crate) lost: Vec<Range<u64>>,
}

impl Beginning {
    /// Adds records that were gone and that nobody had signed yet.
    pub(crate) fn lose(&mut self, range: Range<u64>) {
        let gap = format!("records {} to {} are gone", range.start, range.end - 1);
        if !self.why.is_empty() {
            self.why.push_str("; ");
        }
        self.why.push_str(&gap);
        self.lost.push(range);
    }

    /// The record that tells it.
    pub(crate) fn record(&self, epoch: &Epoch, now: u64) -> Batch {
        let mut batch = Batch::new(Signal::Logs);
        let mut record = batch.push_log();
        record.set_name(EVENT);
        record.set_observed_time(now);
        record.set_body(Value::Str("a new epoch of this log begins"));
        record.set(ORIGIN, Value::Str(&epoch.origin()));
        record.set(REASON, Value::Str(&self.why));
        if let Some(previous) = &self.previous {
            record.set(PREVIOUS, Value::Str(previous));
        }
        for (key, ranges) in [(LOST_SIGNED, &self.lost_signed), (LOST, &self.lost)] {
            if !ranges.is_empty() {
                record.set(key, Value::Str(&write_ranges(ranges)));
            }
        }
        batch
    }

    /// Reads what [`Beginning::record`] made, and the origin of the epoch; `None` when it is another record.
    pub(crate) fn read(record: &Record<'_>) -> Option<(String, Self)> {
        if record.name() != EVENT {
            return None;
        }
        let text = |key| record.get(key).map(|value| value.to_text().into_owned());
        let ranges = |key| {
            let mut ranges = parse_sequences(&text(key).unwrap_or_default());
            ranges.retain(|range| !range.is_empty());
            ranges
        };
        let beginning = Self {
            why: text(REASON).unwrap_or_default(),
            previous: text(PREVIOUS),
            lost_signed: ranges(LOST_SIGNED),
            lost: ranges(LOST),
        };
        Some((text(ORIGIN).unwrap_or_default(), beginning))
    }
}
