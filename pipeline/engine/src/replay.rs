//! What an operator can have a running graph do; and records of the ledger once more to one exporter.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sluice_batch::{Batch, Record};
use sluice_ledger::{Entry, Ledger};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::build::Nodes;
use crate::delivery::Destination;
use crate::health::Health;
use crate::outside::Outside;
use crate::path::Path;
use crate::progress::Progress;

/// Told to stop, attempts under way get this long to end. What they have not settled then was not delivered.
const MOMENT: Duration = Duration::from_secs(1);

/// Which records go where.
pub struct Replay {
    /// Unix nanoseconds of the event, inclusive.
    pub from: u64,
    /// Exclusive.
    pub to: u64,
    /// Which of them.
    pub wanted: Box<dyn Fn(Record<'_>) -> bool + Send + Sync>,
    /// The exporter's id, or one destination of it (`siem_bridge[…]`).
    pub exporter: String,
    /// Only count.
    pub dry_run: bool,
    /// At most this many records a second; 0: as fast as it goes.
    pub rate: u32,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("exporter", &self.exporter)
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// Why nothing was sent again, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No such exporter.
    #[error("no exporter is called {asked}; there are: {known}")]
    UnknownExporter {
        /// What was asked for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// There is no ledger to read.
    #[error("`service.ledger` is none: nothing is kept that could be sent again")]
    NoLedger,
    /// The ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A destination at the end of a pipeline.
pub(crate) type End = (Arc<Path>, Arc<Destination>);

/// What an operator can do with a running graph. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    pub(crate) ledger: Option<Ledger>,
    /// Each destination with a pipeline that ends in it.
    pub(crate) ends: Arc<ArcSwap<Vec<End>>>,
    pub(crate) stop: CancellationToken,
}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Path")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Control {
    pub(crate) fn new(ledger: Option<Ledger>, stop: CancellationToken) -> Self {
        Self {
            ledger,
            ends: Arc::default(),
            stop,
        }
    }

    /// From here on these are the destinations.
    pub(crate) fn show(&self, nodes: &Nodes) {
        let ends = nodes.legs.iter().flat_map(|leg| {
            let ends = leg.ends.iter();
            ends.map(|(destination, _)| (leg.path.clone(), destination.clone()))
        });
        self.ends.store(Arc::new(ends.collect()));
    }

    /// The destinations with their counts and states.
    #[must_use]
    pub fn health(&self) -> BTreeMap<String, Arc<Health>> {
        let ends = self.ends.load();
        let health = ends.iter().map(|(_, d)| (d.name.clone(), d.health.clone()));
        health.collect()
    }

    /// The ledger, if there is one.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_ref()
    }

