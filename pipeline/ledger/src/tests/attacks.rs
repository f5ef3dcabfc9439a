//! The ten attacks that the log must withstand, on a whole ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sluice_evidence::{Checkpoint, Hash, SigningKey, leaf_hash, node_hash, verify_inclusion};

use super::erasure::erase;
use super::forge::{checkpoint, file, files, forge, frames, keys, verify, verify_with};
use super::rig::{append, key, open, settings};
use super::verification::{assert_whole, log};
use crate::disk::SimulatedDisk;
use crate::tree::Signed;
use crate::{Fault, Finding, Lock, LockError, Proof, Request, Severity, Verdict, Verification};

async fn whole_log() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 30).await;
    assert_whole(&verify(&disk));
    disk
}

/// The one finding that breaks the log.
fn broken(found: &Verification, fault: Fault) -> &Finding {
    assert_eq!(found.verdict, Verdict::Broken, "{found:#?}");
    let of_it = |f: &&Finding| f.severity == Severity::Broken && f.fault == fault;
    found
        .findings
        .iter()
        .find(of_it)
        .unwrap_or_else(|| panic!("no {fault:?} in {:#?}", found.findings))
}

#[tokio::test]
async fn attack_1_a_byte_of_a_record_is_flipped() {
    let disk = whole_log().await;
    let placed = &frames(&disk)[4];
    let head = placed.frame.head;
    disk.flip(&placed.file, placed.at + 130, 3).unwrap();
    let found = verify(&disk);
    let finding = broken(&found, Fault::RecordsMissing);
    assert_eq!(finding.sequences, Some(head.first..head.end()));
    assert_eq!(
        (finding.file.as_ref(), finding.offset),
        (Some(&placed.file), Some(placed.at))
    );
    assert_eq!(found.first_bad, Some(12));
    assert!(finding.what.contains("checksum"), "{finding:?}");
    assert_eq!(
        found.findings.len(),
        1,
        "the rest is as it was signed: {found:#?}"
    );
}

#[tokio::test]
async fn attack_1_a_byte_of_the_last_record_of_a_segment_is_flipped() {
    let disk = whole_log().await;
    let placed = &frames(&disk)[5];
    disk.flip(&placed.file, placed.at + 130, 3).unwrap();
    let found = verify(&disk);
    let finding = broken(&found, Fault::RecordsMissing);
    assert_eq!(finding.offset, Some(placed.at));
    assert!(finding.what.contains("checksum"), "{finding:?}");
    assert_eq!((found.first_bad, found.findings.len()), (Some(15), 1));
}

#[tokio::test]
async fn attack_1_a_record_is_changed_and_its_checksums_made_right() {
    let disk = whole_log().await;
    forge(&disk, 12, [12, 666, 14]);
    let found = verify(&disk);
    let finding = broken(&found, Fault::RecordChanged);
    assert_eq!(
        (finding.sequences.clone(), found.first_bad),
        (Some(13..14), Some(13))
    );
    assert_eq!(
        finding.file.as_deref(),
        Some("segments/00000000000000000009.seg")
    );
    assert_eq!(found.findings.len(), 1, "{found:#?}");
}

#[tokio::test]
async fn attack_1_a_record_and_its_stored_hash_are_changed() {
    let disk = whole_log().await;
    forge(&disk, 12, [12, 666, 14]);
    let placed = frames(&disk).remove(4);
    let leaf = sluice_evidence::Leaf {
        sequence: 13,
        observed_ns: placed.frame.head.accepted,
        commitment: placed.frame.commitments().unwrap()[1],
    };
    disk.damage("tree/1-0-0000000000", |bytes| {
        bytes[13 * 32..14 * 32].copy_from_slice(leaf.hash().as_bytes());
        Ok(())
    })
    .unwrap();
    let found = verify(&disk);
    let finding = broken(&found, Fault::Root);
    let range = finding.sequences.clone().unwrap();
    // Between two checkpoints.
    assert!(
        range.contains(&13) && range.start >= 9 && range.end <= 18,
        "{found:#?}"
    );
}

