//! What the ledger's threads and its readers share.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex};
use sluice_batch::{Batch, Signal, Value};
use sluice_evidence::Checkpoint;
use tokio::sync::{Notify, oneshot};
use tracing::error;

use crate::clock::Clock;
use crate::commit::{AppendError, Job, Queue};
use crate::cursors::{CursorId, Cursors};
use crate::dead_letters::DeadLetters;
use crate::disk::Disk;
use crate::format::Damage;
use crate::frame::Prepared;
use crate::quarantine;
use crate::segment::{self, Segment};
use crate::settings::Settings;
use crate::tail::Tail;
use crate::tree::{Beginning, Epoch, Signed};
use crate::walk::Segments;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) disk: Arc<dyn Disk>,
    /// Those of today.
    pub(crate) settings: ArcSwap<Settings>,
    /// The ledger's id.
    pub(crate) id: [u8; 16],
    /// The sequence number behind the last record that was there when it was opened.
    pub(crate) found_end: u64,
    pub(crate) clock: Clock,
    pub(crate) queue: Queue,
    pub(crate) state: Mutex<State>,
    /// Rung when records become durable.
    pub(crate) arrived: Arc<Notify>,
    pub(crate) cursors: Cursors,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) chores: Chores,
    /// Everything below is in a signed checkpoint; `u64::MAX` without integrity.
    pub(crate) checkpointed: AtomicU64,
    /// Damaged places that were reported: segment and offset.
    pub(crate) reported: Mutex<HashSet<(u64, u64)>>,
    /// Whether the last write failed: senders are turned away and each new one tries to mend it.
    pub(crate) is_failing: AtomicBool,
    /// Whether the last sender was turned away for want of room below `max_bytes`.
    pub(crate) is_full: AtomicBool,
}

/// What changes with every commit.
#[derive(Debug)]
pub(crate) struct State {
    /// The sequence number behind the last durable record.
    pub(crate) durable: u64,
    pub(crate) tail: Tail,
    /// In order; the last may be the one that is written.
    pub(crate) segments: VecDeque<Segment>,
    /// The exporters that have a cursor now, each with its readers: during a reload an old and a new one.
    pub(crate) claimed: HashMap<CursorId, usize>,
}

impl State {
    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.len).sum()
    }
}

impl Inner {
    pub(crate) fn settings(&self) -> arc_swap::Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// Bytes that count against `max_bytes`.
    pub(crate) fn bytes(&self) -> u64 {
        self.state.lock().bytes() + self.dead_letters.bytes()
    }

    /// The first sequence number that deleting must spare.
    pub(crate) fn oldest_needed(&self) -> u64 {
        let durable = self.state.lock().durable;
        let cursors = self.cursors.oldest_needed().unwrap_or(durable);
        cursors.min(self.checkpointed.load(Ordering::Acquire))
    }
}

impl Inner {
    /// Finishes records of an exporter, which may be waiting for just that to go on.
    pub(crate) fn finish(&self, id: &CursorId, sequences: Range<u64>) {
        if self.cursors.finish(id, sequences) {
            self.arrived.notify_waiters();
        }
    }
}

/// Whether what the ledger itself wrote is durable.
pub(crate) type Told = oneshot::Receiver<Result<(), AppendError>>;

/// The pipeline of records that the ledger itself writes. No exporter reads it.
pub(crate) const OWN_PIPELINE: &str = "ledger";

impl Inner {
    /// Puts the beginning of an epoch on record: what was lost before it, the reason and the old checkpoint.
    pub(crate) fn tell_epoch(&self, epoch: &Epoch, beginning: &Beginning) -> Told {
        let batch = beginning.record(epoch, self.clock.now());
        self.write_own(vec![(OWN_PIPELINE.into(), batch)])
    }

