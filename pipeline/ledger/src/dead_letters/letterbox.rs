//! The letters of one exporter: an append-only file, and where in it each letter stands.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use tracing::{error, warn};

use super::DIRECTORY;
use super::entry::{Entry, Kind};
use crate::disk::{self, Disk, File};
use crate::format::Key;
use crate::quarantine;

/// A file is rewritten when it has at least this many bytes that are past, and more of them than others.
const WORTH_REWRITING: u64 = 1 << 20;

/// A rewriting writes about so many bytes at a time.
const PIECE: usize = 1 << 20;

/// The letters of one exporter.
#[derive(Debug)]
pub(super) struct Letterbox {
    pub(super) name: String,
    pub(super) key: Key,
    /// What the places are in, also when another file has its name by now.
    pub(super) file: Option<Box<dyn File>>,
    /// Whether the file may be appended to: it is whole, has its name, and ends where `len` says.
    pub(super) is_sound: bool,
    /// Not looked at yet.
    pub(super) is_unread: bool,
    /// Damaged bytes of which there is no copy yet.
    pub(super) damaged: Option<Range<u64>>,
    /// Bytes that are durable.
    pub(super) len: u64,
    pub(super) live: u64,
    pub(super) index: BTreeMap<u64, Place>,
}

/// Where a letter stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) len: u64,
    pub(super) is_wanted: bool,
}

impl Letterbox {
    pub(super) fn new(name: String, key: Key) -> Self {
        Self {
            name,
            key,
            file: None,
            is_sound: false,
            is_unread: true,
            damaged: None,
            len: 0,
            live: 0,
            index: BTreeMap::new(),
        }
    }

    fn path(&self) -> String {
        format!("{DIRECTORY}/{}", self.name)
    }

    /// Reads the file, if there is one, and says whose letters are in it.
    pub(super) fn load(&mut self, disk: &dyn Disk) -> io::Result<Option<Arc<str>>> {
        let file = match disk.open(&self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.is_unread = false;
                return Ok(None);
            }
            file => file?,
        };
        let mut fresh = Self::new(self.name.clone(), self.key);
        let end = file.len()?;
        let (mut exporter, mut damaged, mut at) = (None, None, 0);
        while at < end {
            match Entry::read(&*file, at, self.key) {
                Ok(entry) => {
                    if let Some(id) = entry.exporter() {
                        exporter.get_or_insert(id);
                    }
                    fresh.take_in(&entry, at);
                    at += entry.len();
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    damaged.get_or_insert(at);
                    at = Entry::next(&*file, at + 1, self.key)?.unwrap_or(end);
                }
                Err(error) => return Err(error),
            }
        }
        fresh.len = end;
        fresh.file = Some(file);
        fresh.is_unread = false;
        fresh.is_sound = damaged.is_none();
        fresh.damaged = damaged.map(|from| from..end);
        *self = fresh;
        Ok(exporter.map(Into::into))
    }

    /// Keeps a copy of the file from the first damage on, and goes on with the letters that are whole. Until that can be
    /// done the file stays as it is.
    pub(super) fn put_aside(&mut self, disk: &dyn Disk) -> io::Result<String> {
        let path = self.path();
        let put = self.copy_damaged(disk).and_then(|copy| {
            self.rewrite(disk)?;
            Ok(copy)
        });
        match &put {
            Ok(copy) => warn!(
                file = path,
                quarantine = copy,
                "dead letters are damaged; what is left of them is kept, and a copy of the rest"
            ),
            Err(error) => warn!(
                file = path, %error,
                "dead letters are damaged and cannot be put aside now; what is left of them can be read"
            ),
        }
        put
    }

    fn copy_damaged(&mut self, disk: &dyn Disk) -> io::Result<String> {
        let (Some(bytes), Some(file)) = (self.damaged.clone(), &self.file) else {
            return Ok(String::new());
        };
        let copy = quarantine::bytes(disk, &self.path().replace('/', "-"), &**file, bytes)?;
        self.damaged = None;
        Ok(copy)
    }

    fn take_in(&mut self, entry: &Entry, at: u64) {
        let len = entry.len();
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

    pub(super) fn read(&self, disk: &dyn Disk, place: Place) -> io::Result<Entry> {
        match &self.file {
            Some(file) => Entry::read(&**file, place.at, self.key),
            None => Entry::read(&*disk.open(&self.path())?, place.at, self.key),
        }
    }

    pub(super) fn write(&mut self, disk: &dyn Disk, entries: &[Entry]) -> io::Result<()> {
        if self.is_unread {
            self.load(disk)?;
        }
        let bytes: Vec<u8> = entries.iter().flat_map(|e| e.encode(self.key)).collect();
        if !self.is_sound {
            self.copy_damaged(disk)?;
            self.rewrite(disk)?;
        }
        let Some(file) = &self.file else {
            return Err(io::Error::other("no file"));
        };
        if let Err(error) = file.append(&bytes).and_then(|()| file.sync()) {
            // Best effort; the file is made anew before it is used again.
            let _ = file.truncate(self.len);
            self.is_sound = false;
            return Err(error);
        }
        for entry in entries {
            let at = self.len;
            self.len += entry.len();
            self.take_in(entry, at);
        }
        self.compact(disk);
        Ok(())
    }

    /// Gives room back that letters take which are gone. What is written counts whether or not this works now: after a
    /// failure the next write begins with it.
    pub(super) fn compact(&mut self, disk: &dyn Disk) {
        let past = self.len - self.live;
        let is_mostly_past = past >= WORTH_REWRITING && self.len > 2 * self.live;
        let is_all_past = self.index.is_empty() && self.len > 0;
        if self.is_sound
            && (is_mostly_past || is_all_past)
            && let Err(error) = self.rewrite(disk)
        {
            warn!(file = self.path(), %error, "dead letters that are gone still take room");
        }
    }

    /// Puts a file with the letters that are left in the place of this one. After a failure the old one is still what the
    /// places are in, whichever of the two has the name.
    pub(super) fn rewrite(&mut self, disk: &dyn Disk) -> io::Result<()> {
        self.is_sound = false;
        let mut fresh = Self::new(self.name.clone(), self.key);
        disk::replace_with(disk, DIRECTORY, &self.name, |file| {
            let mut pending = Vec::new();
            for (sequence, place) in &self.index {
                let entry = match self.read(disk, *place) {
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        self.give_up(disk, *sequence, *place)?;
                        continue;
                    }
                    entry => entry?,
                };
                let mut put = |entry: &Entry| {
                    fresh.take_in(entry, fresh.len);
                    fresh.len += entry.len();
                    pending.extend(entry.encode(self.key));
                };
                put(&entry);
                if place.is_wanted {
                    put(&Entry::mark(Kind::Wanted, entry.sequence));
                }
                // There may be more letters than memory.
                if pending.len() >= PIECE {
                    file.append(&std::mem::take(&mut pending))?;
                }
            }
            file.append(&pending)
        })?;
        fresh.file = Some(disk.open(&self.path())?);
        fresh.is_sound = true;
        fresh.is_unread = false;
        *self = fresh;
        Ok(())
    }

    /// A letter has rotted since it was read: one must not keep all later ones from being written.
    fn give_up(&self, disk: &dyn Disk, sequence: u64, place: Place) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let name = self.path().replace('/', "-");
        let copy = quarantine::bytes(disk, &name, &**file, place.at..place.at + place.len)?;
        error!(
            file = self.path(),
            sequence,
            quarantine = copy,
            "a dead letter is damaged and was put aside"
        );
        Ok(())
    }
}
