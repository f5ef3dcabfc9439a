//! A ledger with exporters, and what must be true of it whatever happens: the world that the tests of power loss act on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use sluice_batch::Batch;

use super::rig::{AT_ONCE, batch, ids, soon, try_open};
use crate::disk::SimulatedDisk;
use crate::{CursorId, Entry, Lease, Ledger, Reader, Settings, StartAt};

/// Each exporter with its pipeline.
pub(super) const EXPORTERS: [(&str, &str); 3] = [("logs", "a"), ("logs", "b"), ("other", "c")];

pub(super) struct World {
    pub(super) disk: SimulatedDisk,
    settings: Settings,
    running: Option<Running>,
    next_id: i64,
    /// What senders were told OK for: the pipeline of each record.
    acknowledged: BTreeMap<i64, &'static str>,
    /// Where acknowledged records were found.
    places: BTreeMap<u64, i64>,
    /// What each exporter's destination took.
    delivered: [BTreeSet<i64>; 3],
}

struct Running {
    ledger: Ledger,
    exporters: Vec<(Reader, Vec<Lease>)>,
}

impl World {
    /// A world whose ledger is not open yet.
    pub(super) fn new(disk: SimulatedDisk, settings: Settings) -> Self {
        Self {
            disk,
            settings,
            running: None,
            next_id: 0,
            acknowledged: BTreeMap::new(),
            places: BTreeMap::new(),
            delivered: Default::default(),
        }
    }

    /// Opens the ledger and its exporters' readers, as the engine does. Says whether all went well.
    pub(super) fn start(&mut self) -> bool {
        let Ok(ledger) = try_open(&self.disk, self.settings.clone()) else {
            return false;
        };
        let readers: Result<Vec<Reader>, _> = EXPORTERS
            .iter()
            .map(|at| ledger.reader(cursor_of(*at), StartAt::Now))
            .collect();
        let (Ok(readers), Ok(())) = (readers, ledger.all_claimed()) else {
            ledger.close();
            return false;
        };
        let exporters = readers.into_iter().map(|r| (r, Vec::new())).collect();
        self.running = Some(Running { ledger, exporters });
        true
    }

    /// Requests that arrive together, each with so many records for both pipelines. Says how many were acknowledged.
    pub(super) async fn append(&mut self, requests: &[(usize, usize)]) -> usize {
        let Some(Running { ledger, .. }) = &self.running else {
            return 0;
        };
        let mut answers = Vec::new();
        let mut records = Vec::new();
        for (logs, other) in requests {
            let mut make = |count: &usize| -> (Vec<i64>, Batch) {
                let ids: Vec<i64> = (self.next_id..).take(*count).collect();
                self.next_id += *count as i64;
                (ids.clone(), batch(ids))
            };
            let ((logs, first), (other, second)) = (make(logs), make(other));
            answers.push(ledger.append(vec![("logs".into(), first), ("other".into(), second)]));
            records.push((logs, other));
        }
        let mut taken = 0;
        for ((logs, other), answer) in records.into_iter().zip(join_all(answers).await) {
            if answer.is_ok() {
                taken += 1;
                self.acknowledged
                    .extend(logs.iter().map(|id| (*id, "logs")));
                self.acknowledged
                    .extend(other.iter().map(|id| (*id, "other")));
            }
        }
        taken
    }

    /// What an exporter has neither delivered nor on record as a letter.
    fn owed(&self, exporter: usize) -> BTreeSet<i64> {
        let (pipeline, name) = EXPORTERS[exporter];
        let mut owed: BTreeSet<i64> = self
            .acknowledged
            .iter()
            .filter(|(_, of)| **of == pipeline)
            .map(|(id, _)| *id)
            .collect();
        owed.retain(|id| !self.delivered[exporter].contains(id));
        if let Some(Running { ledger, .. }) = &self.running {
            for sequence in ledger.dead_letters().sequences(name) {
                let letter = ledger.dead_letters().letter(name, sequence);
                for id in letter.iter().flat_map(|l| ids(&l.batch().unwrap())) {
                    owed.remove(&id);
                }
            }
        }
        owed
    }

