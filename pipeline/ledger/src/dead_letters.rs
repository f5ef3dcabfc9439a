//! Records that a destination refused for good, each with its answer and the attempts: kept until someone sends them
//! again or drops them. A letter is durable before its record counts as finished.
//!
//! One append-only file an exporter. An entry takes the place of an earlier one with the same sequence number, so a
//! letter that is written twice is one letter; the file is rewritten when most of it is past.

mod entry;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use sluice_batch::{Batch, Signal};
use tracing::warn;

use entry::{Entry, Kind};
pub use entry::{Letter, Outcome};

use crate::cursors::named;
use crate::disk::{self, Disk, File};
use crate::format::Key;
use crate::quarantine;

const DIRECTORY: &str = "dead_letters";
/// A file is rewritten when it has at least this many bytes that are past, and more of them than others.
const WORTH_REWRITING: u64 = 1 << 20;

/// The letters of all exporters.
#[derive(Debug)]
pub struct DeadLetters {
    disk: Arc<dyn Disk>,
    key: Key,
    boxes: Mutex<BTreeMap<Arc<str>, Arc<Mutex<Letterbox>>>>,
    bytes: AtomicU64,
}

/// The letters of one exporter.
#[derive(Debug)]
struct Letterbox {
    name: String,
    key: Key,
    file: Option<Box<dyn File>>,
    /// Bytes that are durable.
    len: u64,
    live: u64,
    index: BTreeMap<u64, Place>,
}

/// Where a letter stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u64,
    len: u64,
    is_wanted: bool,
}

