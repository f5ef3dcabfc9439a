//! A ledger on a simulated disk, with records that tell themselves apart.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use sluice_batch::{Batch, Signal, Value};
use sluice_component::Batching;
use sluice_evidence::SigningKey;

use crate::clock::Wall;
use crate::disk::{Disk, SimulatedDisk};
use crate::{
    AppendError, CursorId, CursorState, Integrity, Lease, Ledger, OpenError, Reader, Settings,
    StartAt,
};

pub(super) const AT_ONCE: Batching = Batching {
    max_records: 1000,
    max_bytes: 0,
    timeout: None,
    min_records: 0,
};

/// Anything that takes longer has gone wrong.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn batch(ids: impl IntoIterator<Item = i64>) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    for id in ids {
        let mut record = batch.push_log();
        record.set("id", Value::Int(id));
        record.set_time(1_776_709_800_000_000_000 + id as u64);
    }
    batch
}

/// Records that no compression makes smaller than `bytes`.
pub(super) fn heavy(ids: impl IntoIterator<Item = i64>, bytes: usize) -> Batch {
    let mut batch = batch(ids);
    for i in 0..batch.len() {
        let noise: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
        batch.record_mut(i).set("noise", Value::Bytes(&noise));
    }
    batch
}

pub(super) fn ids(batch: &Batch) -> Vec<i64> {
    let id = |value| match value {
        Some(Value::Int(id)) => id,
        _ => -1,
    };
    batch.records().map(|r| id(r.get("id"))).collect()
}

pub(super) fn settings() -> Settings {
    Settings {
        origin: Some("test/node".into()),
        ..Settings::new(PathBuf::from("simulated"))
    }
}

/// Without a tree: nothing but segments, cursors and letters.
pub(super) fn plain() -> Settings {
    Settings {
        integrity: Integrity::Off,
        ..settings()
    }
}

pub(super) fn key() -> SigningKey {
    SigningKey::from_seed("test/node", &[7; 32]).unwrap()
}

pub(super) fn open(disk: &SimulatedDisk, settings: Settings) -> Ledger {
    try_open(disk, settings).unwrap()
}

pub(super) fn try_open(disk: &SimulatedDisk, settings: Settings) -> Result<Ledger, OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let key = (settings.integrity == Integrity::Record).then(key);
    Ledger::open_on(disk, settings, key)
}

pub(super) fn id(exporter: &str) -> CursorId {
    CursorId {
        pipeline: "logs".into(),
        exporter: exporter.into(),
    }
}

pub(super) fn reader(ledger: &Ledger, exporter: &str) -> Reader {
    ledger.reader(id(exporter), StartAt::Beginning).unwrap()
}

pub(super) fn cursor(ledger: &Ledger, exporter: &str) -> CursorState {
    ledger.cursors()[&id(exporter)].clone()
}

pub(super) async fn append(
    ledger: &Ledger,
    ids: impl IntoIterator<Item = i64>,
) -> Result<(), AppendError> {
    ledger.append(vec![("logs".into(), batch(ids))]).await
}

/// What comes, as long as it comes soon.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    let answer = tokio::time::timeout(PATIENCE, future).await;
    answer.expect("it came to nothing")
}

/// Waits for what another thread does.
pub(super) fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came about");
        std::thread::yield_now();
    }
}

pub(super) fn deliver(lease: &Lease) {
    lease.delivered(0..lease.batch.len() as u32);
}

/// Delivers records until so many have come.
pub(super) async fn take(reader: &mut Reader, records: usize) -> Vec<i64> {
    let mut taken = Vec::new();
    while taken.len() < records {
        let lease = soon(reader.next(&AT_ONCE)).await;
        deliver(&lease);
        taken.extend(ids(&lease.batch));
    }
    taken
}

/// Whether a reader that has kept up has nothing to lend now.
pub(super) fn is_idle(reader: &mut Reader) -> bool {
    reader.next(&AT_ONCE).now_or_never().is_none()
}

/// Waits until the stored cursor of an exporter has come so far.
pub(super) fn stored(disk: &SimulatedDisk, exporter: &str, low: u64) {
    until(|| {
        let cursors = crate::cursors::Cursors::look(disk).unwrap();
        cursors
            .get(&id(exporter))
            .is_some_and(|c| c.cursor.low() >= low)
    });
}

/// The paths below one directory.
pub(super) fn paths(disk: &SimulatedDisk, below: &str) -> Vec<String> {
    let files = disk.files().into_iter().map(|(path, _)| path);
    files.filter(|path| path.starts_with(below)).collect()
}

pub(super) fn bytes_of(disk: &SimulatedDisk, path: &str) -> Vec<u8> {
    let mut files = disk.files().into_iter();
    files.find(|(p, _)| p == path).unwrap().1
}

/// A clock for tests to set, in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(super) fn at(now: u64) -> Self {
        Self(Arc::new(AtomicU64::new(now)))
    }

    pub(super) fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }

    pub(super) fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(super) fn open(&self, disk: &SimulatedDisk, settings: Settings) -> Ledger {
        let hands = self.0.clone();
        let wall: Wall = Arc::new(move || hands.load(Ordering::Relaxed));
        let key = (settings.integrity == Integrity::Record).then(key);
        Ledger::open_at(Arc::new(disk.clone()), settings, key, wall).unwrap()
    }
}
