//! What happens when there is no room: below `max_bytes`, or on the disk.

use std::time::Duration;

use super::rig::{
    AT_ONCE, Hands, cursor, deliver, heavy, ids, open, paths, plain, reader, soon, take, until,
};
use crate::disk::SimulatedDisk;
use crate::{AppendError, CursorState, Ledger, OnFull, Retention, Settings};

/// About so many segments of one record each.
fn room_for(records: u64) -> Settings {
    Settings {
        max_bytes: records * 2_500,
        segment_bytes: 1,
        ..plain()
    }
}

async fn push(ledger: &Ledger, id: i64) -> Result<(), AppendError> {
    let batch = heavy([id], 2_000);
    ledger.append(vec![("logs".into(), batch)]).await
}

/// Fills it with records 0, 1, … until one is refused, and says which.
async fn fill(ledger: &Ledger) -> i64 {
    for id in 0..100 {
        if let Err(error) = push(ledger, id).await {
            assert!(matches!(error, AppendError::Full(_)), "{error}");
            return id;
        }
    }
    panic!("it never gets full")
}

#[tokio::test]
async fn a_full_ledger_refuses_and_names_who_keeps_it_full_and_loses_nothing() {
    let disk = SimulatedDisk::new(1);
    let settings = room_for(10);
    let ledger = open(&disk, settings.clone());
    let (mut quick, slow) = (reader(&ledger, "quick"), reader(&ledger, "slow"));
    drop(slow);
    let end = fill(&ledger).await;
    assert_eq!(
        take(&mut quick, end as usize).await,
        (0..end).collect::<Vec<_>>()
    );
    let Err(AppendError::Full(why)) = push(&ledger, end).await else {
        panic!("the slow one still needs all of it")
    };
    assert!(
        why.contains("slow") && why.contains(&end.to_string()),
        "{why}"
    );
    assert!(ledger.bytes() <= settings.max_bytes);
    ledger.close();

    // Nor does a restart make room, and what one exporter is through with makes room at once.
    let ledger = open(&disk, settings);
    let mut slow = reader(&ledger, "slow");
    drop(reader(&ledger, "quick"));
    push(&ledger, end).await.unwrap_err();
    assert_eq!(
        take(&mut slow, end as usize).await,
        (0..end).collect::<Vec<_>>()
    );
    push(&ledger, end).await.unwrap();
    ledger.close();
}

#[tokio::test]
async fn a_full_ledger_takes_the_oldest_records_from_the_exporter_furthest_behind_and_counts_them()
{
    let disk = SimulatedDisk::new(2);
    let settings = Settings {
        on_full: OnFull::DetachExporter,
        // Whoever finds them in memory loses nothing.
        cache_bytes: 1,
        ..room_for(10)
    };
    let ledger = open(&disk, settings.clone());
    let (mut quick, mut slow) = (reader(&ledger, "quick"), reader(&ledger, "slow"));
    for id in 0..30 {
        push(&ledger, id).await.unwrap();
        assert_eq!(take(&mut quick, 1).await, [id]);
    }
    assert!(ledger.bytes() <= settings.max_bytes);
    let lease = soon(slow.next(&AT_ONCE)).await;
    let got = ids(&lease.batch);
    let first = got[0];
    assert!((18..24).contains(&first), "as few as possible: {first}");
    assert_eq!(got, (first..30).collect::<Vec<_>>(), "all that is left");
    let CursorState {
        cursor: at, lost, ..
    } = cursor(&ledger, "slow");
    assert_eq!((at.low(), lost), (first as u64, first as u64));
    assert_eq!(cursor(&ledger, "quick").lost, 0);
    deliver(&lease);
    ledger.close();
    let ledger = open(&disk, settings);
    assert_eq!(cursor(&ledger, "slow").lost, first as u64, "it stays known");
    ledger.close();
}

