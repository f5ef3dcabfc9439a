//! The durable log of a node: opened once, shared by all pipelines, closed last.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use sluice_batch::Batch;
use sluice_evidence::SigningKey;
use tokio::sync::oneshot;
use tracing::{error, info};

use crate::clock::{self, Clock, Wall};
use crate::commit::{AppendError, Committer, Job, Queue};
use crate::cursors::{Cursors, State as CursorState};
use crate::dead_letters::DeadLetters;
use crate::disk::{Disk, RealDisk};
use crate::feed::{self, LedgerFeed};
use crate::format::Key;
use crate::frame::Prepared;
use crate::inner::{Chores, Inner, State};
use crate::keeper::Keeper;
use crate::lease::Refusal;
use crate::lock::{Lock, LockError};
use crate::reader::{Feed, Reader};
use crate::recovery::{self, Report};
use crate::retention;
use crate::settings::{Integrity, Settings};
use crate::tail::Tail;
use crate::tree;
use crate::view::View;
use crate::walk::{Step, Walk};
use crate::{CursorId, cursors};

/// The log of a node. Cheap to clone; [`Ledger::close`] ends it.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) inner: Arc<Inner>,
    threads: Arc<Mutex<Option<Threads>>>,
    report: Arc<Report>,
    _lock: Option<Arc<Lock>>,
}

struct Threads {
    commit: JoinHandle<Option<Keeper>>,
    chores: JoinHandle<()>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("directory", &self.inner.settings().directory)
            .finish_non_exhaustive()
    }
}

/// Why a ledger cannot be opened. Damage in it is never a reason; that a newer program has written it is.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it, or the directory cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file system refuses what every start needs.
    #[error("cannot open the ledger in {directory}: {source}")]
    Io {
        /// The directory.
        directory: String,
        /// Why.
        source: io::Error,
    },
    /// The signing key cannot be used.
    #[error("cannot use the ledger's signing key {path}: {source}")]
    Key {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Where an exporter begins that the ledger does not know yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With the next record.
    Now,
    /// With the oldest record that is kept.
    Beginning,
}

