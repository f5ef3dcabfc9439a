//! What readers get, from where, and never too early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use parking_lot::{Condvar, Mutex};
use sluice_batch::Value;
use sluice_component::Batching;

use super::rig::{
    AT_ONCE, append, batch, deliver, heavy, ids, is_idle, open, plain, reader, settings, soon,
    take, until,
};
use crate::disk::{Operation, SimulatedDisk};
use crate::{AppendError, Fsync, Settings};

/// Holds the syncs of segments up until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar, AtomicBool)>);

impl Gate {
    fn on(disk: &SimulatedDisk) -> Self {
        let gate = Self::default();
        let held = gate.0.clone();
        disk.watch(move |operation, path| {
            if operation == Operation::Sync && path.starts_with("segments/") {
                held.2.store(true, Ordering::SeqCst);
                held.1.wait_while(&mut held.0.lock(), |is_open| !*is_open);
            }
        });
        gate
    }

    /// Waits until someone waits.
    fn is_reached(&self) {
        until(|| self.0.2.load(Ordering::SeqCst));
    }

    fn open(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_all();
    }
}

#[tokio::test]
async fn nothing_is_answered_or_delivered_before_it_is_synced() {
    let every = Fsync::Every(Duration::from_millis(1));
    for fsync in [Fsync::Always, every] {
        let disk = SimulatedDisk::new(1);
        let ledger = open(
            &disk,
            Settings {
                fsync,
                ..settings()
            },
        );
        let mut splunk = reader(&ledger, "splunk");
        append(&ledger, [0]).await.unwrap();
        assert_eq!(take(&mut splunk, 1).await, [0]);
        let gate = Gate::on(&disk);
        let answer = append(&ledger, [1]);
        tokio::pin!(answer);
        assert!((&mut answer).now_or_never().is_none());
        gate.is_reached();
        assert!((&mut answer).now_or_never().is_none());
        assert!(is_idle(&mut splunk));
        assert_eq!(ledger.end(), 1);
        gate.open();
        soon(answer).await.unwrap();
        assert_eq!(take(&mut splunk, 1).await, [1]);
        ledger.close();
    }
}

#[tokio::test]
async fn a_reader_of_the_disk_stops_at_what_is_synced_too() {
    let disk = SimulatedDisk::new(2);
    let far_behind = Settings {
        cache_bytes: 1,
        ..plain()
    };
    let ledger = open(&disk, far_behind);
    for id in 0..3 {
        append(&ledger, [id]).await.unwrap();
    }
    let gate = Gate::on(&disk);
    let answer = append(&ledger, [3]);
    tokio::pin!(answer);
    assert!((&mut answer).now_or_never().is_none());
    gate.is_reached();
    // Record 3 stands in the file.
    let mut splunk = reader(&ledger, "splunk");
    assert_eq!(take(&mut splunk, 3).await, [0, 1, 2]);
    assert!(is_idle(&mut splunk));
    gate.open();
    soon(answer).await.unwrap();
    assert_eq!(take(&mut splunk, 1).await, [3]);
    ledger.close();
}

#[tokio::test]
async fn an_answer_that_waits_for_the_next_sync_is_as_durable_as_any() {
    let disk = SimulatedDisk::new(3);
    let rarely = Settings {
        fsync: Fsync::Every(Duration::from_millis(100)),
        ..plain()
    };
    let ledger = open(&disk, rarely);
    append(&ledger, [0]).await.unwrap();
    let before = disk.counts().syncs;
    let requests: Vec<_> = (1..50).map(|id| append(&ledger, [id])).collect();
    for answer in soon(join_all(requests)).await {
        answer.unwrap();
    }
    assert!(
        disk.counts().syncs <= before + 2,
        "all in one, or a slow machine"
    );
    append(&ledger, [50]).await.unwrap();
    disk.crash_losing_all();
    ledger.close();
    let ledger = open(&disk.restarted(), plain());
    let all = take(&mut reader(&ledger, "all"), 51).await;
    assert_eq!(all, (0..51).collect::<Vec<_>>());
    ledger.close();
}

#[tokio::test]
async fn a_reader_that_keeps_up_reads_no_file() {
    let disk = SimulatedDisk::new(4);
    let ledger = open(&disk, plain());
    let mut readers = [reader(&ledger, "one"), reader(&ledger, "two")];
    let before = disk.counts().reads;
    for id in 0..100 {
        append(&ledger, [id]).await.unwrap();
        for reader in &mut readers {
            assert_eq!(take(reader, 1).await, [id]);
        }
    }
    assert_eq!(disk.counts().reads, before);
    ledger.close();
}

#[tokio::test]
async fn requests_that_come_while_the_disk_is_busy_share_one_write_and_one_sync() {
    let disk = SimulatedDisk::new(5);
    let ledger = open(&disk, plain());
    append(&ledger, [0]).await.unwrap();
    let gate = Gate::on(&disk);
    // An append is on its way once its future is asked for.
    let send = |id: i64| {
        let mut answer = Box::pin(append(&ledger, [id]));
        assert!((&mut answer).now_or_never().is_none());
        answer
    };
    let mut requests = vec![send(1)];
    gate.is_reached();
    let before = disk.counts();
    requests.extend((2..66).map(send));
    gate.open();
    for answer in soon(join_all(requests)).await {
        answer.unwrap();
    }
    let after = disk.counts();
    assert_eq!(after.appends - before.appends, 1);
    assert_eq!(
        after.syncs - before.syncs,
        2,
        "the one that was held as well"
    );
    let all = take(&mut reader(&ledger, "all"), 66).await;
    assert_eq!(all, (0..66).collect::<Vec<_>>(), "in the order they came");
    ledger.close();
}