/// Whoever lost its claim on some records keeps the one on those that come later.
#[tokio::test]
async fn an_exporter_that_was_detached_keeps_its_claim_on_newer_records() {
    let (disk, hands) = (SimulatedDisk::new(3), Hands::at(1_776_000_000_000_000_000));
    let settings = Settings {
        on_full: OnFull::DetachExporter,
        ..room_for(10)
    };
    let ledger = hands.open(&disk, settings);
    let mut dead = reader(&ledger, "dead");
    // The reader has all in memory: it never reads the disk.
    for id in 0..12 {
        push(&ledger, id).await.unwrap();
    }
    let left = paths(&disk, "segments/").len();
    hands.pass(Duration::from_secs(30 * 24 * 3600));
    crate::retention::collect(&ledger.inner, 0);
    assert_eq!(paths(&disk, "segments/").len(), left, "30 days later");
    soon(dead.next(&AT_ONCE)).await;
    ledger.close();
}

#[tokio::test]
async fn nobody_is_detached_for_a_request_that_can_never_fit() {
    let disk = SimulatedDisk::new(4);
    let settings = Settings {
        on_full: OnFull::DetachExporter,
        ..room_for(10)
    };
    let ledger = open(&disk, settings);
    let mut slow = reader(&ledger, "slow");
    for id in 0..5 {
        push(&ledger, id).await.unwrap();
    }
    let giant = heavy([9], 30_000);
    let error = ledger.append(vec![("logs".into(), giant)]).await;
    assert!(matches!(error, Err(AppendError::Full(_))));
    assert_eq!(take(&mut slow, 5).await, [0, 1, 2, 3, 4]);
    ledger.close();
}

/// The segment that is written counts too, and it must not fill all the room.
#[tokio::test]
async fn a_ledger_smaller_than_a_segment_goes_on_for_ever() {
    let disk = SimulatedDisk::new(5);
    let settings = Settings {
        max_bytes: 30_000,
        ..plain()
    };
    let ledger = open(&disk, settings.clone());
    let mut splunk = reader(&ledger, "splunk");
    for id in 0..60 {
        push(&ledger, id).await.unwrap();
        assert_eq!(take(&mut splunk, 1).await, [id]);
        assert!(ledger.bytes() <= settings.max_bytes);
    }
    ledger.close();
}

#[tokio::test]
async fn senders_are_served_again_as_soon_as_the_disk_has_room() {
    let disk = SimulatedDisk::new(6);
    let ledger = open(
        &disk,
        Settings {
            segment_bytes: 6_000,
            ..plain()
        },
    );
    let mut splunk = reader(&ledger, "splunk");
    disk.set_capacity(Some(disk.used() + 20_000));
    let mut acknowledged = Vec::new();
    let mut failed = 0;
    for id in 0..100 {
        match push(&ledger, id).await {
            Ok(()) => acknowledged.push(id),
            Err(error) => {
                assert!(matches!(error, AppendError::Failed(_)), "{error}");
                failed += 1;
                assert!(ledger.is_failing());
                if failed == 10 {
                    disk.set_capacity(None);
                }
            }
        }
    }
    assert_eq!((acknowledged.len(), ledger.is_failing()), (90, false));
    assert_eq!(take(&mut splunk, 90).await, acknowledged);
    disk.crash_losing_all();
    ledger.close();
    let ledger = open(&disk.restarted(), plain());
    assert_eq!(take(&mut reader(&ledger, "all"), 90).await, acknowledged);
    assert!(ledger.report().damages.is_empty(), "{:?}", ledger.report());
    ledger.close();
}

#[tokio::test]
async fn a_start_on_a_full_disk_gives_out_what_is_there() {
    let disk = SimulatedDisk::new(7);
    let ledger = open(&disk, plain());
    let splunk = reader(&ledger, "splunk");
    for id in 0..3 {
        push(&ledger, id).await.unwrap();
    }
    disk.set_capacity(Some(disk.used() + 700));
    push(&ledger, 3).await.unwrap_err();
    disk.kill();
    drop(splunk);
    ledger.close();
    let ledger = open(&disk.restarted(), plain());
    let mut splunk = reader(&ledger, "splunk");
    assert_eq!(take(&mut splunk, 3).await, [0, 1, 2]);
    push(&ledger, 3).await.unwrap_err();
    disk.set_capacity(None);
    push(&ledger, 3).await.unwrap();
    assert_eq!(take(&mut splunk, 1).await, [3]);
    ledger.close();
}