#[tokio::test]
async fn attack_1_a_byte_of_a_tile_is_flipped() {
    let disk = whole_log().await;
    disk.flip("tree/1-0-0000000000", 17 * 32 + 5, 0).unwrap();
    let found = verify(&disk);
    let finding = broken(&found, Fault::Tree);
    assert_eq!(finding.sequences, Some(17..18));
    assert_eq!(
        (finding.file.as_deref(), finding.offset),
        (Some("tree/1-0-0000000000"), Some(17 * 32))
    );
    assert!(
        finding.what.contains("the record is as signed"),
        "{finding:?}"
    );
}

#[tokio::test]
async fn attack_1_a_byte_of_a_hash_above_the_leaves_is_flipped() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, settings());
    for first in (0..600).step_by(50) {
        append(&ledger, first..first + 50).await.unwrap();
    }
    ledger.close();
    disk.flip("tree/1-1-0000000000", 40, 0).unwrap();
    let found = verify(&disk);
    let finding = broken(&found, Fault::Tree);
    assert_eq!(
        (finding.sequences.clone(), finding.offset),
        (Some(256..512), Some(32))
    );
}

#[tokio::test]
async fn attack_1_a_byte_of_a_checkpoint_is_flipped() {
    let disk = whole_log().await;
    let text = checkpoint(&disk);
    let signature = text.find("test/node/1 ").unwrap() + 30;
    disk.flip("checkpoint", signature as u64, 1).unwrap();
    let found = verify(&disk);
    assert_eq!(
        broken(&found, Fault::Checkpoint).file.as_deref(),
        Some("checkpoint")
    );

    let disk = whole_log().await;
    let list = String::from_utf8(file(&disk, "checkpoints.log")).unwrap();
    let nine = list.find("\\n9\\n").unwrap();
    let line = list[..nine].rfind('\n').unwrap() + 1;
    disk.flip("checkpoints.log", nine as u64 + 10, 1).unwrap();
    let found = verify(&disk);
    let finding = broken(&found, Fault::Checkpoint);
    assert_eq!(
        (finding.file.as_deref(), finding.offset),
        (Some("checkpoints.log"), Some(line as u64))
    );
    let number = list[..line].lines().count() + 1;
    let number = format!("line {number}:");
    assert!(finding.what.contains(&number), "{finding:?}");
}

#[tokio::test]
async fn attack_2_the_last_records_are_deleted_after_a_checkpoint() {
    let disk = whole_log().await;
    let last = files(&disk, "segments/").pop().unwrap();
    disk.delete(&last).unwrap();
    let found = verify(&disk);
    let finding = broken(&found, Fault::RecordsMissing);
    assert_eq!(
        (finding.sequences.clone(), found.first_bad),
        (Some(27..30), Some(27))
    );
    assert!(
        finding.what.contains("the log ends with record 26"),
        "{finding:?}"
    );

    let disk = whole_log().await;
    let placed = frames(&disk).remove(8);
    disk.cut(&placed.file, placed.at + 20).unwrap();
    let found = verify(&disk);
    assert_eq!(found.first_bad, Some(24), "{found:#?}");

    for segment in files(&disk, "segments/") {
        disk.delete(&segment).unwrap();
    }
    let found = verify(&disk);
    assert_eq!(
        (found.verdict, found.first_bad),
        (Verdict::Broken, Some(29))
    );
}

#[tokio::test]
async fn attack_2_a_log_that_was_cut_is_signed_no_more_under_its_name() {
    let disk = whole_log().await;
    let last = files(&disk, "segments/").pop().unwrap();
    disk.delete(&last).unwrap();
    let ledger = open(&disk, settings());
    append(&ledger, [100]).await.unwrap();
    ledger.close();
    let found = verify(&disk);
    assert_eq!(found.first_bad, Some(27), "{found:#?}");
    assert_eq!(found.epochs.len(), 2);
    assert_eq!(found.epochs[1].origin, "test/node/2");
    assert_eq!(found.epochs[1].first, 30, "no number is given twice");
}

#[tokio::test]
async fn attack_3_two_records_change_places() {
    let disk = whole_log().await;
    forge(&disk, 12, [13, 12, 14]);
    let found = verify(&disk);
    assert_eq!(found.first_bad, Some(12));
    let changed = |f: &&Finding| f.fault == Fault::RecordChanged;
    assert_eq!(found.findings.iter().filter(changed).count(), 2);
}

