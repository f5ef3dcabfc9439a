//! Bugs of the thread that grows the tree and of recovery, each as the test that shows it.

use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use sluice_evidence::Checkpoint;

use super::forge::{file, files, frames, verify};
use super::rig::{AT_ONCE, append, ids, open, reader, settings, soon, until};
use super::verification::{assert_whole, log};
use crate::Settings;
use crate::disk::{Disk as _, Operation, SimulatedDisk};
use crate::tree::Signed;

#[tokio::test]
async fn a_record_that_comes_right_after_the_start_does_not_hide_that_signed_ones_are_gone() {
    for round in 0..20 {
        let disk = SimulatedDisk::new(round);
        log(&disk, &settings(), 30).await;
        disk.delete("segments/00000000000000000027.seg").unwrap();
        let ledger = open(&disk, settings());
        append(&ledger, [100]).await.unwrap();
        ledger.close();
        let found = verify(&disk);
        assert_eq!((found.first_bad, found.epochs.len()), (Some(27), 2));
        assert_eq!(found.epochs[1].first, 30, "and no number is given twice");
    }
}

#[tokio::test]
async fn records_that_the_old_epoch_did_not_sign_belong_to_the_new_one() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 9).await;
    let mut unsigned = settings();
    unsigned.integrity = crate::Integrity::Off;
    log(&disk, &unsigned, 9).await;
    disk.flip("tree/1-0-0000000000", 5, 1).unwrap();
    log(&disk, &settings(), 9).await;
    let found = verify(&disk);
    assert_eq!(
        (found.epochs.len(), found.epochs[1].first),
        (2, 9),
        "{found:#?}"
    );
    assert_eq!(found.not_covered, 0);
}

#[tokio::test]
async fn of_the_newest_checkpoint_and_the_list_the_later_one_binds() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 9).await;
    let before = file(&disk, "checkpoint");
    log(&disk, &settings(), 9).await;
    // A crash after the list was written, and then the records that it covers are lost.
    disk.put("checkpoint", &before).unwrap();
    disk.delete("segments/00000000000000000009.seg").unwrap();
    log(&disk, &settings(), 3).await;
    let found = verify(&disk);
    assert_eq!(found.epochs.len(), 2, "{found:#?}");
    assert_eq!((found.epochs[1].first, found.first_bad), (18, Some(9)));
}

#[tokio::test]
async fn signed_checkpoints_that_cannot_be_read_are_not_taken_for_none() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 9).await;
    disk.put("checkpoint", b"{}").unwrap();
    disk.put("checkpoints.log", b"{}\n").unwrap();
    disk.delete("segments/00000000000000000000.seg").unwrap();
    log(&disk, &settings(), 3).await;
    let signed: Signed = serde_json::from_slice(&file(&disk, "checkpoint")).unwrap();
    assert_eq!(signed.read().unwrap().origin(), "test/node/2");
}

#[tokio::test]
async fn a_damaged_ledger_id_costs_no_record() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, settings());
    drop(reader(&ledger, "splunk_hec"));
    append(&ledger, 0..5).await.unwrap();
    ledger.close();
    let text = String::from_utf8(file(&disk, "ledger.json")).unwrap();
    let digit = text.rfind('"').unwrap() - 1;
    let other = if &text[digit..=digit] == "0" {
        "1"
    } else {
        "0"
    };
    let mut text = text;
    text.replace_range(digit..=digit, other);
    disk.put("ledger.json", text.as_bytes()).unwrap();
    let ledger = open(&disk, settings());
    let mut exporter = reader(&ledger, "splunk_hec");
    assert_eq!(ids(&exporter.next(&AT_ONCE).await.batch), [0, 1, 2, 3, 4]);
    assert_eq!(ledger.report().damages.len(), 1, "{:?}", ledger.report());
    ledger.close();
    assert!(files(&disk, "quarantine/").is_empty());
    assert_whole(&verify(&disk));
}

