//! A checkpoint that was kept elsewhere, which nobody who rewrites the ledger can rewrite too.

use super::Progress;
use super::chain::Chain;
use super::epochs::Epochs;
use super::finding::{Fault, Finding};
use super::keys::Distrust;
use super::run::Run;

impl<P: FnMut(Progress)> Run<'_, P> {
    /// Holds a checkpoint that was kept elsewhere against the log; the record to go on with.
    pub(super) fn anchor(&mut self, epochs: &mut Epochs, oldest: u64) -> Option<u64> {
        let Some(text) = &self.request.from_checkpoint else {
            return None;
        };
        let checkpoint = match self.keys.check(text) {
            Ok(checkpoint) => checkpoint,
            Err(Distrust::False(why) | Distrust::Stranger(why)) => {
                let what = format!("the checkpoint to begin with cannot be used: {why}");
                self.findings.add(Finding::unchecked(Fault::Anchor, what));
                return None;
            }
        };
        let (origin, size) = (checkpoint.origin(), checkpoint.size());
        let place = epochs.epochs.iter().position(|e| e.origin == origin);
        let Some(place) = place else {
            let what = format!(
                "no checkpoint of this log is of {origin}, which signed the one to begin with"
            );
            self.findings.add(Finding::broken(Fault::Anchor, what));
            return None;
        };
        // Its word does not reach into another tree.
        for later in &epochs.epochs[place + 1..] {
            let what = format!(
                "{origin}, which signed the checkpoint to begin with, was not continued: {} begins with record {}, and \
                 what was lost before that this checkpoint cannot tell; keep one of {} from now on",
                later.origin, later.first, later.origin
            );
            let finding = Finding::unchecked(Fault::Anchor, what);
            self.findings.add(finding.of(later.first..later.first + 1));
        }
        let signature = epochs.epochs[place].clone();
        let next = signature.first.saturating_add(size);
        if size > signature.newest.size() {
            let what = format!(
                "the checkpoint to begin with has {size} records of {origin}, and the newest one here has {}: an older \
                 state of the log was put back, or its end was taken away; this log must not go on under its name, a \
                 new epoch must begin",
                signature.newest.size()
            );
            let sequences = signature.end()..next;
            self.findings
                .add(Finding::broken(Fault::Anchor, what).of(sequences));
            epochs.anchor(place, checkpoint);
            return None;
        }
        let first = signature.first;
        let chain = Chain::begin(&self.disk, signature, first, oldest, &mut self.findings);
        match chain.is_consistent(&checkpoint) {
            Ok(true) => Some(next),
            Ok(false) => {
                let what = format!(
                    "whether this log grew out of the checkpoint to begin with cannot be told any more: the hashes of its \
                     last records, up to {}, were deleted with them",
                    next.saturating_sub(1)
                );
                self.findings.add(Finding::unchecked(Fault::Anchor, what));
                None
            }
            Err(why) => {
                let what = format!(
                    "this log did not grow out of the checkpoint to begin with ({size} records of {origin}): a record \
                     below {next} was changed since, or another history was put in its place ({why}); this log must \
                     not go on under its name, a new epoch must begin"
                );
                let finding = Finding::broken(Fault::Anchor, what);
                self.findings.add(finding.of(first..next.max(first + 1)));
                None
            }
        }
    }
}
