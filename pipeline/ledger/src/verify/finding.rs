//! What a verification has to say.

use std::ops::Range;

use serde::Serialize;

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it means for the whole.
    pub severity: Severity,
    /// What kind of thing it is.
    pub fault: Fault,
    /// The records that it concerns, if it is known which.
    pub sequences: Option<Range<u64>>,
    /// The file, relative to the ledger's directory.
    pub file: Option<String>,
    /// The byte in the file.
    pub offset: Option<u64>,
    /// The finding in words.
    pub what: String,
}

/// What a finding means for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know, and nothing is amiss.
    Note,
    /// Something could not be checked.
    Unchecked,
    /// Something is not as it was signed.
    Broken,
}

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A checkpoint's text, signature or place in the list is wrong.
    Checkpoint,
    /// The given key did not sign, or there is none.
    Key,
    /// A record is not the one that was signed.
    RecordChanged,
    /// Records that should be there are not, or cannot be read.
    RecordsMissing,
    /// Records stand where others should.
    RecordsOutOfOrder,
    /// Records were erased.
    RecordsErased,
    /// No checkpoint covers these records.
    NotCovered,
    /// A part of a segment is damaged that holds no record.
    Segment,
    /// A stored hash of the tree is damaged or missing.
    Tree,
    /// The tree's root is not the one that was signed.
    Root,
    /// A checkpoint that was kept elsewhere does not belong to this log.
    Anchor,
    /// A new epoch, or what describes one.
    Epoch,
    /// The ledger, or a file of it, cannot be read.
    Unreadable,
}

/// The result in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that a checkpoint covers is as it was signed.
    Whole,
    /// Something is not.
    Broken,
    /// Nothing wrong was found, but not all could be checked.
    Incomplete,
}

/// So many findings of one kind are told one by one.
const EACH: usize = 50;

/// Gathers findings: a bounded number of each kind, and how many more there were.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    told: Vec<Finding>,
    more: std::collections::BTreeMap<(Severity, Fault), usize>,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        // What two places tell is told once.
        if self.told.contains(&finding) {
            return;
        }
        let is_alike = |f: &&Finding| (f.severity, f.fault) == (finding.severity, finding.fault);
        if self.told.iter().filter(is_alike).count() < EACH {
            self.told.push(finding);
        } else {
            *self
                .more
                .entry((finding.severity, finding.fault))
                .or_default() += 1;
        }
    }

    /// All of them in the order in which they were found, and a last one for each kind of which there were more.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        for ((severity, fault), more) in self.more {
            self.told.push(Finding {
                severity,
                fault,
                sequences: None,
                file: None,
                offset: None,
                what: format!("and {more} more like these"),
            });
        }
        self.told
    }
}

impl Finding {
    pub(crate) fn new(severity: Severity, fault: Fault, what: impl Into<String>) -> Self {
        Self {
            severity,
            fault,
            sequences: None,
            file: None,
            offset: None,
            what: what.into(),
        }
    }

    pub(crate) fn broken(fault: Fault, what: impl Into<String>) -> Self {
        Self::new(Severity::Broken, fault, what)
    }

    pub(crate) fn unchecked(fault: Fault, what: impl Into<String>) -> Self {
        Self::new(Severity::Unchecked, fault, what)
    }

    pub(crate) fn note(fault: Fault, what: impl Into<String>) -> Self {
        Self::new(Severity::Note, fault, what)
    }

    pub(crate) fn of(mut self, sequences: Range<u64>) -> Self {
        self.sequences = Some(sequences);
        self
    }

    pub(crate) fn file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    pub(crate) fn at(mut self, file: impl Into<String>, offset: u64) -> Self {
        (self.file, self.offset) = (Some(file.into()), Some(offset));
        self
    }
}

/// `record 7` or `records 7 to 9`.
pub(crate) fn records(range: &Range<u64>) -> String {
    if range.end - range.start == 1 {
        format!("record {}", range.start)
    } else {
        format!("records {} to {}", range.start, range.end.saturating_sub(1))
    }
}
