//! What was signed: a first pass over the checkpoints, before any record is read. What is signed was durable before it,
//! so whatever is looked at afterwards must hold it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sluice_evidence::Checkpoint;

use super::begun;
use super::finding::{Fault, Finding, Findings};
use super::keys::{Distrust, Keys};
use crate::disk::Disk;
use crate::tree::{self, CHECKPOINT, CHECKPOINTS, Epoch, Lines, Signed};

/// One epoch of the log, as its checkpoints describe it.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) origin: String,
    /// Its number, which names its hash files.
    pub(crate) number: u64,
    /// Sequence number of its first record.
    pub(crate) first: u64,
    /// Good checkpoints.
    pub(crate) checkpoints: u64,
    /// The largest one.
    pub(crate) newest: Checkpoint,
    /// The same as it is stored.
    pub(crate) signed: Signed,
}

impl Signature {
    /// The sequence number behind the last record that is signed.
    pub(crate) fn end(&self) -> u64 {
        self.first.saturating_add(self.newest.size())
    }
}

/// Everything that was signed.
#[derive(Debug)]
pub(crate) struct Epochs {
    /// In the order of their records.
    pub(crate) epochs: Vec<Signature>,
    lines: Lines,
    /// Numbers of lines that are not believed.
    bad: BTreeSet<u64>,
    /// Checkpoints that are no line of the list, each with its epoch.
    extra: BTreeMap<usize, Vec<Checkpoint>>,
    ahead: Option<(usize, Checkpoint, u64)>,
}

impl Epochs {
    /// Reads all checkpoints and checks their signatures.
    pub(crate) fn read(disk: &dyn Disk, keys: &Keys, findings: &mut Findings) -> io::Result<Self> {
        // Before the list: a running process adds to the list first.
        let current = tree::current(disk);
        let described = Epoch::read(disk);
        let mut epochs = Self {
            epochs: Vec::new(),
            lines: Lines::open(disk)?,
            bad: BTreeSet::new(),
            extra: BTreeMap::new(),
            ahead: None,
        };
        let mut damaged = None;
        while let Some(line) = epochs.lines.next()? {
            if let Some((number, at)) = damaged.take() {
                let what = format!("line {number} is damaged");
                findings.add(Finding::broken(Fault::Checkpoint, what).at(CHECKPOINTS, at));
            }
            let Some(signed) = line.signed else {
                epochs.bad.insert(line.number);
                damaged = Some((line.number, line.at));
                continue;
            };
            if let Err(finding) = epochs.take_in(&signed, keys) {
                epochs.bad.insert(line.number);
                let what = format!("line {}: {}", line.number, finding.what);
                findings.add(Finding { what, ..finding }.at(CHECKPOINTS, line.at));
            }
        }
        // The next start would cut the last one off.
        if let Some((number, at)) = damaged {
            let what =
                format!("line {number}, the last, is damaged, or a power cut has left it torn");
            findings.add(Finding::unchecked(Fault::Checkpoint, what).at(CHECKPOINTS, at));
        }
        epochs.current(current, keys, findings);
        epochs.described(described, findings);
        epochs.in_order(findings);
        epochs.lines.rewind();
        Ok(epochs)
    }

    /// Takes in a checkpoint that is believed.
    fn take_in(&mut self, signed: &Signed, keys: &Keys) -> Result<(), Finding> {
        let checkpoint = keys
            .check(&signed.note)
            .map_err(|distrust| match distrust {
                Distrust::False(why) => Finding::broken(
                    Fault::Checkpoint,
                    format!("the checkpoint is not what was signed: {why}"),
                ),
                Distrust::Stranger(why) => Finding::broken(Fault::Key, why),
            })?;
        let broken = |what: &str| Finding::broken(Fault::Checkpoint, what);
        let number = checkpoint.origin().rsplit_once('/');
        let number = number
            .and_then(|(_, number)| number.parse().ok())
            .ok_or_else(|| broken("the origin does not end in the number of an epoch"))?;
        if signed.first.checked_add(checkpoint.size()).is_none() {
            return Err(broken("the sequence numbers cannot be"));
        }
        let known = self
            .epochs
            .iter_mut()
            .find(|e| e.origin == checkpoint.origin());
        match known {
            Some(epoch) if epoch.first != signed.first => Err(broken(
                "it names another first record than the checkpoints of its epoch before it",
            )),
            Some(epoch) => {
                epoch.checkpoints += 1;
                if checkpoint.size() >= epoch.newest.size() {
                    (epoch.newest, epoch.signed) = (checkpoint, signed.clone());
                }
                Ok(())
            }
            None => {
                self.epochs.push(Signature {
                    origin: checkpoint.origin().to_owned(),
                    number,
                    first: signed.first,
                    checkpoints: 1,
                    newest: checkpoint,
                    signed: signed.clone(),
                });
                Ok(())
            }
        }
    }

