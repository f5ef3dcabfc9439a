//! What is read of the disk before anyone asks for it.

use std::ops::Range;

use super::forge::frames;
use super::rig::{heavy, id, ids, open, plain, soon, until};
use crate::ahead::{AHEAD_BYTES, Ahead, CHUNK_BYTES, Chunk};
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
    for (bytes, most) in [(CHUNK_BYTES, 8), (AHEAD_BYTES / 3, 3), (AHEAD_BYTES, 1)] {
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
async fn what_was_read_behind_a_panic_is_read_again_and_comes_in_its_place() {
    let disk = SimulatedDisk::new(3);
    let ledger = chunks(&disk, 3, CHUNK_BYTES).await;
    // Whole, and not what it says: this shows when it is taken apart, while the next ones are read already.
    let placed = frames(&disk).swap_remove(1);
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