#[tokio::test]
async fn delivered_records_stay_as_long_as_retention_says_and_the_last_segment_always() {
    let (disk, hands) = (SimulatedDisk::new(8), Hands::at(1_776_000_000_000_000_000));
    let settings = Settings {
        segment_bytes: 1,
        retention: Retention {
            time: Duration::from_secs(60),
            bytes: 3 * 2_500,
        },
        ..plain()
    };
    let ledger = hands.open(&disk, settings);
    let mut splunk = reader(&ledger, "splunk");
    let left = || {
        crate::retention::collect(&ledger.inner, 0);
        paths(&disk, "segments/").len()
    };
    for id in 0..6 {
        push(&ledger, id).await.unwrap();
    }
    until(|| ledger.view().segments().iter().all(|s| s.is_sealed));
    assert_eq!(left(), 6, "nobody got any");
    hands.pass(Duration::from_secs(3600));
    assert_eq!(left(), 6, "whatever their age");
    assert_eq!(take(&mut splunk, 6).await.len(), 6);
    assert_eq!(left(), 1);
    for id in 6..8 {
        hands.pass(Duration::from_secs(40));
        push(&ledger, id).await.unwrap();
        assert_eq!(take(&mut splunk, 1).await, [id]);
    }
    assert_eq!(left(), 2, "6 is 40 s old");
    hands.pass(Duration::from_secs(21));
    assert_eq!(left(), 1);
    for id in 8..14 {
        push(&ledger, id).await.unwrap();
        assert_eq!(take(&mut splunk, 1).await, [id]);
    }
    assert_eq!(left(), 3, "by bytes");
    ledger.close();
}

#[tokio::test]
async fn dead_letters_take_half_of_the_room_and_give_it_back_when_they_are_dropped() {
    let disk = SimulatedDisk::new(9);
    let settings = room_for(12);
    let ledger = open(&disk, settings.clone());
    let mut picky = reader(&ledger, "picky");
    let mut refused = 0;
    // Refused until there is no room for another letter, then pushed until there is none for another record.
    loop {
        push(&ledger, refused).await.unwrap();
        let lease = soon(picky.next(&AT_ONCE)).await;
        match lease.refused(0..1, "400", 1).await {
            Ok(()) => refused += 1,
            Err(error) => {
                assert!(
                    error.to_string().contains("a half of `max_bytes`"),
                    "{error}"
                );
                break;
            }
        }
    }
    assert!((4..8).contains(&refused), "{refused}");
    assert_eq!(ledger.dead_letters().counts()["picky"] as i64, refused);
    let mut id = refused;
    let why = loop {
        id += 1;
        match push(&ledger, id).await {
            Ok(()) => {}
            Err(AppendError::Full(why)) => break why,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(
        why.contains("picky is") && why.contains("dead letters take"),
        "{why}"
    );
    assert!(ledger.is_full());

    let before = ledger.bytes();
    let all = ledger.dead_letters().sequences("picky");
    let name: std::sync::Arc<str> = "picky".into();
    let letters = ledger.dead_letters();
    letters
        .resolve(&name, &all, crate::Outcome::Dropped)
        .unwrap();
    assert_eq!(letters.bytes(), 0);
    assert!(ledger.bytes() < before);
    push(&ledger, id).await.unwrap();
    assert!(!ledger.is_full());
    let before = ledger.bytes();
    ledger.close();
    let ledger = open(&disk, settings);
    assert!(
        ledger.bytes() <= before + 200,
        "what was dropped stays dropped"
    );
    ledger.close();
}

#[tokio::test]
async fn an_exporter_that_refuses_everything_is_detached_and_the_others_go_on() {
    let disk = SimulatedDisk::new(10);
    let mut settings = room_for(20);
    settings.on_full = OnFull::DetachExporter;
    settings.retention.bytes = 1;
    let ledger = open(&disk, settings);
    let (mut good, mut picky) = (reader(&ledger, "good"), reader(&ledger, "picky"));
    let mut held = None;
    for id in 0..100 {
        push(&ledger, id).await.unwrap();
        assert_eq!(take(&mut good, 1).await, [id]);
        if held.is_none() {
            let lease = soon(picky.next(&AT_ONCE)).await;
            held = lease.refused(0..1, "400", 1).await.err().map(|_| lease);
        }
    }
    assert!(held.is_some(), "the letters had their share");
    assert_eq!(cursor(&ledger, "good").lost, 0);
    ledger.close();
}