#[tokio::test]
async fn a_dead_exporter_holds_no_more_memory_than_the_cache_may_have() {
    let disk = SimulatedDisk::new(6);
    let cache_bytes = 64 << 10;
    let ledger = open(
        &disk,
        Settings {
            cache_bytes,
            ..plain()
        },
    );
    let mut dead = reader(&ledger, "dead");
    let mut alive = reader(&ledger, "alive");
    let lease = {
        append(&ledger, [0]).await.unwrap();
        soon(dead.next(&AT_ONCE)).await
    };
    take(&mut alive, 1).await;
    for id in 1..200 {
        let batch = heavy([id], 2_000);
        ledger.append(vec![("logs".into(), batch)]).await.unwrap();
        assert_eq!(take(&mut alive, 1).await, [id]);
        let held = ledger.inner.state.lock().tail.bytes();
        assert!(held <= cache_bytes, "{held}");
    }
    deliver(&lease);
    assert_eq!(take(&mut dead, 199).await, (1..200).collect::<Vec<_>>());
    ledger.close();
}

/// The engine drops the future whenever something else happens first.
#[tokio::test]
async fn asking_again_and_again_loses_nothing() {
    let disk = SimulatedDisk::new(7);
    let ledger = open(
        &disk,
        Settings {
            cache_bytes: 1,
            segment_bytes: 1_000,
            ..plain()
        },
    );
    let mut splunk = reader(&ledger, "splunk");
    for id in 0..100 {
        append(&ledger, [id]).await.unwrap();
    }
    let mut came = Vec::new();
    while came.len() < 100 {
        if let Some(lease) = splunk.next(&AT_ONCE).now_or_never() {
            deliver(&lease);
            came.extend(ids(&lease.batch));
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(came, (0..100).collect::<Vec<_>>());
    ledger.close();
}

/// Each read of the disk brings a few of these, and begins the next.
#[tokio::test]
async fn what_is_read_ahead_comes_once_and_in_order_however_often_it_is_asked_for() {
    let disk = SimulatedDisk::new(11);
    let ledger = open(
        &disk,
        Settings {
            cache_bytes: 1,
            ..plain()
        },
    );
    let mut splunk = reader(&ledger, "splunk");
    for id in 0..16 {
        let batch = heavy([id], 700_000);
        ledger.append(vec![("logs".into(), batch)]).await.unwrap();
    }
    let one = Batching {
        max_records: 1,
        ..AT_ONCE
    };
    let mut came = Vec::new();
    while came.len() < 16 {
        if let Some(lease) = splunk.next(&one).now_or_never() {
            came.extend(ids(&lease.batch));
            // The first is never settled.
            if came.len() > 1 {
                deliver(&lease);
            }
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(came, (0..16).collect::<Vec<_>>());
    drop(splunk);
    let again = take(&mut reader(&ledger, "splunk"), 1).await;
    assert_eq!(again, [0], "what was not settled is owed");
    ledger.close();
}

#[tokio::test]
async fn senders_are_answered_when_the_writing_thread_is_no_more() {
    let disk = SimulatedDisk::new(8);
    let ledger = open(&disk, plain());
    append(&ledger, [0]).await.unwrap();
    disk.watch(|operation, path| {
        let is_write = operation == Operation::Append && path.starts_with("segments/");
        assert!(!is_write, "a bug in the writing thread");
    });
    for id in 1..3 {
        let answer = soon(append(&ledger, [id])).await;
        assert_eq!(answer, Err(AppendError::Closed));
    }
    ledger.close();
}

#[tokio::test]
async fn a_disk_that_hangs_turns_senders_away_before_it_gathers_more_than_memory_may_hold() {
    let disk = SimulatedDisk::new(11);
    let ledger = open(&disk, plain());
    let gate = Gate::on(&disk);
    let first = ledger.append(vec![("logs".into(), batch([0]))]);
    gate.is_reached();
    let large = |id: i64| {
        let mut batch = batch([id]);
        batch
            .record_mut(0)
            .set("zeros", Value::Bytes(&vec![0; 40 << 20]));
        ledger.append(vec![("logs".into(), batch)])
    };
    let mut waiting = Vec::new();
    let error = loop {
        let mut next = Box::pin(large(waiting.len() as i64 + 1));
        match (&mut next).now_or_never() {
            None => waiting.push(next),
            Some(answer) => break answer.unwrap_err(),
        }
        assert!(waiting.len() < 20, "it gathers without bound");
    };
    assert!(error.to_string().contains("does not keep up"), "{error}");
    assert!(waiting.len() >= 2, "a burst has room");
    gate.open();
    soon(first).await.unwrap();
    for answer in waiting {
        soon(answer).await.unwrap();
    }
    soon(append(&ledger, [100])).await.unwrap();
    ledger.close();
}
