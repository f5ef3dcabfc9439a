//! One verification from the checkpoints to the last record.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::chain::Chain;
use super::epochs::Epochs;
use super::erased::Erased;
use super::finding::{Fault, Finding, Findings, Severity, Verdict};
use super::keys::Keys;
use super::scan::Reason;
use super::{EpochSummary, KeySource, Progress, Request, Verification};
use crate::disk::Disk;
use crate::view::View;

/// How recovery calls what a failed write has left behind.
const NEVER: &str = "never acknowledged";

/// A verification under way.
pub(super) struct Run<'r, P> {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) keys: &'r Keys,
    pub(super) request: &'r Request,
    pub(super) progress: P,
    pub(super) findings: Findings,
    pub(super) result: Verification,
}

/// What changes while records are read.
pub(super) struct State {
    pub(super) epochs: Epochs,
    /// The epoch that is read, and its tree.
    pub(super) chain: Option<(usize, Chain)>,
    pub(super) erased: Erased,
    /// First record that is kept.
    pub(super) oldest: u64,
    /// Behind the last record that is kept.
    pub(super) end: u64,
    /// Records between two epochs that no checkpoint covers.
    pub(super) gap: Option<Range<u64>>,
}

impl<'r, P: FnMut(Progress)> Run<'r, P> {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        keys: &'r Keys,
        request: &'r Request,
        progress: P,
    ) -> Self {
        let key = match (keys.is_empty(), keys.are_given()) {
            (true, _) => KeySource::None,
            (false, false) => KeySource::BesideTheLedger,
            (false, true) => KeySource::Given,
        };
        Self {
            disk,
            keys,
            request,
            progress,
            findings: Findings::default(),
            result: Verification {
                verdict: Verdict::Incomplete,
                first_bad: None,
                origin: None,
                epochs: Vec::new(),
                sequences: 0..0,
                covered: 0,
                not_covered: 0,
                erased: 0,
                checkpoints: 0,
                only_signed: 0,
                segments: 0,
                newest_checkpoint: None,
                key,
                findings: Vec::new(),
            },
        }
    }

    pub(super) fn unreadable(&mut self, error: &io::Error) {
        let what = format!("the ledger cannot be read: {error}");
        self.findings
            .add(Finding::unchecked(Fault::Unreadable, what));
    }

    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut epochs = Epochs::read(&*self.disk, self.keys, &mut self.findings)?;
        let passed = self.passed();
        let view = View::open_on(self.disk.clone()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                io::Error::new(error.kind(), "there is no ledger in this directory")
            }
            _ => error,
        })?;
        self.describe(&epochs, &view);
        let damage = self.damages(&view);
        let kept = view.sequences();
        let anchored = self.anchor(&mut epochs, kept.start);
        let signed_end = epochs.epochs.last().map_or(0, |e| e.end());
        self.beginning_of_log(&epochs, &view, anchored.is_some());
        self.end_of_log(&kept, signed_end, passed);
        let mut range = kept.start..kept.end.max(signed_end);
        if kept.is_empty() && !range.is_empty() {
            // The last segment never goes by its retention.
            range.start = range.end - 1;
        }
        // The kept checkpoint may cover records that are gone from the end.
        let anchored = anchored.map(|next| next.min(kept.end));
        range.start = [self.request.from_sequence, anchored]
            .into_iter()
            .flatten()
            .fold(range.start, u64::max)
            .min(range.end);
        if let Some(to) = self.request.to_sequence {
            range.end = range.end.min(to.saturating_add(1)).max(range.start);
        }
        self.result.sequences = range.start..range.end.min(kept.end).max(range.start);
        if anchored.is_some() {
            self.holes_before(range.start, &view);
        }
        let is_from_start = range.start == kept.start || kept.is_empty();
        let mut state = State {
            epochs,
            chain: None,
            erased: Erased::default(),
            oldest: kept.start,
            end: kept.end,
            gap: None,
        };
        self.records(&mut state, &view, range.clone(), damage)?;
        self.ride(&mut state)?;
        self.end(&mut state, is_from_start)?;
        self.nothing_covered(&state, &view);
        self.result.erased = state.erased.count;
        state
            .erased
            .finish(self.request.to_sequence.is_none(), &mut self.findings);
        Ok(())
    }

    /// What is known before a record is read.
    fn describe(&mut self, epochs: &Epochs, view: &View) {
        self.result.epochs = epochs
            .epochs
            .iter()
            .map(|e| EpochSummary {
                origin: e.origin.clone(),
                first: e.first,
                signed: e.newest.size(),
                checkpoints: e.checkpoints,
            })
            .collect();
        if let Some(last) = epochs.epochs.last() {
            self.result.origin = Some(last.origin.clone());
            self.result.newest_checkpoint = Some(last.signed.time);
        } else if view.segments().is_empty() {
            let what = "the ledger holds neither records nor a checkpoint";
            self.findings
                .add(Finding::unchecked(Fault::Unreadable, what));
        } else {
            let what = "there is no checkpoint: only checksums can be checked, and those tell accidents, not intent";
            self.findings
                .add(Finding::unchecked(Fault::Checkpoint, what));
        }
        if self.keys.is_empty() {
            let what = "there is no key: who signed was not checked; give one with --key";
            self.findings.add(Finding::unchecked(Fault::Key, what));
        }
    }

    /// What the segments' ends show. Those that cannot be read say why records are missing, should they be.
    fn damages(&mut self, view: &View) -> Vec<(u64, Reason)> {
        let mut torn = Vec::new();
        let newest = view
            .segments()
            .last()
            .map(|s| crate::segment::path(s.first));
        let newest = newest.unwrap_or_default();
        let is_read = |file: &str| {
            let mut segments = view.segments().iter();
            segments.any(|s| crate::segment::path(s.first) == file)
        };
        for damage in &view.report().damages {
            if damage.what.starts_with("torn end")
                && let Some(bytes) = &damage.bytes
            {
                let is_all = bytes.start < crate::format::HEADER as u64;
                let name = damage.file.rsplit('/').next();
                let reason = Reason {
                    file: damage.file.clone(),
                    bytes: bytes.clone(),
                    what: damage.what.clone(),
                };
                torn.extend(
                    name.and_then(crate::segment::first_of)
                        .map(|first| (first, reason)),
                );
                let len = bytes.end - bytes.start;
                let is_leftover = damage.file == newest || damage.what.contains(NEVER);
                // Without a header it is told with the header.
                if !is_all {
                    let finding = if is_leftover {
                        let what = format!(
                            "{len} bytes of a write that did not come to its end ({}); should they have been \
                             acknowledged, they have rotted",
                            damage.what
                        );
                        Finding::note(Fault::Segment, what)
                    } else {
                        let what = format!("{len} bytes at the end are damaged ({})", damage.what);
                        Finding::broken(Fault::Segment, what)
                    };
                    self.findings.add(finding.at(&damage.file, bytes.start));
                }
            } else if damage.bytes.is_none()
                && damage.sequences.is_none()
                && !damage.file.starts_with("segments/")
            {
                let finding = Finding::broken(Fault::Unreadable, &damage.what);
                self.findings.add(finding.file(&damage.file));
            } else if damage.bytes.is_none() && damage.sequences.is_none() && is_read(&damage.file)
            {
                // A segment's header is durable before a frame is written.
                let is_leftover = damage.file == newest
                    && self
                        .disk
                        .open(&damage.file)
                        .and_then(|file| file.len())
                        .is_ok_and(|len| len <= crate::format::HEADER as u64);
                let finding = if is_leftover {
                    let what = format!(
                        "a segment that did not come to its beginning ({})",
                        damage.what
                    );
                    Finding::note(Fault::Segment, what)
                } else {
                    Finding::broken(Fault::Segment, &damage.what)
                };
                self.findings.add(finding.at(&damage.file, 0));
            } else if !is_read(&damage.file) && damage.sequences.is_none() {
                let what = format!("the segment cannot be read: {}", damage.what);
                let finding = Finding::unchecked(Fault::Unreadable, what);
                self.findings.add(finding.file(&damage.file));
            }
        }
        torn
    }

    pub(super) fn finish(self) -> Verification {
        let mut result = self.result;
        result.findings = self.findings.finish();
        let worst = result.findings.iter().map(|f| f.severity).max();
        result.verdict = match worst {
            None | Some(Severity::Note) => Verdict::Whole,
            Some(Severity::Unchecked) => Verdict::Incomplete,
            Some(Severity::Broken) => Verdict::Broken,
        };
        let bad = result
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Broken);
        let is_exact =
            |f: &&Finding| !matches!(f.fault, Fault::Root | Fault::Anchor | Fault::Epoch);
        let first = |f: &Finding| f.sequences.as_ref().map(|s| s.start);
        result.first_bad = bad
            .clone()
            .filter(is_exact)
            .filter_map(first)
            .min()
            .or_else(|| bad.filter_map(first).min());
        result
    }
}
