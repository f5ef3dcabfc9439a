//! What became of each record of a batch.

use std::time::Duration;

use sluice_component::{After, Undelivered, Verdict};

use super::{Outcome, cut, verdict};

/// Verdicts by record; records without one were taken.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    by_record: Vec<(u32, Verdict)>,
    /// Why some are to be tried again: the last reason given.
    cause: Option<String>,
}

impl Verdicts {
    /// Notes that these records will never be taken.
    pub(crate) fn refuse(&mut self, records: impl IntoIterator<Item = u32>, why: &str) {
        self.add(records, &Verdict::Refused(cut(why.to_owned())));
    }

    /// Notes that these wait for somebody to mend the destination.
    pub(crate) fn hold(&mut self, records: impl IntoIterator<Item = u32>, why: &str) {
        self.add(records, &Verdict::Hold(cut(why.to_owned())));
    }

    /// Notes that these are to be tried again.
    pub(crate) fn retry(
        &mut self,
        records: impl IntoIterator<Item = u32>,
        after: After,
        why: &str,
    ) {
        self.cause = Some(cut(why.to_owned()));
        self.add(records, &Verdict::Retry(after));
    }

    /// Notes that these were not looked at in this attempt, which held as much as one may: they go next.
    pub(crate) fn next(&mut self, records: std::ops::Range<usize>) {
        let position = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.add(
            position(records.start)..position(records.end),
            &Verdict::Retry(After::Delay(Duration::ZERO)),
        );
    }

    /// Notes one outcome for all of these.
    pub(crate) fn all(&mut self, records: impl IntoIterator<Item = u32>, outcome: Outcome) {
        if let Some((verdict, cause)) = verdict(outcome) {
            self.cause = cause.map(cut).or(self.cause.take());
            self.add(records, &verdict);
        }
    }

    /// The answer to `export`.
    pub(crate) fn into_result(mut self) -> Result<(), Undelivered> {
        if self.by_record.is_empty() {
            return Ok(());
        }
        self.by_record.sort_by_key(|(record, _)| *record);
        let mut undelivered = Undelivered {
            verdicts: Vec::new(),
            source: self.cause.map(Into::into),
        };
        for (record, verdict) in self.by_record {
            match undelivered.verdicts.last_mut() {
                Some((range, last)) if range.end == record && *last == verdict => range.end += 1,
                _ => undelivered.verdicts.push((record..record + 1, verdict)),
            }
        }
        Err(undelivered)
    }

    fn add(&mut self, records: impl IntoIterator<Item = u32>, verdict: &Verdict) {
        self.by_record
            .extend(records.into_iter().map(|record| (record, verdict.clone())));
    }
}
