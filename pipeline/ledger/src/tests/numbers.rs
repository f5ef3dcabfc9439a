//! A sequence number is never given to two records.

use std::time::Duration;

use super::rig::{AT_ONCE, append, deliver, ids, open, paths, plain, reader, soon, take};
use crate::disk::{Fault, FaultKind, Operation, SimulatedDisk, When};
use crate::{Retention, Settings};

/// A segment for each record.
fn narrow() -> Settings {
    Settings {
        segment_bytes: 1,
        ..plain()
    }
}

/// The same, and nothing that was delivered is kept.
fn forgetful() -> Settings {
    Settings {
        retention: Retention {
            time: Duration::ZERO,
            bytes: 0,
        },
        ..narrow()
    }
}

/// Everything but the letter is lost; the next record must not take its number, or the letter would be replaced by one
/// of that record's.
#[tokio::test]
async fn a_dead_letters_number_is_never_given_to_another_record() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, plain());
    let mut splunk = reader(&ledger, "splunk");
    append(&ledger, 0..3).await.unwrap();
    let lease = soon(splunk.next(&AT_ONCE)).await;
    lease.refused(1..2, "400", 1).await.unwrap();
    disk.crash_losing_all();
    ledger.close();
    let disk = disk.restarted();
    for path in paths(&disk, "segments/") {
        disk.cut(&path, 64).unwrap();
    }
    for path in paths(&disk, "cursors/") {
        disk.delete(&path).unwrap();
    }
    let ledger = open(&disk, plain());
    let mut splunk = reader(&ledger, "splunk");
    append(&ledger, [7]).await.unwrap();
    let lease = soon(splunk.next(&AT_ONCE)).await;
    assert_eq!((ids(&lease.batch), lease.first()), (vec![7], 2));
    lease.refused(0..1, "400", 1).await.unwrap();
    assert_eq!(ledger.dead_letters().sequences("splunk"), [1, 2]);
    ledger.close();
}

/// All records were delivered and deleted while the first write to the next segment was under way, and that failed.
#[tokio::test]
async fn the_log_goes_on_with_its_numbers_when_all_its_records_are_gone() {
    for lost in [Operation::Append, Operation::Sync] {
        let disk = SimulatedDisk::new(2);
        let ledger = open(&disk, forgetful());
        append(&ledger, [0]).await.unwrap();
        let mut splunk = reader(&ledger, "splunk");
        assert_eq!(take(&mut splunk, 1).await, [0]);
        // The header is written and synced, the frame is not.
        disk.fail(Fault::new(lost, When::Nth(2), FaultKind::Io).below("segments/"));
        disk.watch({
            let ledger = ledger.clone();
            move |operation, path| {
                if operation == lost && path.starts_with("segments/") {
                    crate::retention::collect(&ledger.inner, 0);
                }
            }
        });
        append(&ledger, [1]).await.unwrap_err();
        disk.kill();
        ledger.close();
        let disk = disk.restarted();
        disk.heal();
        disk.watch(|_, _| {});
        for path in paths(&disk, "cursors/") {
            disk.delete(&path).unwrap();
        }
        let ledger = open(&disk, forgetful());
        assert_eq!(ledger.end(), 1, "{lost:?}");
        ledger.close();
    }
}

#[tokio::test]
async fn an_empty_segment_tells_where_the_log_had_come_to() {
    let disk = SimulatedDisk::new(3);
    let ledger = open(&disk, narrow());
    for id in 0..3 {
        append(&ledger, [id]).await.unwrap();
    }
    ledger.close();
    let segments = paths(&disk, "segments/");
    for path in &segments[..2] {
        disk.delete(path).unwrap();
    }
    disk.cut(&segments[2], 64).unwrap();
    let ledger = open(&disk, narrow());
    append(&ledger, [3]).await.unwrap();
    let mut all = reader(&ledger, "all");
    let lease = soon(all.next(&AT_ONCE)).await;
    deliver(&lease);
    assert_eq!((lease.first(), ids(&lease.batch)), (2, vec![3]));
    ledger.close();
}
