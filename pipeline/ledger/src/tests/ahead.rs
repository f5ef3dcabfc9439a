//! What is read of the disk before anyone asks for it.

use std::ops::Range;
use std::sync::mpsc;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use sluice_batch::{Batch, Signal};

use super::forge::frames;
use super::rig::{heavy, id, ids, open, plain, soon, until};
use crate::ahead::{AHEAD_BYTES, Ahead, CHUNK_BYTES, CHUNKS, FRAMES};
use crate::chunk::Chunk;
use crate::disk::{Operation, SimulatedDisk};
use crate::format::{HEAD, Head, Header, Key};
use crate::{Ledger, Settings};

/// A log of which memory has nothing, each record a chunk of its own.
async fn chunks(disk: &SimulatedDisk, records: i64, bytes: usize) -> Ledger {
    let settings = Settings {
        cache_bytes: 1,
        ..plain()
    };
    let ledger = open(disk, settings);
    for record in 0..records {
        let batch = heavy([record], bytes);
        ledger.append(vec![("logs".into(), batch)]).await.unwrap();
    }
    ledger
}

fn records(chunk: &Chunk) -> Vec<i64> {
    chunk.pieces.iter().flat_map(|p| ids(&p.batch)).collect()
}

fn reads_end(ahead: &Ahead) -> usize {
    until(|| ahead.waiting().is_some());
    ahead.waiting().unwrap()
}

#[tokio::test]
async fn the_disk_is_read_on_while_nobody_asks_and_no_further_than_memory_may_hold() {
    // Of the larger ones three are a little more than may wait.
    for (bytes, most) in [
        (CHUNK_BYTES, CHUNKS),
        (AHEAD_BYTES / 3, 3),
        (AHEAD_BYTES, 1),
    ] {
        let ledger = chunks(&SimulatedDisk::new(1), 12, bytes).await;
        let mut ahead = Ahead::new(ledger.inner.clone(), id("splunk"));
        ahead.read_from(0);
        let mut came = Vec::new();
        while came.len() < 12 {
            let waiting = reads_end(&ahead);
            assert_eq!(waiting, most.min(12 - came.len()), "after {came:?}");
            came.extend(records(&soon(ahead.next()).await.expect("a chunk waits")));
        }
        assert_eq!(came, (0..12).collect::<Vec<_>>());
        assert!(soon(ahead.next()).await.is_none());
        ledger.close();
    }
}

#[tokio::test]
async fn a_read_that_panics_is_a_failure_and_the_next_one_begins_where_it_began() {
    let disk = SimulatedDisk::new(2);
    let ledger = chunks(&disk, 3, CHUNK_BYTES).await;
    let mut ahead = Ahead::new(ledger.inner.clone(), id("splunk"));
    disk.watch(|operation, _| assert_ne!(operation, Operation::Read, "a bug in reading"));
    ahead.read_from(1);
    let chunk = soon(ahead.next()).await.expect("its failure waits");
    assert!(chunk.failure.is_some() && chunk.end == 1, "{chunk:?}");
    disk.watch(|_, _| {});
    assert!(soon(ahead.next()).await.is_none(), "nothing is being read");
    ahead.read_from(chunk.end);
    let chunk = soon(ahead.next()).await.expect("it is read");
    assert_eq!(records(&chunk), [1]);
    ledger.close();
}

#[tokio::test]
async fn records_count_for_what_they_are_in_memory_however_little_they_are_on_the_disk() {
    let ledger = chunks(&SimulatedDisk::new(3), 0, 0).await;
    for _ in 0..3 {
        let mut batch = Batch::new(Signal::Logs);
        for _ in 0..AHEAD_BYTES / 128 {
            batch.push_log();
        }
        ledger.append(vec![("logs".into(), batch)]).await.unwrap();
    }
    let mut ahead = Ahead::new(ledger.inner.clone(), id("splunk"));
    ahead.read_from(0);
    for _ in 0..3 {
        assert_eq!(reads_end(&ahead), 1);
        assert!(soon(ahead.next()).await.is_some());
    }
    ledger.close();
}