#[tokio::test]
async fn retention_never_leaves_only_a_segment_without_records() {
    let disk = SimulatedDisk::new(1);
    let mut settings = settings();
    settings.retention.time = std::time::Duration::ZERO;
    settings.retention.bytes = 0;
    let ledger = open(&disk, settings.clone());
    let mut exporter = reader(&ledger, "splunk_hec");
    append(&ledger, 0..3).await.unwrap();
    exporter.next(&AT_ONCE).await.delivered(0..3);
    ledger.drained().await;
    ledger.close();
    let ledger = open(&disk, settings.clone());
    let empty = crate::Segment::new(3, 0);
    ledger.inner.state.lock().segments.push_back(empty);
    crate::retention::collect(&ledger.inner, 0);
    assert_eq!(frames(&disk).len(), 1);
    ledger.inner.state.lock().segments.pop_back();
    ledger.close();
    assert!(disk.open("segments/00000000000000000000.seg").is_ok());
}

#[tokio::test]
async fn exporters_get_checkpoints_as_events_on_request_and_the_events_come_to_an_end() {
    let disk = SimulatedDisk::new(9);
    let mut settings = settings();
    settings.checkpoint_events = true;
    settings.checkpoint_every = std::time::Duration::from_millis(1);
    let ledger = open(&disk, settings);
    let mut splunk = reader(&ledger, "splunk_hec");
    append(&ledger, 0..3).await.unwrap();
    let mut events = Vec::new();
    while events.is_empty() {
        let lease = soon(splunk.next(&AT_ONCE)).await;
        for record in lease
            .batch
            .records()
            .filter(|r| r.name() == "audit.checkpoint")
        {
            let note = record.body().to_text().into_owned();
            let checkpoint = Checkpoint::open(note.as_bytes(), &[epoch_key()]).unwrap();
            events.push(checkpoint.size());
        }
    }
    assert!(events[0] >= 3, "{events:?}");
    // The event itself is signed in a checkpoint, which is told to nobody.
    let end = ledger.end();
    until(|| signed_size(&disk) >= end);
    ledger.close();
    assert_eq!(signed_size(&disk), end, "nothing was added since");
}

/// Reading the tree hangs, as it may for long after the start of a large ledger.
#[tokio::test]
async fn senders_are_answered_while_the_tree_is_made_again_and_all_of_it_is_signed_later() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 9).await;
    let gate = Arc::new((Mutex::new(true), Condvar::new()));
    disk.watch({
        let gate = gate.clone();
        move |operation, _| {
            if operation == Operation::Read && thread::current().name() == Some("sluice-tree") {
                let (is_shut, bell) = &*gate;
                bell.wait_while(&mut is_shut.lock(), |is_shut| *is_shut);
            }
        }
    });
    let narrow = Settings {
        segment_bytes: 20_000,
        ..settings()
    };
    let ledger = open(&disk, narrow);
    // More commits than wait in memory.
    for id in 0..400 {
        soon(append(&ledger, [id])).await.unwrap();
    }
    assert_eq!(signed_size(&disk), 9, "nothing is signed meanwhile");
    *gate.0.lock() = false;
    gate.1.notify_all();
    until(|| signed_size(&disk) == 409);
    append(&ledger, [400]).await.unwrap();
    ledger.close();
    let found = verify(&disk);
    assert_whole(&found);
    assert_eq!((found.covered, found.epochs.len()), (410, 1));
}

#[tokio::test]
async fn the_first_records_are_signed_at_once_whatever_the_interval_is() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, settings());
    append(&ledger, 0..3).await.unwrap();
    until(|| signed_size(&disk) == 3);
    ledger.close();
}

fn epoch_key() -> sluice_evidence::VerifyingKey {
    super::rig::key()
        .renamed("test/node/1")
        .unwrap()
        .verifying_key()
}

fn signed_size(disk: &SimulatedDisk) -> u64 {
    let files = disk.files();
    let newest = files.iter().find(|(path, _)| path == "checkpoint");
    newest.map_or(0, |(_, bytes)| {
        let signed: crate::Signed = serde_json::from_slice(bytes).unwrap();
        signed.read().unwrap().size()
    })
}
