//! Ledgers with which nothing is wrong, whatever happened to them, and how much of them can be checked.

use std::sync::Arc;
use std::time::Duration;

use super::forge::{checkpoint, file, files, keys, verify, verify_with};
use super::rig::{AT_ONCE, append, open, reader, settings, take, until};
use crate::disk::{Disk, SimulatedDisk};
use crate::{Fault, KeySource, Keys, Request, Settings, Severity, Verdict, Verification};

pub(super) fn assert_whole(found: &Verification) {
    assert_eq!(found.verdict, Verdict::Whole, "{:#?}", found.findings);
}

/// A ledger with `count` records in frames of three, closed and opened again after every nine.
pub(super) async fn log(disk: &SimulatedDisk, settings: &Settings, count: i64) {
    for run in (0..count).step_by(9) {
        let ledger = open(disk, settings.clone());
        for first in (run..count.min(run + 9)).step_by(3) {
            append(&ledger, first..count.min(first + 3)).await.unwrap();
        }
        ledger.close();
    }
}

#[tokio::test]
async fn a_ledger_that_was_closed_is_whole_to_its_last_record() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 30).await;
    let found = verify(&disk);
    assert_whole(&found);
    assert_eq!(
        (found.covered, found.not_covered, found.sequences.clone()),
        (30, 0, 0..30)
    );
    assert_eq!(found.origin.as_deref(), Some("test/node/1"));
    assert_eq!((found.key, found.first_bad), (KeySource::Given, None));
    assert!(found.checkpoints >= 8 && found.segments == 4, "{found:?}");
    assert!(found.newest_checkpoint.is_some());
}

#[tokio::test]
async fn an_empty_ledger_is_whole_and_no_ledger_is_none() {
    let disk = SimulatedDisk::new(1);
    open(&disk, settings()).close();
    assert_whole(&verify(&disk));
    let nothing = verify(&SimulatedDisk::new(2));
    assert_eq!(nothing.verdict, Verdict::Incomplete);
    assert!(
        nothing.findings[0].what.contains("there is no ledger"),
        "{nothing:?}"
    );
}

#[tokio::test]
async fn a_ledger_that_lost_its_power_is_whole_before_and_after_it_starts_again() {
    for seed in 0..30 {
        let disk = SimulatedDisk::new(seed);
        log(&disk, &settings(), 20).await;
        let ledger = open(&disk, settings());
        for id in 20..30 {
            append(&ledger, [id]).await.unwrap();
        }
        disk.crash(seed);
        ledger.close();
        let disk = disk.restarted();
        let found = verify(&disk);
        assert_whole(&found);
        assert_eq!(found.covered + found.not_covered, 30, "{found:?}");
        let ledger = open(&disk, settings());
        append(&ledger, [30]).await.unwrap();
        ledger.close();
        let found = verify(&disk);
        assert_whole(&found);
        assert_eq!((found.covered, found.epochs.len()), (31, 1));
    }
}

#[tokio::test]
async fn a_new_epoch_leaves_the_old_one_whole_and_covers_what_came_after_its_last_checkpoint() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 12).await;
    let mut unsigned = settings();
    unsigned.integrity = crate::Integrity::Off;
    log(&disk, &unsigned, 3).await;
    assert_eq!(verify(&disk).not_covered, 3);
    disk.delete("epoch.json").unwrap();
    let ledger = open(&disk, settings());
    append(&ledger, 15..18).await.unwrap();
    ledger.close();
    // The record that tells of the epoch may have come after the last checkpoint.
    open(&disk, settings()).close();
    let found = verify(&disk);
    assert_whole(&found);
    assert_eq!(found.epochs.len(), 2);
    assert_eq!(
        (found.epochs[1].first, found.not_covered),
        (12, 0),
        "{found:#?}"
    );
    assert!(found.findings.iter().all(|f| f.fault == Fault::Epoch));
}

#[tokio::test]
async fn what_retention_has_left_is_verified_from_the_middle() {
    let disk = SimulatedDisk::new(1);
    let mut settings = settings();
    settings.retention.time = Duration::ZERO;
    settings.retention.bytes = 0;
    for run in 0..40 {
        let ledger = open(&disk, settings.clone());
        let mut exporter = reader(&ledger, "splunk_hec");
        for id in 0..20 {
            append(&ledger, [run * 20 + id]).await.unwrap();
        }
        let mut owed = 20;
        while owed > 0 {
            let lease = exporter.next(&AT_ONCE).await;
            lease.delivered(0..lease.batch.len() as u32);
            owed -= lease.batch.len();
        }
        ledger.close();
    }
    let found = verify(&disk);
    assert_whole(&found);
    assert!(found.sequences.start > 500, "{:?}", found.sequences);
    assert_eq!(found.sequences.end, 800);
    assert_eq!(found.covered, 800 - found.sequences.start);
    assert!(
        found.checkpoints > 40,
        "those of deleted records too: {found:?}"
    );
}

