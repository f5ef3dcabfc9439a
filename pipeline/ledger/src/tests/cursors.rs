//! What becomes of cursors: damaged, orphaned, full of gaps.

use std::sync::Arc;
use std::time::Duration;

use super::rig::{
    AT_ONCE, Hands, append, bytes_of, cursor, deliver, id, ids, open, paths, plain, reader, soon,
    stored, take,
};
use crate::disk::{Fault, FaultKind, Operation, SimulatedDisk, When};
use crate::{Ledger, Retention, Settings, StartAt};

/// A segment for each record, and what nobody needs is deleted.
fn forgetful() -> Settings {
    Settings {
        segment_bytes: 1,
        retention: Retention {
            time: Duration::ZERO,
            bytes: 0,
        },
        ..plain()
    }
}

/// A ledger with two records that one exporter has not got, and whose cursor's file is `damaged`.
async fn with_damage(damage: impl FnOnce(&SimulatedDisk, &str)) -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, forgetful());
    drop(ledger.reader(id("splunk"), StartAt::Now).unwrap());
    for id in 0..3 {
        append(&ledger, [id]).await.unwrap();
    }
    ledger.close();
    let path = paths(&disk, "cursors/").remove(0);
    damage(&disk, &path);
    disk
}

#[tokio::test]
async fn an_exporter_with_a_damaged_cursor_begins_at_the_oldest_record_though_new_ones_begin_now() {
    let damages: [fn(&SimulatedDisk, &str); 4] = [
        |disk, path| disk.flip(path, 20, 1).unwrap(),
        |disk, path| disk.cut(path, 0).unwrap(),
        |disk, path| disk.put(path, &vec![b' '; (16 << 20) + 1]).unwrap(),
        |disk, path| {
            disk.fail(Fault::new(Operation::Read, When::Nth(1), FaultKind::Io).below(path));
        },
    ];
    for damage in damages {
        let disk = with_damage(damage).await;
        let ledger = open(&disk, forgetful());
        assert_eq!(ledger.report().damages.len(), 1, "{:?}", ledger.report());
        crate::retention::collect(&ledger.inner, 0);
        let mut splunk = ledger.reader(id("splunk"), StartAt::Now).unwrap();
        ledger.all_claimed().unwrap();
        assert_eq!(take(&mut splunk, 3).await, [0, 1, 2]);
        ledger.close();
        let ledger = open(&disk, forgetful());
        assert!(ledger.report().damages.is_empty(), "the new one is whole");
        assert_eq!(cursor(&ledger, "splunk").cursor.low(), 3);
        ledger.close();
    }
}

#[tokio::test]
async fn the_damage_of_a_cursor_is_known_until_its_exporter_comes() {
    let mut before = Vec::new();
    let disk = with_damage(|disk, path| {
        disk.flip(path, 20, 1).unwrap();
        before = bytes_of(disk, path);
    })
    .await;
    open(&disk, forgetful()).close();
    let kept = paths(&disk, "quarantine/");
    assert_eq!(bytes_of(&disk, &kept[0]), before);
    let ledger = open(&disk, forgetful());
    let mut splunk = ledger.reader(id("splunk"), StartAt::Now).unwrap();
    assert_eq!(take(&mut splunk, 3).await, [0, 1, 2]);
    ledger.close();
}

#[tokio::test]
async fn a_damaged_cursor_that_nobody_comes_for_lets_segments_go() {
    let disk = with_damage(|disk, path| disk.cut(path, 5).unwrap()).await;
    let ledger = open(&disk, forgetful());
    ledger.all_claimed().unwrap();
    crate::retention::collect(&ledger.inner, 0);
    assert_eq!(paths(&disk, "segments/").len(), 1, "the last one stays");
    assert!(paths(&disk, "cursors/").is_empty());
    ledger.close();
}