impl DeadLetters {
    /// Reads what is stored. What is damaged is put aside and reported.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn open(disk: Arc<dyn Disk>, key: Key) -> io::Result<Self> {
        disk::make_directory(&*disk, DIRECTORY)?;
        let letters = Self {
            disk,
            key,
            boxes: Mutex::default(),
            bytes: AtomicU64::new(0),
        };
        for file in letters.disk.list(DIRECTORY)? {
            if file.name.ends_with(".tmp") {
                letters.disk.remove(&format!("{DIRECTORY}/{}", file.name))?;
            } else if let Some((exporter, letterbox)) =
                Letterbox::open(&*letters.disk, &file.name, key, true)?
            {
                letters.bytes.fetch_add(letterbox.len, Ordering::Relaxed);
                letters
                    .boxes
                    .lock()
                    .insert(exporter, Arc::new(Mutex::new(letterbox)));
            }
        }
        Ok(letters)
    }

    /// The same for looking only: nothing is changed, and another process may be writing.
    ///
    /// # Errors
    /// Of the file system.
    pub fn look(disk: Arc<dyn Disk>, key: Key) -> io::Result<Self> {
        let letters = Self {
            disk,
            key,
            boxes: Mutex::default(),
            bytes: AtomicU64::new(0),
        };
        let files = match letters.disk.list(DIRECTORY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            files => files?,
        };
        for file in files.iter().filter(|f| !f.name.ends_with(".tmp")) {
            if let Some((exporter, letterbox)) =
                Letterbox::open(&*letters.disk, &file.name, key, false)?
            {
                letters
                    .boxes
                    .lock()
                    .insert(exporter, Arc::new(Mutex::new(letterbox)));
            }
        }
        Ok(letters)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The exporters that have letters, and how many.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Arc<str>, usize> {
        let boxes = self.boxes.lock();
        let counts = boxes
            .iter()
            .map(|(id, b)| (id.clone(), b.lock().index.len()));
        counts.filter(|(_, n)| *n > 0).collect()
    }

    /// The sequence number behind the last record that has a letter.
    pub(crate) fn end(&self) -> u64 {
        let boxes = self.boxes.lock();
        let last = |b: &Arc<Mutex<Letterbox>>| b.lock().index.keys().next_back().copied();
        boxes.values().filter_map(last).max().map_or(0, |s| s + 1)
    }

    /// The sequence numbers of an exporter's letters, ascending.
    #[must_use]
    pub fn sequences(&self, exporter: &str) -> Vec<u64> {
        self.with(exporter, |b| b.index.keys().copied().collect())
            .unwrap_or_default()
    }

    /// The sequence numbers of the letters that someone wants sent again.
    #[must_use]
    pub fn wanted(&self, exporter: &str) -> Vec<u64> {
        self.with(exporter, |b| {
            let wanted = b.index.iter().filter(|(_, p)| p.is_wanted);
            wanted.map(|(sequence, _)| *sequence).collect()
        })
        .unwrap_or_default()
    }

    /// One letter.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::InvalidData`] when it is damaged, [`io::ErrorKind::NotFound`] without it.
    pub fn letter(&self, exporter: &str, sequence: u64) -> io::Result<Letter> {
        let not_there = || {
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("{exporter} has no dead letter {sequence}"),
            )
        };
        self.with(exporter, |b| {
            let place = b.index.get(&sequence).copied().ok_or_else(not_there)?;
            b.read(&*self.disk, place)?.letter()
        })
        .unwrap_or_else(|| Err(not_there()))
    }

    /// Stores letters, all durable when it returns. `batch` holds their records in the order of `letters`.
    ///
    /// # Errors
    /// Of the file system: none of them counts as stored then.
    pub fn put(&self, exporter: &Arc<str>, letters: &[Letter], batch: &Batch) -> io::Result<()> {
        let entries = letters.iter().enumerate().map(|(i, letter)| {
            let mut payload = Vec::new();
            batch.encode_record_into(i, &mut payload);
            Entry::of(letter, payload)
        });
        self.write(exporter, entries.collect())
    }

    /// Marks letters to be sent again by the next process that runs their exporter, or the one that runs.
    ///
    /// # Errors
    /// Of the file system.
    pub fn want(&self, exporter: &Arc<str>, sequences: &[u64]) -> io::Result<()> {
        self.write(
            exporter,
            sequences
                .iter()
                .map(|s| Entry::mark(Kind::Wanted, *s))
                .collect(),
        )
    }

    /// Removes letters: sent at last, or dropped by someone's decision.
    ///
    /// # Errors
    /// Of the file system.
    pub fn resolve(
        &self,
        exporter: &Arc<str>,
        sequences: &[u64],
        outcome: Outcome,
    ) -> io::Result<()> {
        let kind = match outcome {
            Outcome::Delivered => Kind::Delivered,
            Outcome::Dropped => Kind::Dropped,
        };
        self.write(
            exporter,
            sequences.iter().map(|s| Entry::mark(kind, *s)).collect(),
        )
    }

    fn with<T>(&self, exporter: &str, work: impl FnOnce(&mut Letterbox) -> T) -> Option<T> {
        let letterbox = self.boxes.lock().get(exporter).cloned()?;
        let result = work(&mut letterbox.lock());
        Some(result)
    }

    fn write(&self, exporter: &Arc<str>, entries: Vec<Entry>) -> io::Result<()> {
        let letterbox = self
            .boxes
            .lock()
            .entry(exporter.clone())
            .or_insert_with(|| {
                Arc::new(Mutex::new(Letterbox::new(
                    format!("{}.log", named(&[exporter])),
                    self.key,
                )))
            })
            .clone();
        let mut letterbox = letterbox.lock();
        let before = letterbox.len;
        let written = letterbox.write(&*self.disk, &entries);
        self.bytes.fetch_add(letterbox.len, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        written
    }
}

impl Letter {
    /// The record, alone in a batch.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the stored bytes are no record.
    pub fn batch(&self) -> io::Result<Batch> {
        let signal = match self.signal.as_str() {
            "traces" => Signal::Traces,
            "metrics" => Signal::Metrics,
            _ => Signal::Logs,
        };
        Batch::decode_stored(signal, Bytes::from(self.payload.clone()))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
    }
}

impl Letterbox {
    fn new(name: String, key: Key) -> Self {
        Self {
            name,
            key,
            file: None,
            len: 0,
            live: 0,
            index: BTreeMap::new(),
        }
    }

    fn path(&self) -> String {
        format!("{DIRECTORY}/{}", self.name)
    }

