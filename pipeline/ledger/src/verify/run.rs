//! One verification from the checkpoints to the last record.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use sluice_evidence::{Checkpoint, Leaf};

use super::chain::{Chain, Spot};
use super::epochs::Epochs;
use super::erased::Erased;
use super::finding::{Fault, Finding, Findings, Severity, Verdict, records};
use super::keys::{Distrust, Keys};
use super::scan::{Piece, Pieces, Reason};
use super::{EpochSummary, KeySource, Progress, Request, Verification};
use crate::disk::Disk;
use crate::view::View;

/// How recovery calls what a failed write has left behind.
const NEVER: &str = "never acknowledged";
/// Hashes in the place of lost records are read one by one up to this many; beyond, the hash files' edge is taken.
const MAX_FILLED: u64 = 1 << 22;

pub(super) struct Run<'r, P> {
    disk: Arc<dyn Disk>,
    keys: &'r Keys,
    request: &'r Request,
    progress: P,
    findings: Findings,
    result: Verification,
}

/// What changes while records are read.
struct State {
    epochs: Epochs,
    /// The epoch that is read, and its tree.
    chain: Option<(usize, Chain)>,
    erased: Erased,
    /// First record that is kept.
    oldest: u64,
    /// Behind the last record that is kept.
    end: u64,
    /// Records between two epochs that no checkpoint covers.
    gap: Option<Range<u64>>,
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
        let view = View::open_on(self.disk.clone()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                io::Error::new(error.kind(), "there is no ledger in this directory")
            }
            _ => error,
        })?;
        self.describe(&epochs, &view);
        let damage = self.damages(&view);
        let kept = view.sequences();
        let anchored = self.anchor(&mut epochs, kept.start)?;
        let signed_end = epochs.epochs.last().map_or(0, |e| e.end());
        let mut range = kept.start..kept.end.max(signed_end);
        if kept.is_empty() && !range.is_empty() {
            // The last segment never goes by its retention.
            range.start = range.end - 1;
        }
        range.start = [self.request.from_sequence, anchored]
            .into_iter()
            .flatten()
            .fold(range.start, u64::max)
            .min(range.end);
        if let Some(to) = self.request.to_sequence {
            range.end = range.end.min(to.saturating_add(1)).max(range.start);
        }
        self.result.sequences = range.start..range.end.min(kept.end).max(range.start);
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
        for (before, epoch) in epochs.epochs.iter().zip(epochs.epochs.iter().skip(1)) {
            let what = format!(
                "a new epoch, {}, begins with record {}: {} was not continued",
                epoch.origin, epoch.first, before.origin
            );
            let note = Finding::note(Fault::Epoch, what);
            self.findings.add(note.of(epoch.first..epoch.first + 1));
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
                let finding = Finding::broken(Fault::Segment, &damage.what);
                self.findings.add(finding.at(&damage.file, 0));
            } else if !is_read(&damage.file) && damage.sequences.is_none() {
                let what = format!("the segment cannot be read: {}", damage.what);
                let finding = Finding::unchecked(Fault::Unreadable, what);
                self.findings.add(finding.file(&damage.file));
            }
        }
        torn
    }

    /// Holds a checkpoint that was kept elsewhere against the log; the record to go on with.
    fn anchor(&mut self, epochs: &mut Epochs, oldest: u64) -> io::Result<Option<u64>> {
        let Some(text) = &self.request.from_checkpoint else {
            return Ok(None);
        };
        let checkpoint = match self.keys.check(text) {
            Ok(checkpoint) => checkpoint,
            Err(Distrust::False(why) | Distrust::Stranger(why)) => {
                let what = format!("the checkpoint to begin with cannot be used: {why}");
                self.findings.add(Finding::unchecked(Fault::Anchor, what));
                return Ok(None);
            }
        };
        let (origin, size) = (checkpoint.origin(), checkpoint.size());
        let place = epochs.epochs.iter().position(|e| e.origin == origin);
        let Some(place) = place else {
            let what = format!(
                "no checkpoint of this log is of {origin}, which signed the one to begin with"
            );
            self.findings.add(Finding::broken(Fault::Anchor, what));
            return Ok(None);
        };
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
            return Ok(None);
        }
        let first = signature.first;
        let chain = Chain::begin(&self.disk, signature, first, oldest, &mut self.findings);
        match chain.is_consistent(&checkpoint) {
            Ok(true) => Ok(Some(next)),
            Ok(false) => {
                let what = format!(
                    "whether this log grew out of the checkpoint to begin with cannot be told any more: the hashes of its \
                     last records, up to {}, were deleted with them",
                    next.saturating_sub(1)
                );
                self.findings.add(Finding::unchecked(Fault::Anchor, what));
                Ok(None)
            }
            Err(why) => {
                let what = format!(
                    "this log did not grow out of the checkpoint to begin with ({size} records of {origin}): a record \
                     below {next} was changed since, or another history was put in its place ({why}); this log must \
                     not go on under its name, a new epoch must begin"
                );
                let finding = Finding::broken(Fault::Anchor, what);
                self.findings.add(finding.of(first..next.max(first + 1)));
                Ok(None)
            }
        }
    }

    fn records(
        &mut self,
        state: &mut State,
        view: &View,
        range: Range<u64>,
        torn: Vec<(u64, Reason)>,
    ) -> io::Result<()> {
        let segments = view.segments().to_vec();
        let total_bytes = segments.iter().map(|s| s.len).sum();
        let id = view.id();
        let told = &view.report().damages;
        let told = told
            .iter()
            .filter(|d| d.bytes.is_none())
            .map(|d| d.file.clone());
        let told = told.collect();
        let mut pieces = Pieces::new(self.disk.clone(), id, segments, range.clone(), torn, told);
        while let Some(piece) = pieces.next(&mut self.findings)? {
            let sequence = match piece {
                Piece::Frame {
                    frame,
                    from,
                    file,
                    at,
                } => {
                    self.frame(state, &frame, from..range.end, Spot { file, at })?;
                    frame.head.end()
                }
                Piece::Missing { sequences, why } => {
                    let end = sequences.end;
                    self.missing(state, sequences, why)?;
                    end
                }
                Piece::Pruned(next) => {
                    self.pruned(state, next);
                    next
                }
            };
            (self.progress)(Progress {
                bytes: pieces.bytes.min(total_bytes),
                total_bytes,
                sequence,
            });
        }
        self.result.segments = pieces.opened;
        Ok(())
    }

    fn frame(
        &mut self,
        state: &mut State,
        frame: &crate::Frame,
        meant: Range<u64>,
        spot: Spot,
    ) -> io::Result<()> {
        let sequences = frame.head.first..frame.head.end();
        let read = frame
            .commitments()
            .and_then(|commitments| Ok((commitments, frame.salts()?)));
        let (commitments, salts) = match read {
            Ok(content) => content,
            Err(why) => {
                let why = Reason {
                    bytes: spot.at..spot.at + (crate::format::HEAD + frame.head.body_len()) as u64,
                    file: spot.file,
                    what: why.to_string(),
                };
                let gone = sequences.start.max(meant.start)..sequences.end.min(meant.end);
                return self.missing(state, gone, Some(why));
            }
        };
        state.erased.look(frame, &mut self.findings);
        for ((sequence, commitment), salt) in (frame.head.first..).zip(commitments).zip(salts) {
            if !meant.contains(&sequence) {
                continue;
            }
            if salt.is_none() {
                state.erased.add(sequence);
            }
            let leaf = Leaf {
                sequence,
                observed_ns: frame.head.accepted,
                commitment,
            };
            self.leaf(state, sequence, Some(leaf.hash()), Some(&spot))?;
        }
        Ok(())
    }

    /// A record, or its place where there is none.
    fn leaf(
        &mut self,
        state: &mut State,
        sequence: u64,
        leaf: Option<sluice_evidence::Hash>,
        spot: Option<&Spot>,
    ) -> io::Result<()> {
        self.enter(state, sequence)?;
        let last = state.epochs.epochs.len().saturating_sub(1);
        let Some((number, chain)) = &mut state.chain else {
            self.result.not_covered += u64::from(leaf.is_some());
            return Ok(());
        };
        let is_covered = chain.has_more();
        chain.push(leaf, spot)?;
        match (is_covered, leaf.is_some()) {
            (true, true) => self.result.covered += 1,
            (false, true) if *number == last => self.result.not_covered += 1,
            (false, true) => {
                self.result.not_covered += 1;
                match &mut state.gap {
                    Some(gap) => gap.end = sequence + 1,
                    None => state.gap = Some(sequence..sequence + 1),
                }
            }
            (_, false) => {}
        }
        self.due(state)
    }

    /// Makes the tree of the record's epoch the current one.
    fn enter(&mut self, state: &mut State, sequence: u64) -> io::Result<()> {
        loop {
            let next = state.chain.as_ref().map_or(0, |(number, _)| number + 1);
            let is_next = state
                .epochs
                .epochs
                .get(next)
                .is_some_and(|e| e.first <= sequence);
            if !is_next {
                return Ok(());
            }
            self.leave(state);
            // Those between have no record that is read.
            let epochs = &state.epochs.epochs;
            let here = (next..epochs.len())
                .take_while(|i| epochs[*i].first <= sequence)
                .last()
                .unwrap_or(next);
            let signature = epochs[here].clone();
            let chain = Chain::begin(
                &self.disk,
                signature,
                sequence,
                state.oldest,
                &mut self.findings,
            );
            state.chain = Some((here, chain));
            self.due(state)?;
        }
    }

    /// Ends the current epoch.
    fn leave(&mut self, state: &mut State) {
        if let Some((_, chain)) = state.chain.take() {
            self.result.checkpoints += chain.compared;
            self.result.only_signed += chain.only_signed;
        }
        if let Some(gap) = state.gap.take() {
            let what = format!("no checkpoint of any epoch covers {}", records(&gap));
            self.findings
                .add(Finding::unchecked(Fault::NotCovered, what).of(gap));
        }
    }

    /// Holds every checkpoint that has been reached against the tree.
    fn due(&mut self, state: &mut State) -> io::Result<()> {
        let Some((number, chain)) = &mut state.chain else {
            return Ok(());
        };
        while let Some((epoch, checkpoint, line)) = state.epochs.next(*number, chain.size())? {
            if epoch == *number {
                self.compare(chain, &checkpoint, line);
            } else {
                let signature = state.epochs.epochs[epoch].clone();
                self.of_before(state.oldest, signature, &checkpoint, line);
            }
        }
        Ok(())
    }

    fn compare(&mut self, chain: &mut Chain, checkpoint: &Checkpoint, line: u64) {
        if checkpoint.size() < chain.began() {
            // Only what came after is asked for.
            if self.is_part() {
                return;
            }
            chain.compare_older(checkpoint, line, &mut self.findings);
        } else {
            chain.compare(checkpoint, line, &mut self.findings);
        }
    }

    /// A checkpoint of an epoch whose records are not read, or no longer.
    fn of_before(
        &mut self,
        oldest: u64,
        signature: super::epochs::Signature,
        checkpoint: &Checkpoint,
        line: u64,
    ) {
        if self.is_part() {
            return;
        }
        let first = signature.first;
        let mut chain = Chain::begin(&self.disk, signature, first, oldest, &mut self.findings);
        chain.compare_older(checkpoint, line, &mut self.findings);
        self.result.checkpoints += chain.compared;
        self.result.only_signed += chain.only_signed;
    }

    /// Whether only a part of the log is asked for.
    fn is_part(&self) -> bool {
        self.request.from_sequence.is_some() || self.request.from_checkpoint.is_some()
    }

    fn missing(
        &mut self,
        state: &mut State,
        sequences: Range<u64>,
        why: Option<Reason>,
    ) -> io::Result<()> {
        if sequences.is_empty() {
            return Ok(());
        }
        let who = records(&sequences);
        let is_behind = sequences.start >= state.end;
        let what = match &why {
            Some(why) => format!("{who} cannot be read: {}", why.what),
            None if is_behind && state.end == 0 => {
                format!("{who}: no segment is left, and a checkpoint covers them")
            }
            None if is_behind => format!(
                "{who} are gone: the log ends with record {}, and its newest checkpoint covers record {}",
                state.end - 1,
                sequences.end - 1
            ),
            None => format!("{who} are missing"),
        };
        let finding = Finding::broken(Fault::RecordsMissing, what).of(sequences.clone());
        self.findings.add(match why {
            Some(why) => finding.at(&why.file, why.bytes.start),
            None => finding,
        });
        let filled = sequences.start
            ..sequences
                .end
                .min(sequences.start.saturating_add(MAX_FILLED));
        for sequence in filled.clone() {
            self.leaf(state, sequence, None, None)?;
        }
        if filled.end < sequences.end {
            self.pruned(state, sequences.end);
        }
        Ok(())
    }

    /// Goes on with record `next` although those before it were not read.
    fn pruned(&mut self, state: &mut State, next: u64) {
        state.oldest = state.oldest.max(next);
        if let Some((_, chain)) = &mut state.chain {
            let index = next.saturating_sub(chain.signature.first);
            chain.jump(index, &mut self.findings);
        }
    }

    /// Goes on from where reading stopped to the next checkpoint, over the stored hashes: without a signed root at its
    /// end, a part of the log proves nothing.
    fn ride(&mut self, state: &mut State) -> io::Result<()> {
        if self.request.to_sequence.is_none() {
            return Ok(());
        }
        loop {
            let Some((_, chain)) = &mut state.chain else {
                return Ok(());
            };
            let is_judged = chain.is_judged();
            if is_judged || !chain.has_more() {
                return Ok(());
            }
            chain.push(None, None)?;
            self.due(state)?;
        }
    }

    /// What is left once every record was read: checkpoints of epochs without any.
    fn end(&mut self, state: &mut State, is_from_start: bool) -> io::Result<()> {
        self.leave(state);
        let all = state.epochs.epochs.len();
        let is_whole = is_from_start && self.request.to_sequence.is_none() && !self.is_part();
        while is_whole
            && all > 0
            && let Some((epoch, checkpoint, line)) = state.epochs.next(all - 1, u64::MAX)?
        {
            let signature = state.epochs.epochs[epoch].clone();
            self.of_before(state.oldest, signature, &checkpoint, line);
        }
        Ok(())
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
