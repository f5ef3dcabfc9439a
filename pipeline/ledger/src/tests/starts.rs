//! What a start makes of segments that it cannot read, or not trust yet.

use std::sync::Arc;

use super::forge::verify;
use super::rig::{
    AT_ONCE, append, bytes_of, id, ids, is_idle, open, paths, plain, reader, soon, take, try_open,
    until,
};
use crate::disk::{Fault, FaultKind, Operation, SimulatedDisk, When};
use crate::{Settings, StartAt, Verdict, View};

/// A segment for each record.
fn narrow() -> Settings {
    Settings {
        segment_bytes: 1,
        ..plain()
    }
}

fn fails(operation: Operation, path: &str) -> Fault {
    Fault::new(operation, When::From(1), FaultKind::Io).below(path)
}

#[tokio::test]
async fn a_start_that_cannot_read_the_newest_records_fails_rather_than_to_take_their_numbers() {
    for operation in [Operation::Open, Operation::Read] {
        let disk = SimulatedDisk::new(1);
        let ledger = open(&disk, narrow());
        append(&ledger, [0]).await.unwrap();
        append(&ledger, [1]).await.unwrap();
        ledger.close();
        disk.fail(fails(operation, &paths(&disk, "segments/")[1]));
        try_open(&disk, narrow()).expect_err("the end of the log is not known");
        disk.heal();
        let ledger = open(&disk, narrow());
        assert_eq!(ledger.end(), 2);
        append(&ledger, [2]).await.unwrap();
        let mut all = reader(&ledger, "all");
        assert_eq!(take(&mut all, 3).await, [0, 1, 2]);
        ledger.close();
    }
}

#[tokio::test]
async fn a_segment_that_cannot_be_read_at_the_start_is_delivered_once_it_can() {
    let disk = SimulatedDisk::new(2);
    let ledger = open(&disk, narrow());
    drop(reader(&ledger, "all"));
    for id in 0..3 {
        append(&ledger, [id]).await.unwrap();
    }
    ledger.close();
    disk.fail(fails(Operation::Read, &paths(&disk, "segments/")[0]));
    let ledger = open(&disk, narrow());
    assert_eq!(ledger.report().damages.len(), 1, "{:?}", ledger.report());
    let mut all = reader(&ledger, "all");
    tokio::time::pause();
    let (reads, seen) = (disk.counts().reads, disk.clone());
    let was_read = tokio::task::spawn_blocking(move || until(|| seen.counts().reads > reads));
    let next = take(&mut all, 3);
    tokio::pin!(next);
    tokio::select! {
        early = &mut next => panic!("{early:?} came from a disk that gives nothing"),
        done = was_read => done.unwrap(),
    }
    disk.heal();
    assert_eq!(next.await, [0, 1, 2]);
    assert_eq!(ledger.cursors()[&id("all")].lost, 0);
    ledger.close();
}

/// The process wrote a frame and was killed before it was durable. The next one sees it.
#[tokio::test]
async fn what_a_killed_process_left_unsynced_is_durable_before_anyone_gets_it() {
    let disk = SimulatedDisk::new(3);
    let ledger = open(&disk, plain());
    append(&ledger, [0]).await.unwrap();
    disk.fail(Fault::new(Operation::Sync, When::From(1), FaultKind::Io).below("segments/"));
    disk.fail(Fault::new(
        Operation::Truncate,
        When::From(1),
        FaultKind::Io,
    ));
    append(&ledger, [1]).await.unwrap_err();
    disk.kill();
    ledger.close();

    // Sealing fails, and with the old rule the frame counted all the same.
    let disk = disk.restarted();
    assert!(try_open(&disk, plain()).is_err(), "nothing can be synced");
    disk.heal();
    disk.fail(Fault::new(Operation::Append, When::From(1), FaultKind::NoSpace).below("segments/"));
    let ledger = open(&disk, plain());
    let mut all = ledger.reader(id("all"), StartAt::Beginning).unwrap();
    let got = ids(&soon(all.next(&AT_ONCE)).await.batch);
    disk.crash_losing_all();
    ledger.close();
    disk.heal();
    let ledger = open(&disk.restarted(), plain());
    let mut again = ledger.reader(id("again"), StartAt::Beginning).unwrap();
    assert_eq!(ids(&soon(again.next(&AT_ONCE)).await.batch), got);
    assert!(is_idle(&mut again));
    ledger.close();
}

/// All frames of a segment are damaged and the disk has no room for a copy of them.
#[tokio::test]
async fn damaged_bytes_are_kept_where_there_is_no_room_to_copy_them() {
    let disk = SimulatedDisk::new(4);
    let ledger = open(&disk, plain());
    append(&ledger, [0]).await.unwrap();
    ledger.close();
    let path = paths(&disk, "segments/").remove(0);
    disk.flip(&path, 100, 3).unwrap();
    disk.cut(&path, bytes_of(&disk, &path).len() as u64 - 112)
        .unwrap();
    let rotten = bytes_of(&disk, &path);
    disk.set_capacity(Some(disk.used()));
    let ledger = open(&disk, plain());
    disk.set_capacity(None);
    append(&ledger, [1]).await.unwrap();
    ledger.close();
    let kept = paths(&disk, "quarantine/");
    assert!(
        kept.iter().all(|path| bytes_of(&disk, path) == rotten) && kept.len() == 1,
        "{kept:?}"
    );
}

#[tokio::test]
async fn what_a_newer_program_has_written_is_refused_by_name_and_not_touched() {
    let disk = SimulatedDisk::new(5);
    let ledger = open(&disk, plain());
    drop(reader(&ledger, "splunk"));
    append(&ledger, [0]).await.unwrap();
    ledger.close();
    let cursor = paths(&disk, "cursors/").remove(0);
    let segment = paths(&disk, "segments/").remove(0);
    for path in ["ledger.json", &cursor, &segment] {
        let disk = disk.snapshot();
        let mut bytes = bytes_of(&disk, path);
        if path == segment {
            bytes[8] = 2;
            let crc = crc32c::crc32c(&bytes[..60]);
            bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        } else {
            let text = String::from_utf8(bytes).unwrap();
            let mut json = text.lines().next().unwrap().to_owned();
            json = json.replace("\"format\":1", "\"format\":2");
            json = json.replace("\"version\":1", "\"version\":2");
            let crc = crc32c::crc32c(json.as_bytes());
            bytes = match path {
                "ledger.json" => json.into_bytes(),
                _ => format!("{json}\ncrc32c {crc:08x}\n").into_bytes(),
            };
        }
        disk.put(path, &bytes).unwrap();
        let before = disk.files();
        let error = try_open(&disk, plain()).unwrap_err().to_string();
        let says = format!("{path} is of version 2, and this program knows no version behind 1");
        assert!(error.contains(&says), "{error}");
        let view = View::open_on(Arc::new(disk.clone()));
        assert!(view.unwrap_err().to_string().contains(&says));
        let found = verify(&disk);
        assert_eq!(found.verdict, Verdict::Incomplete, "{found:#?}");
        assert!(found.findings[0].what.contains(&says), "{found:#?}");
        assert_eq!(disk.files(), before, "{path}");
    }
}
