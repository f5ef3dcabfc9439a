//! The records one by one, each into the tree of its epoch.

use std::io;
use std::ops::Range;

use sluice_evidence::{Checkpoint, Hash, Leaf};

use super::chain::{Chain, Spot};
use super::epochs::Signature;
use super::finding::{Fault, Finding, records};
use super::run::{Run, State};
use super::scan::{Piece, Pieces, Reason};
use super::{Progress, begun};
use crate::Frame;
use crate::format::HEAD;
use crate::inner::OWN_PIPELINE;
use crate::view::View;

/// Hashes in the place of lost records are read one by one up to this many; beyond, the hash files' edge is taken.
const MAX_FILLED: u64 = 1 << 22;

impl<P: FnMut(Progress)> Run<'_, P> {
    /// Reads the records of a range.
    pub(super) fn records(
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
        frame: &Frame,
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
                    bytes: spot.at..spot.at + (HEAD + frame.head.body_len()) as u64,
                    file: spot.file,
                    what: why.to_string(),
                };
                let gone = sequences.start.max(meant.start)..sequences.end.min(meant.end);
                return self.missing(state, gone, Some(why));
            }
        };
        // What cannot be decoded is told elsewhere.
        if frame.pipeline == OWN_PIPELINE
            && let Ok(batch) = frame.batch()
        {
            for record in batch.records() {
                state.erased.look(&record, &mut self.findings);
                begun::look(&record, &mut self.findings);
            }
        }
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
        leaf: Option<Hash>,
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
    fn of_before(&mut self, oldest: u64, signature: Signature, checkpoint: &Checkpoint, line: u64) {
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
    pub(super) fn ride(&mut self, state: &mut State) -> io::Result<()> {
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
    pub(super) fn end(&mut self, state: &mut State, is_from_start: bool) -> io::Result<()> {
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
}
