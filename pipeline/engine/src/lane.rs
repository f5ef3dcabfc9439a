//! One exporter's cursor on one pipeline, through all the exporters that a reload puts at it: one delivers at a time, and
//! the next begins where it stopped.
//!
//! ```text
//!  Work(a) ──▶ a delivers ──Work(b)──▶ a begins no attempt, those under way end ──▶ cursor ──▶ b delivers
//!                         ──Nothing──▶ a takes what was accepted while it was there ──▶ cursor is free
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sluice_component::Batching;
use sluice_ledger::Reader;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{error, warn};

use crate::delivery::{self, Destination, Stop};
use crate::sink::Sink;

/// Wait before a cursor that could not be stored is claimed again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Longest wait for requests that are under way when the last receiver of a pipeline goes: receivers give them 20 s.
const UNDER_WAY: Duration = Duration::from_secs(25);

/// How often it is looked whether a removed exporter has taken everything.
const LOOK: Duration = Duration::from_millis(5);

/// Who delivers, and how.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) destination: Arc<Destination>,
    pub(crate) batching: Batching,
    /// While it is there the exporter is in use.
    _in_use: TaskTrackerToken,
}

impl Work {
    pub(crate) fn new(destination: &Arc<Destination>, batching: Batching) -> Self {
        Self {
            destination: destination.clone(),
            batching,
            _in_use: destination.users.token(),
        }
    }

    fn is(&self, destination: &Arc<Destination>, batching: Batching) -> bool {
        Arc::ptr_eq(&self.destination, destination) && self.batching == batching
    }
}

/// What is wanted of a lane.
#[derive(Clone)]
enum Wanted {
    Work(Work),
    /// Whoever is on the way out delivers what requests bring that are under way there.
    Nothing(Arc<Vec<TaskTracker>>),
}

/// The engine's end of a lane. Dropping it ends the lane.
#[derive(Debug)]
pub(crate) struct Lane {
    wanted: watch::Sender<Wanted>,
    is_idle: Arc<AtomicBool>,
    /// Milliseconds that one who is on the way out may take.
    drain: Arc<AtomicU64>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Work(work) => f.write_str(&work.destination.name),
            Self::Nothing(_) => f.write_str("nothing"),
        }
    }
}

impl Lane {
    /// Starts to deliver what `reader` gives. `drain` is how long one who is on the way out may take.
    pub(crate) fn start(
        tasks: &mut JoinSet<()>,
        (sink, pipeline): (Sink, Arc<str>),
        reader: Reader,
        work: Work,
        drain: Duration,
        stop: Stop,
    ) -> Self {
        let name = work.destination.name.clone();
        let (wanted, told) = watch::channel(Wanted::Work(work));
        let is_idle = Arc::new(AtomicBool::new(false));
        let drain = Arc::new(AtomicU64::new(millis(drain)));
        let task = Task {
            sink,
            pipeline,
            name,
            drain: drain.clone(),
            stop,
            is_idle: is_idle.clone(),
        };
        tasks.spawn(task.run(Some(reader), told));
        Self {
            wanted,
            is_idle,
            drain,
        }
    }

    /// Puts an exporter at it, if it is not the one that is there.
    pub(crate) fn put(&self, destination: &Arc<Destination>, batching: Batching, drain: Duration) {
        self.drain.store(millis(drain), Ordering::Relaxed);
        self.wanted.send_if_modified(|wanted| {
            let is_there = matches!(wanted, Wanted::Work(work) if work.is(destination, batching));
            if !is_there {
                *wanted = Wanted::Work(Work::new(destination, batching));
            }
            !is_there
        });
    }

    /// Lets go of the exporter that is there.
    pub(crate) fn leave(&self, under_way: &Arc<Vec<TaskTracker>>, drain: Duration) {
        self.drain.store(millis(drain), Ordering::Relaxed);
        self.wanted.send_if_modified(|wanted| {
            let is_left = matches!(wanted, Wanted::Nothing(_));
            if !is_left {
                *wanted = Wanted::Nothing(under_way.clone());
            }
            !is_left
        });
    }

    /// Whether there is somebody to tell.
    pub(crate) fn is_alive(&self) -> bool {
        !self.wanted.is_closed()
    }

