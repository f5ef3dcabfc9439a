//! From a plan to a running graph, and from a running graph to a clean end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sluice_component::{
    Batching, BoxError, BuildContext, BuildError, ComponentId, Outlet, Receiver, Sockets, Stage,
};
use sluice_config::Plan;
use sluice_ledger::{Ledger, Log};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::delivery::{self, Destination, Stop};
use crate::fanout::Fanout;
use crate::health::Health;
use crate::ledger;
use crate::pace::Pace;
use crate::path::Path;
use crate::replay::Control;
use crate::sink::Sink;
use crate::sockets::BoundSockets;

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
#[error("{component}: {why}")]
pub struct StartError {
    /// The component's id in the file.
    pub component: String,
    /// What stands in the way.
    pub why: BuildError,
}

/// A running graph. Dropping it abandons everything; [`Running::drain`] ends it well.
#[derive(Debug)]
pub struct Running {
    receivers: JoinSet<(ComponentId, Result<(), BoxError>)>,
    loops: JoinSet<()>,
    stop_receivers: CancellationToken,
    stop_loops: Stop,
    /// Of the pipelines, without a ledger.
    logs: Vec<Log>,
    control: Control,
    destinations: Vec<Arc<Destination>>,
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination")
            .field("name", &self.name)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

/// One exporter at the end of one pipeline, with how that pipeline gathers records for it.
type End = (Arc<Destination>, Batching);

/// How long an exporter that nobody told otherwise may wait for fuller batches while senders wait for it. Common
/// senders give up after five seconds, and then send duplicates.
const PATIENCE: Duration = Duration::from_secs(1);

/// At a stop, exporters that keep up get this long for the last records.
const MOMENT: Duration = Duration::from_secs(1);

/// Everything that a plan describes, built and not started.
struct Built {
    receivers: Vec<(ComponentId, Box<dyn Receiver>, Outlet)>,
    paths: Vec<(Arc<Path>, Vec<End>)>,
    destinations: Vec<Arc<Destination>>,
}

/// Builds the whole graph, then starts it.
///
/// # Errors
/// [`StartError`] names the component that could not be built.
pub fn start(plan: &Plan, options: Options) -> Result<Running, StartError> {
    let (mut running, built) = prepare(plan, options, true)?;
    let mut loops = Vec::new();
    for (path, destinations) in &built.paths {
        for (destination, batching) in destinations {
            let reader = path
                .sink
                .reader(&path.name, &destination.name)
                .map_err(ledger::unusable)?;
            loops.push((destination.clone(), reader, *batching));
        }
        if let Sink::Memory(log) = &path.sink {
            running.logs.push(log.clone());
        }
    }
    if let Some(ledger) = &running.control.ledger {
        ledger.all_claimed().map_err(ledger::unusable)?;
        ledger::remember(ledger, built.paths.iter().map(|(path, _)| &**path));
    }
    for (destination, reader, batching) in loops {
        let stop = running.stop_loops.clone();
        running
            .loops
            .spawn(delivery::run(destination, reader, batching, stop));
    }
    running
        .loops
        .spawn(ledger::retry_wanted(running.control.clone()));
    for (id, receiver, outlet) in built.receivers {
        let work = receiver.run(outlet, running.stop_receivers.clone());
        running.receivers.spawn(async move { (id, work.await) });
    }
    Ok(running)
}

/// Builds the exporters of a graph and opens its ledger, and starts nothing: for replay while no other process runs.
///
/// # Errors
/// As [`start`].
pub fn start_idle(plan: &Plan, options: Options) -> Result<Running, StartError> {
    Ok(prepare(plan, options, false)?.0)
}

fn prepare(
    plan: &Plan,
    options: Options,
    with_receivers: bool,
) -> Result<(Running, Built), StartError> {
    let ledger = ledger::open(&plan.ledger)?;
    let built = build(plan, options, ledger.as_ref(), with_receivers)?;
    let ends = built.paths.iter().flat_map(|(path, ends)| {
        let ends = ends.iter();
        ends.map(|(destination, _)| (path.clone(), destination.clone()))
    });
    let stop_loops = Stop::default();
    let running = Running {
        receivers: JoinSet::new(),
        loops: JoinSet::new(),
        stop_receivers: CancellationToken::new(),
        logs: Vec::new(),
        control: Control {
            ledger,
            ends: Arc::new(ends.collect()),
            stop: stop_loops.soon.clone(),
        },
        stop_loops,
        destinations: built.destinations.clone(),
    };
    Ok((running, built))
}

fn build(
    plan: &Plan,
    options: Options,
    ledger: Option<&Ledger>,
    with_receivers: bool,
) -> Result<Built, StartError> {
    let sockets: Arc<dyn Sockets> = Arc::new(BoundSockets::default());
    let mut extensions = HashMap::new();
    let context = |id: &ComponentId, extensions: &Arc<HashMap<_, _>>| BuildContext {
        id: id.clone(),
        extensions: extensions.clone(),
        sockets: sockets.clone(),
    };
    let failed = |component: &str| {
        let component = component.to_owned();
        move |why| StartError { component, why }
    };

    let none = Arc::new(HashMap::new());
    for id in &plan.service_extensions {
        let component = &plan.extensions[id];
        let extension = component
            .config
            .build(&context(id, &none))
            .map_err(failed(&component.written))?;
        extensions.insert(component.written.clone(), extension);
    }
    let extensions = Arc::new(extensions);

    let mut destinations: BTreeMap<&ComponentId, Vec<Arc<Destination>>> = BTreeMap::new();
    for id in plan.pipelines.iter().flat_map(|p| &p.exporters) {
        if destinations.contains_key(id) {
            continue;
        }
        let component = &plan.exporters[id];
        let built = component
            .config
            .build(&context(id, &extensions))
            .map_err(failed(&component.written))?;
        let built = built.into_iter().map(|exporter| {
            let name = if exporter.key.is_empty() {
                component.written.clone()
            } else {
                format!("{}[{}]", component.written, exporter.key)
            };
            let pace = Arc::new(Pace::new(exporter.delivery.max_concurrency));
            Arc::new(Destination {
                name,
                exporter: exporter.exporter,
                delivery: exporter.delivery,
                health: Arc::new(Health::default()),
                pace,
            })
        });
        destinations.insert(id, built.collect());
    }

    let mut paths = Vec::new();
    let mut paths_of: BTreeMap<&ComponentId, Vec<Arc<Path>>> = BTreeMap::new();
    for pipeline in &plan.pipelines {
        let mut stages = Vec::new();
        for id in &pipeline.processors {
            let component = &plan.processors[id];
            stages.push(
                component
                    .config
                    .build(&context(id, &extensions))
                    .map_err(failed(&component.written))?,
            );
        }
        let default = stages.iter().find_map(|s| {
            if let Stage::Batching(batching) = s {
                Some(*batching)
            } else {
                None
            }
        });
        let sink = match ledger {
            Some(ledger) => Sink::Ledger(ledger.clone()),
            None => Sink::Memory(Log::in_memory(options.log_bytes)),
        };
        let path = Arc::new(Path {
            name: pipeline.id.to_string().into(),
            signal: pipeline.id.signal,
            stages,
            sink,
        });
        let ends = pipeline
            .exporters
            .iter()
            .flat_map(|id| &destinations[id])
            .map(|destination| {
                let own = &destination.delivery;
                let batching = match default {
                    Some(default) if !own.batching_is_explicit => Batching {
                        max_bytes: own.batching.max_bytes,
                        ..default
                    },
                    _ if own.batching_is_explicit || ledger.is_some() => own.batching,
                    // Senders wait for delivery, so an exporter's own patience must not outlast theirs.
                    _ => Batching {
                        timeout: own.batching.timeout.map(|t| t.min(PATIENCE)),
                        ..own.batching
                    },
                };
                (destination.clone(), batching)
            });
        paths.push((path.clone(), ends.collect()));
        for id in pipeline.receivers.iter().filter(|_| with_receivers) {
            paths_of.entry(id).or_default().push(path.clone());
        }
    }

    let mut receivers = Vec::new();
    for (id, paths) in paths_of {
        let component = &plan.receivers[id];
        let receiver = component
            .config
            .build(&context(id, &extensions))
            .map_err(failed(&component.written))?;
        receivers.push((
            id.clone(),
            receiver,
            Outlet::new(Box::new(Fanout { paths })),
        ));
    }
    Ok(Built {
        receivers,
        paths,
        destinations: destinations.into_values().flatten().collect(),
    })
}

impl Running {
    /// Waits until a receiver ends by itself, which none does while all is well.
    pub async fn failed(&mut self) -> String {
        loop {
            match self.receivers.join_next().await {
                Some(Ok((id, Err(error)))) => return format!("receiver {id} ended: {error}"),
                Some(Ok((id, Ok(())))) => return format!("receiver {id} ended by itself"),
                Some(Err(panicked)) => return format!("a receiver ended unexpectedly: {panicked}"),
                None => std::future::pending().await,
            }
        }
    }