    /// Gives each exporter of logs a signed checkpoint as an event: a copy of it where the node's operator cannot
    /// rewrite it. Says how many records that makes.
    pub(crate) fn tell_checkpoint(&self, checkpoint: &Checkpoint, signed: &Signed) -> u64 {
        let pipelines: BTreeSet<Arc<str>> = {
            let state = self.state.lock();
            let claimed = state.claimed.keys().map(|id| id.pipeline.clone());
            claimed
                .filter(|p| p.split('/').next() == Some(Signal::Logs.name()))
                .collect()
        };
        let mut batch = Batch::new(Signal::Logs);
        let mut record = batch.push_log();
        record.set_name("audit.checkpoint");
        record.set_time(signed.time);
        record.set_observed_time(signed.time);
        record.set_severity(9, "INFO");
        record.set_body(Value::Str(&signed.note));
        // The same checkpoint is the same event, also when a crash makes it be told twice.
        let uid = format!("{}:{}", checkpoint.origin(), checkpoint.size());
        record.set("log.record.uid", Value::Str(&uid));
        record.set("audit.log.origin", Value::Str(checkpoint.origin()));
        record.set("audit.log.size", Value::Int(checkpoint.size() as i64));
        record.set("audit.log.root", Value::Str(&checkpoint.root().to_base64()));
        let told = pipelines.len() as u64;
        // Nobody waits for it; a ledger that cannot be written says so itself.
        drop(self.write_own(pipelines.into_iter().map(|p| (p, batch.clone())).collect()));
        told
    }

    /// Appends records of the ledger's own. Nobody need wait for them; a ledger that cannot be written says so itself.
    fn write_own(&self, batches: Vec<(Arc<str>, Batch)>) -> Told {
        let frames = batches
            .into_iter()
            .filter_map(|(pipeline, batch)| Prepared::new(pipeline, batch, true).ok())
            .collect::<Vec<_>>();
        let (done, told) = oneshot::channel();
        if !frames.is_empty() {
            self.queue.push(Job { frames, done });
        }
        told
    }
}

impl Segments for Inner {
    fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    fn id(&self) -> [u8; 16] {
        self.id
    }

    fn locate(&self, sequence: u64) -> (Option<Segment>, u64) {
        let state = self.state.lock();
        let at = state.segments.partition_point(|s| s.end <= sequence);
        (state.segments.get(at).cloned(), state.durable)
    }

    /// Says once, whoever comes by, what is damaged, and keeps a copy.
    fn damaged(&self, first: u64, bytes: Range<u64>, why: Damage) {
        if !self.reported.lock().insert((first, bytes.start)) {
            return;
        }
        let path = segment::path(first);
        let disk = &*self.disk;
        let copy = disk.open(&path).and_then(|file| {
            quarantine::bytes(disk, &path.replace('/', "-"), &*file, bytes.clone())
        });
        error!(
            file = path, from = bytes.start, to = bytes.end, %why, quarantine = copy.ok(),
            "a part of the ledger is damaged; `sluice verify` tells which records"
        );
    }
}

/// The bell of the thread that stores cursors and deletes segments.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    state: Mutex<Pending>,
    bell: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) cursors: bool,
    pub(crate) retention: bool,
    pub(crate) stop: bool,
}

impl Chores {
    pub(crate) fn cursor_moved(&self) {
        self.ring(|p| p.cursors = true);
    }

    /// Something may be deleted that might not before.
    pub(crate) fn look_again(&self) {
        self.ring(|p| p.retention = true);
    }

    pub(crate) fn segment_sealed(&self) {
        self.ring(|p| p.retention = true);
    }

    pub(crate) fn stop(&self) {
        self.ring(|p| p.stop = true);
    }

    fn ring(&self, set: impl FnOnce(&mut Pending)) {
        let mut state = self.state.lock();
        let was_idle = !(state.cursors || state.retention || state.stop);
        set(&mut state);
        if was_idle || state.stop {
            self.bell.notify_all();
        }
    }

    /// Waits for something to do, at most this long; takes it.
    pub(crate) fn wait(&self, at_most: Duration) -> Pending {
        let mut state = self.state.lock();
        if !(state.cursors || state.retention || state.stop) {
            self.bell.wait_for(&mut state, at_most);
        }
        let pending = *state;
        (state.cursors, state.retention) = (false, false);
        pending
    }

    /// Waits this long, less when it is time to stop.
    pub(crate) fn rest(&self, long: Duration) {
        let mut state = self.state.lock();
        if !state.stop {
            self.bell.wait_while_for(&mut state, |p| !p.stop, long);
        }
    }
}
