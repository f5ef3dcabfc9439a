//! The one thread that writes the log: whatever requests have come while the disk was busy share one write and one
//! fsync, and are answered after it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;
use tracing::{error, info};

use crate::disk::File;
use crate::format::{HEAD, HEADER, Header, Key};
use crate::frame::Prepared;
use crate::inner::Inner;
use crate::keeper::Keeper;
use crate::quarantine;
use crate::retention;
use crate::segment::{self, Segment};
use crate::settings::{Fsync, OnFull};
use crate::tail::TailEntry;

/// Why records were not made durable. The sender must try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// `max_bytes` is reached, and all of it is needed.
    #[error("the ledger is full: {0}")]
    Full(String),
    /// The disk failed or is full.
    #[error("the ledger cannot be written: {0}")]
    Failed(String),
    /// The ledger is closed.
    #[error("the ledger is closed")]
    Closed,
    /// The records cannot be written in any ledger.
    #[error("the records cannot be written: {0}")]
    Impossible(&'static str),
}

/// One request: its frames become durable together or not at all.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) frames: Vec<Prepared>,
    pub(crate) done: oneshot::Sender<Result<(), AppendError>>,
}

impl Job {
    fn len(&self) -> u64 {
        self.frames.iter().map(|f| f.len() as u64).sum()
    }

    /// Bytes of memory that it keeps.
    fn memory(&self) -> usize {
        self.frames.iter().map(|f| f.batch.memory() + f.len()).sum()
    }
}

/// What waits for the committing thread.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    jobs: Mutex<Jobs>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    /// Bytes of memory that those who wait keep.
    memory: usize,
    is_closed: bool,
}

/// What waits for the disk keeps at most so much memory. A disk that hangs would otherwise gather everything that
/// senders send, and send again because they hear nothing.
pub(crate) const QUEUE_MEMORY: usize = 256 << 20;

impl Queue {
    pub(crate) fn push(&self, job: Job) {
        let mut jobs = self.jobs.lock();
        if jobs.is_closed {
            // Whoever hung up needs no answer.
            let _ = job.done.send(Err(AppendError::Closed));
            return;
        }
        let memory = job.memory();
        if jobs.memory > 0 && jobs.memory + memory > QUEUE_MEMORY {
            let why = "the disk does not keep up".to_owned();
            let _ = job.done.send(Err(AppendError::Failed(why)));
            return;
        }
        jobs.memory += memory;
        jobs.waiting.push_back(job);
        self.bell.notify_one();
    }

    pub(crate) fn close(&self) {
        self.jobs.lock().is_closed = true;
        self.bell.notify_one();
    }

    /// Nobody comes any more: whoever waits or will come is answered now.
    fn abandon(&self) {
        let mut jobs = self.jobs.lock();
        jobs.is_closed = true;
        jobs.memory = 0;
        for job in jobs.waiting.drain(..) {
            let _ = job.done.send(Err(AppendError::Closed));
        }
    }

    /// Waits for work and takes about `max_bytes` of it; nothing once it is closed and empty.
    fn take(&self, max_bytes: u64, not_before: Option<Instant>) -> Vec<Job> {
        let mut jobs = self.jobs.lock();
        while jobs.waiting.is_empty() {
            if jobs.is_closed {
                return Vec::new();
            }
            self.bell.wait(&mut jobs);
        }
        if let Some(deadline) = not_before {
            self.bell
                .wait_while_until(&mut jobs, |jobs| !jobs.is_closed, deadline);
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(job) = jobs.waiting.front() {
            bytes += job.len();
            if bytes > max_bytes && !taken.is_empty() {
                break;
            }
            taken.extend(jobs.waiting.pop_front());
        }
        jobs.memory = jobs
            .memory
            .saturating_sub(taken.iter().map(Job::memory).sum());
        taken
    }
}

/// A write to the disk gathers about this much.
const COMMIT_BYTES: u64 = 16 << 20;

/// The committing thread's own.
#[derive(Debug)]
pub(crate) struct Committer {
    inner: Arc<Inner>,
    keeper: Option<Keeper>,
    key: Key,
    active: Option<Box<dyn File>>,
    buffer: Vec<u8>,
    synced: Option<Instant>,
}

/// However the thread ends, no sender waits for it in vain.
impl Drop for Committer {
    fn drop(&mut self) {
        self.inner.queue.abandon();
    }
}

impl Committer {
    pub(crate) fn new(inner: Arc<Inner>, keeper: Option<Keeper>) -> Self {
        Self {
            key: Key::of(&inner.id),
            inner,
            keeper,
            active: None,
            buffer: Vec::new(),
            synced: None,
        }
    }

