//! Erased records must be on record: the log itself says which were erased and why. One that is erased without it was
//! taken out by somebody who had no right to.

use std::ops::Range;

use sluice_batch::Record;

use super::finding::{Fault, Finding, Findings};
use crate::erasure;

#[derive(Debug, Default)]
pub(super) struct Erased {
    /// Ranges that nothing explains yet, ascending.
    open: Vec<Range<u64>>,
    pub(super) count: u64,
}

impl Erased {
    /// A record that is erased.
    pub(super) fn add(&mut self, sequence: u64) {
        self.count += 1;
        match self.open.last_mut() {
            Some(last) if last.end == sequence => last.end += 1,
            _ => self.open.push(sequence..sequence + 1),
        }
    }

    /// Looks whether a record of the ledger's own tells of an erasure.
    pub(super) fn look(&mut self, record: &Record<'_>, findings: &mut Findings) {
        if record.name() != erasure::EVENT {
            return;
        }
        let text = |key| {
            let value = record.get(key);
            value.map_or_else(String::new, |value| value.to_text().into_owned())
        };
        let ranges = erasure::parse_sequences(&text(erasure::SEQUENCES));
        for range in &ranges {
            self.explain(range);
        }
        let what = format!(
            "erased on record: {} ({})",
            text(erasure::SEQUENCES),
            text(erasure::REASON)
        );
        let note = Finding::note(Fault::RecordsErased, what);
        findings.add(match ranges.first() {
            Some(first) => note.of(first.clone()),
            None => note,
        });
    }

    fn explain(&mut self, range: &Range<u64>) {
        let open = std::mem::take(&mut self.open);
        self.open = open
            .into_iter()
            .flat_map(|r| {
                let before = r.start..r.end.min(range.start);
                let behind = r.start.max(range.end)..r.end;
                [before, behind]
            })
            .filter(|r| !r.is_empty())
            .collect();
    }

    /// Tells of what nothing has explained. `is_whole` is whether the log was read to its end.
    pub(super) fn finish(self, is_whole: bool, findings: &mut Findings) {
        for range in self.open {
            let who = super::finding::records(&range);
            findings.add(if is_whole {
                let what = format!("{who}: erased, and the log holds no word of an erasure of it");
                Finding::broken(Fault::RecordsErased, what).of(range)
            } else {
                let what = format!("{who}: erased; whether that is on record stands further on");
                Finding::note(Fault::RecordsErased, what).of(range)
            });
        }
    }
}
