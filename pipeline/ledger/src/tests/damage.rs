//! Files that rot, are cut, swapped or missing, before a start and while the ledger runs.

use std::ops::Range;

use super::rig::{
    AT_ONCE, append, batch, bytes_of, cursor, deliver, ids, open, paths, plain, reader, settings,
    soon, take,
};
use crate::disk::SimulatedDisk;
use crate::{Ledger, Settings};

/// Three records a segment.
const RECORDS: i64 = 9;

fn narrow() -> Settings {
    Settings {
        segment_bytes: 450,
        cache_bytes: 1,
        ..plain()
    }
}

/// Nine records in three segments, owed to one exporter; and the paths of the segments.
async fn filled(seed: u64, settings: &Settings) -> (SimulatedDisk, Vec<String>) {
    let disk = SimulatedDisk::new(seed);
    let ledger = open(&disk, settings.clone());
    drop(reader(&ledger, "splunk"));
    for id in 0..RECORDS {
        append(&ledger, [id]).await.unwrap();
    }
    ledger.close();
    let segments = paths(&disk, "segments/");
    assert_eq!(segments.len(), 3);
    (disk, segments)
}

/// Delivers all there is and says what came and how much was lost; nothing may be in neither.
async fn drain(ledger: &Ledger) -> (Vec<i64>, u64) {
    let mut splunk = reader(ledger, "splunk");
    // One that certainly comes, behind all others.
    append(ledger, [99]).await.unwrap();
    let (mut came, mut last) = (Vec::new(), 0);
    while came.last() != Some(&99) {
        let lease = soon(splunk.next(&AT_ONCE)).await;
        deliver(&lease);
        came.extend(ids(&lease.batch));
        last = lease.first();
    }
    came.pop();
    let state = cursor(ledger, "splunk");
    assert!(state.cursor.low() > last && state.cursor.gaps() == 0);
    (came, state.lost)
}

fn without(lost: Range<i64>) -> Vec<i64> {
    (0..RECORDS).filter(|id| !lost.contains(id)).collect()
}

#[tokio::test]
async fn damage_in_a_sealed_segment_costs_its_frame_and_no_other() {
    // In the head, the pipeline's name and the content of the segment's second frame.
    let one = super::rig::bytes_of;
    for (place, what) in [(10, "head"), (112, "name"), (125, "content")] {
        let (disk, segments) = filled(1, &narrow()).await;
        let len = one(&disk, &segments[1]).len() as u64;
        let frame = (len - 64 - 112) / 3;
        disk.flip(&segments[1], 64 + frame + place, 2).unwrap();
        let ledger = open(&disk, narrow());
        let (came, lost) = drain(&ledger).await;
        assert_eq!((came, lost), (without(4..5), 1), "{what}");
        let kept = paths(&disk, "quarantine/");
        assert_eq!(kept.len(), 1, "{what}: {kept:?}");
        ledger.close();
    }
}

#[tokio::test]
async fn damage_while_the_ledger_runs_costs_its_frame_and_no_other() {
    let (disk, segments) = filled(2, &narrow()).await;
    let ledger = open(&disk, narrow());
    disk.flip(&segments[0], 64 + 20, 1).unwrap();
    disk.flip(&segments[1], 3, 1).unwrap();
    disk.delete(&segments[2]).unwrap();
    let (came, lost) = drain(&ledger).await;
    assert_eq!(
        (came, lost),
        (vec![1, 2, 3, 4, 5], 4),
        "a header costs nothing"
    );
    ledger.close();
}

#[tokio::test]
async fn a_missing_segment_is_counted_and_the_rest_is_delivered() {
    for missing in 0..3 {
        let (disk, segments) = filled(3, &narrow()).await;
        disk.delete(&segments[missing]).unwrap();
        let ledger = open(&disk, narrow());
        let (came, lost) = drain(&ledger).await;
        let gone = missing as i64 * 3..missing as i64 * 3 + 3;
        assert_eq!(came, without(gone), "segment {missing}");
        // Without the last one nothing tells that there were more.
        assert_eq!(lost, if missing == 2 { 0 } else { 3 });
        assert_eq!(ledger.report().damages.len(), usize::from(missing == 1));
        ledger.close();
    }
}

