//! Letters through failures: each is there once, whole, or in quarantine.

use std::sync::Arc;

use parking_lot::Mutex;
use sluice_batch::Batch;

use super::rig::{
    AT_ONCE, append, batch, bytes_of, cursor, heavy, ids, open, paths, plain, reader, soon,
    try_open,
};
use crate::disk::{Fault, FaultKind, Operation, SimulatedDisk, When};
use crate::{Ledger, Outcome, Refusal};

fn splunk() -> Arc<str> {
    "splunk".into()
}

fn refusal(sequences: std::ops::Range<u64>, batch: Batch) -> Refusal {
    Refusal {
        sequences: sequences.collect(),
        batch,
        reason: "400".into(),
        attempts: 1,
    }
}

/// Puts letters whose records say the same number.
fn put(ledger: &Ledger, sequences: std::ops::Range<u64>) -> std::io::Result<()> {
    let batch = batch(sequences.clone().map(|s| s as i64));
    ledger.put_letters("logs", &splunk(), &refusal(sequences, batch))
}

/// The numbers of the letters; each must hold its own record.
fn letters(ledger: &Ledger) -> Vec<u64> {
    let letters = ledger.dead_letters();
    let sequences = letters.sequences("splunk");
    for sequence in &sequences {
        let letter = letters.letter("splunk", *sequence).unwrap();
        assert_eq!(ids(&letter.batch().unwrap()), [*sequence as i64]);
    }
    sequences
}

fn file(disk: &SimulatedDisk) -> String {
    paths(disk, "dead_letters/").remove(0)
}

#[test]
fn a_letter_that_is_written_twice_is_one_letter() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, plain());
    put(&ledger, 0..3).unwrap();
    put(&ledger, 1..2).unwrap();
    assert_eq!(letters(&ledger), [0, 1, 2]);
    ledger.close();
    let ledger = open(&disk, plain());
    assert_eq!(letters(&ledger), [0, 1, 2]);
    ledger
        .dead_letters()
        .resolve(&splunk(), &[1], Outcome::Delivered)
        .unwrap();
    ledger.close();
    let ledger = open(&disk, plain());
    assert_eq!(letters(&ledger), [0, 2]);
    ledger.close();
}

#[test]
fn rewriting_the_file_keeps_all_live_letters_and_who_wants_them() {
    let disk = SimulatedDisk::new(2);
    let ledger = open(&disk, plain());
    put(&ledger, 0..4).unwrap();
    ledger.dead_letters().want(&splunk(), &[2]).unwrap();
    for n in 10..15 {
        let heavy = refusal(n..n + 1, heavy([n as i64], 400_000));
        ledger.put_letters("logs", &splunk(), &heavy).unwrap();
        let drop = |s| {
            ledger
                .dead_letters()
                .resolve(&splunk(), s, Outcome::Dropped)
        };
        drop(&[n]).unwrap();
    }
    put(&ledger, 4..5).unwrap();
    assert!(ledger.bytes() < 1_000_000, "what is past takes no room");
    assert_eq!(letters(&ledger), [0, 1, 2, 3, 4]);
    ledger.close();
    let ledger = open(&disk, plain());
    assert_eq!(letters(&ledger), [0, 1, 2, 3, 4]);
    assert_eq!(ledger.dead_letters().wanted("splunk"), [2]);
    ledger.close();
}

/// Every operation below dead_letters/ fails once, at its first, second and third turn, while letters are put.
#[test]
fn letters_can_be_put_again_after_any_failure_and_none_is_lost() {
    use Operation::{Append, Create, Open, Read, Remove, Rename, Sync, SyncDirectory, Truncate};
    for operation in [
        Append,
        Create,
        Open,
        Read,
        Remove,
        Rename,
        Sync,
        SyncDirectory,
        Truncate,
    ] {
        for kind in [FaultKind::Io, FaultKind::NoSpace, FaultKind::Forgotten] {
            for nth in 1..4 {
                for seed in 0..6 {
                    let disk = SimulatedDisk::new(seed);
                    let ledger = open(&disk, plain());
                    put(&ledger, 0..3).unwrap();
                    let dropped = Outcome::Dropped;
                    let kept = ledger.dead_letters();
                    kept.resolve(&splunk(), &[0], dropped).unwrap();
                    // A failed write first, so that the file is made anew under faults, and smaller.
                    disk.fail(Fault::new(Append, When::Nth(1), kind).below("dead_letters/"));
                    disk.fail(Fault::new(operation, When::Nth(nth), kind).below("dead_letters/"));
                    let mut put_well = vec![1, 2];
                    for n in 3..11 {
                        if put(&ledger, n..n + 1).is_ok() {
                            put_well.push(n);
                        }
                    }
                    disk.heal();
                    let at = format!("{operation:?} {kind:?} {nth} {seed}");
                    assert!(put_well.len() >= 7, "{at}: {put_well:?}");
                    assert_eq!(letters(&ledger), put_well, "{at}");
                    disk.crash_losing_all();
                    ledger.close();
                    let ledger = open(&disk.restarted(), plain());
                    let there = letters(&ledger);
                    assert!(
                        put_well.iter().all(|s| there.contains(s)),
                        "{at}: {there:?} of {put_well:?}"
                    );
                    ledger.close();
                }
            }
        }
    }
}

