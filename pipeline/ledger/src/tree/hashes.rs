//! The hashes of one epoch, level by level in append-only files.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use sluice_evidence::{Frontier, Hash, Hashes, node_hash};

use super::DIRECTORY;
use crate::disk::{Disk, File};

/// A level has one hash for this many of the level below.
const WIDTH: u64 = 256;
const WIDTH_BITS: u8 = 8;
/// Hashes in one file: 8 MiB. Files of level 0 go when the records they stand for are gone.
const SHARD: u64 = 1 << 18;
/// Written to the files when so much has gathered.
const BUFFER: usize = 1 << 16;

/// The hashes of one epoch.
#[derive(Debug)]
pub struct HashFiles {
    disk: Arc<dyn Disk>,
    epoch: u64,
    frontier: Frontier,
    levels: Vec<Level>,
}

/// One level's end.
#[derive(Debug, Default)]
struct Level {
    /// Hashes in files.
    written: u64,
    buffer: Vec<u8>,
    /// The file that is written, and its number.
    file: Option<(u64, Arc<dyn File>)>,
    is_dirty: bool,
    /// A file for reading.
    read: Mutex<Option<(u64, Arc<dyn File>)>>,
}

impl HashFiles {
    /// An epoch without records.
    ///
    /// # Errors
    /// Of the file system.
    pub fn empty(disk: Arc<dyn Disk>, epoch: u64) -> io::Result<Self> {
        disk.create_directory(DIRECTORY)?;
        let mut files = Self::view(disk, epoch);
        files.cut(0)?;
        Ok(files)
    }

    /// The epoch as it was at `size`: what was written beyond is cut off. Its root is for the caller to compare.
    ///
    /// # Errors
    /// Of the file system; hashes that are not there.
    pub fn at(disk: Arc<dyn Disk>, epoch: u64, size: u64) -> io::Result<Self> {
        disk.create_directory(DIRECTORY)?;
        let mut files = Self::view(disk, epoch);
        files.frontier = files.frontier_at(size)?;
        files.cut(size)?;
        Ok(files)
    }

    /// For reading only.
    #[must_use]
    pub fn view(disk: Arc<dyn Disk>, epoch: u64) -> Self {
        Self {
            disk,
            epoch,
            frontier: Frontier::empty(),
            levels: (0..=8).map(|_| Level::default()).collect(),
        }
    }

    /// The right edge.
    #[must_use]
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The right edge when the tree had `size` leaves.
    ///
    /// # Errors
    /// Of the file system; hashes that are not there.
    pub fn frontier_at(&self, size: u64) -> io::Result<Frontier> {
        Hashes::frontier(self, size)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
    }

    /// The leaf hash of a record, by its place in the epoch.
    ///
    /// # Errors
    /// Of the file system; a hash that is not there.
    pub fn leaf(&self, index: u64) -> io::Result<Hash> {
        self.node(0, index)
    }

    /// The leaf hashes from `index` on: at most `count`, and no more than stand in the same file. Empty when the file
    /// ends before or is not there.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn leaves(&self, index: u64, count: usize) -> io::Result<Vec<Hash>> {
        let count = count.min((SHARD - index % SHARD) as usize);
        let file = match self.disk.open(&self.path(0, index / SHARD)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let mut bytes = vec![0; count * Hash::LEN];
        let read = file.read_at(index % SHARD * Hash::LEN as u64, &mut bytes)?;
        Ok(hashes(&bytes[..read]).collect())
    }

    /// Where the hash of a complete subtree is stored, if those of this height are: the file, and the byte in it.
    #[must_use]
    pub(crate) fn place(&self, height: u8, index: u64) -> (String, u64) {
        let level = usize::from(height / WIDTH_BITS);
        let path = self.path(level, index / SHARD);
        (path, index % SHARD * Hash::LEN as u64)
    }

    /// Whether subtrees of this height are stored.
    #[must_use]
    pub(crate) fn stores(height: u8) -> bool {
        height.is_multiple_of(WIDTH_BITS)
    }

    /// Whether the leaf hashes about `index` may be gone once no record below `oldest` is kept.
    #[must_use]
    pub(crate) fn may_lack(index: u64, oldest: u64) -> bool {
        index / SHARD < oldest / SHARD
    }