#[tokio::test]
async fn attack_3_two_frames_change_places() {
    let disk = whole_log().await;
    let (a, b) = {
        let mut all = frames(&disk);
        (all.remove(3), all.remove(3))
    };
    assert_eq!(a.file, b.file);
    disk.damage(&a.file, |bytes| {
        let (start, middle) = (a.at as usize, b.at as usize);
        let end = middle + 112 + b.frame.head.body_len();
        bytes[start..end].rotate_left(middle - start);
        Ok(())
    })
    .unwrap();
    let found = verify(&disk);
    assert_eq!(found.first_bad, Some(9), "{found:#?}");
    broken(&found, Fault::RecordsOutOfOrder);
}

#[tokio::test]
async fn attack_3_two_segments_change_places() {
    let disk = whole_log().await;
    let segments = files(&disk, "segments/");
    disk.swap(&segments[1], &segments[2]).unwrap();
    let found = verify(&disk);
    assert_eq!(found.first_bad, Some(9), "{found:#?}");
    let finding = broken(&found, Fault::Segment);
    assert!(finding.what.contains("disagree"), "{finding:?}");
}

#[tokio::test]
async fn attack_4_a_node_is_offered_as_a_leaf() {
    let disk = whole_log().await;
    let hashes = file(&disk, "tree/1-0-0000000000");
    let (left, right) = (&hashes[..32], &hashes[32..64]);
    let node = node_hash(
        Hash::try_from(left).unwrap(),
        Hash::try_from(right).unwrap(),
    );
    assert_ne!(leaf_hash(&[left, right].concat()), node);
    // As a record: its payload would have to hash to a node, and a leaf has 49 bytes with a version in front.
    let proof = crate::prove_on(Arc::new(disk.clone()), &keys(), 0).unwrap();
    let mut raised = proof.clone();
    raised.path.path.remove(0);
    raised.commitment = node;
    assert!(raised.verify(&keys(), None).is_err());
}

#[tokio::test]
async fn attack_5_a_proof_has_a_hash_too_many_or_too_few_or_an_index_outside() {
    let disk = whole_log().await;
    let proof = crate::prove_on(Arc::new(disk.clone()), &keys(), 11).unwrap();
    let change = |how: &dyn Fn(&mut Proof)| {
        let mut changed = proof.clone();
        how(&mut changed);
        changed.record = None;
        changed.verify(&keys(), None)
    };
    assert!(change(&|_| {}).is_ok());
    assert!(
        change(&|p| {
            p.path.path.pop();
        })
        .is_err()
    );
    assert!(change(&|p| p.path.path.push(Hash::EMPTY_TREE)).is_err());
    assert!(change(&|p| p.path.index = 30).is_err());
    assert!(change(&|p| p.path.index = 12).is_err());
    let root = Hash::EMPTY_TREE;
    assert!(verify_inclusion(0, 0, root, &[], root).is_err(), "size 0");
}

#[tokio::test]
async fn attack_6_a_checkpoint_is_spelled_otherwise() {
    let stranger = SigningKey::from_seed("witness.example/w1", &[9; 32]).unwrap();
    for (what, is_fine) in [
        ("zero", false),
        ("cr", false),
        ("newline", false),
        ("signature", true),
    ] {
        let disk = whole_log().await;
        let mut signed: Signed = serde_json::from_str(&checkpoint(&disk)).unwrap();
        let note = &mut signed.note;
        match what {
            "zero" => *note = note.replace("\n30\n", "\n030\n"),
            "cr" => *note = note.replace('\n', "\r\n"),
            "newline" => {
                note.pop();
            }
            _ => {
                let text = note.split("\n\n").next().unwrap();
                let extra = stranger.sign(&format!("{text}\n"));
                note.push_str(&format!("{extra}\n"));
            }
        }
        let line = serde_json::to_string(&signed).unwrap() + "\n";
        disk.put("checkpoint", line.as_bytes()).unwrap();
        let found = verify(&disk);
        assert_eq!(
            found.verdict == Verdict::Whole,
            is_fine,
            "{what}: {found:#?}"
        );
    }
}

