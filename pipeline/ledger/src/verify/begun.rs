//! What the log itself says of records that were gone when an epoch began.

use sluice_batch::Record;

use super::ends::verb;
use super::finding::{Fault, Finding, Findings};
use crate::tree::Beginning;

/// Looks whether a record of the ledger's own tells of an epoch.
pub(super) fn look(record: &Record<'_>, findings: &mut Findings) {
    if let Some((origin, beginning)) = Beginning::read(record) {
        told(&origin, beginning, findings);
    }
}

/// What was lost before an epoch.
pub(super) fn told(origin: &str, beginning: Beginning, findings: &mut Findings) {
    for range in beginning.lost_signed {
        let what = format!(
            "{} signed and gone when {origin} began: {}",
            verb(&range, "was", "were"),
            beginning.why
        );
        findings.add(Finding::broken(Fault::RecordsMissing, what).of(range));
    }
    for range in beginning.lost {
        let what = format!(
            "{} gone when {origin} began, and no checkpoint covers what they were: {}",
            verb(&range, "was", "were"),
            beginning.why
        );
        findings.add(Finding::unchecked(Fault::RecordsMissing, what).of(range));
    }
}
