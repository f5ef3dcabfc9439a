//! The cursors of all exporters: in memory, and a small file for each.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tracing::{error, warn};

use crate::cursor::{self, Cursor, Stored};
use crate::disk::{self, Disk};
use crate::format::Damage;
use crate::quarantine;
use crate::recovery::{DamageReport, Report};

pub(crate) const DIRECTORY: &str = "cursors";
/// A cursor with as many finished ranges above its watermark lends no more until some of the gaps are filled: its file
/// stays small, and a restart repeats no more than that.
pub(crate) const MAX_GAPS: usize = 4096;
/// No stored cursor is longer.
pub(crate) const MAX_FILE: u64 = 16 << 20;

/// One exporter of one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CursorId {
    /// `signal` or `signal/name`.
    pub pipeline: Arc<str>,
    /// The exporter's id, and the key of one of several destinations.
    pub exporter: Arc<str>,
}

/// What is known of one cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The position.
    pub cursor: Cursor,
    /// Records that were damaged or taken away before this exporter had them.
    pub lost: u64,
    /// Since when no exporter has claimed it, unix nanoseconds.
    pub orphaned: Option<u64>,
    /// Whether it keeps segments from being deleted.
    pub pins: bool,
    /// It has lost its claim on what is older than this.
    claims_from: u64,
    is_dirty: bool,
}

