//! A running graph: from a plan to receivers and exporters at work, from one plan to the next, and to a clean end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sluice_component::{BoxError, BuildError, ComponentId, Kept, Outlet};
use sluice_config::{Changes, Plan};
use sluice_ledger::{Ledger, Log, Reader, StartAt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::build::{Builder, Fresh, Nodes};
use crate::delivery::{Destination, Stop};
use crate::fanout::Fanout;
use crate::files::Files;
use crate::lane::{Lane, Work};
use crate::ledger;
use crate::path::Path;
use crate::replay::Control;
use crate::sink::Sink;

/// What the engine needs beside the plan.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of batches that one pipeline holds for its exporters before it turns senders away.
    pub log_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            log_bytes: 128 << 20,
        }
    }
}

/// Why a valid plan could not be started; nothing was started then.
#[derive(Debug, thiserror::Error)]
#[error("{}{component}: {why}", at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default())]
pub struct StartError {
    /// `file:line:column` of the component.
    pub at: Option<String>,
    /// The component's id in the file.
    pub component: String,
    /// What stands in the way.
    pub why: BuildError,
}

/// A running graph. Dropping it abandons everything; [`Running::drain`] ends it well.
pub struct Running {
    plan: Plan,
    options: Options,
    nodes: Nodes,
    /// What components read when they were built.
    files: Files,
    kept: Arc<Kept>,
    receivers: BTreeMap<ComponentId, Door>,
    receiving: JoinSet<Ended>,
    /// By pipeline and exporter; without a ledger each pipeline's log is a new one when it changes, and so are its lanes.
    lanes: BTreeMap<LaneId, Lane>,
    delivering: JoinSet<()>,
    /// What is on its way out.
    leaving: JoinSet<()>,
    stop_receivers: CancellationToken,
    stop_loops: Stop,
    control: Control,
}

/// A pipeline's log, by its address where it is one in memory, and an exporter's name.
type LaneId = (usize, Arc<str>, String);

/// A receiver that ended: by its own account, or because it was told to.
type Ended = (ComponentId, CancellationToken, Result<(), BoxError>);

/// A receiver's place in the graph, which its successors take over.
struct Door {
    outlet: Outlet,
    /// The pipelines behind it now.
    paths: Vec<Arc<Path>>,
    /// Requests on those.
    requests: TaskTracker,
    /// Of the receiver that is there.
    stop: CancellationToken,
    /// Fires when that one is gone.
    gone: TaskTracker,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("receivers", &self.receivers.keys())
            .field("lanes", &self.lanes.keys())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination")
            .field("name", &self.name)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

/// At a stop, exporters that keep up get this long for the last records.
const MOMENT: Duration = Duration::from_secs(1);

/// An exporter that is not used any more gets this long to close.
const CLOSING: Duration = Duration::from_secs(5);

/// Builds the whole graph, then starts it. To be called within a runtime.
///
/// # Errors
/// [`StartError`] names the component that could not be built.
pub fn start(plan: Plan, options: Options) -> Result<Running, StartError> {
    let mut running = Running::empty(&plan, options)?;
    running.become_plan(plan, true)?;
    if let Some(ledger) = &running.control.ledger {
        ledger.all_claimed().map_err(ledger::unusable)?;
    }
    running
        .delivering
        .spawn(ledger::retry_wanted(running.control.clone()));
    Ok(running)
}

/// Builds the exporters of a graph and opens its ledger, and starts nothing: for replay while no other process runs.
///
/// # Errors
/// As [`start`].
pub fn start_idle(plan: Plan, options: Options) -> Result<Running, StartError> {
    let mut running = Running::empty(&plan, options)?;
    let changes = plan.changes_from(&running.plan, &|_| false);
    let (nodes, _) = running.builder(&plan, &changes).build(false)?;
    running.control.show(&nodes);
    (running.plan, running.nodes) = (plan, nodes);
    Ok(running)
}

impl Running {
    /// A graph of nothing, on the plan's ledger.
    fn empty(plan: &Plan, options: Options) -> Result<Self, StartError> {
        let ledger = ledger::open(&plan.ledger)?;
        let stop_loops = Stop::default();
        Ok(Self {
            plan: Plan::without_components(plan),
            options,
            nodes: Nodes::default(),
            files: Files::default(),
            kept: Arc::default(),
            receivers: BTreeMap::new(),
            receiving: JoinSet::new(),
            lanes: BTreeMap::new(),
            delivering: JoinSet::new(),
            leaving: JoinSet::new(),
            stop_receivers: CancellationToken::new(),
            control: Control::new(ledger, stop_loops.soon.clone()),
            stop_loops,
        })
    }

