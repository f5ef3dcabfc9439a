//! One epoch's tree, grown again from the records and held against what is stored and what was signed.
//!
//! Two right edges grow side by side as soon as they differ: one from the records, one from the stored leaf hashes. At
//! the next signed root the one that leads there tells which was changed, and so each bad record has its number.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use sluice_evidence::{Checkpoint, Frontier, Hash, Hashes as _, verify_consistency};

use super::epochs::Signature;
use super::finding::{Fault, Finding, Findings, records};
use crate::disk::Disk;
use crate::tree::{CHECKPOINTS, HashFiles};

/// Leaf hashes read at a time.
const CHUNK: usize = 4096;
/// Differences that are remembered until the next checkpoint judges them.
const MAX_SUSPECTS: usize = 1000;

/// Where a record stands.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) file: String,
    pub(super) at: u64,
}

/// A difference between the records and the stored hashes.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) height: u8,
    pub(super) index: u64,
    pub(super) stored: Option<Hash>,
    /// What the stored hashes below give, if they were read.
    pub(super) from_stored: Option<Hash>,
    pub(super) spot: Option<Spot>,
}

#[derive(Debug)]
pub(super) struct Chain {
    pub(super) signature: Signature,
    pub(super) hashes: HashFiles,
    /// From the records.
    found: Frontier,
    /// From the stored leaf hashes, once it differs.
    stored: Option<Frontier>,
    pub(super) suspects: Vec<Suspect>,
    pub(super) more_suspects: u64,
    /// Leaf hashes read ahead, and the index of the first.
    ahead: (u64, Vec<Hash>),
    /// Where the last good checkpoint, or the beginning, was.
    pub(super) good: u64,
    /// Leaves before the first one that was read.
    began: u64,
    /// Neither edge is known to be right any more.
    is_lost: bool,
    /// Records below this are not kept.
    oldest: u64,
    /// The size and root that were compared last.
    last: Option<(u64, Hash)>,
    pub(super) compared: u64,
    pub(super) only_signed: u64,
}

impl Chain {
    /// The epoch's tree as it was before record `start`; `oldest` is the first record that is kept.
    pub(super) fn begin(
        disk: &Arc<dyn Disk>,
        signature: Signature,
        start: u64,
        oldest: u64,
        findings: &mut Findings,
    ) -> Self {
        let index = start.saturating_sub(signature.first);
        let hashes = HashFiles::view(disk.clone(), signature.number);
        let mut chain = Self {
            oldest: oldest.saturating_sub(signature.first),
            signature,
            hashes,
            found: Frontier::empty(),
            stored: None,
            suspects: Vec::new(),
            more_suspects: 0,
            ahead: (0, Vec::new()),
            good: index,
            began: index,
            is_lost: false,
            last: None,
            compared: 0,
            only_signed: 0,
        };
        chain.jump(index, findings);
        chain
    }

    /// Goes on at another leaf, with the edge that the hash files have there.
    pub(super) fn jump(&mut self, index: u64, findings: &mut Findings) {
        self.stored = None;
        self.suspects.clear();
        self.good = index;
        self.is_lost = index > self.signature.newest.size();
        if self.is_lost {
            // Behind all that was signed no stored hash stands for anything.
            self.found = any_edge(index);
            return;
        }
        match self.edge(index) {
            Ok(frontier) => self.found = frontier,
            Err(error) => {
                let what = format!(
                    "the stored hashes before {} cannot be read: {error}",
                    records(&self.sequences(index..index + 1))
                );
                findings.add(
                    Finding::broken(Fault::Tree, what)
                        .file(self.hashes.place(0, index.saturating_sub(1)).0),
                );
                self.is_lost = true;
                // Only the size is right.
                self.found = any_edge(index);
            }
        }
    }

    /// Leaves before the first one that was read.
    pub(super) fn began(&self) -> u64 {
        self.began
    }

    /// Whether a checkpoint has judged everything so far.
    pub(super) fn is_judged(&self) -> bool {
        self.last.is_some_and(|(size, _)| size == self.found.size())
    }