#[tokio::test]
async fn a_cut_segment_is_counted_and_what_was_cut_short_is_in_quarantine() {
    let (whole, segments) = filled(4, &narrow()).await;
    let path = &segments[1];
    let bytes = bytes_of(&whole, path);
    let frame = (bytes.len() - 64 - 112) / 3;
    for len in [
        0,
        1,
        63,
        64,
        65,
        64 + 111,
        64 + frame,
        64 + 2 * frame + 40,
        bytes.len() - 1,
    ] {
        let disk = whole.snapshot();
        disk.cut(path, len as u64).unwrap();
        let ledger = open(&disk, narrow());
        let left = len.saturating_sub(64) / frame;
        let (came, lost) = drain(&ledger).await;
        let gone = 3 + left.min(3) as i64..6;
        assert_eq!(came, without(gone.clone()), "cut to {len}");
        assert_eq!(lost, gone.count() as u64, "cut to {len}");
        let end = if len < 64 {
            0
        } else {
            64 + left.min(3) * frame
        };
        let torn = &bytes[end.min(len)..len];
        let kept: Vec<_> = paths(&disk, "quarantine/");
        let copies: Vec<_> = kept.iter().map(|path| bytes_of(&disk, path)).collect();
        let expected: &[&[u8]] = if torn.is_empty() { &[] } else { &[torn] };
        assert_eq!(copies, expected, "cut to {len}");
        ledger.close();
    }
}

#[tokio::test]
async fn a_torn_tail_is_put_aside_whole_for_it_may_have_been_acknowledged() {
    let disk = SimulatedDisk::new(5);
    let ledger = open(&disk, plain());
    append(&ledger, [0]).await.unwrap();
    append(&ledger, [1]).await.unwrap();
    disk.kill();
    ledger.close();
    let path = paths(&disk, "segments/").remove(0);
    let len = bytes_of(&disk, &path).len() as u64;
    disk.flip(&path, len - 3, 5).unwrap();
    let rotten = bytes_of(&disk, &path);
    let ledger = open(&disk.restarted(), plain());
    let report = &ledger.report().damages[0];
    let copy = bytes_of(&disk, report.quarantine.as_ref().unwrap());
    let cut = report.bytes.clone().unwrap();
    assert_eq!(copy, rotten[cut.start as usize..cut.end as usize]);
    assert_eq!(cut.end, len);
    let (came, _) = drain(&ledger).await;
    assert_eq!(came, [0]);
    ledger.close();
}

#[tokio::test]
async fn swapped_segments_are_told_and_the_rest_is_delivered() {
    let (disk, segments) = filled(6, &narrow()).await;
    disk.swap(&segments[0], &segments[1]).unwrap();
    let ledger = open(&disk, narrow());
    assert!(ledger.report().damages.len() >= 2);
    let (came, lost) = drain(&ledger).await;
    assert_eq!((came, lost), (without(0..6), 6));
    let kept = paths(&disk, "quarantine/");
    assert_eq!(kept.len(), 2, "{kept:?}");
    ledger.close();
}

#[tokio::test]
async fn the_files_beside_the_segments_can_be_damaged_or_missing() {
    for path in [
        "ledger.json",
        "epoch.json",
        "checkpoint",
        "checkpoints.log",
        "tree/1-0-0000000000",
    ] {
        let settings = Settings {
            segment_bytes: 450,
            ..settings()
        };
        let (whole, _) = filled(7, &settings).await;
        let len = bytes_of(&whole, path).len() as u64;
        for damage in 0..4 {
            let disk = whole.snapshot();
            match damage {
                0 => disk.delete(path),
                1 => disk.cut(path, len / 2),
                2 => disk.put(path, &[]),
                _ => disk.flip(path, len / 3, 4),
            }
            .unwrap();
            let ledger = open(&disk, settings.clone());
            let (came, lost) = drain(&ledger).await;
            assert_eq!((came, lost), (without(0..0), 0), "{path} {damage}");
            ledger.close();
            let ledger = open(&disk, settings.clone());
            assert_eq!(drain(&ledger).await, (vec![], 0), "{path} {damage}");
            ledger.close();
        }
    }
}

