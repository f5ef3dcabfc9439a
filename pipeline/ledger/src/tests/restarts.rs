//! Records are taken away, and a process starts again on what is left: the log that goes on must not be called whole.

use super::forge::{checkpoint, file, files, keys, verify, verify_with};
use super::rig::{append, open, reader, settings, take, until};
use super::verification::{assert_whole, log};
use crate::disk::{Fault as DiskFault, FaultKind, Operation, SimulatedDisk, When};
use crate::{Fault, Integrity, Request, Settings, Severity, Verdict, Verification};

/// Records become durable and nobody signs them.
fn unsigned() -> Settings {
    Settings {
        integrity: Integrity::Off,
        ..settings()
    }
}

fn anchored(checkpoint: &str) -> Request {
    Request {
        from_checkpoint: Some(crate::read_checkpoint(checkpoint).unwrap()),
        ..Request::default()
    }
}

fn delete_segments(disk: &SimulatedDisk, from: &str) {
    for path in files(disk, "segments/") {
        if path.as_str() >= from {
            disk.delete(&path).unwrap();
        }
    }
}

/// A process that lives long enough to put on record what was lost before record 30.
async fn go_on(disk: &SimulatedDisk) {
    let ledger = open(disk, settings());
    until(|| ledger.end() > 30);
    append(&ledger, 0..3).await.unwrap();
    ledger.close();
}

/// Whether it was found, and how bad it is.
fn has(found: &Verification, severity: Severity, fault: Fault) -> bool {
    let mut findings = found.findings.iter();
    findings.any(|f| (f.severity, f.fault) == (severity, fault))
}

#[tokio::test]
async fn everything_signed_is_deleted_and_the_process_starts_again() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 30).await;
    let kept = checkpoint(&disk);
    delete_segments(&disk, "");
    go_on(&disk).await;
    let found = verify(&disk);
    assert_eq!(found.verdict, Verdict::Broken, "{found:#?}");
    assert_eq!(
        found.first_bad,
        Some(29),
        "the last one never goes by itself"
    );
    assert_eq!((found.epochs[1].first, found.not_covered), (30, 0));

    let found = verify_with(&disk, &keys(), &anchored(&kept));
    assert_eq!(found.verdict, Verdict::Broken, "{found:#?}");
    assert!(
        has(&found, Severity::Unchecked, Fault::Anchor),
        "{found:#?}"
    );

    // With the new epoch's checkpoint, and in a log that has gone on for long.
    let later = checkpoint(&disk);
    log(&disk, &settings(), 9).await;
    assert_whole(&verify_with(&disk, &keys(), &anchored(&later)));
    assert_eq!(verify(&disk).verdict, Verdict::Broken);
}

#[tokio::test]
async fn the_record_that_tells_of_the_loss_is_taken_away_too() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 30).await;
    let kept = checkpoint(&disk);
    delete_segments(&disk, "");
    go_on(&disk).await;
    log(&disk, &settings(), 9).await;
    assert_eq!(verify(&disk).verdict, Verdict::Broken);
    // As if it had gone by its retention.
    let first = files(&disk, "segments/").remove(0);
    disk.delete(&first).unwrap();
    let found = verify_with(&disk, &keys(), &anchored(&kept));
    assert_eq!(found.verdict, Verdict::Incomplete, "{found:#?}");
    assert!(
        has(&found, Severity::Unchecked, Fault::Anchor),
        "{found:#?}"
    );
}

#[tokio::test]
async fn a_loss_is_told_until_it_is_on_record_and_leaves_its_trace_where_it_never_comes_to_that() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 30).await;
    delete_segments(&disk, "");
    // A process that begins the new epoch and cannot write a record of it.
    disk.fail(DiskFault::new(Operation::Create, When::From(1), FaultKind::Io).below("segments/"));
    open(&disk, settings()).close();
    disk.heal();
    let honest = disk.snapshot();
    for start in 0..3 {
        let found = verify(&honest);
        assert_eq!(
            (found.verdict, found.first_bad),
            (Verdict::Broken, Some(29)),
            "{start} {found:#?}"
        );
        assert_eq!(found.epochs.len(), 2);
        go_on(&honest).await;
    }
    let epoch = |disk| String::from_utf8(file(disk, "epoch.json")).unwrap();
    assert!(!epoch(&honest).contains("lost"), "the log itself says it");

    let text = epoch(&disk);
    let (plain, _) = text.split_once(",\"untold\"").unwrap();
    disk.put("epoch.json", format!("{plain}}}").as_bytes())
        .unwrap();
    log(&disk, &settings(), 9).await;
    let found = verify(&disk);
    assert_eq!(found.verdict, Verdict::Incomplete, "{found:#?}");
    assert!(has(&found, Severity::Unchecked, Fault::Epoch), "{found:#?}");
}