    /// Reads a file; `None` when it holds no letter. With `mend`, what is damaged is put aside.
    fn open(
        disk: &dyn Disk,
        name: &str,
        key: Key,
        mend: bool,
    ) -> io::Result<Option<(Arc<str>, Self)>> {
        let mut letterbox = Self::new(name.to_owned(), key);
        let path = letterbox.path();
        let file = disk.open(&path)?;
        let end = file.len()?;
        let (mut exporter, mut damaged, mut at) = (None, None, 0);
        while at < end {
            match Entry::read(&*file, at, key) {
                Ok(entry) => {
                    if let Some(id) = entry.exporter() {
                        exporter.get_or_insert(id);
                    }
                    letterbox.take_in(&entry, at);
                    at = letterbox.len;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    damaged.get_or_insert(at);
                    at = Entry::next(&*file, at + 1, key)?.unwrap_or(end);
                }
                Err(error) => return Err(error),
            }
        }
        letterbox.file = Some(file);
        if let Some(from) = damaged.filter(|_| mend) {
            letterbox.put_aside(disk, from..end)?;
        }
        Ok(exporter.map(|id| (id.into(), letterbox)))
    }

    /// Keeps a copy of the file from the first damage on, and goes on with the letters that are whole.
    fn put_aside(&mut self, disk: &dyn Disk, bytes: std::ops::Range<u64>) -> io::Result<()> {
        let path = self.path();
        if let Some(file) = &self.file {
            let copy = quarantine::bytes(disk, &path.replace('/', "-"), &**file, bytes)?;
            warn!(
                file = path,
                quarantine = copy,
                "dead letters are damaged; what is left of them is kept, and a copy of the rest"
            );
        }
        self.rewrite(disk)
    }

    fn take_in(&mut self, entry: &Entry, at: u64) {
        let len = entry.len();
        self.len = at + len;
        match entry.kind {
            Kind::Letter => {
                let place = Place {
                    at,
                    len,
                    is_wanted: false,
                };
                if let Some(before) = self.index.insert(entry.sequence, place) {
                    self.live -= before.len;
                }
                self.live += len;
            }
            Kind::Wanted => {
                if let Some(place) = self.index.get_mut(&entry.sequence) {
                    place.is_wanted = true;
                }
            }
            Kind::Delivered | Kind::Dropped => {
                if let Some(before) = self.index.remove(&entry.sequence) {
                    self.live -= before.len;
                }
            }
        }
    }

    fn read(&self, disk: &dyn Disk, place: Place) -> io::Result<Entry> {
        match &self.file {
            Some(file) => Entry::read(&**file, place.at, self.key),
            None => Entry::read(&*disk.open(&self.path())?, place.at, self.key),
        }
    }

    fn write(&mut self, disk: &dyn Disk, entries: &[Entry]) -> io::Result<()> {
        let bytes: Vec<u8> = entries.iter().flat_map(|e| e.encode(self.key)).collect();
        let is_mostly_past = self.len - self.live >= WORTH_REWRITING && self.len > 2 * self.live;
        // No file, or one of which nothing is known since a write to it failed.
        if self.file.is_none() || is_mostly_past {
            self.rewrite(disk)?;
        }
        let Some(file) = &self.file else {
            return Err(io::Error::other("no file"));
        };
        if let Err(error) = file.append(&bytes).and_then(|()| file.sync()) {
            // Best effort; the file is made anew before it is used again.
            let _ = file.truncate(self.len);
            self.file = None;
            return Err(error);
        }
        for entry in entries {
            let at = self.len;
            self.take_in(entry, at);
        }
        Ok(())
    }

    /// Puts a file with the letters that are left in the place of this one.
    fn rewrite(&mut self, disk: &dyn Disk) -> io::Result<()> {
        let mut fresh = Self::new(self.name.clone(), self.key);
        let mut bytes = Vec::new();
        for place in self.index.values() {
            let entry = self.read(disk, *place)?;
            let mut at = bytes.len() as u64;
            bytes.extend(entry.encode(self.key));
            fresh.take_in(&entry, at);
            if place.is_wanted {
                at = bytes.len() as u64;
                let mark = Entry::mark(Kind::Wanted, entry.sequence);
                bytes.extend(mark.encode(self.key));
                fresh.take_in(&mark, at);
            }
        }
        self.file = None;
        disk::replace(disk, DIRECTORY, &self.name, &bytes)?;
        fresh.file = Some(disk.open(&self.path())?);
        *self = fresh;
        Ok(())
    }
}
