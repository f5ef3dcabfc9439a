//! What is read of the disk before anyone asks for it.

use super::rig::{heavy, id, ids, open, plain, soon, until};
use crate::ahead::{Ahead, CHUNK_BYTES, CHUNKS, Chunk};
use crate::disk::{Operation, SimulatedDisk};
use crate::{Ledger, Settings};

/// A log of which memory has nothing, each record a chunk of its own.
async fn chunks(disk: &SimulatedDisk, records: i64) -> Ledger {
    let settings = Settings {
        cache_bytes: 1,
        ..plain()
    };
    let ledger = open(disk, settings);
    for record in 0..records {
        let batch = heavy([record], CHUNK_BYTES);
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
    let ledger = chunks(&SimulatedDisk::new(1), 8).await;
    let mut ahead = Ahead::new(ledger.inner.clone(), id("splunk"));
    ahead.read_from(0);
    let mut came = Vec::new();
    while came.len() < 8 {
        let waiting = reads_end(&ahead);
        assert_eq!(waiting, CHUNKS.min(8 - came.len()), "after {came:?}");
        came.extend(records(&soon(ahead.next()).await.expect("a chunk waits")));
    }
    assert_eq!(came, (0..8).collect::<Vec<_>>());
    assert!(soon(ahead.next()).await.is_none());
    ledger.close();
}

#[tokio::test]
async fn a_read_that_panics_is_a_failure_and_the_next_one_begins_where_it_began() {
    let disk = SimulatedDisk::new(2);
    let ledger = chunks(&disk, 3).await;
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