    /// Whether leaves are left that are signed, and whose hashes may be read for it.
    pub(super) fn has_more(&self) -> bool {
        self.found.size() < self.signature.newest.size()
    }

    /// Leaves so far.
    pub(super) fn size(&self) -> u64 {
        self.found.size()
    }

    pub(super) fn sequences(&self, leaves: Range<u64>) -> Range<u64> {
        self.signature.first + leaves.start..self.signature.first + leaves.end
    }

    fn edge(&self, size: u64) -> io::Result<Frontier> {
        // Nothing below a checkpoint is taken from beyond what was signed.
        if size > self.signature.newest.size() {
            return Err(io::Error::other("they are beyond what was signed"));
        }
        self.hashes.frontier_at(size)
    }

    /// The next record: its leaf hash as the record gives it, or nothing when the record is gone.
    pub(super) fn push(&mut self, leaf: Option<Hash>, spot: Option<&Spot>) -> io::Result<()> {
        let index = self.found.size();
        if index >= self.signature.newest.size()
            && let Some(leaf) = leaf
        {
            // What is stored beyond the newest checkpoint is nobody's word yet.
            self.found.push(leaf);
            return Ok(());
        }
        let stored = self.stored_leaf(index)?;
        let Some(found) = leaf.or(stored) else {
            self.is_lost = true;
            self.found.push(Hash::EMPTY_TREE);
            return Ok(());
        };
        if stored != Some(found) || self.stored.is_some() {
            return self.push_apart(found, stored, spot);
        }
        let hashes = &self.hashes;
        let size = self.signature.newest.size();
        let mut differing = Vec::new();
        let mut result = Ok(());
        self.found.push_with(found, |height, hash| {
            if let Some(stored) = stored_node(hashes, size, height, index).transpose() {
                match stored {
                    Ok(stored) if stored == Some(hash) => {}
                    Ok(stored) => differing.push((height, stored, hash)),
                    Err(error) => result = Err(error),
                }
            }
        });
        for (height, stored, hash) in differing {
            self.suspect(Suspect {
                height,
                index: index >> height,
                stored,
                from_stored: Some(hash),
                spot: None,
            });
        }
        result
    }

