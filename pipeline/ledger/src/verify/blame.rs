//! Who is to blame when records, stored hashes and signed roots do not fit.

use sluice_evidence::Checkpoint;

use super::chain::{Chain, Suspect};
use super::finding::{Fault, Finding, Findings, records};
use crate::tree::CHECKPOINTS;

impl Chain {
    /// The records are as they were signed: it is the stored hashes that are not.
    pub(super) fn blame_hashes(
        &self,
        is_meant: impl Fn(&Suspect) -> bool,
        findings: &mut Findings,
    ) {
        for suspect in self.suspects.iter().filter(|s| is_meant(s)) {
            let (file, at) = self.hashes.place(suspect.height, suspect.index);
            let start = suspect.index << suspect.height;
            let sequences = self.sequences(start..start + (1 << suspect.height));
            let is = if suspect.stored.is_some() {
                "is not the one that was signed"
            } else {
                "is missing"
            };
            let what = format!(
                "the stored hash of {} {is}; the {} as signed",
                records(&sequences),
                if suspect.height == 0 {
                    "record is"
                } else {
                    "records are"
                },
            );
            findings.add(
                Finding::broken(Fault::Tree, what)
                    .of(sequences)
                    .at(file, at),
            );
        }
    }

    /// The stored leaf hashes are as they were signed: the records that differ from them are not.
    pub(super) fn blame_records(&self, findings: &mut Findings) {
        for suspect in self.suspects.iter().filter(|s| s.height == 0) {
            let sequences = self.sequences(suspect.index..suspect.index + 1);
            let what = format!("{} is not what was signed", records(&sequences));
            let mut finding = Finding::broken(Fault::RecordChanged, what).of(sequences);
            if let Some(spot) = &suspect.spot {
                finding = finding.at(&spot.file, spot.at);
            }
            findings.add(finding);
        }
        let more = self.more_suspects;
        if more > 0 {
            let what = format!("and about {more} more records before the next checkpoint");
            findings.add(Finding::broken(Fault::RecordChanged, what));
        }
        let wrong_above = |s: &Suspect| s.height > 0 && s.stored != s.from_stored;
        self.blame_hashes(wrong_above, findings);
    }

    /// Neither leads to the signed root.
    pub(super) fn blame_all(&self, checkpoint: &Checkpoint, line: u64, findings: &mut Findings) {
        let size = checkpoint.size();
        // A record that was changed together with its leaf hash shows where the hash above them was forgotten.
        let narrowest = self.suspects.iter().filter(|s| s.stored.is_some());
        let place = narrowest.min_by_key(|s| (s.height, s.index));
        let leaves = place.map_or(self.good..size, |s| {
            let start = s.index << s.height;
            start.max(self.good)..(start + (1 << s.height)).min(size)
        });
        let sequences = self.sequences(leaves);
        let what = format!(
            "{} do not give the root that was signed for {} records of {}: one of them, or of those before the last \
             good checkpoint, was changed together with its stored hash, or the list was",
            records(&sequences),
            size,
            self.signature.origin
        );
        let mut finding = Finding::broken(Fault::Root, what).of(sequences);
        finding = match place.and_then(|s| s.spot.as_ref()) {
            Some(spot) => finding.at(&spot.file, spot.at),
            None if line > 0 => {
                let what = format!("{} (line {line})", finding.what);
                Finding { what, ..finding }.file(CHECKPOINTS)
            }
            None => finding,
        };
        findings.add(finding);
    }
}
