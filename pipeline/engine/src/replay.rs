//! Records from the ledger once more to one exporter: a replay of what was delivered, or a retry of dead letters. They
//! move no cursor, are marked, and pass today's redaction again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use sluice_batch::{Batch, Record, Value};
use sluice_component::{BoxError, BoxFuture, Stage};
use sluice_ledger::{Entry, Lease, Ledger, Lender, Outcome, Refusal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::build::Nodes;
use crate::delivery::{self, Destination};
use crate::health::Health;
use crate::path::Path;

/// The attribute that marks a record that was sent again by someone's order.
pub const MARK: &str = "sluice.replayed";

/// Records in one lease of a replay.
const RECORDS: usize = 1000;

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

/// How far a replay or a retry has come.
#[derive(Debug, Default)]
pub struct Progress {
    matched: AtomicU64,
    delivered: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
}

impl Progress {
    /// Records that are to be sent, as far as is known: times the exporter's destinations.
    #[must_use]
    pub fn matched(&self) -> u64 {
        self.matched.load(Ordering::Relaxed)
    }

    /// Records that the destination took.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Records that it refused for good: they are dead letters.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Records in the range that are damaged.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Why nothing was sent again.
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
    Io(#[from] std::io::Error),
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

    /// Sends records of the ledger once more to an exporter, those of the pipelines that end in it. Ends when each is
    /// delivered or refused for good, or at `stop`; what is not sent by then is not sent.
    ///
    /// # Errors
    /// Nothing was sent.
    pub async fn replay(
        &self,
        replay: Replay,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Result<(), ReplayError> {
        let ledger = self.ledger.clone().ok_or(ReplayError::NoLedger)?;
        let ends = self.ends_of(&replay.exporter)?;
        let (from, to, rate, dry_run) = (replay.from, replay.to, replay.rate, replay.dry_run);
        let paths: Vec<Arc<Path>> = ends.iter().map(|(path, _)| path.clone()).collect();
        let counts = progress.clone();
        // Read on a thread of its own, a few batches ahead.
        let (send, mut receive) = mpsc::channel::<(Arc<str>, Vec<u64>, Batch)>(4);
        let reading = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
            let view = ledger.view();
            // A record without an event time goes by when it was accepted.
            let first = view
                .segments()
                .iter()
                .find(|s| s.times.1 >= from || s.times.0 == 0)
                .map(|s| s.first);
            let Some(first) = first else { return Ok(()) };
            for entry in view.entries(first) {
                let frame = match entry? {
                    Entry::Lost(range) => {
                        counts
                            .lost
                            .fetch_add(range.end - range.start, Ordering::Relaxed);
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
                    let part = batch.slice(run.clone());
                    let sequences = numbers[run].to_vec();
                    if send
                        .blocking_send((path.name.clone(), sequences, part))
                        .is_err()
                    {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        let begun = Instant::now();
        let mut sent = 0_u64;
        while let Some((pipeline, sequences, batch)) = receive.recv().await {
            if stop.is_cancelled() || self.stop.is_cancelled() {
                break;
            }
            for (path, destination) in ends.iter().filter(|(path, _)| path.name == pipeline) {
                progress
                    .matched
                    .fetch_add(batch.len() as u64, Ordering::Relaxed);
                if dry_run {
                    continue;
                }
                let sequences = sequences.clone();
                self.send(
                    path,
                    destination,
                    sequences,
                    batch.clone(),
                    &progress,
                    &stop,
                    false,
                )
                .await;
            }
            sent += batch.len() as u64;
            if rate > 0 && !dry_run {
                let due = Duration::from_secs_f64(sent as f64 / f64::from(rate));
                tokio::select! {
                    () = tokio::time::sleep_until(begun + due) => {}
                    () = stop.cancelled() => break,
                    () = self.stop.cancelled() => break,
                }
            }
        }
        drop(receive);
        reading.await.map_err(std::io::Error::other)??;
        Ok(())
    }

    /// Sends dead letters of an exporter once more. Those that are taken are letters no more.
    ///
    /// # Errors
    /// Nothing was sent.
    pub async fn retry(
        &self,
        exporter: &str,
        sequences: Vec<u64>,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Result<(), ReplayError> {
        let ledger = self.ledger.clone().ok_or(ReplayError::NoLedger)?;
        let ends = self.ends_of(exporter)?;
        for sequence in sequences {
            if stop.is_cancelled() || self.stop.is_cancelled() {
                break;
            }
            let (ledger, name) = (ledger.clone(), exporter.to_owned());
            let letter =
                tokio::task::spawn_blocking(move || ledger.dead_letters().letter(&name, sequence));
            let letter = letter.await.map_err(std::io::Error::other)??;
            let Some((path, destination)) = ends
                .iter()
                .find(|(path, d)| *path.name == *letter.pipeline && d.name == exporter)
            else {
                continue;
            };
            progress.matched.fetch_add(1, Ordering::Relaxed);
            let batch = letter.batch()?;
            self.send(
                path,
                destination,
                vec![sequence],
                batch,
                &progress,
                &stop,
                true,
            )
            .await;
        }
        Ok(())
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

    #[expect(
        clippy::too_many_arguments,
        reason = "what one delivery outside the log needs"
    )]
    async fn send(
        &self,
        path: &Path,
        destination: &Arc<Destination>,
        sequences: Vec<u64>,
        batch: Batch,
        progress: &Arc<Progress>,
        stop: &CancellationToken,
        is_letter: bool,
    ) {
        let Some(ledger) = self.ledger.clone() else {
            return;
        };
        let Some((batch, kept)) = again(path, batch) else {
            progress
                .refused
                .fetch_add(sequences.len() as u64, Ordering::Relaxed);
            return;
        };
        let sequences: Vec<u64> = kept
            .into_iter()
            .filter_map(|i| sequences.get(i).copied())
            .collect();
        let lender = Arc::new(Outside {
            ledger,
            pipeline: path.name.clone(),
            exporter: destination.name.as_str().into(),
            progress: progress.clone(),
            is_letter,
        });
        let mut at = 0;
        while at < sequences.len() {
            let end = sequences.len().min(at + RECORDS);
            let runs = sequences[at..end].iter().map(|s| *s..*s + 1).collect();
            let part = if end - at == batch.len() {
                batch.clone()
            } else {
                batch.slice(at..end)
            };
            let lease = Lease::new(lender.clone(), runs, Arc::new(part));
            delivery::deliver(destination.clone(), lease, stop.clone()).await;
            at = end;
        }
    }
}

/// Marks records and hides what today's rules hide; with the positions of those that are left. `None` when a rule could
/// not be applied: then nothing is sent.
fn again(path: &Path, mut batch: Batch) -> Option<(Batch, Vec<usize>)> {
    const PLACE: &str = "sluice.replay.place";
    for i in 0..batch.len() {
        let mut record = batch.record_mut(i);
        record.set(MARK, Value::Bool(true));
        record.set(PLACE, Value::Int(i as i64));
    }
    for stage in &path.stages {
        if let Stage::Transform(step) = stage
            && step.applies_on_replay()
            && step.apply(&mut batch).is_err()
        {
            return None;
        }
    }
    let mut kept = Vec::with_capacity(batch.len());
    for i in 0..batch.len() {
        let mut record = batch.record_mut(i);
        if let Some(Value::Int(place)) = record.as_record().get(PLACE) {
            kept.push(place as usize);
        }
        record.remove(PLACE);
    }
    Some((batch, kept))
}

/// The wanted records as runs of positions.
fn runs(wanted: Vec<bool>) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, wanted) in wanted.into_iter().enumerate() {
        match runs.last_mut() {
            Some(last) if wanted && last.end == i => last.end = i + 1,
            _ if wanted => runs.push(i..i + 1),
            _ => {}
        }
    }
    runs
}

/// Settles records that were sent outside the log's order: no cursor moves.
struct Outside {
    ledger: Ledger,
    pipeline: Arc<str>,
    exporter: Arc<str>,
    progress: Arc<Progress>,
    is_letter: bool,
}

impl Lender for Outside {
    fn delivered(&self, sequences: std::ops::Range<u64>) {
        let count = sequences.end - sequences.start;
        self.progress.delivered.fetch_add(count, Ordering::Relaxed);
        if self.is_letter {
            let sequences: Vec<u64> = sequences.collect();
            let letters = self.ledger.dead_letters();
            if let Err(error) = letters.resolve(&self.exporter, &sequences, Outcome::Delivered) {
                tracing::error!(exporter = %self.exporter, %error, "a dead letter was delivered and cannot be removed");
            }
        }
    }

    fn refused(&self, refusal: Refusal) -> BoxFuture<'_, Result<(), BoxError>> {
        let (ledger, pipeline, exporter) = (
            self.ledger.clone(),
            self.pipeline.clone(),
            self.exporter.clone(),
        );
        let progress = self.progress.clone();
        Box::pin(async move {
            let count = refusal.sequences.len() as u64;
            tokio::task::spawn_blocking(move || ledger.put_letters(&pipeline, &exporter, &refusal))
                .await??;
            progress.refused.fetch_add(count, Ordering::Relaxed);
            Ok(())
        })
    }
}
