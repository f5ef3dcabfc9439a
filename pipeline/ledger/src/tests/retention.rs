//! Deleting what nobody needs, on a disk that fails and a machine that loses its power.

use std::time::Duration;

use super::rig::{append, cursor, open, paths, plain, reader, take};
use crate::disk::{Fault, FaultKind, Operation, SimulatedDisk, When};
use crate::retention::collect;
use crate::{Retention, Settings};

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

/// The stored cursors lag behind, and what they still point at is deleted.
#[tokio::test]
async fn delivered_records_do_not_look_lost_after_a_power_cut() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, forgetful());
    let mut splunk = reader(&ledger, "splunk");
    for id in 0..20 {
        append(&ledger, [id]).await.unwrap();
        assert_eq!(take(&mut splunk, 1).await, [id]);
        collect(&ledger.inner, 0);
    }
    assert_eq!(paths(&disk, "segments/").len(), 1);
    disk.crash_losing_all();
    ledger.close();
    let ledger = open(&disk.restarted(), forgetful());
    let mut splunk = reader(&ledger, "splunk");
    append(&ledger, [20]).await.unwrap();
    let came = take(&mut splunk, 1).await;
    assert!(came == [20] || came[0] == 19, "{came:?}");
    assert_eq!(cursor(&ledger, "splunk").lost, 0);
    ledger.close();
}

#[tokio::test]
async fn a_segment_that_could_not_be_deleted_is_deleted_later() {
    for operation in [Operation::Remove, Operation::SyncDirectory] {
        for seed in 0..8 {
            let disk = SimulatedDisk::new(seed);
            let ledger = open(&disk, forgetful());
            let mut splunk = reader(&ledger, "splunk");
            for id in 0..5 {
                append(&ledger, [id]).await.unwrap();
            }
            take(&mut splunk, 5).await;
            disk.fail(Fault::new(operation, When::Nth(1), FaultKind::Io).below("segments"));
            collect(&ledger.inner, 0);
            disk.heal();
            collect(&ledger.inner, 0);
            assert_eq!(paths(&disk, "segments/").len(), 1, "{operation:?} {seed}");
            assert_eq!(ledger.view().segments().len(), 1);
            ledger.close();
        }
    }
}
