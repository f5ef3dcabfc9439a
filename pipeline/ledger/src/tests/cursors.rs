//! What becomes of cursors: damaged, orphaned, full of gaps.

use std::time::Duration;

use futures_util::FutureExt as _;
use sluice_component::Batching;

use super::rig::{
    AT_ONCE, Hands, append, bytes_of, cursor, deliver, id, ids, open, paths, plain, reader, soon,
    stored, take,
};
use crate::cursors::MAX_GAPS;
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
            // Its version is looked at before.
            disk.fail(Fault::new(Operation::Read, When::Nth(2), FaultKind::Io).below(path));
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

/// Every other record is stuck. Without a bound the cursor would grow with every record that is not.
#[tokio::test]
async fn a_cursor_with_many_gaps_lends_no_more_until_some_are_filled() {
    let disk = SimulatedDisk::new(9);
    let ledger = open(&disk, plain());
    let mut splunk = reader(&ledger, "splunk");
    let mut leases = Vec::new();
    for start in (0..20_000).step_by(1000) {
        append(&ledger, start..start + 1000).await.unwrap();
        if let Some(lease) = splunk.next(&AT_ONCE).now_or_never() {
            for i in (1..lease.batch.len() as u32).step_by(2) {
                lease.delivered(i..i + 1);
            }
            leases.push(lease);
        }
    }
    let gaps = cursor(&ledger, "splunk").cursor.gaps();
    assert!((MAX_GAPS..MAX_GAPS + 500).contains(&gaps), "{gaps}");
    leases.iter().for_each(deliver);
    let taken: usize = leases.iter().map(|l| l.batch.len()).sum();
    assert_eq!(cursor(&ledger, "splunk").cursor.low(), taken as u64);
    let rest = take(&mut splunk, 20_000 - taken).await;
    assert_eq!(rest.len(), 20_000 - taken);
    ledger.close();
}

#[tokio::test]
async fn a_reader_that_waits_for_gaps_to_be_filled_goes_on_at_once() {
    let disk = SimulatedDisk::new(10);
    let ledger = open(&disk, plain());
    let mut splunk = reader(&ledger, "splunk");
    append(&ledger, 0..10_000).await.unwrap();
    let all = Batching {
        max_records: 10_000,
        ..AT_ONCE
    };
    let lease = soon(splunk.next(&all)).await;
    for i in (1..10_000).step_by(2) {
        lease.delivered(i..i + 1);
    }
    append(&ledger, [10_000]).await.unwrap();
    let next = splunk.next(&AT_ONCE);
    tokio::pin!(next);
    assert!((&mut next).now_or_never().is_none());
    lease.delivered(0..5_000);
    assert_eq!(ids(&soon(next).await.batch), [10_000]);
    ledger.close();
}

#[tokio::test]
async fn a_restart_repeats_only_what_was_in_flight() {
    let disk = SimulatedDisk::new(11);
    let ledger = open(&disk, plain());
    let mut splunk = reader(&ledger, "splunk");
    append(&ledger, 0..10).await.unwrap();
    let lease = soon(splunk.next(&AT_ONCE)).await;
    for range in [0..2, 3..5, 9..10, 7..8] {
        lease.delivered(range);
    }
    ledger.close();
    disk.crash_losing_all();
    let ledger = open(&disk.restarted(), plain());
    let stored = cursor(&ledger, "splunk").cursor;
    assert_eq!(stored.low(), 2);
    assert_eq!(stored.done().collect::<Vec<_>>(), [3..5, 7..8, 9..10]);
    let mut splunk = reader(&ledger, "splunk");
    assert_eq!(take(&mut splunk, 4).await, [2, 5, 6, 8]);
    ledger.close();
}

#[tokio::test]
async fn an_exporter_that_comes_while_orphans_are_looked_for_is_none() {
    let disk = SimulatedDisk::new(21);
    let ledger = open(&disk, plain());
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                ledger.all_claimed().unwrap();
            }
        });
        let mut orphaned = 0;
        for _ in 0..2000 {
            let reader = reader(&ledger, "splunk");
            // Whoever looked before the claim has finished then, or this would be marked.
            ledger.all_claimed().unwrap();
            orphaned += usize::from(cursor(&ledger, "splunk").orphaned.is_some());
            drop(reader);
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(orphaned, 0, "its records would go after the grace");
    });
    ledger.close();
}
