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
