//! A ledger looked at from outside: running or not, without a lock, changing nothing.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::cursors::{CursorId, Cursors, State as CursorState};
use crate::dead_letters::DeadLetters;
use crate::disk::{Disk, RealDisk};
use crate::format::{Damage, Key};
use crate::frame::Frame;
use crate::lock::Lock;
use crate::recovery::{self, DamageReport, Report};
use crate::segment::{self, Segment};
use crate::tree::{self, Epoch, HashFiles, Signed};
use crate::walk::{Segments, Step, Walk};

/// A ledger as it is when it is looked at. What a running process appends later is not seen.
#[derive(Clone, Debug)]
pub struct View {
    log: Arc<Stored>,
    report: Report,
}

#[derive(Debug)]
struct Stored {
    disk: Arc<dyn Disk>,
    id: [u8; 16],
    segments: Vec<Segment>,
    damages: Mutex<Vec<DamageReport>>,
}

/// What stands next in the log.
#[derive(Debug)]
pub enum Entry {
    /// Records, as they are stored.
    Frame(Frame),
    /// Records that are damaged or missing.
    Lost(Range<u64>),
}

impl View {
    /// Looks at the ledger in a directory.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none; others of the file system.
    pub fn open(directory: &Path) -> io::Result<Self> {
        Self::open_on(Arc::new(RealDisk::new(directory)))
    }

    /// Looks at the ledger on a disk of the caller's.
    ///
    /// # Errors
    /// As [`View::open`].
    pub fn open_on(disk: Arc<dyn Disk>) -> io::Result<Self> {
        let recovered = recovery::look(&*disk)?;
        Ok(Self {
            report: recovered.report,
            ..Self::of(disk, recovered.id, recovered.segments)
        })
    }

    /// A view of these segments.
    pub(crate) fn of(disk: Arc<dyn Disk>, id: [u8; 16], segments: Vec<Segment>) -> Self {
        Self {
            log: Arc::new(Stored {
                disk,
                id,
                segments,
                damages: Mutex::default(),
            }),
            report: Report::default(),
        }
    }

    /// What is damaged, as far as the segments' ends show it. The frames of a sealed segment are checked when they are
    /// read: see [`View::damages`].
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// What reading found damaged until now.
    #[must_use]
    pub fn damages(&self) -> Vec<DamageReport> {
        self.log.damages.lock().clone()
    }

    /// The segments, oldest first.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.log.segments
    }

    /// The records that are kept: the first one's sequence number, and the one behind the last.
    #[must_use]
    pub fn sequences(&self) -> Range<u64> {
        let first = self.log.segments.first().map_or(0, |s| s.first);
        first..self.log.segments.last().map_or(first, |s| s.end)
    }

    /// Everything from record `from` on, in order.
    pub fn entries(&self, from: u64) -> impl Iterator<Item = io::Result<Entry>> + use<> {
        let from = from.max(self.sequences().start);
        let mut walk = Walk::from(self.log.clone(), from);
        std::iter::from_fn(move || {
            let step = walk.next(|_| true).transpose()?;
            Some(step.map(|step| match step {
                Step::Frame { frame, .. } => Entry::Frame(frame),
                Step::Lost(range) | Step::Other(range) => Entry::Lost(range),
            }))
        })
    }

    /// The exporters' cursors as they are stored.
    ///
    /// # Errors
    /// Of the file system.
    pub fn cursors(&self) -> io::Result<BTreeMap<CursorId, CursorState>> {
        Cursors::look(&*self.log.disk)
    }

    /// The dead letters as they are stored. Only for reading.
    ///
    /// # Errors
    /// Of the file system.
    pub fn dead_letters(&self) -> io::Result<DeadLetters> {
        DeadLetters::look(self.log.disk.clone(), Key::of(&self.log.id))
    }

    /// The dead letters for changing, by whoever holds the directory's lock.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::InvalidData`] when nothing tells the ledger's id any more, without which
    /// every letter would look damaged.
    pub fn dead_letters_to_change(&self, _lock: &Lock) -> io::Result<DeadLetters> {
        if self.ledger_id().is_none() {
            let why = "ledger.json is missing or damaged, and no segment tells the ledger's id";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        DeadLetters::open(
            self.log.disk.clone(),
            Key::of(&self.log.id),
            &mut Report::default(),
        )
    }

    /// Which log this is, if it has a tree.
    ///
    /// # Errors
    /// Of the file system.
    pub fn epoch(&self) -> io::Result<Option<Epoch>> {
        Epoch::read(&*self.log.disk)
    }

    /// All signed checkpoints, oldest first.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::InvalidData`] names the first that is damaged.
    pub fn checkpoints(&self) -> io::Result<Vec<Signed>> {
        tree::checkpoints(&*self.log.disk)
    }

    /// The ledger's id.
    pub(crate) fn id(&self) -> [u8; 16] {
        self.log.id
    }

    /// The ledger's id, a UUID; `None` when every file that tells it is missing or damaged.
    #[must_use]
    pub fn ledger_id(&self) -> Option<String> {
        let id = uuid::Uuid::from_bytes(self.log.id);
        (!id.is_nil()).then(|| id.hyphenated().to_string())
    }

    /// Records that a cursor or the newest checkpoint counts as past and that are gone from the log's end. Only right
    /// when the cursors were stored before this view was opened, or nothing runs.
    ///
    /// # Errors
    /// Of the file system.
    pub fn lost_end(&self) -> io::Result<Range<u64>> {
        let end = self.sequences().end;
        let passed = self.cursors()?.values().map(|s| s.cursor.high()).max();
        let signed = tree::signed_end(&*self.log.disk);
        Ok(end..end.max(passed.unwrap_or(0)).max(signed))
    }

    /// The stored hashes of an epoch.
    #[must_use]
    pub fn hashes(&self, epoch: u64) -> HashFiles {
        HashFiles::view(self.log.disk.clone(), epoch)
    }
}

impl Segments for Stored {
    fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    fn id(&self) -> [u8; 16] {
        self.id
    }

    fn locate(&self, sequence: u64) -> (Option<Segment>, u64) {
        let at = self.segments.partition_point(|s| s.end <= sequence);
        (
            self.segments.get(at).cloned(),
            self.segments.last().map_or(0, |s| s.end),
        )
    }

    fn damaged(&self, first: u64, bytes: Range<u64>, why: Damage) {
        self.damages.lock().push(DamageReport {
            file: segment::path(first),
            bytes: Some(bytes),
            sequences: None,
            what: why.to_string(),
            quarantine: None,
        });
    }
}