impl State {
    /// The first sequence number that deleting must spare for it.
    pub(crate) fn needs(&self) -> u64 {
        self.cursor.low().max(self.claims_from)
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Cursors {
    disk: Arc<dyn Disk>,
    states: Mutex<BTreeMap<CursorId, State>>,
    /// Files that could not be read and whose exporters have not come yet. They keep all segments until then.
    damaged: Mutex<BTreeSet<String>>,
    /// Held while files are written: two writers of one file would take each other's half.
    writing: Mutex<()>,
}

impl Cursors {
    /// Reads what is stored. A damaged file is copied and reported: its exporter begins at the oldest record then, so
    /// that it gets some twice and misses none.
    pub(crate) fn open(disk: Arc<dyn Disk>, report: &mut Report) -> io::Result<Self> {
        disk::make_directory(&*disk, DIRECTORY)?;
        let mut states = BTreeMap::new();
        let mut damaged = BTreeSet::new();
        for entry in disk.list(DIRECTORY)? {
            let path = format!("{DIRECTORY}/{}", entry.name);
            if entry.name.ends_with(".tmp") {
                if let Err(error) = disk.remove(&path) {
                    warn!(file = path, %error, "what a write has left behind cannot be removed");
                }
                continue;
            }
            let read = disk::read(&*disk, &path, MAX_FILE).and_then(|bytes| {
                Stored::decode(&bytes).ok_or_else(|| Damage("it is no stored cursor").into())
            });
            match read {
                Ok(stored) => states.extend([loaded(&stored)]),
                Err(error) => {
                    error!(
                        file = path, %error,
                        "a cursor is damaged; its exporter begins again at the oldest record that is kept"
                    );
                    // The file stays until its exporter or nobody comes, so that this start is not the only one to know.
                    let copy = disk.open(&path).and_then(|file| {
                        let name = path.replace('/', "-");
                        quarantine::bytes(&*disk, &name, &*file, 0..file.len()?)
                    });
                    report.damages.push(DamageReport {
                        file: path,
                        bytes: None,
                        sequences: None,
                        what: format!("damaged cursor: {error}"),
                        quarantine: copy.ok(),
                    });
                    damaged.insert(entry.name);
                }
            }
        }
        Ok(Self {
            disk,
            states: Mutex::new(states),
            damaged: Mutex::new(damaged),
            writing: Mutex::new(()),
        })
    }

    /// Whether the exporter had a cursor that could not be read, and no new one yet.
    pub(crate) fn is_damaged(&self, id: &CursorId) -> bool {
        self.damaged.lock().contains(&file_name(id))
    }

    /// Puts damaged cursors aside for which no exporter has come.
    pub(crate) fn put_aside_damaged(&self) -> io::Result<()> {
        let _writing = self.writing.lock();
        let names = std::mem::take(&mut *self.damaged.lock());
        for name in names {
            warn!(
                file = name,
                "no exporter has come for this damaged cursor: it keeps no segments from being deleted"
            );
            quarantine::file(&*self.disk, &format!("{DIRECTORY}/{name}"))?;
        }
        Ok(())
    }

    /// What is stored, without changing anything. Damaged files are passed over.
    pub(crate) fn look(disk: &dyn Disk) -> io::Result<BTreeMap<CursorId, State>> {
        let files = match disk.list(DIRECTORY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            files => files?,
        };
        let mut states = BTreeMap::new();
        for file in files.iter().filter(|f| !f.name.ends_with(".tmp")) {
            let path = format!("{DIRECTORY}/{}", file.name);
            match disk::read(disk, &path, MAX_FILE) {
                Ok(bytes) => states.extend(Stored::decode(&bytes).map(|stored| loaded(&stored))),
                // Replaced while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(states)
    }

    /// Claims a cursor for an exporter of the configuration; `start` is where a new one begins.
    pub(crate) fn claim(&self, id: &CursorId, start: u64) -> Cursor {
        let mut states = self.states.lock();
        let state = states.entry(id.clone()).or_insert_with(|| State {
            cursor: Cursor::at(start),
            lost: 0,
            orphaned: None,
            pins: true,
            claims_from: 0,
            is_dirty: true,
        });
        state.is_dirty |= state.orphaned.take().is_some();
        state.pins = true;
        self.damaged.lock().remove(&file_name(id));
        state.cursor.clone()
    }

    /// Marks those that nobody has claimed (`is_claimed` is false) as orphaned from `now` on.
    pub(crate) fn orphan(&self, now: u64, is_claimed: impl Fn(&CursorId) -> bool) {
        for (id, state) in self.states.lock().iter_mut() {
            if !is_claimed(id) && state.orphaned.is_none() {
                state.orphaned = Some(now);
                state.is_dirty = true;
            }
        }
    }

    /// Finishes records. Says whether that ended a time in which no more could be lent.
    pub(crate) fn finish(&self, id: &CursorId, range: Range<u64>) -> bool {
        let mut is_open_again = false;
        self.change(id, |state| {
            let was_full = state.cursor.gaps() >= MAX_GAPS;
            state.cursor.finish(range);
            is_open_again = was_full && state.cursor.gaps() < MAX_GAPS;
        });
        is_open_again
    }

    /// Whether so much is finished above the watermark that gaps must be filled first.
    pub(crate) fn is_full_of_gaps(&self, id: &CursorId) -> bool {
        let states = self.states.lock();
        states.get(id).is_some_and(|s| s.cursor.gaps() >= MAX_GAPS)
    }

    /// Whether everything before `end` is finished. Also of a cursor that is there no more.
    pub(crate) fn has_passed(&self, id: &CursorId, end: u64) -> bool {
        let states = self.states.lock();
        states.get(id).is_none_or(|s| s.cursor.low() >= end)
    }

    /// What of these records is not finished.
    pub(crate) fn open_in(&self, id: &CursorId, range: Range<u64>) -> Vec<Range<u64>> {
        let states = self.states.lock();
        states
            .get(id)
            .map_or_else(Vec::new, |state| state.cursor.open(range))
    }

    /// Finishes records that nobody will ever see again, and counts them.
    pub(crate) fn lose(&self, id: &CursorId, range: Range<u64>) {
        self.change(id, |state| {
            let open = state.cursor.open(range.clone());
            state.lost += open.iter().map(|r| r.end - r.start).sum::<u64>();
            state.cursor.finish(range);
        });
    }

    /// Lets a cursor pin nothing any more.
    pub(crate) fn unpin(&self, id: &CursorId) {
        self.change(id, |state| state.pins = false);
    }

    /// Takes the claim on everything before `sequence` from a cursor; what comes after it keeps.
    pub(crate) fn disclaim(&self, id: &CursorId, sequence: u64) {
        self.change(id, |state| {
            state.claims_from = state.claims_from.max(sequence);
        });
    }

    fn change(&self, id: &CursorId, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.states.lock().get_mut(id) {
            change(state);
            state.is_dirty = true;
        }
    }

    /// Removes a cursor and its file.
    pub(crate) fn forget(&self, id: &CursorId) -> io::Result<bool> {
        let _writing = self.writing.lock();
        let was_there = self.states.lock().remove(id).is_some();
        match self.disk.remove(&format!("{DIRECTORY}/{}", file_name(id))) {
            Ok(()) => self.disk.sync_directory(DIRECTORY)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(was_there)
    }

    /// All of them as they are now.
    pub(crate) fn all(&self) -> BTreeMap<CursorId, State> {
        self.states.lock().clone()
    }

    /// The first sequence number that some cursor still needs; `None` when none pins anything.
    pub(crate) fn oldest_needed(&self) -> Option<u64> {
        if !self.damaged.lock().is_empty() {
            return Some(0);
        }
        let states = self.states.lock();
        states.values().filter(|s| s.pins).map(State::needs).min()
    }

    /// Whether any has moved since it was stored.
    pub(crate) fn is_dirty(&self) -> bool {
        self.states.lock().values().any(|s| s.is_dirty)
    }

    /// Stores those that have moved. After an error the rest stays to be stored.
    pub(crate) fn store(&self) -> io::Result<()> {
        let _writing = self.writing.lock();
        let dirty: Vec<(CursorId, Stored)> = {
            let mut states = self.states.lock();
            let dirty = states.iter_mut().filter(|(_, s)| s.is_dirty);
            dirty
                .map(|(id, state)| {
                    state.is_dirty = false;
                    (id.clone(), stored(id, state))
                })
                .collect()
        };
        let mut result = Ok(());
        for (id, stored) in dirty {
            if result.is_ok() {
                result = disk::replace(&*self.disk, DIRECTORY, &file_name(&id), &stored.encode());
            }
            if result.is_err() {
                self.change(&id, |_| ());
            }
        }
        result
    }
}

fn loaded(stored: &Stored) -> (CursorId, State) {
    let id = CursorId {
        pipeline: stored.pipeline.as_str().into(),
        exporter: stored.exporter.as_str().into(),
    };
    let state = State {
        cursor: stored.cursor(),
        lost: stored.lost,
        orphaned: stored.orphaned,
        pins: true,
        claims_from: 0,
        is_dirty: false,
    };
    (id, state)
}

fn stored(id: &CursorId, state: &State) -> Stored {
    Stored {
        version: cursor::VERSION,
        pipeline: id.pipeline.to_string(),
        exporter: id.exporter.to_string(),
        low: state.cursor.low(),
        done: state.cursor.done().map(|r| (r.start, r.end)).collect(),
        lost: state.lost,
        orphaned: state.orphaned,
    }
}

/// What this machine is called, as far as a checkpoint's origin can hold it.
pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        .collect();
    if name.is_empty() { "node".into() } else { name }
}

/// Readable for people, and different for any two ids.
fn file_name(id: &CursorId) -> String {
    format!("{}.cursor", named(&[&id.pipeline, &id.exporter]))
}

/// A file name made of ids: what of them a file name may hold, and a hash that tells any two apart.
pub(crate) fn named(ids: &[&str]) -> String {
    let readable: String = ids
        .join("-")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(100)
        .collect();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update((id.len() as u64).to_le_bytes());
        hash.update(id.as_bytes());
    }
    let hash = hash.finalize();
    let tail: String = hash[..6].iter().map(|b| format!("{b:02x}")).collect();
    format!("{readable}-{tail}")
}