#[test]
fn cursors_that_several_threads_store_at_once_are_stored_whole() {
    let disk = SimulatedDisk::new(5);
    let ledger = open(&disk, plain());
    drop(reader(&ledger, "splunk"));
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let inner = &ledger.inner;
            scope.spawn(move || {
                for n in 0..50 {
                    let sequence = n * 4 + thread;
                    inner.cursors.finish(&id("splunk"), sequence..sequence + 1);
                    inner.cursors.store().unwrap();
                }
            });
        }
    });
    stored(&disk, "splunk", 200);
    ledger.close();
}

const NOON: u64 = 1_776_000_000_000_000_000;
const HOUR: Duration = Duration::from_secs(3600);

fn collect(ledger: &Ledger) {
    crate::retention::release_orphans(&ledger.inner);
    crate::retention::collect(&ledger.inner, 0);
}

#[tokio::test]
async fn a_removed_exporters_cursor_keeps_segments_for_the_grace_and_no_longer() {
    let (disk, hands) = (SimulatedDisk::new(6), Hands::at(NOON));
    let ledger = hands.open(&disk, forgetful());
    drop(reader(&ledger, "removed"));
    for id in 0..3 {
        append(&ledger, [id]).await.unwrap();
    }
    ledger.close();
    // The configuration names it no more. The grace goes on over restarts.
    let mut since = NOON;
    for hours in [0, 1, 23] {
        let ledger = hands.open(&disk, forgetful());
        ledger.all_claimed().unwrap();
        hands.pass(HOUR * hours - Duration::from_nanos(u64::from(hours > 20)));
        collect(&ledger);
        assert_eq!(paths(&disk, "segments/").len(), 3, "after {hours} hours");
        since = cursor(&ledger, "removed").orphaned.unwrap().min(since);
        ledger.close();
    }
    assert_eq!(since, NOON);
    hands.pass(Duration::from_nanos(1));
    let ledger = hands.open(&disk, forgetful());
    ledger.all_claimed().unwrap();
    collect(&ledger);
    assert_eq!(paths(&disk, "segments/").len(), 1);
    ledger.close();
}

#[tokio::test]
async fn an_exporter_that_comes_back_goes_on_and_keeps_its_records_again() {
    let (disk, hands) = (SimulatedDisk::new(7), Hands::at(NOON));
    let ledger = hands.open(&disk, forgetful());
    let mut back = reader(&ledger, "back");
    append(&ledger, [0]).await.unwrap();
    append(&ledger, [1]).await.unwrap();
    let lease = soon(back.next(&AT_ONCE)).await;
    lease.delivered(0..1);
    drop(back);
    ledger.all_claimed().unwrap();
    hands.pass(HOUR * 25);
    collect(&ledger);
    assert!(!cursor(&ledger, "back").pins);
    // Record 1 stayed, for the last segment does.
    let mut back = ledger.reader(id("back"), StartAt::Now).unwrap();
    append(&ledger, [2]).await.unwrap();
    append(&ledger, [3]).await.unwrap();
    hands.pass(HOUR * 25);
    collect(&ledger);
    assert_eq!(take(&mut back, 3).await, [1, 2, 3]);
    assert_eq!(cursor(&ledger, "back").orphaned, None);
    ledger.close();
}

#[tokio::test]
async fn an_exporter_that_is_removed_while_the_process_runs_is_orphaned_too() {
    let disk = SimulatedDisk::new(8);
    let ledger = open(&disk, plain());
    let (old, mut kept) = (reader(&ledger, "removed"), reader(&ledger, "kept"));
    let new = reader(&ledger, "kept");
    append(&ledger, [0]).await.unwrap();
    ledger.all_claimed().unwrap();
    assert_eq!(cursor(&ledger, "removed").orphaned, None);
    drop((old, new));
    ledger.all_claimed().unwrap();
    assert!(cursor(&ledger, "removed").orphaned.is_some());
    assert_eq!(
        cursor(&ledger, "kept").orphaned,
        None,
        "the older of two readers is there"
    );
    take(&mut kept, 1).await;
    soon(ledger.drained()).await;
    ledger.close();
}