#[tokio::test]
async fn the_leaf_hashes_of_an_epoch_go_with_its_records_and_its_checkpoints_stay_signed() {
    let disk = SimulatedDisk::new(1);
    let mut settings = settings();
    settings.retention.time = Duration::ZERO;
    settings.retention.bytes = 0;
    for run in 0..6 {
        let ledger = open(&disk, settings.clone());
        let mut exporter = reader(&ledger, "splunk_hec");
        append(&ledger, run * 10..run * 10 + 10).await.unwrap();
        take(&mut exporter, 10).await;
        ledger.close();
        let of_first = files(&disk, "tree/1-0-").len();
        assert!(run > 0 || of_first == 1, "its records are there");
        if run == 1 {
            disk.delete("epoch.json").unwrap();
        }
    }
    assert!(files(&disk, "tree/1-0-").is_empty());
    assert_eq!(files(&disk, "tree/2-0-").len(), 1);
    let found = verify(&disk);
    assert_whole(&found);
    assert!(
        found.epochs.len() == 2 && found.only_signed > 0,
        "{found:#?}"
    );
    assert_eq!(found.covered, found.sequences.end - found.sequences.start);
}

#[tokio::test]
async fn only_what_came_after_a_kept_checkpoint_is_read() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 18).await;
    let kept = checkpoint(&disk);
    log(&disk, &settings(), 27).await;
    let request = Request {
        from_checkpoint: Some(crate::read_checkpoint(&kept).unwrap()),
        ..Request::default()
    };
    let found = verify_with(&disk, &keys(), &request);
    assert_whole(&found);
    assert_eq!((found.sequences.clone(), found.covered), (18..45, 27));
    let up_to_date = Request {
        from_checkpoint: Some(crate::read_checkpoint(&checkpoint(&disk)).unwrap()),
        ..Request::default()
    };
    let found = verify_with(&disk, &keys(), &up_to_date);
    assert_whole(&found);
    assert_eq!((found.covered, found.segments), (0, 0));
}

#[tokio::test]
async fn a_part_is_verified_up_to_the_next_signed_root() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 45).await;
    for (from, to) in [
        (0, 0),
        (4, 4),
        (5, 40),
        (17, 18),
        (44, 44),
        (0, 44),
        (10, 1000),
    ] {
        let request = Request {
            from_sequence: Some(from),
            to_sequence: Some(to),
            from_checkpoint: None,
        };
        let found = verify_with(&disk, &keys(), &request);
        assert_whole(&found);
        assert_eq!(found.covered, to.min(44) + 1 - from, "{from} {to}");
        assert!(found.checkpoints > 0, "{from} {to}");
    }
    super::forge::forge(&disk, 21, [700, 701, 702]);
    let part = |from, to| Request {
        from_sequence: Some(from),
        to_sequence: Some(to),
        from_checkpoint: None,
    };
    assert_whole(&verify_with(&disk, &keys(), &part(24, 44)));
    assert_eq!(
        verify_with(&disk, &keys(), &part(20, 22)).first_bad,
        Some(21)
    );
}

#[tokio::test]
async fn a_running_ledger_is_whole_while_it_is_written() {
    let disk = SimulatedDisk::new(1);
    let mut settings = settings();
    settings.segment_bytes = 2000;
    settings.checkpoint_every = Duration::from_millis(1);
    let ledger = open(&disk, settings);
    append(&ledger, [0]).await.unwrap();
    // Checkpoints are made on a thread of their own.
    until(|| verify(&disk).covered > 0);
    let (mut covered, mut rounds) = (0, 0);
    for id in 1..400 {
        append(&ledger, [id]).await.unwrap();
        if id % 10 == 9 {
            let found = verify(&disk);
            assert_whole(&found);
            assert_eq!(found.sequences.end, id as u64 + 1);
            assert!(found.covered >= covered);
            covered = found.covered;
            rounds += 1;
        }
    }
    assert_eq!(rounds, 40);
    ledger.close();
    assert_eq!(verify(&disk).covered, 400);
}