/// What a sender may put into a record to be taken for records of its making once something before it is damaged.
#[tokio::test]
async fn a_payload_that_looks_like_frames_is_never_taken_for_frames() {
    let (other, segments) = filled(8, &narrow()).await;
    let forged = bytes_of(&other, &segments[2]);
    let disk = SimulatedDisk::new(9);
    let ledger = open(&disk, plain());
    drop(reader(&ledger, "splunk"));
    let mut payload = batch([0]);
    // Among noise, or it would be compressed out of recognition.
    let noise: Vec<u8> = (0..4_000).map(|_| rand::random()).collect();
    let bytes = [&noise[..], &forged, &noise].concat();
    payload
        .record_mut(0)
        .set("forged", sluice_batch::Value::Bytes(&bytes));
    ledger.append(vec![("logs".into(), payload)]).await.unwrap();
    append(&ledger, [1]).await.unwrap();
    ledger.close();
    let path = paths(&disk, "segments/").remove(0);
    let stored = bytes_of(&disk, &path);
    let mark = crate::format::MARK;
    let marks = stored.windows(4).filter(|w| *w == mark).count();
    assert!(marks > 3, "the payload stands there as it is");
    // The head of the forging frame is damaged, before a start that trusts the seal and one that scans.
    for cut in [0, 112] {
        let disk = disk.snapshot();
        disk.cut(&path, (stored.len() - cut) as u64).unwrap();
        disk.flip(&path, 64 + 9, 1).unwrap();
        let ledger = open(&disk, plain());
        let (came, lost) = drain(&ledger).await;
        assert_eq!((came, lost), (vec![1], 1));
        ledger.close();
    }
}

#[tokio::test]
async fn a_header_that_rots_under_a_reader_hides_nothing_that_comes_later() {
    let disk = SimulatedDisk::new(10);
    let behind = Settings {
        cache_bytes: 1,
        ..plain()
    };
    let ledger = open(&disk, behind);
    let mut splunk = reader(&ledger, "splunk");
    append(&ledger, [0]).await.unwrap();
    disk.flip(&paths(&disk, "segments/")[0], 9, 1).unwrap();
    // Frames that are written and not durable yet stand in the file when the reader looks.
    let seen = disk.clone();
    let inner = ledger.inner.clone();
    disk.watch(move |operation, path| {
        if operation == crate::disk::Operation::Sync && path.starts_with("segments/") {
            seen.watch(|_, _| {});
            let log: std::sync::Arc<dyn crate::walk::Segments> = inner.clone();
            let mut walk = crate::walk::Walk::from(log, 0);
            assert!(matches!(
                walk.next(|_| true).unwrap(),
                Some(crate::walk::Step::Frame { frame, .. }) if frame.head.first == 0
            ));
            assert!(walk.next(|_| true).unwrap().is_none());
        }
    });
    append(&ledger, [1]).await.unwrap();
    append(&ledger, [2]).await.unwrap();
    assert_eq!(take(&mut splunk, 3).await, [0, 1, 2]);
    assert_eq!(cursor(&ledger, "splunk").lost, 0);
    ledger.close();
}

#[tokio::test]
async fn a_pipelines_name_that_no_frame_can_hold_is_refused() {
    let disk = SimulatedDisk::new(11);
    let ledger = open(&disk, plain());
    let name = "x".repeat(crate::format::MAX_NAME + 1);
    let refused = ledger
        .append(vec![(name.as_str().into(), batch([0]))])
        .await;
    assert!(matches!(refused, Err(crate::AppendError::Impossible(_))));
    ledger.close();
}