#[tokio::test]
async fn attack_7_a_false_signature_of_the_known_key_stands_beside_a_good_one() {
    let disk = whole_log().await;
    let mut signed: Signed = serde_json::from_str(&checkpoint(&disk)).unwrap();
    let other = key().renamed("test/node/1").unwrap().sign("another text\n");
    signed.note.push_str(&format!("{other}\n"));
    let line = serde_json::to_string(&signed).unwrap() + "\n";
    disk.put("checkpoint", line.as_bytes()).unwrap();
    let found = verify(&disk);
    assert!(broken(&found, Fault::Checkpoint).what.contains("is false"));
}

#[tokio::test]
async fn attack_8_an_old_image_is_put_back_and_appended_to() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 18).await;
    let image = disk.snapshot();
    log(&disk, &settings(), 9).await;
    let anchored = crate::read_checkpoint(&checkpoint(&disk)).unwrap();
    let request = Request {
        from_checkpoint: Some(anchored),
        ..Request::default()
    };
    assert_whole(&verify_with(&disk, &keys(), &request));

    // The image knows nothing of what came after it, and by itself nothing is wrong with it.
    assert_whole(&verify(&image));
    let found = verify_with(&image, &keys(), &request);
    assert!(
        broken(&found, Fault::Anchor)
            .what
            .contains("a new epoch must begin")
    );
    for count in [3, 9, 18] {
        log(&image, &settings(), count).await;
        assert_whole(&verify(&image));
        let found = verify_with(&image, &keys(), &request);
        assert!(
            broken(&found, Fault::Anchor)
                .what
                .contains("a new epoch must begin"),
            "{found:#?}"
        );
    }
}

#[tokio::test]
async fn attack_8_old_segments_are_put_back_and_the_log_begins_a_new_epoch() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 18).await;
    let image = disk.snapshot();
    log(&disk, &settings(), 9).await;
    for path in files(&disk, "segments/") {
        disk.delete(&path).unwrap();
    }
    for path in files(&image, "segments/") {
        disk.put(&path, &file(&image, &path)).unwrap();
    }
    log(&disk, &settings(), 3).await;
    let found = verify(&disk);
    assert_eq!(
        (found.first_bad, found.epochs.len()),
        (Some(18), 2),
        "{found:#?}"
    );
}

#[test]
fn attack_9_two_processes_on_one_directory() {
    let directory = tempfile::tempdir().unwrap();
    let first = Lock::take(directory.path()).unwrap();
    assert!(matches!(
        Lock::take(directory.path()),
        Err(LockError::InUse { .. })
    ));
    assert!(matches!(
        crate::erase(directory.path(), &[0].into(), "reason"),
        Err(crate::EraseError::Lock(LockError::InUse { .. }))
    ));
    drop(first);
    Lock::take(directory.path()).unwrap();
}

#[test]
fn a_look_at_the_lock_in_the_same_moment_keeps_nobody_from_taking_it() {
    let directory = tempfile::tempdir().unwrap();
    drop(Lock::take(directory.path()).unwrap());
    let is_done = AtomicBool::new(false);
    thread::scope(|threads| {
        threads.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let _ = Lock::is_held(directory.path());
            }
        });
        let taken = (0..200).try_for_each(|_| Lock::take(directory.path()).map(drop));
        is_done.store(true, Ordering::Relaxed);
        taken.unwrap();
    });
}

#[tokio::test]
async fn attack_10_a_payload_is_erased() {
    let disk = whole_log().await;
    erase(&disk, &[13]).unwrap();
    let found = verify(&disk);
    assert_whole(&found);
    assert_eq!((found.erased, found.covered, found.not_covered), (1, 30, 1));
    let note = found
        .findings
        .iter()
        .find(|f| f.fault == Fault::RecordsErased)
        .unwrap();
    assert_eq!(note.sequences, Some(13..14));
    assert!(note.what.contains("request 4711"), "{note:?}");
    let proof = crate::prove_on(Arc::new(disk.clone()), &keys(), 13).unwrap();
    let checkpoint: Checkpoint = proof.verify(&keys(), None).unwrap();
    assert_eq!((checkpoint.size(), &proof.record), (30, &None));
}
