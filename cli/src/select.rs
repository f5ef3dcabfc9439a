//! Which records of a ledger a command means, and the walk through them.

use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use processor_ottl::Condition;
use sluice_batch::{Batch, Record};
use sluice_ledger::{Entry, Frame, View};

use crate::exit::Exit;
use crate::source::complain;
use crate::when::{self, End};

/// The pipeline of records that the ledger itself writes.
const OWN: &str = "ledger";

/// The arguments that select records.
#[derive(Clone, Debug, Args)]
pub(crate) struct SelectArguments {
    /// Only events from this time on: `2026-11-01`, `2026-11-01T12:00:00Z`, `-24h`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,
    /// Only events before this time; a day is included.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// Only records for which this OTTL condition holds, such as `attributes["user.id"] == "u-17"`.
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,
}

/// A selection that was understood.
#[derive(Debug)]
pub(crate) struct Selection {
    /// Unix nanoseconds, inclusive.
    pub(crate) from: u64,
    /// Exclusive.
    pub(crate) to: u64,
    condition: Option<Condition>,
}

impl SelectArguments {
    /// What is meant. Tells the user what is wrong.
    pub(crate) fn selection(&self) -> Result<Selection, Exit> {
        let now = Timestamp::now();
        let time = |text: &Option<String>, end, default| match text {
            Some(text) => when::parse(text, end, now),
            None => Ok(default),
        };
        let usage = |why: String| {
            complain(&format!("error: {why}\n"));
            Exit::Usage
        };
        let from = time(&self.from, End::From, 0).map_err(usage)?;
        let to = time(&self.to, End::To, u64::MAX).map_err(usage)?;
        if from >= to {
            return Err(usage(
                "the range is empty: --from is not before --to".into(),
            ));
        }
        let condition = self.condition.as_deref().map(Condition::parse).transpose();
        let condition = condition
            .map_err(|error| usage(format!("--where, column {}: {error}", error.offset + 1)))?;
        Ok(Selection {
            from,
            to,
            condition,
        })
    }
}

impl Selection {
    /// Whether a record is meant; `accepted` stands in for the time of an event that has none.
    pub(crate) fn takes(&self, record: Record<'_>, accepted: u64) -> bool {
        let time = record.event_time();
        let time = if time == 0 { accepted } else { time };
        (self.from..self.to).contains(&time) && self.matches(record)
    }

    /// Whether the condition holds.
    pub(crate) fn matches(&self, record: Record<'_>) -> bool {
        self.condition.as_ref().is_none_or(|c| c.matches(record))
    }
}

/// What a walk came across.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Records that were looked at.
    pub(crate) scanned: u64,
    /// Those that were meant.
    pub(crate) taken: u64,
    /// Ranges of sequence numbers that cannot be read.
    pub(crate) lost: Vec<std::ops::Range<u64>>,
}

/// Shows each frame with records that are meant: the frame, a batch of just these, and their sequence numbers.
///
/// # Errors
/// The ledger cannot be read, or `see` fails.
pub(crate) fn walk(
    view: &View,
    selection: &Selection,
    pipeline: Option<&str>,
    mut see: impl FnMut(&Frame, &Batch, &[u64]) -> anyhow::Result<()>,
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    let wanted = |s: &&sluice_ledger::Segment| s.times.1 >= selection.from || s.times.0 > s.times.1;
    let Some(first) = view.segments().iter().find(wanted) else {
        return Ok(seen);
    };
    let all = view.sequences();
    let bar = progress(all.end - first.first);
    for entry in view.entries(first.first) {
        let frame = match entry.context("the ledger cannot be read")? {
            Entry::Lost(range) => {
                seen.lost.push(range);
                continue;
            }
            Entry::Frame(frame) => frame,
        };
        bar.set_position(frame.head.end().saturating_sub(first.first));
        let is_of_it = match pipeline {
            Some(pipeline) => frame.pipeline == pipeline,
            None => frame.pipeline != OWN,
        };
        let is_timeless = frame.head.from == 0;
        let is_outside = frame.head.to < selection.from || frame.head.from >= selection.to;
        if !is_of_it || is_outside && !is_timeless {
            continue;
        }
        let batch = match frame.batch() {
            Ok(batch) => batch,
            Err(_) => {
                seen.lost.push(frame.head.first..frame.head.end());
                continue;
            }
        };
        seen.scanned += batch.len() as u64;
        let takes: Vec<bool> = batch
            .records()
            .map(|record| selection.takes(record, frame.head.accepted))
            .collect();
        let sequences: Vec<u64> = (frame.head.first..)
            .zip(&takes)
            .filter(|(_, takes)| **takes)
            .map(|(sequence, _)| sequence)
            .collect();
        if sequences.is_empty() {
            continue;
        }
        seen.taken += sequences.len() as u64;
        let mut taken = batch;
        let mut takes = takes.into_iter();
        taken.retain(|_| takes.next().unwrap_or(false));
        see(&frame, &taken, &sequences)?;
    }
    bar.finish_and_clear();
    Ok(seen)
}

/// A bar over so many records; nothing unless somebody watches.
fn progress(records: u64) -> ProgressBar {
    let bar = ProgressBar::new(records);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {percent:>3} % of {human_len} records, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

/// Opens a ledger to look at.
pub(crate) fn open(directory: &Path) -> Result<View, Exit> {
    View::open(directory).map_err(|error| {
        complain(&format!(
            "error: {} is no ledger that can be read: {error}\n",
            directory.display()
        ));
        Exit::Runtime
    })
}