impl Ledger {
    /// Opens the ledger in the settings' directory, and makes one if there is none. At most one process at a time.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        let lock = Lock::take(&settings.directory)?;
        let disk = Arc::new(RealDisk::new(&settings.directory));
        let key = match settings.integrity {
            Integrity::Record => Some(signing_key(&settings)?),
            Integrity::Off => None,
        };
        let mut ledger = Self::open_on(disk, settings, key)?;
        ledger._lock = Some(Arc::new(lock));
        Ok(ledger)
    }

    /// Opens a ledger on a disk of the caller's. `key` signs its checkpoints; without one there is no tree.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        settings: Settings,
        key: Option<SigningKey>,
    ) -> Result<Self, OpenError> {
        Self::open_at(disk, settings, key, clock::system())
    }

    /// The same where `wall` tells the time.
    pub(crate) fn open_at(
        disk: Arc<dyn Disk>,
        mut settings: Settings,
        key: Option<SigningKey>,
        wall: Wall,
    ) -> Result<Self, OpenError> {
        settings.leave_room();
        let directory = settings.directory.display().to_string();
        let failed = |source| OpenError::Io {
            directory: directory.clone(),
            source,
        };
        let mut recovered = recovery::recover(&*disk).map_err(failed)?;
        let cursors = Cursors::open(disk.clone(), &mut recovered.report).map_err(failed)?;
        let dead_letters =
            DeadLetters::open(disk.clone(), Key::of(&recovered.id), &mut recovered.report)
                .map_err(failed)?;
        let durable = recovery::next_sequence(&*disk, &recovered, &cursors, &dead_letters);
        let accepted = recovered.segments.last().map_or(0, |s| s.accepted);
        let cache = settings.cache_bytes;
        let inner = Arc::new(Inner {
            disk,
            id: recovered.id,
            found_end: recovered.segments.last().map_or(0, |s| s.end),
            clock: Clock::after(accepted, wall),
            queue: Queue::default(),
            state: Mutex::new(State {
                durable,
                tail: Tail::new(cache),
                segments: recovered.segments.into(),
                claimed: HashMap::with_hasher(RandomState::new()),
            }),
            arrived: Arc::default(),
            cursors,
            dead_letters,
            chores: Chores::default(),
            checkpointed: AtomicU64::new(if key.is_some() { 0 } else { u64::MAX }),
            reported: Mutex::default(),
            is_failing: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            settings: ArcSwap::from_pointee(settings),
        });
        let keeper = match key {
            Some(key) => {
                let base = base(&inner.settings(), &inner.id);
                Some(Keeper::start(inner.clone(), key, base).map_err(failed)?)
            }
            None => None,
        };
        let commit = {
            let committer = Committer::new(inner.clone(), keeper);
            thread("sluice-commit", move || committer.run()).map_err(failed)?
        };
        let chores = {
            let inner = inner.clone();
            thread("sluice-chores", move || do_chores(&inner)).map_err(failed)?
        };
        Ok(Self {
            inner,
            threads: Arc::new(Mutex::new(Some(Threads { commit, chores }))),
            report: Arc::new(recovered.report),
            _lock: None,
        })
    }

    /// What was found damaged at the start.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Makes batches of one request durable, all of them or none: each goes to the pipeline of its name. The costly part
    /// is done before this returns; the future resolves after the fsync.
    ///
    /// # Errors
    /// Nothing was made durable; the sender must try again.
    pub fn append(
        &self,
        batches: Vec<(Arc<str>, Batch)>,
    ) -> impl Future<Output = Result<(), AppendError>> + Send + use<> {
        let with_evidence = self.inner.settings().integrity == Integrity::Record;
        let frames: Result<Vec<Prepared>, _> = batches
            .into_iter()
            .filter(|(_, batch)| !batch.is_empty())
            .map(|(pipeline, batch)| Prepared::new(pipeline, batch, with_evidence))
            .collect();
        let answer = match frames {
            Err(damage) => Err(AppendError::Impossible(damage.0)),
            Ok(frames) if frames.is_empty() => Ok(None),
            Ok(frames) => {
                let (done, answer) = oneshot::channel();
                self.inner.queue.push(Job { frames, done });
                Ok(Some(answer))
            }
        };
        async move {
            match answer? {
                None => Ok(()),
                Some(answer) => answer.await.unwrap_or(Err(AppendError::Closed)),
            }
        }
    }

    /// The cursor of an exporter, from where it stood when the last process ended; a new one begins as `start` says.
    /// Its place is stored before this returns.
    ///
    /// # Errors
    /// The cursor cannot be stored.
    pub fn reader(&self, id: CursorId, start: StartAt) -> io::Result<Reader> {
        // Where an exporter stood that lost its cursor to damage nobody knows: some twice rather than one never.
        let start = match start {
            StartAt::Now if self.inner.cursors.is_damaged(&id) => StartAt::Beginning,
            start => start,
        };
        let start = {
            let state = self.inner.state.lock();
            match start {
                StartAt::Now => state.durable,
                StartAt::Beginning => state.segments.front().map_or(state.durable, |s| s.first),
            }
        };
        let feed = LedgerFeed::new(self.inner.clone(), id, start);
        self.inner.cursors.store()?;
        Ok(Reader::new(Feed::Ledger(Box::new(feed))))
    }

    /// Says that every exporter of the configuration has its reader now: other cursors are orphaned from here on.
    ///
    /// # Errors
    /// The cursors cannot be stored.
    pub fn all_claimed(&self) -> io::Result<()> {
        {
            // Held meanwhile: a reader that comes now must not find itself orphaned.
            let state = self.inner.state.lock();
            let now = self.inner.clock.wall();
            let is_claimed = |id: &CursorId| state.claimed.contains_key(id);
            self.inner.cursors.orphan(now, is_claimed);
        }
        self.inner.cursors.put_aside_damaged()?;
        self.inner.cursors.store()
    }

    /// What is durable now, as one looks at a ledger from outside: for replay and export.
    #[must_use]
    pub fn view(&self) -> View {
        let segments = self.inner.state.lock().segments.iter().cloned().collect();
        View::of(self.inner.disk.clone(), self.inner.id, segments)
    }

    /// Shows every batch of the last `window`, oldest first, with its pipeline and how long ago it was accepted.
    ///
    /// # Errors
    /// Of the file system. What is damaged is passed over.
    pub fn recent(
        &self,
        window: Duration,
        mut see: impl FnMut(&str, Duration, Batch),
    ) -> io::Result<()> {
        let now = self.inner.clock.wall();
        let since = now.saturating_sub(u64::try_from(window.as_nanos()).unwrap_or(u64::MAX));
        let first = {
            let state = self.inner.state.lock();
            let first = state.segments.iter().find(|s| s.accepted >= since);
            first.map(|s| s.first)
        };
        let Some(first) = first else { return Ok(()) };
        let mut walk = Walk::from(self.inner.clone(), first);
        while let Some(step) = walk.next(|_| true)? {
            if let Step::Frame { frame, .. } = step
                && frame.head.accepted >= since
            {
                let age = Duration::from_nanos(now.saturating_sub(frame.head.accepted));
                if let Ok(batch) = frame.batch() {
                    see(&frame.pipeline, age, batch);
                }
            }
        }
        Ok(())
    }

    /// The letters of records that destinations refused for good.
    #[must_use]
    pub fn dead_letters(&self) -> &DeadLetters {
        &self.inner.dead_letters
    }

    /// Puts records that were refused outside the log's order on record as dead letters, durably.
    ///
    /// # Errors
    /// Of the file system.
    pub fn put_letters(
        &self,
        pipeline: &str,
        exporter: &Arc<str>,
        refusal: &Refusal,
    ) -> io::Result<()> {
        feed::put_letters(&self.inner, pipeline, exporter, refusal)
    }

    /// Every cursor as it is now.
    #[must_use]
    pub fn cursors(&self) -> std::collections::BTreeMap<CursorId, CursorState> {
        self.inner.cursors.all()
    }

    /// Whether an exporter is through with everything before `end`.
    #[must_use]
    pub fn has_passed(&self, id: &CursorId, end: u64) -> bool {
        self.inner.cursors.has_passed(id, end)
    }

    /// Removes the cursor of an exporter that is no longer configured.
    ///
    /// # Errors
    /// Of the file system.
    pub fn forget(&self, id: &CursorId) -> io::Result<bool> {
        self.inner.cursors.forget(id)
    }

    /// The sequence number behind the last durable record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.inner.state.lock().durable
    }

    /// Goes on by other settings: from the next commit, checkpoint or look at what may be deleted.
    ///
    /// # Errors
    /// The first key that is decided when the ledger is opened and differs. Nothing has changed then.
    pub fn adjust(&self, mut settings: Settings) -> Result<(), &'static str> {
        if let Some(key) = self.inner.settings().fixed_difference(&settings) {
            return Err(key);
        }
        settings.leave_room();
        self.inner.settings.store(Arc::new(settings));
        // What may go by the new rules goes now.
        self.inner.chores.look_again();
        Ok(())
    }

    /// Bytes of segments and dead letters.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    /// Most bytes that it may have.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.inner.settings().max_bytes
    }

    /// Whether senders are turned away because it is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.inner.is_full.load(Ordering::Relaxed)
    }

    /// Whether the last write failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.inner.is_failing.load(Ordering::Relaxed)
    }

    /// Waits until every claimed cursor has passed all that is durable now.
    pub async fn drained(&self) {
        loop {
            let is_drained = {
                let state = self.inner.state.lock();
                let cursors = self.inner.cursors.all();
                state.claimed.keys().all(|id| {
                    cursors
                        .get(id)
                        .is_none_or(|c| c.cursor.low() >= state.durable)
                })
            };
            if is_drained {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Finishes what was appended, stores the cursors, seals and signs. Later appends are refused. Blocks; a second call
    /// does nothing.
    pub fn close(&self) {
        self.inner.queue.close();
        let Some(threads) = self.threads.lock().take() else {
            return;
        };
        match threads.commit.join() {
            Ok(Some(keeper)) => keeper.stop(),
            Ok(None) => {}
            Err(_) => error!("the thread that writes the ledger failed unexpectedly"),
        }
        self.inner.chores.stop();
        if threads.chores.join().is_err() {
            error!("the thread that stores cursors failed unexpectedly");
        }
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.into()).spawn(work)
}

/// Stored cursors lag behind the true ones by about this much: a restart repeats what was delivered meanwhile.
const STORE_EVERY: Duration = Duration::from_millis(100);
/// Retention looks at the clock this often.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Stores cursors and deletes what is past its retention, until it is told to stop.
fn do_chores(inner: &Inner) {
    let mut is_failing = false;
    loop {
        let pending = inner.chores.wait(LOOK_EVERY);
        if pending.cursors || pending.stop || inner.cursors.is_dirty() {
            match inner.cursors.store() {
                Ok(()) => {
                    if std::mem::take(&mut is_failing) {
                        info!("cursors can be stored again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        error!(%error, "cursors cannot be stored; after a restart some records would be delivered again");
                    }
                    inner.chores.cursor_moved();
                }
            }
        }
        retention::release_orphans(inner);
        retention::collect(inner, 0);
        if pending.stop {
            return;
        }
        inner.chores.rest(STORE_EVERY);
    }
}

/// The log's identity without the epoch: as configured, or of this machine and this ledger.
fn base(settings: &Settings, id: &[u8; 16]) -> String {
    settings.origin.clone().unwrap_or_else(|| {
        let id: String = id[..4].iter().map(|b| format!("{b:02x}")).collect();
        format!("sluice/{}-{id}", cursors::host_name())
    })
}

/// The key that is configured, or the one in the directory, made if it is not there.
fn signing_key(settings: &Settings) -> Result<SigningKey, OpenError> {
    let path: PathBuf = settings
        .key
        .clone()
        .unwrap_or_else(|| settings.directory.join("signing.key"));
    let failed = |source| OpenError::Key {
        path: path.display().to_string(),
        source,
    };
    match tree::load_key(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && settings.key.is_none() => {
            made(&path, settings).map_err(failed)
        }
        loaded => loaded.map_err(failed),
    }
}

fn made(path: &Path, settings: &Settings) -> io::Result<SigningKey> {
    let name = settings.origin.as_deref().unwrap_or("sluice");
    tree::make_key(path, name)
}
