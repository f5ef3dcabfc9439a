//! A disk in memory that does the worst a file system may do, at the throw of seeded dice.
//!
//! ```text
//!  process ──▶ cached ──▶ unsynced changes ── sync ──▶ durable
//!                │               │                       │
//!  kill:         stays           stay                    stays
//!  crash(seed):  gone            any of them happened    stays
//! ```
//!
//! A file is apart from its names: an open handle outlives a rename or a removal, and after a power loss a name may lead
//! to a file without its content, or a file whose content was synced may have no name. The same seed and the same
//! operations in the same order give the same disk.

mod content;
mod damage;
mod fault;
mod luck;
mod names;
mod operations;
mod power;
mod process;
mod random;
mod state;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

pub use fault::{Fault, FaultKind, Operation, When};

use fault::Plan;
use random::Random;
use state::State;

/// A disk in memory, as one process sees it. A clone is the same disk seen by the same process.
///
/// After [`crash`](Self::crash) or [`kill`](Self::kill) every operation through this disk, its clones and their files
/// fails, so that a thread of the dead process can do no harm; the next process starts with
/// [`restarted`](Self::restarted). What is said here of a test (faults, counters, damage) works on any clone.
#[derive(Clone)]
pub struct SimulatedDisk {
    shared: Arc<Shared>,
    /// Which process this is: how many ended before it began.
    process: usize,
}

struct Shared {
    simulation: Mutex<Simulation>,
    watch: Mutex<Option<Watch>>,
}

type Watch = Arc<dyn Fn(Operation, &str) + Send + Sync>;

struct Simulation {
    state: State,
    plan: Plan,
    counts: Counts,
    /// How the processes so far ended.
    ends: Vec<End>,
    /// After how many more changes the process ends, and how.
    stop: Option<(u64, End)>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    PowerLoss,
    Kill,
}

/// What was asked of a disk since it was made, whether or not it went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations that can change the disk ([`Operation::is_change`]): the points at which it can crash.
    pub changes: u64,
    /// Appends.
    pub appends: u64,
    /// Bytes in those appends.
    pub appended_bytes: u64,
    /// Reads of a part of a file.
    pub reads: u64,
    /// Syncs of a file.
    pub syncs: u64,
    /// Syncs of a directory.
    pub directory_syncs: u64,
}

/// Which names a power loss may leave of those that were not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameOrder {
    /// Of each directory the changes up to some moment, as a journal gives it (ext4, XFS). A rename from one directory
    /// to another happens in both or in neither.
    #[default]
    Kept,
    /// Any of them, which POSIX allows. A rename within a directory is one step; one from a directory to another may
    /// leave both names, or none.
    Any,
}

impl SimulatedDisk {
    /// An empty disk. The seed decides what is left open: how far an operation got before it failed, the order of a
    /// listing, what a sync forgot.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(State::new(Random::new(seed)))
    }

    fn with(state: State) -> Self {
        let simulation = Simulation {
            state,
            plan: Plan::default(),
            counts: Counts::default(),
            ends: Vec::new(),
            stop: None,
        };
        let shared = Shared {
            simulation: Mutex::new(simulation),
            watch: Mutex::new(None),
        };
        Self {
            shared: Arc::new(shared),
            process: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Simulation> {
        self.shared.simulation.lock()
    }

    /// The power goes. Of what was not synced any part is there afterwards, in any order: sectors of 512 bytes, torn
    /// ones, lengths without content, cuts or none, names as [`NameOrder`] says. What is there then is durable.
    pub fn crash(&self, seed: u64) {
        self.lock().end(End::PowerLoss, &mut Random::new(seed));
    }

    /// The power goes and nothing that was not synced is there afterwards: the least that [`crash`](Self::crash) leaves.
    pub fn crash_losing_all(&self) {
        let mut simulation = self.lock();
        simulation.state.revert();
        simulation.died(End::PowerLoss);
    }

    /// The process dies. The disk holds all it wrote, synced or not.
    pub fn kill(&self) {
        self.lock().end(End::Kill, &mut Random::new(0));
    }

    /// Lets the power go in the middle of the `n`-th change from now on, counted from 1: it may have begun, and it
    /// fails. Only changes count ([`Operation::is_change`]), for between two of them nothing else can be found.
    pub fn crash_at(&self, n: u64) {
        self.lock().stop = Some((n.max(1), End::PowerLoss));
    }

    /// Lets the process die in the middle of the `n`-th change from now on, counted from 1.
    pub fn kill_at(&self, n: u64) {
        self.lock().stop = Some((n.max(1), End::Kill));
    }

    /// Whether the process that has this disk still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.process == self.lock().ends.len()
    }

    /// The disk for the process that runs now: the first one after a crash or a kill.
    #[must_use]
    pub fn restarted(&self) -> Self {
        let process = self.lock().ends.len();
        let shared = self.shared.clone();
        Self { shared, process }
    }

    /// Adds something that goes wrong. Faults stay when a process ends.
    pub fn fail(&self, fault: Fault) {
        self.lock().plan.add(fault);
    }

    /// Takes all faults away, and a crash that was still to come. What they did stays done.
    pub fn heal(&self) {
        let mut simulation = self.lock();
        simulation.plan.clear();
        simulation.stop = None;
    }

    /// How many bytes all files together may have before the disk is full; `None` for no end. A file that was removed
    /// counts until it is closed.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().state.capacity = bytes;
    }

    /// Bytes in all files, as the capacity counts them.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.lock().state.used()
    }

    /// Says which names a power loss may leave.
    pub fn set_name_order(&self, order: NameOrder) {
        self.lock().state.order = order;
    }

    /// Calls `watch` at the start of every operation, on the thread that asks for it and without a lock: it may look at
    /// the disk, take down the order of things, or let the operation wait. Of a rename it is told the old path.
    pub fn watch(&self, watch: impl Fn(Operation, &str) + Send + Sync + 'static) {
        *self.shared.watch.lock() = Some(Arc::new(watch));
    }

    /// What was asked of the disk so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Every file as a process sees it, by its path.
    #[must_use]
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.lock().state.tree(false)
    }

    /// Every file as it would be if the power went now and nothing unsynced were kept.
    #[must_use]
    pub fn durable_files(&self) -> Vec<(String, Vec<u8>)> {
        self.lock().state.tree(true)
    }

    /// A disk of its own with the same files, all durable: an old image, to be put back later. It has the capacity and
    /// the name order, and no faults.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self::with(self.lock().state.copy())
    }
}

impl Simulation {
    fn end(&mut self, end: End, random: &mut Random) {
        match end {
            End::PowerLoss => self.state.power_loss(random),
            End::Kill => self.state.close_all(),
        }
        self.died(end);
    }

    fn died(&mut self, end: End) {
        self.ends.push(end);
        self.stop = None;
    }
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simulation = self.lock();
        f.debug_struct("SimulatedDisk")
            .field("process", &self.process)
            .field("ends", &simulation.ends)
            .field("counts", &simulation.counts)
            .finish_non_exhaustive()
    }
}