#[tokio::test]
async fn without_a_key_or_a_checkpoint_it_is_incomplete_and_with_anothers_key_broken() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 10).await;
    let found = verify_with(&disk, &Keys::none(), &Request::default());
    assert_eq!(
        (found.verdict, found.key),
        (Verdict::Incomplete, KeySource::None)
    );
    assert_eq!(found.covered, 10, "all but the signatures was checked");

    let other = sluice_evidence::SigningKey::from_seed("test/node", &[8; 32]).unwrap();
    let other = Keys::given(&other.verifying_key().to_string()).unwrap();
    let found = verify_with(&disk, &other, &Request::default());
    assert_eq!(found.verdict, Verdict::Broken);
    assert!(
        found
            .findings
            .iter()
            .any(|f| f.fault == Fault::Key && f.what.contains("another key")),
        "{found:#?}"
    );

    let foreign = sluice_evidence::SigningKey::from_seed("other/node", &[7; 32]).unwrap();
    let foreign = Keys::given(&foreign.verifying_key().to_string()).unwrap();
    let found = verify_with(&disk, &foreign, &Request::default());
    assert_eq!(
        found.verdict,
        Verdict::Broken,
        "the key of another log, though the same secret"
    );

    let disk = SimulatedDisk::new(2);
    let mut off = settings();
    off.integrity = crate::Integrity::Off;
    log(&disk, &off, 10).await;
    let found = verify(&disk);
    assert_eq!(
        (found.verdict, found.not_covered),
        (Verdict::Incomplete, 10)
    );
}

#[tokio::test]
async fn a_record_is_proved_by_one_file_and_the_key() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 30).await;
    let on: Arc<dyn Disk> = Arc::new(disk.clone());
    for sequence in 0..30 {
        let proof = crate::prove_on(on.clone(), &keys(), sequence).unwrap();
        let text = proof.to_string();
        let read = crate::Proof::parse(text.as_bytes()).unwrap();
        assert_eq!(read, proof);
        let checkpoint = read.verify(&keys(), None).unwrap();
        assert_eq!((checkpoint.size(), read.sequence), (30, sequence));
        assert_eq!(
            super::rig::ids(&read.batch().unwrap().unwrap()),
            [sequence as i64]
        );
        let payload = read.record.clone().unwrap().1;
        read.verify(&keys(), Some(&payload)).unwrap();
        assert!(read.verify(&keys(), Some(b"another")).is_err());
        let mut moved = read.clone();
        moved.sequence += 1;
        assert!(moved.verify(&keys(), None).is_err());
    }
    let error = crate::prove_on(on, &keys(), 30).unwrap_err();
    assert!(
        error.to_string().contains("no checkpoint covers record 30"),
        "{error}"
    );
}

#[tokio::test]
async fn two_checkpoints_of_one_log_are_consistent_and_others_are_not() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 18).await;
    let old = checkpoint(&disk);
    log(&disk, &settings(), 27).await;
    let new = checkpoint(&disk);
    let on: Arc<dyn Disk> = Arc::new(disk.clone());
    let note = |text: &str| crate::read_checkpoint(text).unwrap();
    let consistent = crate::consistency_on(on.clone(), &keys(), &note(&old), &note(&new)).unwrap();
    assert_eq!((consistent.old.size(), consistent.new.size()), (18, 45));
    assert!(crate::consistency_on(on.clone(), &keys(), &note(&new), &note(&old)).is_err());

    let other = SimulatedDisk::new(2);
    log(&other, &settings(), 9).await;
    let other = checkpoint(&other);
    let error = crate::consistency_on(on, &keys(), &note(&other), &note(&new)).unwrap_err();
    assert!(matches!(error, crate::ProofError::Broken(_)), "{error}");
}

#[tokio::test]
async fn no_flipped_bit_goes_unnoticed() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 10).await;
    for path in files(&disk, "") {
        if path.starts_with("cursors/") || path.starts_with("dead_letters/") {
            continue;
        }
        let bytes = file(&disk, &path);
        for offset in 0..bytes.len() {
            // When a checkpoint was made is only said by the node itself.
            let text =
                String::from_utf8_lossy(&bytes[offset.saturating_sub(25)..offset]).into_owned();
            let is_time = path.starts_with("checkpoint")
                && text
                    .rsplit_once("\"time\":")
                    .is_some_and(|(_, t)| !t.contains(','));
            // And a last line without its end never counted.
            let is_end = path == "checkpoints.log" && offset + 1 == bytes.len();
            if is_time || is_end {
                continue;
            }
            let damaged = disk.snapshot();
            damaged
                .flip(&path, offset as u64, (offset % 5) as u8)
                .unwrap();
            let found = verify(&damaged);
            let is_told = found.findings.iter().any(|f| f.severity >= Severity::Note);
            let is_seal =
                path.starts_with("segments/00000000000000000009") && offset + 112 >= bytes.len();
            assert!(is_told, "{path} {offset}");
            assert!(
                is_seal || found.verdict != Verdict::Whole,
                "{path} {offset} {found:#?}"
            );
        }
    }
}
