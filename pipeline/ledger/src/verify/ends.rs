//! Where the log begins and where it ends, held against everything else that knows of more: the frames in between cannot
//! tell that some before or behind them are gone.

use std::ops::Range;

use super::Progress;
use super::epochs::Epochs;
use super::finding::{Fault, Finding, records};
use super::run::{Run, State};
use crate::cursors::Cursors;
use crate::tree;
use crate::view::View;

impl<P: FnMut(Progress)> Run<'_, P> {
    /// Behind the last record that an exporter has had. Asked before the log is looked at: a cursor passes nothing that
    /// is not durable, so the log must reach as far then.
    pub(super) fn passed(&mut self) -> u64 {
        match Cursors::look(&*self.disk) {
            Ok(cursors) => {
                let high = cursors.values().map(|state| state.cursor.high());
                high.max().unwrap_or(0)
            }
            Err(error) => {
                let what = format!("the exporters' cursors cannot be read: {error}");
                let finding = Finding::unchecked(Fault::Unreadable, what);
                self.findings.add(finding.file("cursors"));
                0
            }
        }
    }

    /// Holds the end of the log against what the exporters have had.
    pub(super) fn end_of_log(&mut self, kept: &Range<u64>, signed_end: u64, passed: u64) {
        // What is signed beyond the end is told when its place is reached.
        let end = kept.end.max(signed_end);
        if passed <= end || self.request.to_sequence.is_some() {
            return;
        }
        // Without any record the log may have begun anywhere.
        let gone = if end == 0 {
            passed - 1..passed
        } else {
            end..passed
        };
        let what = format!(
            "{} gone from the end of the log: an exporter has had {}",
            verb(&gone, "is", "are"),
            if gone.end - gone.start == 1 {
                "it"
            } else {
                "them"
            }
        );
        let finding = Finding::broken(Fault::RecordsMissing, what).of(gone);
        self.findings.add(finding.file("cursors"));
    }

    /// Holds the beginning of the log against what was signed. Its oldest records go by their retention, and only those
    /// that a checkpoint covers.
    pub(super) fn beginning_of_log(&mut self, epochs: &Epochs, view: &View, is_anchored: bool) {
        let start = view.sequences().start;
        let mut is_signed = false;
        for (before, epoch) in epochs.epochs.iter().zip(epochs.epochs.iter().skip(1)) {
            is_signed |= before.newest.size() > 0;
            let what = format!(
                "a new epoch, {}, begins with record {}: {} was not continued",
                epoch.origin, epoch.first, before.origin
            );
            // A kept checkpoint is asked for what came after it, and speaks of later epochs itself.
            let finding = if is_signed && start == epoch.first && !is_anchored {
                let what = format!(
                    "{what}, and none of the signed records before it is left: whether they went by their retention or \
                     were taken away cannot be told"
                );
                Finding::unchecked(Fault::Epoch, what)
            } else {
                Finding::note(Fault::Epoch, what)
            };
            self.findings.add(finding.of(epoch.first..epoch.first + 1));
        }
        // As it is by now: a running process signs before it deletes.
        let signed_end = tree::signed_end(&*self.disk);
        if !epochs.epochs.is_empty() && start > signed_end {
            let gone = signed_end..start;
            let what = format!(
                "{} gone from the beginning of the log, and no checkpoint covers what went: they were taken away, or \
                 the ledger ran with `integrity: off`",
                verb(&gone, "is", "are")
            );
            self.findings
                .add(Finding::unchecked(Fault::RecordsMissing, what).of(gone));
        }
    }

    /// Holes that show without reading, before the record with which reading begins.
    pub(super) fn holes_before(&mut self, start: u64, view: &View) {
        for damage in &view.report().damages {
            if let Some(sequences) = damage.sequences.clone().filter(|s| s.start < start) {
                let what = format!("{} missing: {}", verb(&sequences, "is", "are"), damage.what);
                let finding = Finding::broken(Fault::RecordsMissing, what).of(sequences);
                self.findings.add(finding.file(&damage.file));
            }
        }
    }

    /// Where nothing that was asked for is signed, nothing was checked but checksums.
    pub(super) fn nothing_covered(&mut self, state: &State, view: &View) {
        let epochs = &state.epochs.epochs;
        let is_signed = epochs.iter().any(|e| e.newest.size() > 0);
        let is_anchored = is_signed && self.request.from_checkpoint.is_some();
        // Without any checkpoint it was told already.
        if epochs.is_empty() || self.result.covered > 0 || is_anchored {
            return;
        }
        let what = if self.result.not_covered > 0 {
            "no checkpoint covers these records yet: only checksums can be checked. One is made with the first records, \
             then every `checkpoint_every`, and at a clean stop"
        } else if !is_signed && !view.segments().is_empty() {
            "a segment is there, no record is in it, and no checkpoint covers any: whether there were some cannot be told"
        } else {
            return;
        };
        self.findings
            .add(Finding::unchecked(Fault::NotCovered, what));
    }
}

/// `record 7 is` or `records 7 to 9 are`.
pub(super) fn verb(range: &Range<u64>, one: &str, more: &str) -> String {
    let verb = if range.end - range.start == 1 {
        one
    } else {
        more
    };
    format!("{} {verb}", records(range))
}