    /// The highest number of an epoch that has files; 0 without any.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn newest_epoch(disk: &dyn Disk) -> io::Result<u64> {
        let files = match disk.list(DIRECTORY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            files => files?,
        };
        let number = |name: &str| name.split_once('-')?.0.parse().ok();
        let numbers = files.iter().filter_map(|f| number(&f.name));
        Ok(numbers.max().unwrap_or(0))
    }

    /// Adds a leaf.
    ///
    /// # Errors
    /// Of the file system: the files must be opened again at a checkpoint then.
    pub fn push(&mut self, leaf: Hash) -> io::Result<()> {
        let levels = &mut self.levels;
        self.frontier.push_with(leaf, |level, hash| {
            if level % WIDTH_BITS == 0 {
                let level = &mut levels[usize::from(level / WIDTH_BITS)];
                level.buffer.extend_from_slice(hash.as_bytes());
            }
        });
        if self.levels[0].buffer.len() >= BUFFER {
            self.write()?;
        }
        Ok(())
    }

    /// Writes what has gathered and makes it durable.
    ///
    /// # Errors
    /// As [`HashFiles::push`].
    pub fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        for level in &mut self.levels {
            if let Some((_, file)) = &level.file
                && level.is_dirty
            {
                file.sync()?;
            }
            level.is_dirty = false;
        }
        self.disk.sync_directory(DIRECTORY)
    }

    fn write(&mut self) -> io::Result<()> {
        for number in 0..self.levels.len() {
            while !self.levels[number].buffer.is_empty() {
                let (shard, room) = {
                    let written = self.levels[number].written;
                    (
                        written / SHARD,
                        (SHARD - written % SHARD) as usize * Hash::LEN,
                    )
                };
                if self.levels[number]
                    .file
                    .as_ref()
                    .is_none_or(|(open, _)| *open != shard)
                {
                    if let Some((_, full)) = self.levels[number].file.take() {
                        full.sync()?;
                    }
                    let file = self.create_or_open(number, shard)?;
                    self.levels[number].file = Some((shard, file));
                }
                let level = &mut self.levels[number];
                let Some((_, file)) = &level.file else { break };
                let take = room.min(level.buffer.len());
                file.append(&level.buffer[..take])?;
                level.is_dirty = true;
                level.buffer.drain(..take);
                level.written += (take / Hash::LEN) as u64;
            }
        }
        Ok(())
    }

    /// Removes files of leaves below `index`, whose records are gone, and those of the epochs before once any is gone of
    /// this one. What proofs about later records need stays.
    ///
    /// # Errors
    /// Of the file system.
    pub fn prune(&self, index: u64) -> io::Result<()> {
        let keep_from = index / WIDTH * WIDTH / SHARD;
        for entry in self.disk.list(DIRECTORY)? {
            let is_gone = match self.shard_of(&entry.name, 0) {
                Some(shard) => shard < keep_from,
                None => index > 0 && is_leaves_before(&entry.name, self.epoch),
            };
            if is_gone {
                self.disk.remove(&format!("{DIRECTORY}/{}", entry.name))?;
            }
        }
        Ok(())
    }

    /// Cuts every level to what a tree of `size` has.
    fn cut(&mut self, size: u64) -> io::Result<()> {
        let files = self.disk.list(DIRECTORY)?;
        for number in 0..self.levels.len() {
            let hashes = size >> (WIDTH_BITS * number as u8).min(63);
            let hashes = if number >= 8 { 0 } else { hashes };
            for entry in &files {
                let Some(shard) = self.shard_of(&entry.name, number) else {
                    continue;
                };
                let path = format!("{DIRECTORY}/{}", entry.name);
                let keeps = hashes.saturating_sub(shard * SHARD).min(SHARD) * Hash::LEN as u64;
                if keeps == 0 {
                    self.disk.remove(&path)?;
                } else if entry.len > keeps {
                    let file = self.disk.open(&path)?;
                    file.truncate(keeps)?;
                    file.sync()?;
                }
            }
            self.levels[number].written = hashes;
        }
        self.disk.sync_directory(DIRECTORY)
    }

    fn path(&self, level: usize, shard: u64) -> String {
        format!("{DIRECTORY}/{}-{level}-{shard:010}", self.epoch)
    }

    fn shard_of(&self, name: &str, level: usize) -> Option<u64> {
        name.strip_prefix(&format!("{}-{level}-", self.epoch))?
            .parse()
            .ok()
    }

    fn create_or_open(&self, level: usize, shard: u64) -> io::Result<Arc<dyn File>> {
        let path = self.path(level, shard);
        match self.disk.create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Arc::from(self.disk.open(&path)?))
            }
            created => Ok(Arc::from(created?)),
        }
    }

    /// Reads `count` hashes of a level, all in one file.
    fn read(&self, level: usize, first: u64, count: usize) -> io::Result<Vec<u8>> {
        let gone = || {
            io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("hash {first} of level {level} is not there"),
            )
        };
        let shard = first / SHARD;
        let state = self.levels.get(level).ok_or_else(gone)?;
        let mut open = state.read.lock();
        if open.as_ref().is_none_or(|(has, _)| *has != shard) {
            *open = Some((shard, Arc::from(self.disk.open(&self.path(level, shard))?)));
        }
        let mut bytes = vec![0; count * Hash::LEN];
        if let Some((_, file)) = &*open {
            let at = first % SHARD * Hash::LEN as u64;
            if file.read_at(at, &mut bytes)? == bytes.len() {
                return Ok(bytes);
            }
        }
        *open = None;
        Err(gone())
    }
}

impl Hashes for HashFiles {
    type Error = io::Error;

    fn node(&self, level: u8, index: u64) -> io::Result<Hash> {
        let (tile_level, height) = (level / WIDTH_BITS, level % WIDTH_BITS);
        let count = 1_usize << height;
        let bytes = self.read(usize::from(tile_level), index << height, count)?;
        let mut hashes: Vec<Hash> = hashes(&bytes).collect();
        while hashes.len() > 1 {
            hashes = hashes
                .chunks_exact(2)
                .map(|pair| node_hash(pair[0], pair[1]))
                .collect();
        }
        hashes.pop().ok_or_else(|| io::Error::other("no hash"))
    }
}

/// Whether a file holds leaf hashes of an epoch before this one.
fn is_leaves_before(name: &str, epoch: u64) -> bool {
    let mut parts = name.split('-');
    let number = parts.next().and_then(|number| number.parse::<u64>().ok());
    number.is_some_and(|number| number < epoch) && parts.next() == Some("0")
}

/// The hashes that stand one behind the other in `bytes`.
fn hashes(bytes: &[u8]) -> impl Iterator<Item = Hash> {
    bytes.as_chunks().0.iter().copied().map(Hash::new)
}
