//! Records sent outside the log's order, by someone's order: marked, hidden by today's rules, and delivered like all
//! others. No cursor moves.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use sluice_batch::{Batch, Value};
use sluice_component::{BoxError, BoxFuture, Stage, Undelivered};
use sluice_ledger::{Lease, Ledger, Lender, Outcome, Refusal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::error;

use crate::delivery::{self, Destination};
use crate::lent;
use crate::path::Path;
use crate::progress::Progress;

/// The attribute that marks a record that was sent again by someone's order.
pub const MARK: &str = "sluice.replayed";

/// Most records and about most bytes of one attempt, unless the exporter's batching says less.
const RECORDS: usize = 1000;
const BYTES: usize = 16 << 20;

/// What one destination is sent, gathered so that many letters or small frames make one request.
pub(crate) struct Outside {
    pub(crate) ledger: Ledger,
    pub(crate) destination: Arc<Destination>,
    /// A reload that replaces the destination does not close it before this is through.
    _in_use: TaskTrackerToken,
    pub(crate) progress: Arc<Progress>,
    pub(crate) stop: CancellationToken,
    /// Whom to tell of letters that were delivered.
    pub(crate) letters: Option<Letters>,
    /// Most records of one attempt.
    records: usize,
    bytes: usize,
    /// By pipeline.
    parcels: BTreeMap<Arc<str>, Parcel>,
}

/// Records of one pipeline for the next attempt.
struct Parcel {
    sequences: Vec<u64>,
    batch: Batch,
    bytes: usize,
}

impl Outside {
    pub(crate) fn new(
        ledger: Ledger,
        destination: Arc<Destination>,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Self {
        let batching = destination.delivery.batching;
        let at_most = |limit: usize, own: usize| if own == 0 { limit } else { limit.min(own) };
        Self {
            records: at_most(RECORDS, batching.max_records),
            bytes: at_most(BYTES, batching.max_bytes),
            ledger,
            _in_use: destination.users.token(),
            destination,
            progress,
            stop,
            letters: None,
            parcels: BTreeMap::new(),
        }
    }

    /// Has no attempt carry more than `records`; 0 changes nothing.
    pub(crate) fn with_at_most(mut self, records: usize) -> Self {
        if records > 0 {
            self.records = self.records.min(records);
        }
        self
    }

    /// Takes records of a pipeline that ends here, and sends whatever makes a full request.
    pub(crate) async fn add(&mut self, path: &Path, sequences: Vec<u64>, batch: Batch) {
        let (sequences, batch) = today(path, sequences, batch, &self.progress);
        let mut first = 0;
        for i in 0..batch.len() {
            let parcels = self.parcels.entry(path.name.clone());
            let parcel = parcels.or_insert_with(|| Parcel {
                sequences: Vec::new(),
                batch: Batch::new(batch.signal()),
                bytes: 0,
            });
            parcel.bytes += batch.record_bytes_alone(i);
            let records = parcel.sequences.len() + i + 1 - first;
            let is_full = records >= self.records || parcel.bytes >= self.bytes;
            if !is_full && i + 1 < batch.len() {
                continue;
            }
            parcel.sequences.extend(&sequences[first..=i]);
            parcel.batch.append(&batch.slice(first..i + 1));
            first = i + 1;
            if is_full && let Some(parcel) = self.parcels.remove(&path.name) {
                self.send(path.name.clone(), parcel).await;
            }
        }
    }

    /// Sends what is left.
    pub(crate) async fn finish(mut self) {
        for (pipeline, parcel) in std::mem::take(&mut self.parcels) {
            self.send(pipeline, parcel).await;
        }
    }

    async fn send(&self, pipeline: Arc<str>, parcel: Parcel) {
        let lender = Lent {
            ledger: self.ledger.clone(),
            pipeline,
            exporter: self.destination.name.as_str().into(),
            progress: self.progress.clone(),
            letters: self.letters.clone(),
        };
        let runs = parcel.sequences.iter().map(|s| *s..*s + 1).collect();
        let lease = Lease::new(Arc::new(lender), runs, Arc::new(parcel.batch));
        let lent = lent::Lent::new(lease, &Arc::default());
        delivery::deliver(self.destination.clone(), lent, self.stop.clone()).await;
    }
}

/// Records as they are sent today, marked, without those that today's rules drop or cannot handle.
fn today(path: &Path, sequences: Vec<u64>, batch: Batch, progress: &Progress) -> (Vec<u64>, Batch) {
    match again(path, batch.clone()) {
        Ok((batch, kept)) => {
            if kept.len() < sequences.len() {
                let is_dropped = |(i, _): &(usize, &u64)| !kept.contains(i);
                let dropped = sequences.iter().enumerate().filter(is_dropped);
                let dropped: Vec<u64> = dropped.map(|(_, sequence)| *sequence).collect();
                progress.withhold(&dropped, "a rule of today drops it");
            }
            let kept = kept.into_iter().filter_map(|i| sequences.get(i).copied());
            (kept.collect(), batch)
        }
        Err(why) if batch.len() <= 1 => {
            let why = format!("today's rules of {} cannot handle it: {why}", path.name);
            progress.withhold(&sequences, &why);
            (Vec::new(), Batch::new(batch.signal()))
        }
        // One record must not keep the others.
        Err(_) => {
            let (mut kept, mut all) = (Vec::new(), Batch::new(batch.signal()));
            for (i, sequence) in sequences.into_iter().enumerate() {
                let (one, of_it) = today(path, vec![sequence], batch.slice(i..i + 1), progress);
                kept.extend(one);
                all.append(&of_it);
            }
            (kept, all)
        }
    }
}

/// Marks records and hides what today's rules hide; with the positions of those that are left.
fn again(path: &Path, mut batch: Batch) -> Result<(Batch, Vec<usize>), Undelivered> {
    const PLACE: &str = "sluice.replay.place";
    for i in 0..batch.len() {
        let mut record = batch.record_mut(i);
        record.set(MARK, Value::Bool(true));
        record.set(PLACE, Value::Int(i as i64));
    }
    for stage in &path.stages {
        if let Stage::Transform(step) = stage
            && step.applies_on_replay()
        {
            step.apply(&mut batch)?;
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
    Ok((batch, kept))
}

/// Settles records that were sent outside the log's order.
struct Lent {
    ledger: Ledger,
    pipeline: Arc<str>,
    exporter: Arc<str>,
    progress: Arc<Progress>,
    letters: Option<Letters>,
}

impl Lender for Lent {
    fn delivered(&self, sequences: Range<u64>) {
        self.progress
            .count_delivered(sequences.end - sequences.start);
        if let Some(letters) = &self.letters {
            // Whoever takes them away outlives us.
            let _ = letters.send(sequences);
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
            let count = refusal.sequences.len();
            tokio::task::spawn_blocking(move || ledger.put_letters(&pipeline, &exporter, &refusal))
                .await??;
            progress.count_refused(count);
            Ok(())
        })
    }
}

/// Where the numbers of delivered letters go.
pub(crate) type Letters = mpsc::UnboundedSender<Range<u64>>;

/// Takes letters away that were delivered, until nobody delivers any more: as many as there are at a time, since each
/// time is an fsync.
pub(crate) async fn take_away(
    ledger: Ledger,
    exporter: Arc<str>,
    progress: Arc<Progress>,
    mut delivered: mpsc::UnboundedReceiver<Range<u64>>,
) {
    let mut ranges = Vec::new();
    while delivered.recv_many(&mut ranges, RECORDS).await > 0 {
        let sequences: Arc<[u64]> = ranges.drain(..).flatten().collect();
        let (ledger, name, numbers) = (ledger.clone(), exporter.clone(), sequences.clone());
        let resolved = tokio::task::spawn_blocking(move || {
            let letters = ledger.dead_letters();
            letters.resolve(&name, &numbers, Outcome::Delivered)
        });
        if let Err(error) = resolved.await.map_err(std::io::Error::other).flatten() {
            error!(%exporter, %error, "dead letters were delivered and cannot be removed");
            let why = format!("delivered, but the letter cannot be removed: {error}");
            progress.tell(&sequences, &why);
        }
    }
}
