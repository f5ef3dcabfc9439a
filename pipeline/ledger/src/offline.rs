//! A ledger in an operator's hand while nothing runs: held by the lock, mended, a cursor forgotten, nothing appended. No signing key is
//! needed, so that whoever repairs a ledger cannot begin a new epoch by accident.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::cursors::{CursorId, Cursors};
use crate::dead_letters::DeadLetters;
use crate::disk::{Disk, RealDisk};
use crate::format::Key;
use crate::lock::{Lock, LockError};
use crate::recovery::{self, Report};
use crate::view::View;

/// A ledger that no process runs.
#[derive(Debug)]
pub struct Offline {
    disk: Arc<dyn Disk>,
    _lock: Lock,
}

/// Why a ledger cannot be taken in hand.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// A process runs it, or the directory cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is none, or the file system refuses to be read.
    #[error("{directory} is no ledger that can be read: {source}")]
    Io {
        /// The directory.
        directory: String,
        /// Why.
        source: io::Error,
    },
}

/// What a repair found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Damage in segments, cursors and dead letters.
    pub report: Report,
    /// Segments that an ended process had left open, by their first record.
    pub sealed: Vec<u64>,
    /// Records that cannot be read any more, ascending.
    pub lost: Vec<Range<u64>>,
}

impl Offline {
    /// Takes the lock of a ledger that is there.
    ///
    /// # Errors
    /// [`LockError::InUse`] when a process runs it.
    pub fn take(directory: &Path) -> Result<Self, OfflineError> {
        // Before the lock, which would make a directory of a mistyped name.
        fs::read_dir(directory.join("segments")).map_err(|source| OfflineError::Io {
            directory: directory.display().to_string(),
            source,
        })?;
        let lock = Lock::take(directory)?;
        Ok(Self {
            disk: Arc::new(RealDisk::new(directory)),
            _lock: lock,
        })
    }

    /// Does to the files what a start does: a torn end is cut off, segments are sealed, what is damaged is put aside.
    /// The tree is left to the next start, which has the key.
    ///
    /// # Errors
    /// Of the file system.
    pub fn repair(&self) -> io::Result<Repaired> {
        let disk = &self.disk;
        let before = View::open_on(disk.clone())?;
        let mut recovered = recovery::recover(&**disk)?;
        let report = &mut recovered.report;
        Cursors::open(disk.clone(), report)?;
        DeadLetters::open(disk.clone(), Key::of(&recovered.id), report)?;
        let sealed = recovered.segments.iter().filter(|s| s.is_sealed);
        let sealed = sealed.map(|s| s.first);
        let was_open = |first: &u64| {
            let mut segments = before.segments().iter();
            segments.any(|s| s.first == *first && !s.is_sealed)
        };
        let damages = &recovered.report.damages;
        let mut lost: Vec<_> = damages.iter().filter_map(|d| d.sequences.clone()).collect();
        lost.push(View::open_on(disk.clone())?.lost_end()?);
        lost.retain(|range| !range.is_empty());
        lost.sort_by_key(|range| range.start);
        Ok(Repaired {
            sealed: sealed.filter(was_open).collect(),
            report: recovered.report,
            lost,
        })
    }

    /// Removes a cursor; says whether it was there.
    ///
    /// # Errors
    /// Of the file system.
    pub fn forget(&self, id: &CursorId) -> io::Result<bool> {
        Cursors::open(self.disk.clone(), &mut Report::default())?.forget(id)
    }
}