    /// Whether nobody is at it and it holds no cursor.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(*self.wanted.borrow(), Wanted::Nothing(_)) && self.is_idle.load(Ordering::Acquire)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The lane's own side.
struct Task {
    sink: Sink,
    pipeline: Arc<str>,
    /// The exporter's.
    name: String,
    drain: Arc<AtomicU64>,
    stop: Stop,
    is_idle: Arc<AtomicBool>,
}

impl Task {
    async fn run(self, mut reader: Option<Reader>, mut wanted: watch::Receiver<Wanted>) {
        loop {
            let now = wanted.borrow_and_update().clone();
            let is_over = match now {
                Wanted::Work(work) => {
                    self.is_idle.store(false, Ordering::Release);
                    self.deliver(work, &mut reader, &mut wanted).await
                }
                Wanted::Nothing(_) => {
                    reader = None;
                    self.sink.all_claimed().await;
                    self.is_idle.store(true, Ordering::Release);
                    tokio::select! {
                        () = self.stop.soon.cancelled() => true,
                        changed = wanted.changed() => changed.is_err(),
                    }
                }
            };
            if is_over {
                return;
            }
        }
    }

    /// Delivers until something else is wanted. True: the lane is at its end.
    async fn deliver(
        &self,
        work: Work,
        reader: &mut Option<Reader>,
        wanted: &mut watch::Receiver<Wanted>,
    ) -> bool {
        let Some(reader) = self.claim(reader.take()).await else {
            return true;
        };
        let own = Stop {
            soon: self.stop.soon.child_token(),
            now: self.stop.now.child_token(),
        };
        let delivering =
            delivery::run(work.destination.clone(), reader, work.batching, own.clone());
        tokio::pin!(delivering);
        tokio::select! {
            () = &mut delivering => return true,
            changed = wanted.changed() => if changed.is_err() {
                return true;
            }
        }
        let drain = || Duration::from_millis(self.drain.load(Ordering::Relaxed));
        let mut deadline = Instant::now() + drain();
        let leaves = match &*wanted.borrow() {
            Wanted::Nothing(under_way) => Some(under_way.clone()),
            Wanted::Work(_) => None,
        };
        if let Some(under_way) = leaves {
            let settled = async {
                // A request that is still coming in is acknowledged, too: as long as receivers wait for it, so does this.
                for requests in under_way.iter() {
                    let _ = tokio::time::timeout(UNDER_WAY, requests.wait()).await;
                }
                deadline = Instant::now() + drain();
                timeout_at(deadline, self.everything()).await
            };
            tokio::select! {
                () = &mut delivering => return true,
                taken = settled => if taken.is_err() {
                    warn!(
                        pipeline = &*self.pipeline,
                        exporter = self.name,
                        records = self.sink.behind(&self.pipeline, &self.name),
                        "removed before it has taken all records: they stay at its cursor, and are kept for `orphan_grace` in case the id comes back"
                    );
                },
                _ = wanted.changed() => {}
            }
        }
        own.soon.cancel();
        if timeout_at(deadline, &mut delivering).await.is_err() {
            own.now.cancel();
            delivering.await;
        }
        self.stop.soon.is_cancelled()
    }

    /// The cursor, from the one who had it before. `None`: the process stops. Only of a ledger: in memory a pipeline with
    /// other exporters is another log.
    async fn claim(&self, reader: Option<Reader>) -> Option<Reader> {
        if reader.is_some() {
            return reader;
        }
        loop {
            match self.sink.reader(&self.pipeline, &self.name) {
                Ok(reader) => return Some(reader),
                Err(error) => {
                    error!(exporter = self.name, %error, "its cursor cannot be claimed; trying again");
                }
            }
            tokio::select! {
                () = self.stop.soon.cancelled() => return None,
                () = tokio::time::sleep(AFTER_FAILURE) => {}
            }
        }
    }

    /// Waits until the exporter has taken what its pipeline has accepted.
    async fn everything(&self) {
        let end = self.sink.end();
        while !self.sink.has_passed(&self.pipeline, &self.name, end) {
            tokio::time::sleep(LOOK).await;
        }
    }
}
