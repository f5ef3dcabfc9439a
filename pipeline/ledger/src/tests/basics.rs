//! Append, deliver, restart.

use std::time::Duration;

use super::rig::{AT_ONCE, append, batch, ids, open, reader, settings};
use crate::disk::SimulatedDisk;
use crate::{CursorId, StartAt};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_power_cut_and_goes_on_where_it_stood() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, settings());
    let mut splunk = reader(&ledger, "splunk_hec");
    append(&ledger, 0..3).await.unwrap();
    append(&ledger, 3..5).await.unwrap();
    let lease = splunk.next(&AT_ONCE).await;
    assert_eq!(ids(&lease.batch), [0, 1, 2, 3, 4]);
    lease.delivered(1..3);
    ledger.close();
    disk.crash_losing_all();

    let ledger = open(&disk.restarted(), settings());
    let mut splunk = reader(&ledger, "splunk_hec");
    let lease = splunk.next(&AT_ONCE).await;
    assert_eq!(ids(&lease.batch), [0, 3, 4], "only what is owed");
    lease.delivered(0..3);
    append(&ledger, [5]).await.unwrap();
    assert_eq!(ids(&splunk.next(&AT_ONCE).await.batch), [5]);
    assert!(ledger.report().damages.is_empty(), "{:?}", ledger.report());
    ledger.close();
}

#[tokio::test]
async fn each_exporter_goes_at_its_own_pace_and_pipelines_do_not_mix() {
    let disk = SimulatedDisk::new(2);
    let ledger = open(&disk, settings());
    let (mut quick, mut slow) = (reader(&ledger, "quick"), reader(&ledger, "slow"));
    for start in (0..100).step_by(10) {
        let other = ("logs/other".into(), batch(1000..1003));
        let ours = ("logs".into(), batch(start..start + 10));
        ledger.append(vec![ours, other]).await.unwrap();
        let lease = quick.next(&AT_ONCE).await;
        assert_eq!(ids(&lease.batch), (start..start + 10).collect::<Vec<_>>());
        lease.delivered(0..10);
    }
    let lease = slow.next(&AT_ONCE).await;
    assert_eq!(ids(&lease.batch), (0..100).collect::<Vec<_>>());
    lease.delivered(0..100);
    tokio::time::timeout(Duration::from_secs(10), async {
        // The readers pass the other pipeline's last records when they look for more.
        tokio::select! {
            _ = quick.next(&AT_ONCE) => unreachable!(),
            _ = slow.next(&AT_ONCE) => unreachable!(),
            () = ledger.drained() => {}
        }
    })
    .await
    .unwrap();
    ledger.close();
}

#[tokio::test]
async fn a_reader_that_fell_behind_reads_the_disk_and_catches_up() {
    let disk = SimulatedDisk::new(3);
    let mut small = settings();
    small.cache_bytes = 1000;
    small.segment_bytes = 4096;
    let ledger = open(&disk, small);
    let mut behind = reader(&ledger, "behind");
    for id in 0..300 {
        append(&ledger, [id]).await.unwrap();
    }
    let mut seen = Vec::new();
    while seen.len() < 300 {
        let lease = behind.next(&AT_ONCE).await;
        lease.delivered(0..lease.batch.len() as u32);
        seen.extend(ids(&lease.batch));
    }
    assert_eq!(seen, (0..300).collect::<Vec<_>>());
    append(&ledger, [300]).await.unwrap();
    assert_eq!(ids(&behind.next(&AT_ONCE).await.batch), [300]);
    ledger.close();
}

#[tokio::test]
async fn a_refused_record_is_a_dead_letter_before_it_counts_as_finished() {
    let disk = SimulatedDisk::new(4);
    let ledger = open(&disk, settings());
    let mut exporter = reader(&ledger, "elasticsearch");
    append(&ledger, 0..3).await.unwrap();
    let lease = exporter.next(&AT_ONCE).await;
    lease.delivered(0..1);
    lease.delivered(2..3);
    lease
        .refused(1..2, "400 mapper_parsing_exception", 4)
        .await
        .unwrap();
    ledger.close();
    disk.crash_losing_all();

    let ledger = open(&disk.restarted(), settings());
    let letters = ledger.dead_letters();
    assert_eq!(letters.sequences("elasticsearch"), [1]);
    let letter = letters.letter("elasticsearch", 1).unwrap();
    assert_eq!(
        (letter.reason.as_str(), letter.attempts),
        ("400 mapper_parsing_exception", 4)
    );
    assert_eq!(ids(&letter.batch().unwrap()), [1]);
    let id = CursorId {
        pipeline: "logs".into(),
        exporter: "elasticsearch".into(),
    };
    assert_eq!(ledger.cursors()[&id].cursor.low(), 3);
    ledger.close();
}

#[tokio::test]
async fn a_new_exporter_begins_with_the_next_record_unless_told_otherwise() {
    let disk = SimulatedDisk::new(5);
    let ledger = open(&disk, settings());
    append(&ledger, 0..3).await.unwrap();
    let id = |exporter: &str| CursorId {
        pipeline: "logs".into(),
        exporter: exporter.into(),
    };
    let mut now = ledger.reader(id("now"), StartAt::Now).unwrap();
    let mut all = ledger.reader(id("all"), StartAt::Beginning).unwrap();
    append(&ledger, 3..4).await.unwrap();
    assert_eq!(ids(&now.next(&AT_ONCE).await.batch), [3]);
    assert_eq!(ids(&all.next(&AT_ONCE).await.batch), [0, 1, 2, 3]);
    ledger.close();
}
