//! A ledger on a simulated disk, with records that tell themselves apart.

use std::path::PathBuf;
use std::sync::Arc;

use sluice_batch::{Batch, Signal, Value};
use sluice_component::Batching;
use sluice_evidence::SigningKey;

use crate::disk::{Disk, SimulatedDisk};
use crate::{CursorId, Ledger, Reader, Settings, StartAt};

pub(super) const AT_ONCE: Batching = Batching {
    max_records: 1000,
    max_bytes: 0,
    timeout: None,
    min_records: 0,
};

pub(super) fn batch(ids: impl IntoIterator<Item = i64>) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    for id in ids {
        let mut record = batch.push_log();
        record.set("id", Value::Int(id));
        record.set_time(1_776_709_800_000_000_000 + id as u64);
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

pub(super) fn key() -> SigningKey {
    SigningKey::from_seed("test/node", &[7; 32]).unwrap()
}

pub(super) fn open(disk: &SimulatedDisk, settings: Settings) -> Ledger {
    try_open(disk, settings).unwrap()
}

pub(super) fn try_open(
    disk: &SimulatedDisk,
    settings: Settings,
) -> Result<Ledger, crate::OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let key = (settings.integrity == crate::Integrity::Record).then(key);
    Ledger::open_on(disk, settings, key)
}

pub(super) fn reader(ledger: &Ledger, exporter: &str) -> Reader {
    let id = CursorId {
        pipeline: "logs".into(),
        exporter: exporter.into(),
    };
    ledger.reader(id, StartAt::Beginning).unwrap()
}

pub(super) async fn append(
    ledger: &Ledger,
    ids: impl IntoIterator<Item = i64>,
) -> Result<(), crate::AppendError> {
    ledger.append(vec![("logs".into(), batch(ids))]).await
}