    /// What an operator can do with it.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The destinations with their counts and states.
    pub fn health(&self) -> impl Iterator<Item = (&str, &Arc<Health>)> {
        self.destinations
            .iter()
            .map(|d| (d.name.as_str(), &d.health))
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
        self.stop_loops.now.cancel();
        while self.loops.join_next().await.is_some() {}
        if let Some(ledger) = self.control.ledger.take() {
            // It waits for the disk.
            let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
        }
        for destination in &self.destinations {
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
        let loops = &mut self.loops;
        let _ = timeout_at(deadline, async {
            while loops.join_next().await.is_some() {}
        })
        .await;
    }

    /// Without a ledger: waits until everything is delivered, and gives up on the rest.
    async fn deliver_all(&self, enough: Instant) -> bool {
        let mut complete = true;
        for log in &self.logs {
            complete &= timeout_at(enough, log.drained()).await.is_ok();
        }
        if !complete {
            let waiting: u64 = self.logs.iter().map(Log::waiting).sum();
            warn!(
                records = waiting,
                "stopping before every exporter has taken these records; their senders are told to try again"
            );
        }
        for log in &self.logs {
            log.close();
        }
        complete
    }

    async fn join_receivers(&mut self, until: Instant) {
        while let Ok(Some(ended)) = timeout_at(until, self.receivers.join_next()).await {
            if let Ok((id, Err(error))) = ended {
                error!(receiver = %id, %error, "the receiver ended badly");
            }
        }
    }
}