    /// Commits until the queue is closed and empty. Gives the keeper back, for the last checkpoint.
    pub(crate) fn run(mut self) -> Option<Keeper> {
        loop {
            let not_before = match self.inner.settings().fsync {
                Fsync::Always => None,
                Fsync::Every(time) => self.synced.map(|at| at + time),
            };
            let jobs = self.inner.queue.take(COMMIT_BYTES, not_before);
            if jobs.is_empty() {
                break;
            }
            self.commit(jobs);
        }
        self.seal();
        self.keeper.take()
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        let jobs = self.with_room(jobs);
        if jobs.is_empty() {
            return;
        }
        let first = self.inner.state.lock().durable;
        let accepted = self.inner.clock.now();
        match self.write(&jobs, first, accepted) {
            Ok(()) => {
                if self.inner.is_failing.swap(false, Ordering::Relaxed) {
                    info!("the ledger can be written again");
                }
                self.synced = Some(Instant::now());
                self.publish(jobs, first, accepted);
            }
            Err(failure) => {
                if !self.inner.is_failing.swap(true, Ordering::Relaxed) {
                    error!(error = %failure, "the ledger cannot be written; senders are told to try again");
                }
                self.abandon();
                let error = AppendError::Failed(failure.to_string());
                for job in jobs {
                    let _ = job.done.send(Err(error.clone()));
                }
            }
        }
    }

    /// Those jobs for which there is room below `max_bytes`; the others are answered.
    fn with_room(&self, jobs: Vec<Job>) -> Vec<Job> {
        // A segment may begin and end with these.
        let mut wanted = (HEADER + HEAD) as u64;
        let mut fitting = Vec::with_capacity(jobs.len());
        for job in jobs {
            if self.makes_room(wanted + job.len()) {
                wanted += job.len();
                fitting.push(job);
            } else {
                let why = retention::why_full(&self.inner);
                if !self.inner.is_full.swap(true, Ordering::Relaxed) {
                    error!(why, "the ledger is full; senders are told to try again");
                }
                let _ = job.done.send(Err(AppendError::Full(why)));
            }
        }
        if !fitting.is_empty() && self.inner.is_full.swap(false, Ordering::Relaxed) {
            info!("the ledger has room again");
        }
        fitting
    }

    /// Deletes what it may for so many bytes. Says whether there is room for them.
    fn makes_room(&self, wanted: u64) -> bool {
        let settings = self.inner.settings();
        let may_detach = settings.on_full == OnFull::DetachExporter;
        while self.inner.bytes() + wanted > settings.max_bytes {
            retention::collect(&self.inner, wanted);
            if self.inner.bytes() + wanted <= settings.max_bytes {
                break;
            }
            // Nobody loses anything for what can never fit.
            let is_worth_it = may_detach && wanted <= settings.max_bytes;
            if !is_worth_it || !retention::detach_last(&self.inner) {
                return false;
            }
        }
        true
    }

    /// One write, one fsync. After an error nothing of it counts.
    fn write(&mut self, jobs: &[Job], first: u64, accepted: u64) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut next = first;
        for frame in jobs.iter().flat_map(|j| &j.frames) {
            frame.write(self.key, next, accepted, &mut buffer);
            next += frame.count();
        }
        let written = self.active(first, accepted).and_then(|file| {
            file.append(&buffer)?;
            file.sync()
        });
        if buffer.capacity() <= 2 * COMMIT_BYTES as usize {
            self.buffer = buffer;
        }
        written
    }