    /// Looks at the file with the newest checkpoint.
    fn current(
        &mut self,
        current: io::Result<Option<Signed>>,
        keys: &Keys,
        findings: &mut Findings,
    ) {
        let broken = |what: &str| Finding::broken(Fault::Checkpoint, what).file(CHECKPOINT);
        match current {
            // The first one is in the list before it has a file.
            Ok(None) if self.epochs.iter().map(|e| e.checkpoints).sum::<u64>() <= 1 => {}
            Ok(None) => findings.add(broken("the file with the newest checkpoint is missing")),
            Err(error) => findings.add(broken(&format!(
                "the newest checkpoint cannot be read: {error}"
            ))),
            Ok(Some(signed)) => {
                let is_listed = |e: &Signature| {
                    signed.read().is_ok_and(|c| {
                        c.origin() == e.origin
                            && c.size() <= e.newest.size()
                            && signed.first == e.first
                    })
                };
                let is_listed = self.epochs.iter().any(is_listed);
                // One that is listed is compared with the others of its size as they are.
                let place = match self.take_in(&signed, keys) {
                    Ok(()) => self.place(&signed),
                    Err(finding) => {
                        findings.add(finding.file(CHECKPOINT));
                        None
                    }
                };
                if let Some((epoch, checkpoint)) = place {
                    self.epochs[epoch].checkpoints -= u64::from(is_listed);
                    self.extra.entry(epoch).or_default().push(checkpoint);
                    if !is_listed {
                        findings.add(Finding::broken(
                            Fault::Checkpoint,
                            "the newest checkpoint is not in the list: lines were taken from it",
                        ).file(CHECKPOINTS));
                    }
                }
            }
        }
    }

    fn place(&self, signed: &Signed) -> Option<(usize, Checkpoint)> {
        let checkpoint = signed.read().ok()?;
        let epoch = self
            .epochs
            .iter()
            .position(|e| e.origin == checkpoint.origin());
        Some((epoch?, checkpoint))
    }

    /// Adds a checkpoint that was kept elsewhere.
    pub(crate) fn anchor(&mut self, epoch: usize, checkpoint: Checkpoint) {
        self.extra.entry(epoch).or_default().push(checkpoint);
    }

    /// Looks at what describes the epoch that is written to.
    fn described(&self, described: io::Result<Option<Epoch>>, findings: &mut Findings) {
        if let Ok(Some(epoch)) = &described
            && let Some(beginning) = epoch.untold.clone()
        {
            begun::told(&epoch.origin(), beginning, findings);
        }
        let Some(last) = self.epochs.iter().max_by_key(|e| e.number) else {
            return;
        };
        let wrong = match described {
            Err(error) => Some(format!("the file cannot be read: {error}")),
            Ok(None) => Some("the file is missing or damaged".into()),
            Ok(Some(epoch)) => {
                let is_same = epoch.origin() == last.origin && epoch.first == last.first;
                // Begun, and nothing signed of it yet.
                let is_next = epoch.number > last.number && epoch.first >= last.end();
                (!is_same && !is_next)
                    .then(|| format!("the file and the checkpoints of {} disagree", last.origin))
            }
        };
        if let Some(what) = wrong {
            findings.add(Finding::broken(Fault::Epoch, what).file("epoch.json"));
        }
    }

    /// Puts the epochs in the order of their records, which must be that of their numbers.
    fn in_order(&mut self, findings: &mut Findings) {
        let mut order: Vec<usize> = (0..self.epochs.len()).collect();
        order.sort_by_key(|i| (self.epochs[*i].first, self.epochs[*i].number));
        let extra = std::mem::take(&mut self.extra);
        self.extra = extra
            .into_iter()
            .filter_map(|(epoch, c)| Some((order.iter().position(|i| *i == epoch)?, c)))
            .collect();
        self.epochs = order.iter().map(|i| self.epochs[*i].clone()).collect();
        for pair in self.epochs.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            if after.number <= before.number || after.first < before.end() {
                let what = format!(
                    "{} begins with record {}, and {} was signed up to record {}",
                    after.origin,
                    after.first,
                    before.origin,
                    before.end().saturating_sub(1)
                );
                findings.add(Finding::broken(Fault::Epoch, what).file(CHECKPOINTS));
            }
        }
    }

    /// The next checkpoint of this epoch, or of one before it, of at most this size; with its line, 0 if it is none.
    pub(crate) fn next(
        &mut self,
        epoch: usize,
        size: u64,
    ) -> io::Result<Option<(usize, Checkpoint, u64)>> {
        if self.ahead.is_none() {
            self.ahead = self.next_line()?;
        }
        let is_due = self
            .ahead
            .as_ref()
            .is_some_and(|(of, c, _)| *of < epoch || *of == epoch && c.size() <= size);
        if is_due {
            return Ok(self.ahead.take());
        }
        let extra = self.extra.get_mut(&epoch);
        let extra = extra.and_then(|all| {
            let due = all.iter().position(|c| c.size() <= size)?;
            Some(all.swap_remove(due))
        });
        Ok(extra.map(|checkpoint| (epoch, checkpoint, 0)))
    }

    fn next_line(&mut self) -> io::Result<Option<(usize, Checkpoint, u64)>> {
        while let Some(line) = self.lines.next()? {
            let Some(signed) = line.signed.filter(|_| !self.bad.contains(&line.number)) else {
                continue;
            };
            if let Some((epoch, checkpoint)) = self.place(&signed) {
                return Ok(Some((epoch, checkpoint, line.number)));
            }
        }
        Ok(None)
    }
}