    /// Becomes what another plan describes: builds what is new, and only then, at one go, puts it in the place of what
    /// differs. What the two plans have in common goes on untouched. What is replaced or removed has
    /// `service.drain_timeout` to finish, which this does not wait for.
    ///
    /// # Errors
    /// [`StartError`] names what could not be built. The graph runs on as it was.
    pub fn reload(&mut self, plan: Plan) -> Result<Changes, StartError> {
        self.become_plan(plan, false)
    }

    /// What a reload with this plan would change now.
    #[must_use]
    pub fn changes_to(&self, plan: &Plan) -> Changes {
        self.compare(plan, &Files::of(plan))
    }

    fn compare(&self, plan: &Plan, files: &Files) -> Changes {
        plan.changes_from(&self.plan, &|path| self.files.differs(files, path))
    }

    fn builder<'a>(&'a self, plan: &'a Plan, changes: &'a Changes) -> Builder<'a> {
        Builder {
            plan,
            changes,
            before: &self.nodes,
            ledger: self.control.ledger.as_ref(),
            options: self.options,
            kept: &self.kept,
        }
    }

    fn become_plan(&mut self, plan: Plan, is_first: bool) -> Result<Changes, StartError> {
        // Before anything is read: what changes meanwhile is seen by the next reload.
        let files = Files::of(&plan);
        let changes = self.compare(&plan, &files);
        let settings = ledger::adjusted(&self.plan.ledger, &plan.ledger)?;
        let (nodes, fresh) = self.builder(&plan, &changes).build(true)?;
        let readers = self.readers(&nodes).inspect_err(|_| {
            if let (Some(ledger), false) = (&self.control.ledger, is_first) {
                // The cursors that were made for nothing.
                let _ = ledger.all_claimed();
            }
        })?;
        if let Some(ledger) = &self.control.ledger {
            ledger::remember(ledger, &nodes.blank(&self.nodes));
        }
        // From here on nothing fails.
        let drain = plan.timeouts.drain;
        let mut under_way = Vec::new();
        self.put_exporters(&nodes, readers, drain);
        self.put_receivers(&nodes, fresh, &mut under_way);
        let under_way = Arc::new(under_way);
        self.let_go(&nodes, &under_way, drain);
        self.control.show(&nodes);
        if let (Some(ledger), Some(settings)) = (&self.control.ledger, settings)
            && let Err(key) = ledger.adjust(settings)
        {
            warn!(
                key,
                "service.ledger goes on as it was: this takes a restart"
            );
        }
        (self.plan, self.nodes, self.files) = (plan, nodes, files);
        Ok(changes)
    }

    /// Cursors for the exporters that are new on their pipelines.
    fn readers(&self, nodes: &Nodes) -> Result<BTreeMap<LaneId, Reader>, StartError> {
        let mut readers = BTreeMap::new();
        for leg in &nodes.legs {
            for (destination, _) in &leg.ends {
                let id = lane_id(&leg.path, destination);
                if self.lanes.get(&id).is_some_and(Lane::is_alive) {
                    continue;
                }
                let start = match destination.delivery.start_at {
                    sluice_component::StartAt::Now => StartAt::Now,
                    sluice_component::StartAt::Beginning => StartAt::Beginning,
                };
                let sink = &leg.path.sink;
                let reader = sink.reader_from(&leg.path.name, &destination.name, start);
                readers.insert(id, reader.map_err(ledger::unusable)?);
            }
        }
        Ok(readers)
    }

    fn put_exporters(
        &mut self,
        nodes: &Nodes,
        mut readers: BTreeMap<LaneId, Reader>,
        drain: Duration,
    ) {
        for leg in &nodes.legs {
            for (destination, batching) in &leg.ends {
                let id = lane_id(&leg.path, destination);
                if let Some(reader) = readers.remove(&id) {
                    let lane = Lane::start(
                        &mut self.delivering,
                        (leg.path.sink.clone(), leg.path.name.clone()),
                        reader,
                        Work::new(destination, *batching),
                        drain,
                        self.stop_loops.clone(),
                    );
                    self.lanes.insert(id, lane);
                } else if let Some(lane) = self.lanes.get(&id) {
                    lane.put(destination, *batching, drain);
                }
            }
        }
    }

    /// Puts receivers in the place of others, and other pipelines behind those that stay. `under_way` gets the requests
    /// that are on the old ones.
    fn put_receivers(
        &mut self,
        nodes: &Nodes,
        fresh: Vec<Fresh>,
        under_way: &mut Vec<TaskTracker>,
    ) {
        for (id, paths) in &nodes.behind {
            let is_there = self.receivers.get(id).map(|door| {
                let pairs = door.paths.iter().zip(paths);
                door.paths.len() == paths.len() && pairs.into_iter().all(|(a, b)| Arc::ptr_eq(a, b))
            });
            if is_there == Some(true) {
                continue;
            }
            let fanout = Fanout::new(paths.clone());
            let requests = fanout.under_way.clone();
            if let Some(door) = self.receivers.get_mut(id) {
                door.outlet.swap(Box::new(fanout));
                door.paths.clone_from(paths);
                under_way.push(std::mem::replace(&mut door.requests, requests));
            } else {
                let door = Door {
                    outlet: Outlet::new(Box::new(fanout)),
                    paths: paths.clone(),
                    requests,
                    stop: CancellationToken::new(),
                    gone: TaskTracker::new(),
                };
                self.receivers.insert(id.clone(), door);
            }
        }
        for (id, receiver) in fresh {
            let Some(door) = self.receivers.get_mut(&id) else {
                continue;
            };
            let stop = self.stop_receivers.child_token();
            // The new one has its sockets when this returns, so the old one ends no connection that the new one serves.
            let work = receiver.run(door.outlet.clone(), stop.clone());
            std::mem::replace(&mut door.stop, stop.clone()).cancel();
            door.gone = TaskTracker::new();
            let work = door.gone.track_future(work);
            self.receiving.spawn(async move { (id, stop, work.await) });
        }
        let removed = self
            .receivers
            .keys()
            .filter(|id| !nodes.behind.contains_key(id));
        for id in removed.cloned().collect::<Vec<_>>() {
            if let Some(door) = self.receivers.remove(&id) {
                door.stop.cancel();
                under_way.extend([door.gone, door.requests]);
            }
        }
        for requests in under_way {
            requests.close();
        }
    }

    /// Sends off what is not in `nodes` any more.
    fn let_go(&mut self, nodes: &Nodes, under_way: &Arc<Vec<TaskTracker>>, drain: Duration) {
        while self.leaving.try_join_next().is_some() {}
        while let Some(ended) = self.delivering.try_join_next() {
            if let Err(panicked) = ended {
                error!(%panicked, "a delivery ended unexpectedly; a restart takes it up again");
            }
        }
        let wanted: BTreeSet<LaneId> = nodes
            .legs
            .iter()
            .flat_map(|leg| leg.ends.iter().map(|(d, _)| lane_id(&leg.path, d)))
            .collect();
        self.lanes
            .retain(|id, lane| wanted.contains(id) || !lane.is_idle());
        for (_, lane) in self.lanes.iter().filter(|(id, _)| !wanted.contains(*id)) {
            lane.leave(under_way, drain);
        }
        for leg in &self.nodes.legs {
            let stays = nodes.legs.iter().any(|l| Arc::ptr_eq(&l.path, &leg.path));
            if let (false, Sink::Memory(log)) = (stays, &leg.path.sink) {
                let (log, under_way) = (log.clone(), under_way.clone());
                self.leaving.spawn(async move {
                    let settled = async {
                        for requests in under_way.iter() {
                            requests.wait().await;
                        }
                        log.drained().await;
                    };
                    // What is left then goes back to its senders.
                    let _ = tokio::time::timeout(drain, settled).await;
                    log.close();
                });
            }
        }
        let stay: Vec<_> = nodes.destinations().map(Arc::as_ptr).collect();
        let gone = self.nodes.destinations();
        for destination in gone.filter(|d| !stay.contains(&Arc::as_ptr(d))) {
            let destination = destination.clone();
            self.leaving.spawn(async move {
                destination.users.close();
                destination.users.wait().await;
                let closed = destination.exporter.shutdown();
                let _ = tokio::time::timeout(CLOSING, closed).await;
            });
        }
    }

    /// Waits until a receiver ends by itself, which none does while all is well.
    pub async fn failed(&mut self) -> String {
        loop {
            match self.receiving.join_next().await {
                Some(Ok((id, stop, result))) if stop.is_cancelled() => report(&id, result),
                Some(Ok((id, _, Err(error)))) => return format!("receiver {id} ended: {error}"),
                Some(Ok((id, _, Ok(())))) => return format!("receiver {id} ended by itself"),
                Some(Err(panicked)) => return format!("a receiver ended unexpectedly: {panicked}"),
                None => std::future::pending().await,
            }
        }
    }

    /// The plan that runs.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What an operator can do with it.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Ends the graph: takes no new request, finishes what was taken in, closes the exporters. Says whether every sender
    /// has its answer and, without a ledger, everything was delivered; what is not was never acknowledged. With a ledger
    /// an exporter that is behind goes on at the next start.
    pub async fn drain(mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        self.stop_receivers.cancel();
        // Senders must hear an answer before their connections close: half of the time is for finishing what they
        // sent, the rest for telling those whose records are still owed to try again.
        let enough = Instant::now() + within / 2;
        self.join_receivers(enough).await;
        let complete = match self.control.ledger.clone() {
            Some(ledger) => {
                self.rest(&ledger, deadline).await;
                true
            }
            None => self.deliver_all(enough).await,
        };
        self.join_receivers(deadline).await;
        self.stop_loops.soon.cancel();
        self.stop_loops.now.cancel();
        while self.delivering.join_next().await.is_some() {}
        if let Some(ledger) = self.control.ledger.take() {
            // It waits for the disk.
            let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
        }
        let _ = timeout_at(deadline, async {
            while self.leaving.join_next().await.is_some() {}
        })
        .await;
        for destination in self.nodes.destinations() {
            let _ = timeout_at(
                deadline.max(Instant::now() + Duration::from_secs(1)),
                destination.exporter.shutdown(),
            )
            .await;
            let health = &destination.health;
            info!(
                exporter = destination.name,
                sent = health.sent(),
                refused = health.refused(),
                failed_attempts = health.failed_attempts(),
                "stopped"
            );
        }
        complete
    }

    /// Gives exporters that keep up a moment to take the last records, and attempts under way until the deadline to
    /// end: what they send is not sent again at the next start.
    async fn rest(&mut self, ledger: &Ledger, deadline: Instant) {
        let moment = deadline.min(Instant::now() + MOMENT);
        let is_drained = timeout_at(moment, ledger.drained()).await.is_ok();
        if !is_drained {
            info!(
                "stopping before every exporter has taken all records; they are kept and go on at the next start"
            );
        }
        self.stop_loops.soon.cancel();
        let loops = &mut self.delivering;
        let _ = timeout_at(deadline, async {
            while loops.join_next().await.is_some() {}
        })
        .await;
    }

    /// Without a ledger: waits until everything is delivered, and gives up on the rest.
    async fn deliver_all(&self, enough: Instant) -> bool {
        let mut complete = true;
        for log in self.logs() {
            complete &= timeout_at(enough, log.drained()).await.is_ok();
        }
        if !complete {
            let waiting: u64 = self.logs().map(Log::waiting).sum();
            warn!(
                records = waiting,
                "stopping before every exporter has taken these records; their senders are told to try again"
            );
        }
        for log in self.logs() {
            log.close();
        }
        complete
    }

    async fn join_receivers(&mut self, until: Instant) {
        while let Ok(Some(ended)) = timeout_at(until, self.receiving.join_next()).await {
            if let Ok((id, _, result)) = ended {
                report(&id, result);
            }
        }
    }

    fn logs(&self) -> impl Iterator<Item = &Log> {
        self.nodes
            .legs
            .iter()
            .filter_map(|leg| match &leg.path.sink {
                Sink::Memory(log) => Some(log),
                Sink::Ledger(_) => None,
            })
    }
}

fn lane_id(path: &Path, destination: &Destination) -> LaneId {
    let log = match &path.sink {
        Sink::Memory(log) => log.address(),
        Sink::Ledger(_) => 0,
    };
    (log, path.name.clone(), destination.name.clone())
}

fn report(id: &ComponentId, result: Result<(), BoxError>) {
    if let Err(error) = result {
        error!(receiver = %id, %error, "the receiver ended badly");
    }
}
