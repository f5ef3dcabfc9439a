//! What a file holds: on the platter, and in the page cache above it.

use std::mem;

use super::luck::Luck;
use super::random::Random;

/// What a disk writes in one step.
const SECTOR: usize = 512;

/// One part in this many of the surviving pieces is torn.
const TORN: usize = 6;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    cached: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Resize(usize),
}

impl Content {
    /// A file that is durable as it stands.
    pub(super) fn settled(bytes: Vec<u8>) -> Self {
        Self {
            durable: bytes.clone(),
            unsynced: Vec::new(),
            cached: bytes,
        }
    }

    pub(super) fn cached(&self) -> &[u8] {
        &self.cached
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.unsynced.push(Change::Write {
            at: self.cached.len(),
            bytes: bytes.to_vec(),
        });
        self.cached.extend_from_slice(bytes);
    }

    pub(super) fn resize(&mut self, len: usize) {
        if len != self.cached.len() {
            self.unsynced.push(Change::Resize(len));
            self.cached.resize(len, 0);
        }
    }

    pub(super) fn sync(&mut self) {
        if self.unsynced.is_empty() {
            return;
        }
        for change in mem::take(&mut self.unsynced) {
            match change {
                Change::Write { at, bytes } => write(&mut self.durable, at, &bytes),
                Change::Resize(len) => self.durable.resize(len, 0),
            }
        }
        // Only after a sync that forgot a cut do the two differ: the length is written whenever the file is.
        self.durable.resize(self.cached.len(), 0);
    }

    /// A sync that failed: some of it reached the disk, and the rest counts as clean and is never written again. The
    /// cache may go on to show it (as ext4 and XFS do) or show what the disk has, at the old length or the new.
    pub(super) fn forget(&mut self, random: &mut Random) {
        let len = self.cached.len();
        self.lose(random);
        match random.below(3) {
            0 => {}
            1 => self.cached.clone_from(&self.durable),
            _ => {
                self.cached.clone_from(&self.durable);
                self.cached.resize(len, 0);
            }
        }
    }

    /// The power goes, and with it the cache.
    pub(super) fn power_loss(&mut self, random: &mut Random) {
        self.lose(random);
        self.revert();
    }

    /// Only what was synced stays.
    pub(super) fn revert(&mut self) {
        self.unsynced.clear();
        self.cached.clone_from(&self.durable);
    }

    fn lose(&mut self, random: &mut Random) {
        let changes = mem::take(&mut self.unsynced);
        match Luck::draw(random) {
            Luck::Nothing => {}
            Luck::Everything => self.keep_prefix(changes, usize::MAX),
            Luck::Prefix => {
                let weight = changes.iter().map(Change::weight).sum::<usize>();
                self.keep_prefix(changes, random.below(weight + 1));
            }
            Luck::Pieces(probability) => self.keep_pieces(changes, probability, random),
        }
    }

    fn keep_prefix(&mut self, changes: Vec<Change>, mut weight: usize) {
        for change in changes {
            if weight == 0 {
                return;
            }
            let this = change.weight();
            match change {
                Change::Write { at, bytes } => {
                    write(&mut self.durable, at, &bytes[..this.min(weight)]);
                }
                Change::Resize(len) => self.durable.resize(len, 0),
            }
            weight = weight.saturating_sub(this);
        }
    }

    fn keep_pieces(&mut self, changes: Vec<Change>, probability: f64, random: &mut Random) {
        for change in changes {
            match change {
                Change::Resize(len) => {
                    if random.chance(probability) {
                        self.durable.resize(len, 0);
                    }
                }
                Change::Write { at, bytes } => {
                    // The length is written apart from the content, and may run ahead of it.
                    if random.coin() {
                        let end = at + random.below(bytes.len() + 1);
                        let len = self.durable.len().max(end);
                        self.durable.resize(len, 0);
                    }
                    for (at, piece) in pieces(at, &bytes) {
                        if random.chance(probability) {
                            self.keep_piece(at, piece, random);
                        }
                    }
                }
            }
        }
    }

    fn keep_piece(&mut self, at: usize, piece: &[u8], random: &mut Random) {
        if random.below(TORN) > 0 {
            return write(&mut self.durable, at, piece);
        }
        let cut = random.below(piece.len() + 1);
        if random.coin() {
            write(&mut self.durable, at, &piece[..cut]);
        } else {
            write(&mut self.durable, at + cut, &piece[cut..]);
        }
    }
}

impl Change {
    /// How many steps it takes: a byte, or one change of the length.
    fn weight(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::Resize(_) => 1,
        }
    }
}

/// Puts bytes at an offset; a hole before them reads as zeros.
fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if !bytes.is_empty() && content.len() < end {
        content.resize(end, 0);
    }
    if !bytes.is_empty() {
        content[at..end].copy_from_slice(bytes);
    }
}

/// The parts of a write that fall into different sectors of the file, with their offsets.
fn pieces(at: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = bytes.len() - start;
        let len = (SECTOR - (at + start) % SECTOR).min(rest);
        let piece = (at + start, &bytes[start..start + len]);
        start += len;
        (len > 0).then_some(piece)
    })
}