    /// The names of all destinations.
    #[must_use]
    pub fn exporters(&self) -> Vec<String> {
        let ends = self.ends.load();
        let mut names: Vec<String> = ends.iter().map(|(_, d)| d.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Sends records of the ledger once more to an exporter, those of the pipelines that end in it: to each of its
    /// destinations at its own pace, so that one that is dead delays no other. Ends when each record is settled, or at
    /// `stop`; what is not sent by then is only counted, as far as a moment allows.
    ///
    /// # Errors
    /// Nothing was sent, or the ledger could not be read to the end.
    pub async fn replay(
        &self,
        replay: Replay,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Result<(), ReplayError> {
        let ledger = self.ledger.clone().ok_or(ReplayError::NoLedger)?;
        let mut destinations: BTreeMap<String, (Arc<Destination>, Vec<Arc<Path>>)> =
            BTreeMap::new();
        for (path, destination) in self.ends_of(&replay.exporter)? {
            let name = destination.name.clone();
            let (_, paths) = destinations
                .entry(name)
                .or_insert_with(|| (destination, Vec::new()));
            paths.push(path);
        }
        let (replay, own) = (Arc::new(replay), CancellationToken::new());
        let mut works = JoinSet::new();
        for (destination, paths) in destinations.into_values() {
            let outside = Outside::new(ledger.clone(), destination, progress.clone(), own.clone());
            works.spawn(replay_to(outside, paths, replay.clone()));
        }
        let ended = self.all(works, &own, &stop).await;
        if ended.is_cut_short {
            progress.cut_short();
        }
        ended.result
    }

    /// Waits for all of them, and once it is told to stop no longer than a moment. `own` is how they hear of it.
    pub(crate) async fn all(
        &self,
        mut works: JoinSet<Result<(), ReplayError>>,
        own: &CancellationToken,
        stop: &CancellationToken,
    ) -> Ended {
        let mut ended = Ended {
            result: Ok(()),
            is_cut_short: false,
        };
        let over = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.stop.cancelled() => {}
            }
            own.cancel();
            tokio::time::sleep(MOMENT).await;
        };
        tokio::pin!(over);
        loop {
            let result = tokio::select! {
                result = works.join_next() => result,
                () = &mut over => {
                    ended.is_cut_short = true;
                    works.shutdown().await;
                    return ended;
                }
            };
            let Some(result) = result else {
                return ended;
            };
            let result = result.map_err(io::Error::other);
            ended.result = ended.result.and(result.map_err(Into::into).flatten());
        }
    }

    /// The destinations that an exporter's id means, each with its pipelines.
    fn ends_of(&self, exporter: &str) -> Result<Vec<End>, ReplayError> {
        let ends: Vec<_> = self
            .ends
            .load()
            .iter()
            .filter(|(_, d)| {
                d.name == exporter
                    || d.name
                        .strip_prefix(exporter)
                        .is_some_and(|rest| rest.starts_with('['))
            })
            .cloned()
            .collect();
        if ends.is_empty() {
            return Err(ReplayError::UnknownExporter {
                asked: exporter.to_owned(),
                known: self.exporters().join(", "),
            });
        }
        Ok(ends)
    }
}

/// How pieces of work ended.
pub(crate) struct Ended {
    pub(crate) result: Result<(), ReplayError>,
    /// Some were abandoned.
    pub(crate) is_cut_short: bool,
}

/// Sends one destination what is wanted of its pipelines.
async fn replay_to(
    outside: Outside,
    paths: Vec<Arc<Path>>,
    replay: Arc<Replay>,
) -> Result<(), ReplayError> {
    let mut outside = outside.with_at_most(replay.rate as usize);
    let (progress, stop) = (outside.progress.clone(), outside.stop.clone());
    // Read on a thread of its own, a few batches ahead.
    let (send, mut receive) = mpsc::channel(4);
    let (ledger, counts, order) = (outside.ledger.clone(), progress.clone(), replay.clone());
    let reading =
        tokio::task::spawn_blocking(move || read(&ledger, &order, &paths, &counts, &send));
    let begun = Instant::now();
    let mut sent = 0_u64;
    while let Some(part) = receive.recv().await {
        let Part {
            path,
            sequences,
            batch,
        } = part;
        progress.count_matched(batch.len());
        if replay.dry_run || stop.is_cancelled() {
            continue;
        }
        sent += batch.len() as u64;
        outside.add(&path, sequences, batch).await;
        if replay.rate > 0 {
            let due = Duration::from_secs_f64(sent as f64 / f64::from(replay.rate));
            tokio::select! {
                () = tokio::time::sleep_until(begun + due) => {}
                () = stop.cancelled() => {}
            }
        }
    }
    reading.await.map_err(io::Error::other)??;
    if !stop.is_cancelled() {
        outside.finish().await;
    }
    Ok(())
}

/// Records of one pipeline.
struct Part {
    path: Arc<Path>,
    sequences: Vec<u64>,
    batch: Batch,
}

/// Reads what is wanted, until nobody listens any more.
fn read(
    ledger: &Ledger,
    replay: &Replay,
    paths: &[Arc<Path>],
    progress: &Progress,
    send: &mpsc::Sender<Part>,
) -> io::Result<()> {
    let (from, to) = (replay.from, replay.to);
    let view = ledger.view();
    // A record without an event time goes by when it was accepted.
    let mut segments = view.segments().iter();
    let first = segments.find(|s| s.times.1 >= from || s.times.0 == 0);
    let Some(first) = first.map(|s| s.first) else {
        return Ok(());
    };
    let mut lost = 0;
    for entry in view.entries(first) {
        let frame = match entry? {
            Entry::Lost(range) => {
                lost += range.end - range.start;
                progress.has_lost(lost);
                continue;
            }
            Entry::Frame(frame) => frame,
        };
        let Some(path) = paths.iter().find(|p| *p.name == *frame.pipeline) else {
            continue;
        };
        let has_all_times = frame.head.from > 0;
        if has_all_times && (frame.head.to < from || frame.head.from >= to) {
            continue;
        }
        let batch = frame.batch()?;
        // Of a frame with erased records only the others have a place in the batch.
        let numbers: Vec<u64> = frame.sequences()?.into_iter().flatten().collect();
        let wanted = batch.records().map(|record| {
            let time = record.event_time();
            let time = if time == 0 { frame.head.accepted } else { time };
            (from..to).contains(&time) && (replay.wanted)(record)
        });
        for run in runs(wanted.collect()) {
            let part = Part {
                path: path.clone(),
                sequences: numbers[run.clone()].to_vec(),
                batch: batch.slice(run),
            };
            if send.blocking_send(part).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The wanted records as runs of positions.
fn runs(wanted: Vec<bool>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (i, wanted) in wanted.into_iter().enumerate() {
        match runs.last_mut() {
            Some(last) if wanted && last.end == i => last.end = i + 1,
            _ if wanted => runs.push(i..i + 1),
            _ => {}
        }
    }
    runs
}