    /// The segment to write to, a new one if need be.
    fn active(&mut self, first: u64, now: u64) -> io::Result<&dyn File> {
        let file = match self.active.take() {
            Some(file) => file,
            None => {
                let file = self.create(first, now)?;
                let mut state = self.inner.state.lock();
                state.segments.push_back(Segment::new(first, now));
                file
            }
        };
        Ok(&**self.active.insert(file))
    }

    fn create(&self, first: u64, now: u64) -> io::Result<Box<dyn File>> {
        let disk = &*self.inner.disk;
        let path = segment::path(first);
        let header = Header {
            first,
            created: now,
            ledger: self.inner.id,
        };
        let file = match disk.create(&path) {
            // Left by a write that failed: no record in it was ever acknowledged.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                quarantine::file(disk, &path)?;
                disk.create(&path)?
            }
            created => created?,
        };
        let made = file
            .append(&header.encode())
            .and_then(|()| file.sync())
            .and_then(|()| disk.sync_directory(segment::DIRECTORY));
        if let Err(error) = made {
            let _ = disk.remove(&path);
            return Err(error);
        }
        Ok(file)
    }

    /// After a failed write nothing is known of the file's end, and after a failed fsync nothing of what was written
    /// since the last good one: the file is cut back to what is durable and never written again.
    fn abandon(&mut self) {
        let Some(file) = self.active.take() else {
            return;
        };
        let mut state = self.inner.state.lock();
        let Some(segment) = state.segments.back().cloned() else {
            return;
        };
        if segment.first == segment.end {
            state.segments.pop_back();
            drop(state);
            // Its name is needed again; if it stays, `create` moves it away.
            let _ = self.inner.disk.remove(&segment::path(segment.first));
            let _ = self.inner.disk.sync_directory(segment::DIRECTORY);
            return;
        }
        drop(state);
        // If this fails too, a reader stops where the next segment begins.
        let _ = file.truncate(segment.len).and_then(|()| file.sync());
    }

    /// Shows what is durable to the readers and answers the senders.
    fn publish(&mut self, jobs: Vec<Job>, first: u64, accepted: u64) {
        let mut next = first;
        let mut answers = Vec::with_capacity(jobs.len());
        let mut leaves = Vec::new();
        let is_full = {
            let mut state = self.inner.state.lock();
            for job in jobs {
                answers.push(job.done);
                for frame in job.frames {
                    let end = next + frame.count();
                    let len = frame.len() as u64;
                    if let Some(segment) = state.segments.back_mut() {
                        segment.add(end, len, accepted, frame.times());
                    }
                    leaves.extend(frame.commitments);
                    state
                        .tail
                        .push(TailEntry::new(frame.pipeline, next, frame.batch));
                    next = end;
                }
            }
            state.durable = next;
            state.tail.evict();
            state
                .segments
                .back()
                .is_some_and(|s| s.len >= self.inner.settings().segment_bytes)
        };
        self.inner.arrived.notify_waiters();
        for answer in answers {
            // A sender that hung up loses the answer and nothing else.
            let _ = answer.send(Ok(()));
        }
        if let Some(keeper) = &self.keeper {
            keeper.add(first, accepted, leaves);
        }
        if is_full {
            self.seal();
        }
    }

    /// Completes the segment; the next record opens another.
    fn seal(&mut self) {
        let Some(file) = self.active.take() else {
            return;
        };
        let Some(segment) = self.inner.state.lock().segments.back().cloned() else {
            return;
        };
        let seal = segment.seal(self.inner.clock.now()).encode(self.key);
        let sealed = file.append(&seal).and_then(|()| file.sync());
        {
            let mut state = self.inner.state.lock();
            if let Some(segment) = state.segments.back_mut() {
                match &sealed {
                    Ok(()) => {
                        segment.len += seal.len() as u64;
                        segment.is_sealed = true;
                    }
                    // All its records are durable; only the next start takes longer.
                    Err(error) => error!(%error, "a segment of the ledger cannot be sealed"),
                }
            }
        }
        if let Some(keeper) = &self.keeper {
            keeper.sealed();
        }
        self.inner.chores.segment_sealed();
    }
}