#[tokio::test]
async fn the_last_segments_are_deleted_and_a_kept_checkpoint_covers_them() {
    for (size, gone) in [(18, 27), (27, 27), (30, 27), (30, 18)] {
        let disk = SimulatedDisk::new(1);
        log(&disk, &settings(), size).await;
        let kept = checkpoint(&disk);
        log(&disk, &settings(), 30 - size).await;
        delete_segments(&disk, &format!("segments/{gone:020}"));
        let before = verify_with(&disk, &keys(), &anchored(&kept));
        assert_eq!(
            (before.verdict, before.first_bad),
            (Verdict::Broken, Some(gone)),
            "{size} {before:#?}"
        );
        log(&disk, &settings(), 3).await;
        let after = verify_with(&disk, &keys(), &anchored(&kept));
        assert_eq!(
            (after.verdict, after.first_bad),
            (Verdict::Broken, Some(gone)),
            "{size} {after:#?}"
        );
    }
}

#[tokio::test]
async fn a_segment_in_the_middle_is_deleted_and_a_kept_checkpoint_covers_it() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 30).await;
    let kept = checkpoint(&disk);
    disk.delete("segments/00000000000000000009.seg").unwrap();
    let found = verify_with(&disk, &keys(), &anchored(&kept));
    assert_eq!(
        (found.verdict, found.first_bad),
        (Verdict::Broken, Some(9)),
        "{found:#?}"
    );
}

#[tokio::test]
async fn what_was_acknowledged_and_not_signed_yet_is_never_called_whole_by_itself() {
    let disk = SimulatedDisk::new(1);
    open(&disk, settings()).close();
    log(&disk, &unsigned(), 9).await;
    let found = verify(&disk);
    assert_eq!((found.verdict, found.not_covered), (Verdict::Incomplete, 9));
    assert!(
        has(&found, Severity::Unchecked, Fault::NotCovered),
        "{found:#?}"
    );

    let segment = files(&disk, "segments/").remove(0);
    disk.cut(&segment, 64).unwrap();
    let found = verify(&disk);
    assert_eq!(found.verdict, Verdict::Incomplete, "{found:#?}");
    assert!(
        has(&found, Severity::Unchecked, Fault::NotCovered),
        "{found:#?}"
    );
}

#[tokio::test]
async fn what_an_exporter_has_had_is_gone_from_the_end_before_anyone_signed_it() {
    let disk = SimulatedDisk::new(1);
    open(&disk, settings()).close();
    let ledger = open(&disk, unsigned());
    let mut exporter = reader(&ledger, "splunk_hec");
    append(&ledger, 0..9).await.unwrap();
    take(&mut exporter, 9).await;
    ledger.drained().await;
    ledger.close();
    let segment = files(&disk, "segments/").remove(0);
    disk.cut(&segment, 64).unwrap();
    let found = verify(&disk);
    assert_eq!(
        (found.verdict, found.first_bad),
        (Verdict::Broken, Some(8)),
        "{found:#?}"
    );

    // The next process signs what comes, under another name and with the loss on record.
    log(&disk, &settings(), 3).await;
    let found = verify(&disk);
    assert_eq!(found.verdict, Verdict::Incomplete, "{found:#?}");
    let told = found
        .findings
        .iter()
        .find(|f| f.fault == Fault::RecordsMissing);
    assert_eq!(
        told.and_then(|f| f.sequences.clone()),
        Some(0..9),
        "{found:#?}"
    );
}

#[tokio::test]
async fn the_oldest_records_are_deleted_before_anyone_signed_them() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 9).await;
    log(&disk, &unsigned(), 18).await;
    for path in &files(&disk, "segments/")[..2] {
        disk.delete(path).unwrap();
    }
    let found = verify(&disk);
    assert_eq!(found.verdict, Verdict::Incomplete, "{found:#?}");
    assert!(
        has(&found, Severity::Unchecked, Fault::RecordsMissing),
        "{found:#?}"
    );
}