    /// Lends the next records to an exporter, if it is owed any that it does not have.
    pub(super) async fn lease(&mut self, exporter: usize) {
        let mut owed = self.owed(exporter);
        let Some(running) = &mut self.running else {
            return;
        };
        let (reader, leases) = &mut running.exporters[exporter];
        for lease in leases.iter() {
            ids(&lease.batch).iter().for_each(|id| {
                owed.remove(id);
            });
        }
        if owed.is_empty() {
            return;
        }
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), reader.next(&AT_ONCE));
        if let Ok(lease) = next.await {
            leases.push(lease);
        }
    }

    /// Settles a part of one of an exporter's leases: delivered, or refused for good.
    pub(super) async fn settle(&mut self, exporter: usize, which: usize, part: usize, well: bool) {
        let Some(running) = &mut self.running else {
            return;
        };
        let leases = &running.exporters[exporter].1;
        if leases.is_empty() {
            return;
        }
        let lease = &leases[which % leases.len()];
        let len = lease.batch.len();
        let range = (part % len) as u32..len as u32;
        if well {
            lease.delivered(range.clone());
            let all = ids(&lease.batch);
            self.delivered[exporter].extend(&all[range.start as usize..]);
        } else {
            // Whether or not it could be put on record.
            let _ = lease.refused(range, "400", 1).await;
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(running) = self.running.take() {
            running.ledger.close();
        }
    }

    /// The next process finds a disk that works. It must start, and everything must be there.
    pub(super) fn restart(&mut self) {
        self.close();
        self.disk = self.disk.restarted();
        self.disk.heal();
        self.disk.set_capacity(None);
        assert!(self.start(), "a start succeeds on a disk that works");
        self.check();
    }

    /// Every acknowledged record stands in the log once, at the place where it was before.
    fn check(&mut self) {
        let Some(Running { ledger, .. }) = &self.running else {
            return;
        };
        let mut found = BTreeMap::new();
        let mut last = 0;
        for entry in ledger.view().entries(0) {
            let Entry::Frame(frame) = entry.unwrap() else {
                continue;
            };
            assert!(frame.head.first >= last, "in order");
            last = frame.head.end();
            if frame.pipeline == crate::inner::OWN_PIPELINE {
                continue;
            }
            for (sequence, id) in (frame.head.first..).zip(ids(&frame.batch().unwrap())) {
                if self.acknowledged.contains_key(&id) {
                    assert_eq!(self.acknowledged[&id], frame.pipeline);
                    assert_eq!(found.insert(id, sequence), None, "{id} is there twice");
                    let before = self.places.insert(sequence, id).unwrap_or(id);
                    assert_eq!(before, id, "number {sequence} was given twice");
                }
            }
        }
        for id in self.acknowledged.keys() {
            if !found.contains_key(id) {
                let is_through = (0..3)
                    .filter(|e| EXPORTERS[*e].0 == self.acknowledged[id])
                    .all(|exporter| !self.owed(exporter).contains(id));
                let may_be_deleted = self.settings.retention.bytes == 0;
                assert!(may_be_deleted && is_through, "record {id} is gone");
            }
        }
    }

    /// Delivers all that is left: no exporter may miss a record.
    pub(super) async fn finish(&mut self) {
        self.restart();
        for (exporter, name) in EXPORTERS.iter().enumerate() {
            while !self.owed(exporter).is_empty() {
                let owed = self.owed(exporter);
                let Some(running) = &mut self.running else {
                    return;
                };
                let lease = running.exporters[exporter].0.next(&AT_ONCE);
                let lease = soon(async {
                    tokio::time::timeout(std::time::Duration::from_secs(5), lease).await
                })
                .await
                .unwrap_or_else(|_| panic!("{name:?} never gets {owed:?}"));
                super::rig::deliver(&lease);
                self.delivered[exporter].extend(ids(&lease.batch));
            }
        }
        self.restart();
        self.close();
    }
}

fn cursor_of((pipeline, exporter): (&str, &str)) -> CursorId {
    CursorId {
        pipeline: Arc::from(pipeline),
        exporter: Arc::from(exporter),
    }
}