    /// The same while records and stored hashes differ.
    fn push_apart(
        &mut self,
        found: Hash,
        stored: Option<Hash>,
        spot: Option<&Spot>,
    ) -> io::Result<()> {
        let index = self.found.size();
        let mut edge = self.stored.take().unwrap_or_else(|| self.found.clone());
        if stored != Some(found) {
            self.suspect(Suspect {
                height: 0,
                index,
                stored,
                from_stored: None,
                spot: spot.cloned(),
            });
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        self.found
            .push_with(found, |height, hash| ours.push((height, hash)));
        edge.push_with(stored.unwrap_or(found), |_, hash| theirs.push(hash));
        self.stored = Some(edge);
        let size = self.signature.newest.size();
        for ((height, ours), theirs) in ours.into_iter().zip(theirs) {
            if let Some(stored) = stored_node(&self.hashes, size, height, index)?
                && stored != Some(ours)
            {
                self.suspect(Suspect {
                    height,
                    index: index >> height,
                    stored,
                    from_stored: Some(theirs),
                    spot: None,
                });
            }
        }
        Ok(())
    }

    fn suspect(&mut self, suspect: Suspect) {
        if self.suspects.len() < MAX_SUSPECTS {
            self.suspects.push(suspect);
        } else {
            self.more_suspects += 1;
        }
    }

    fn stored_leaf(&mut self, index: u64) -> io::Result<Option<Hash>> {
        let (from, hashes) = &self.ahead;
        let at = index
            .checked_sub(*from)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(hash) = at.and_then(|at| hashes.get(at)) {
            return Ok(Some(*hash));
        }
        let left = self.signature.newest.size().saturating_sub(index);
        let count = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        self.ahead = (index, self.hashes.leaves(index, count)?);
        Ok(self.ahead.1.first().copied())
    }

    /// Holds a checkpoint of this size, which has been reached, against the edge; an older one against the hash files.
    /// `line` is where it stands in the list, 0 when it came from elsewhere.
    pub(super) fn compare(&mut self, checkpoint: &Checkpoint, line: u64, findings: &mut Findings) {
        let (size, root) = (checkpoint.size(), checkpoint.root());
        if self.last == Some((size, root)) {
            // The file with the newest one repeats the list.
            self.compared += u64::from(line > 0);
            return;
        }
        if size < self.found.size() || self.last.is_some_and(|(last, _)| last == size) {
            return self.compare_older(checkpoint, line, findings);
        }
        self.compared += 1;
        self.last = Some((size, root));
        if !self.is_lost && self.found.root() == root {
            self.blame_hashes(|_| true, findings);
            self.stored = None;
        } else if let Some(stored) = self
            .stored
            .take()
            .filter(|s| s.root() == root && !self.is_lost)
        {
            self.blame_records(findings);
            self.found = stored;
        } else {
            let edge = self.edge(size).ok().filter(|edge| edge.root() == root);
            let is_known = !self.is_lost || edge.is_some();
            if !self.suspects.is_empty() || is_known {
                self.blame_all(checkpoint, line, findings);
            }
            self.is_lost = edge.is_none();
            if let Some(edge) = edge {
                self.found = edge;
            }
        }
        self.suspects.clear();
        self.more_suspects = 0;
        self.good = size;
    }

    /// A checkpoint of which the records are not read: the stored hashes must lead from it to the newest one.
    pub(super) fn compare_older(
        &mut self,
        checkpoint: &Checkpoint,
        line: u64,
        findings: &mut Findings,
    ) {
        match self.is_consistent(checkpoint) {
            Ok(true) => self.compared += u64::from(line > 0),
            Ok(false) => self.only_signed += u64::from(line > 0),
            Err(why) => {
                let sequences = self.sequences(0..checkpoint.size().max(1));
                let what = format!(
                    "the checkpoint of {} records{} does not belong to the same log as the newest one: {why}",
                    checkpoint.size(),
                    if line > 0 {
                        format!(" in line {line}")
                    } else {
                        String::new()
                    },
                );
                let finding = Finding::broken(Fault::Root, what).of(sequences);
                findings.add(finding.file(CHECKPOINTS));
            }
        }
    }

    /// Whether a checkpoint is one of the states through which the log came to the newest one; false when the hashes
    /// that would tell are gone with their records.
    pub(super) fn is_consistent(&self, checkpoint: &Checkpoint) -> Result<bool, String> {
        let newest = &self.signature.newest;
        let size = checkpoint.size();
        let path = match self.hashes.consistency(size, newest.size()) {
            Ok(path) => path,
            Err(_) if HashFiles::may_lack(size, self.oldest) || self.oldest > newest.size() => {
                return Ok(false);
            }
            Err(error) => return Err(format!("{error}: {}", cause(&error))),
        };
        let (old, new) = (checkpoint.root(), newest.root());
        verify_consistency(size, newest.size(), old, new, &path)
            .map(|()| true)
            .map_err(|error| error.to_string())
    }
}

/// An edge of this size with nothing true in it.
fn any_edge(size: u64) -> Frontier {
    let mut bytes = size.to_be_bytes().to_vec();
    bytes.resize(8 + size.count_ones() as usize * Hash::LEN, 0);
    Frontier::from_bytes(&bytes).unwrap_or_default()
}

fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(String::new, ToString::to_string)
}

/// The hash that is stored for the subtree of this height that ends with leaf `last`, if such are stored: `Some(None)`
/// when it should be there and is not. Leaves are compared elsewhere.
fn stored_node(
    hashes: &HashFiles,
    signed: u64,
    height: u8,
    last: u64,
) -> io::Result<Option<Option<Hash>>> {
    if height == 0 || !HashFiles::stores(height) || last >= signed {
        return Ok(None);
    }
    match sluice_evidence::Hashes::node(hashes, height, last >> height) {
        Ok(hash) => Ok(Some(Some(hash))),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(Some(None))
        }
        Err(error) => Err(error),
    }
}