#[test]
fn damage_in_the_middle_keeps_the_letters_before_and_behind_it() {
    let disk = SimulatedDisk::new(4);
    let ledger = open(&disk, plain());
    for n in 0..3 {
        put(&ledger, n..n + 1).unwrap();
    }
    ledger.close();
    let path = file(&disk);
    let bytes = bytes_of(&disk, &path);
    disk.flip(&path, bytes.len() as u64 / 2, 0).unwrap();
    let damaged = bytes_of(&disk, &path);
    let ledger = open(&disk, plain());
    assert_eq!(letters(&ledger), [0, 2]);
    let report = &ledger.report().damages[0];
    let copy = bytes_of(&disk, report.quarantine.as_ref().unwrap());
    assert!(damaged.ends_with(&copy) && copy.len() > bytes.len() / 2);
    put(&ledger, 3..4).unwrap();
    ledger.close();
    let ledger = open(&disk, plain());
    assert_eq!(letters(&ledger), [0, 2, 3]);
    assert!(ledger.report().damages.is_empty());
    ledger.close();
}

#[test]
fn a_letter_that_rots_while_the_process_runs_does_not_keep_others_from_being_put() {
    let disk = SimulatedDisk::new(5);
    let ledger = open(&disk, plain());
    for n in 0..3 {
        put(&ledger, n..n + 1).unwrap();
    }
    let path = file(&disk);
    disk.flip(&path, bytes_of(&disk, &path).len() as u64 / 2, 0)
        .unwrap();
    disk.fail(Fault::new(Operation::Append, When::Nth(1), FaultKind::Io).below(&path));
    put(&ledger, 3..4).unwrap_err();
    put(&ledger, 3..4).unwrap();
    assert_eq!(letters(&ledger), [0, 2, 3]);
    assert_eq!(paths(&disk, "quarantine/").len(), 1);
    ledger.close();
}

#[test]
fn a_start_needs_no_room_to_put_damaged_letters_aside() {
    let disk = SimulatedDisk::new(6);
    let ledger = open(&disk, plain());
    put(&ledger, 0..3).unwrap();
    ledger.close();
    let torn = [&bytes_of(&disk, &file(&disk))[..], b"torn"].concat();
    disk.put(&file(&disk), &torn).unwrap();
    disk.set_capacity(Some(disk.used()));
    let ledger = open(&disk, plain());
    assert_eq!(letters(&ledger), [0, 1, 2]);
    put(&ledger, 3..4).unwrap_err();
    disk.set_capacity(None);
    put(&ledger, 3..4).unwrap();
    assert_eq!(letters(&ledger), [0, 1, 2, 3]);
    ledger.close();
}

#[test]
fn letters_that_cannot_be_read_at_the_start_are_not_overwritten() {
    for operation in [Operation::Open, Operation::Read] {
        let disk = SimulatedDisk::new(7);
        let ledger = open(&disk, plain());
        put(&ledger, 0..3).unwrap();
        ledger.close();
        disk.fail(Fault::new(operation, When::From(1), FaultKind::Io).below("dead_letters/"));
        let ledger = try_open(&disk, plain()).unwrap();
        assert_eq!(ledger.report().damages.len(), 1);
        put(&ledger, 3..4).unwrap_err();
        disk.heal();
        put(&ledger, 3..4).unwrap();
        assert_eq!(letters(&ledger), [0, 1, 2, 3]);
        ledger.close();
    }
}

#[tokio::test]
async fn a_record_is_not_finished_before_its_letter_is_synced() {
    let disk = SimulatedDisk::new(8);
    let ledger = open(&disk, plain());
    let mut exporter = reader(&ledger, "splunk");
    append(&ledger, [0]).await.unwrap();
    let lease = soon(exporter.next(&AT_ONCE)).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (watched, notes) = (ledger.clone(), seen.clone());
    disk.watch(move |operation, path| {
        if operation == Operation::Sync && path.starts_with("dead_letters/") {
            let low = cursor(&watched, "splunk").cursor.low();
            notes.lock().push(low);
        }
    });
    lease.refused(0..1, "400", 1).await.unwrap();
    let seen = std::mem::take(&mut *seen.lock());
    assert!(
        !seen.is_empty() && seen.iter().all(|low| *low == 0),
        "{seen:?}"
    );
    assert_eq!(cursor(&ledger, "splunk").cursor.low(), 1);
    disk.watch(|_, _| {});
    ledger.close();
}

#[tokio::test]
async fn a_refusal_that_cannot_be_put_on_record_leaves_the_record_owed() {
    let disk = SimulatedDisk::new(9);
    let ledger = open(&disk, plain());
    let mut exporter = reader(&ledger, "splunk");
    append(&ledger, 0..2).await.unwrap();
    let lease = soon(exporter.next(&AT_ONCE)).await;
    disk.fail(Fault::new(Operation::Sync, When::From(1), FaultKind::Forgotten).below("dead"));
    lease.refused(0..1, "400", 1).await.unwrap_err();
    lease.delivered(1..2);
    assert_eq!(cursor(&ledger, "splunk").cursor.low(), 0);
    ledger.close();
    disk.heal();
    let ledger = open(&disk, plain());
    let lease = soon(reader(&ledger, "splunk").next(&AT_ONCE)).await;
    assert_eq!(ids(&lease.batch), [0]);
    lease.refused(0..1, "400", 2).await.unwrap();
    assert_eq!(letters(&ledger), [0]);
    ledger.close();
}
