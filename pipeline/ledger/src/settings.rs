//! What an operator may decide about the ledger.

use std::path::PathBuf;
use std::time::Duration;

/// `service.ledger`, with its defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it lies.
    pub directory: PathBuf,
    /// When a sender's OK may be given.
    pub fsync: Fsync,
    /// Bytes of segments and dead letters at most. Default 20 GiB.
    pub max_bytes: u64,
    /// A segment is sealed once it has this many bytes, and at a quarter of `max_bytes` at the latest, for the last one is
    /// never deleted. Default 64 MiB.
    pub segment_bytes: u64,
    /// How long delivered records stay.
    pub retention: Retention,
    /// What happens at `max_bytes`.
    pub on_full: OnFull,
    /// Whether records become leaves of a signed tree.
    pub integrity: Integrity,
    /// The log's identity in checkpoints, without its epoch. Default: made from the host's name.
    pub origin: Option<String>,
    /// The file with the signing key. Default: one made at first start, in the directory.
    pub key: Option<PathBuf>,
    /// Longest time between two checkpoints while records arrive. Default 60 s.
    pub checkpoint_every: Duration,
    /// Whether each checkpoint goes to every exporter of logs, as an event `audit.checkpoint`. Default false.
    pub checkpoint_events: bool,
    /// Bytes of recent records kept in memory for exporters that keep up, so that a burst from some dozens of senders is
    /// not read from the disk again. Default 48 MiB.
    pub cache_bytes: usize,
    /// How long a removed exporter's cursor keeps segments. Default 24 h.
    pub orphan_grace: Duration,
}

impl Settings {
    /// The defaults for a ledger in `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            fsync: Fsync::Always,
            max_bytes: 20 << 30,
            segment_bytes: 64 << 20,
            retention: Retention::default(),
            on_full: OnFull::Refuse,
            integrity: Integrity::Record,
            origin: None,
            key: None,
            checkpoint_every: Duration::from_secs(60),
            checkpoint_events: false,
            cache_bytes: 48 << 20,
            orphan_grace: Duration::from_secs(24 * 3600),
        }
    }
}

impl Settings {
    /// The last segment is never deleted, so it must leave room for the next.
    pub(crate) fn leave_room(&mut self) {
        self.segment_bytes = self.segment_bytes.min(self.max_bytes / 4);
    }

    /// The first key that is decided when a ledger is opened and is another one in `other`.
    #[must_use]
    pub fn fixed_difference(&self, other: &Self) -> Option<&'static str> {
        let differs = [
            ("directory", self.directory != other.directory),
            ("integrity", self.integrity != other.integrity),
            ("origin", self.origin != other.origin),
            ("key", self.key != other.key),
            ("cache_bytes", self.cache_bytes != other.cache_bytes),
        ];
        differs.iter().find(|(_, d)| *d).map(|(key, _)| *key)
    }
}

/// When records are forced to the disk. An OK always waits for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// As soon as the disk is free: all requests that came meanwhile share one.
    Always,
    /// At most once in this time: fewer writes to the disk, later answers.
    Every(Duration),
}

/// How long delivered records stay, for replay, export and proof. What comes first ends it; records that some exporter
/// still needs stay whatever this says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Default 7 days.
    pub time: Duration,
    /// Default 10 GiB.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(7 * 24 * 3600),
            bytes: 10 << 30,
        }
    }
}

/// What happens when the ledger is full of records that some exporter still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Senders are told to try again.
    Refuse,
    /// The exporter furthest behind loses its claim on the oldest records, segment by segment and no more than room is
    /// needed for; that is logged and counted.
    DetachExporter,
}

/// Whether records become leaves of a signed tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Yes: `sluice verify` can tell what was changed.
    Record,
    /// No: checksums tell accidents, not intent.
    Off,
}
