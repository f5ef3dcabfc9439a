//! Records that a destination refused for good, each with its answer and the attempts: kept until someone sends them
//! again or drops them. A letter is durable before its record counts as finished.
//!
//! One append-only file an exporter. An entry takes the place of an earlier one with the same sequence number, so a
//! letter that is written twice is one letter; the file is rewritten when most of it is past.

mod entry;
mod letterbox;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use sluice_batch::{Batch, Signal};
use tracing::{error, warn};

use entry::{Entry, Kind};
pub use entry::{Letter, Outcome};
use letterbox::Letterbox;

use crate::cursors::named;
use crate::disk::{self, Disk};
use crate::format::Key;
use crate::recovery::{DamageReport, Report};

const DIRECTORY: &str = "dead_letters";
/// The letters of all exporters.
#[derive(Debug)]
pub struct DeadLetters {
    disk: Arc<dyn Disk>,
    key: Key,
    boxes: Mutex<BTreeMap<Arc<str>, Arc<Mutex<Letterbox>>>>,
    bytes: AtomicU64,
}

impl DeadLetters {
    /// Reads what is stored. What is damaged is put aside and reported; what cannot be read now is, too, and is read
    /// before anything is written to it.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn open(disk: Arc<dyn Disk>, key: Key, report: &mut Report) -> io::Result<Self> {
        disk::make_directory(&*disk, DIRECTORY)?;
        let letters = Self {
            disk,
            key,
            boxes: Mutex::default(),
            bytes: AtomicU64::new(0),
        };
        for file in letters.disk.list(DIRECTORY)? {
            let path = format!("{DIRECTORY}/{}", file.name);
            if file.name.ends_with(".tmp") {
                if let Err(error) = letters.disk.remove(&path) {
                    warn!(file = path, %error, "what a write has left behind cannot be removed");
                }
                continue;
            }
            let mut letterbox = Letterbox::new(file.name, key);
            let damage = |what| DamageReport {
                file: path.clone(),
                bytes: None,
                sequences: None,
                what,
                quarantine: None,
            };
            let exporter = match letterbox.load(&*letters.disk) {
                Ok(exporter) => exporter,
                Err(error) => {
                    error!(file = path, %error, "dead letters cannot be read now");
                    report.damages.push(damage(error.to_string()));
                    continue;
                }
            };
            if let Some(bytes) = letterbox.damaged.clone() {
                let quarantine = letterbox.put_aside(&*letters.disk);
                report.damages.push(DamageReport {
                    bytes: Some(bytes),
                    quarantine: quarantine.ok(),
                    ..damage("damaged dead letters".into())
                });
            }
            letterbox.compact(&*letters.disk);
            if let Some(exporter) = exporter {
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
            let mut letterbox = Letterbox::new(file.name.clone(), key);
            if let Some(exporter) = letterbox.load(&*letters.disk)? {
                letters.bytes.fetch_add(letterbox.len, Ordering::Relaxed);
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
        // A box may be busy for long, and that is no reason to keep the others waiting.
        let boxes: Vec<_> = {
            let boxes = self.boxes.lock();
            boxes
                .iter()
                .map(|(id, b)| (id.clone(), b.clone()))
                .collect()
        };
        let counts = boxes.into_iter().map(|(id, b)| (id, b.lock().index.len()));
        counts.filter(|(_, n)| *n > 0).collect()
    }

    /// The sequence number behind the last record that has a letter.
    pub(crate) fn end(&self) -> u64 {
        let boxes = self.boxes.lock();
        let last = |b: &Arc<Mutex<Letterbox>>| b.lock().index.keys().next_back().copied();
        boxes.values().filter_map(last).max().map_or(0, |s| s + 1)
    }

    /// Whether all of these records have letters.
    pub(crate) fn has_all(&self, exporter: &str, sequences: &[u64]) -> bool {
        self.with(exporter, |b| {
            sequences.iter().all(|s| b.index.contains_key(s))
        })
        .unwrap_or(false)
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

    /// The attempts of a record that has a letter already.
    pub(crate) fn attempts(&self, exporter: &str, sequence: u64) -> u32 {
        let has_one = self.has_all(exporter, &[sequence]);
        let letter = has_one.then(|| self.letter(exporter, sequence));
        letter.and_then(Result::ok).map_or(0, |l| l.attempts)
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

    /// Takes the letters of these records away with their bytes, whoever's they are; says how many there were.
    ///
    /// # Errors
    /// Of the file system. Some may be gone then.
    pub(crate) fn erase(&self, sequences: &BTreeSet<u64>) -> io::Result<usize> {
        let boxes: Vec<_> = self.boxes.lock().values().cloned().collect();
        let mut erased = 0;
        for letterbox in boxes {
            let mut letterbox = letterbox.lock();
            let before = letterbox.index.len();
            letterbox.index.retain(|s, _| !sequences.contains(s));
            erased += before - letterbox.index.len();
            // Also without a live letter: the file may still hold the bytes of one that was resolved.
            letterbox.rewrite(&*self.disk)?;
        }
        Ok(erased)
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