#[tokio::test]
async fn a_log_of_nothing_but_others_records_is_read_ahead_no_further_than_any() {
    let ledger = chunks(&SimulatedDisk::new(4), 0, 0).await;
    let frames = FRAMES * (CHUNKS + 2);
    for _ in 0..frames {
        let others = ("other".into(), heavy([7], 1));
        ledger.append(vec![others]).await.unwrap();
    }
    let mut ahead = Ahead::new(ledger.inner.clone(), id("splunk"));
    ahead.read_from(0);
    assert_eq!(reads_end(&ahead), CHUNKS);
    let mut end = 0;
    while let Some(chunk) = soon(ahead.next()).await {
        assert!(chunk.pieces.is_empty() && chunk.lost.is_empty());
        end = chunk.end;
    }
    assert_eq!(end, frames as u64);
    ledger.close();
}

/// A log of three frames, of which one shows only when it is taken apart that it is not what it says.
async fn forged(disk: &SimulatedDisk, which: usize, bytes: usize) -> Ledger {
    let ledger = chunks(disk, 3, bytes).await;
    let placed = frames(disk).swap_remove(which);
    let says = Head {
        is_compressed: true,
        ..placed.frame.head
    };
    disk.damage(&placed.file, |bytes| {
        let key = Key::of(&Header::decode(bytes).unwrap().ledger);
        let at = placed.at as usize;
        bytes[at..at + HEAD].copy_from_slice(&says.encode(key));
        Ok(())
    })
    .unwrap();
    ledger
}

#[tokio::test]
async fn chunks_come_in_the_order_of_the_log_whichever_is_ready_first() {
    let disk = SimulatedDisk::new(5);
    let ledger = forged(&disk, 0, CHUNK_BYTES).await;
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    disk.watch(move |_, path| {
        if path.starts_with("quarantine") {
            // Until the gate is gone.
            let _ = gate.lock().recv();
        }
    });
    let mut ahead = Ahead::new(ledger.inner.clone(), id("splunk"));
    ahead.read_from(0);
    until(|| ahead.ready() == 2);
    assert!(ahead.next().now_or_never().is_none(), "the first is not");
    drop(open);
    let mut came = Vec::new();
    while let Some(chunk) = soon(ahead.next()).await {
        came.push((records(&chunk), chunk.lost, chunk.end));
    }
    let gone = Range { start: 0, end: 1 };
    assert_eq!(
        came,
        [
            (vec![], vec![gone], 1),
            (vec![1], vec![], 2),
            (vec![2], vec![], 3)
        ]
    );
    ledger.close();
}

#[tokio::test]
async fn what_was_read_behind_a_panic_is_read_again_and_comes_in_its_place() {
    let disk = SimulatedDisk::new(6);
    let ledger = forged(&disk, 1, CHUNK_BYTES).await;
    disk.watch(|_, path| assert!(!path.starts_with("quarantine"), "a bug in telling of it"));
    let mut ahead = Ahead::new(ledger.inner.clone(), id("splunk"));
    ahead.read_from(0);
    assert_eq!(reads_end(&ahead), 3);
    assert_eq!(records(&soon(ahead.next()).await.unwrap()), [0]);
    let chunk = soon(ahead.next()).await.expect("its failure waits");
    assert!(chunk.failure.is_some() && chunk.end == 1, "{chunk:?}");
    disk.watch(|_, _| {});
    assert!(
        soon(ahead.next()).await.is_none(),
        "nothing waits behind it"
    );
    ahead.read_from(chunk.end);
    let chunk = soon(ahead.next()).await.expect("it is read");
    assert_eq!(records(&chunk), [0_i64; 0]);
    assert_eq!(chunk.lost, [Range { start: 1, end: 2 }]);
    assert_eq!(records(&soon(ahead.next()).await.unwrap()), [2]);
    ledger.close();
}

#[tokio::test]
async fn what_stands_in_a_chunk_before_a_panic_comes_and_the_rest_is_read_again() {
    let disk = SimulatedDisk::new(7);
    let ledger = forged(&disk, 1, 200).await;
    disk.watch(|_, path| {
        assert!(
            !path.starts_with("quarantine"),
            "a bug in telling of damage"
        )
    });
    let mut ahead = Ahead::new(ledger.inner.clone(), id("splunk"));
    ahead.read_from(0);
    let chunk = soon(ahead.next()).await.expect("it is read");
    assert!(chunk.failure.is_some(), "{chunk:?}");
    assert_eq!((records(&chunk), chunk.end), (vec![0], 1));
    disk.watch(|_, _| {});
    ahead.read_from(chunk.end);
    let chunk = soon(ahead.next()).await.expect("it is read");
    assert_eq!((records(&chunk), chunk.end), (vec![2], 3));
    assert_eq!(chunk.lost, [Range { start: 1, end: 2 }]);
    ledger.close();
}
