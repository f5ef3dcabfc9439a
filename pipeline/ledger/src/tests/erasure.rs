//! Records that were erased on request.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::forge::{file, files, frames, keys, verify};
use super::rig::{AT_ONCE, append, ids, open, reader, settings};
use super::verification::{assert_whole, log};
use crate::disk::{Disk, SimulatedDisk};
use crate::format::Kind;
use crate::{EraseError, Erasure, Fault, Severity};

pub(super) fn erase(disk: &SimulatedDisk, sequences: &[u64]) -> Result<Erasure, EraseError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let sequences: BTreeSet<u64> = sequences.iter().copied().collect();
    crate::erase_on(disk, &sequences, "request 4711")
}

#[tokio::test]
async fn an_erased_record_is_delivered_no_more_and_every_other_is() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, settings());
    drop(reader(&ledger, "splunk_hec"));
    ledger.close();
    log(&disk, &settings(), 20).await;
    let erased = erase(&disk, &[4, 9, 10, 11]).unwrap();
    assert_eq!((erased.recorded_as, erased.undelivered.len()), (20, 1));
    let ledger = open(&disk, settings());
    let mut exporter = reader(&ledger, "splunk_hec");
    append(&ledger, [20]).await.unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&20) {
        let lease = exporter.next(&AT_ONCE).await;
        lease.delivered(0..lease.batch.len() as u32);
        seen.extend(ids(&lease.batch));
    }
    let expected: Vec<i64> = (0..21).filter(|id| ![4, 9, 10, 11].contains(id)).collect();
    assert_eq!(seen, expected);
    ledger.drained().await;
    ledger.close();
    assert_whole(&verify(&disk));
}

#[tokio::test]
async fn a_reader_in_the_middle_of_an_erased_frame_gets_nothing_twice() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, settings());
    let mut exporter = reader(&ledger, "splunk_hec");
    append(&ledger, 0..10).await.unwrap();
    exporter.next(&AT_ONCE).await.delivered(0..7);
    ledger.close();
    erase(&disk, &[2, 8]).unwrap();
    let ledger = open(&disk, settings());
    let mut exporter = reader(&ledger, "splunk_hec");
    assert_eq!(ids(&exporter.next(&AT_ONCE).await.batch), [7, 9]);
    ledger.close();
}

#[tokio::test]
async fn nothing_of_an_erased_record_is_left_on_the_disk() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, settings());
    let mut exporter = reader(&ledger, "splunk_hec");
    append(&ledger, 0..3).await.unwrap();
    let lease = exporter.next(&AT_ONCE).await;
    lease.refused(1..2, "400", 1).await.unwrap();
    ledger.close();
    let seed = frames(&disk)[0].frame.head.seed;
    let salt = sluice_evidence::salt(&seed, 1);
    let erased = erase(&disk, &[1]).unwrap();
    assert_eq!(erased.dead_letters, 1);
    for path in files(&disk, "") {
        let bytes = file(&disk, &path);
        let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|w| w == secret);
        assert!(!holds(&seed) && !holds(&salt), "{path}");
        assert!(!path.ends_with(".tmp"), "{path}");
    }
    let placed = frames(&disk);
    assert_eq!(placed[0].frame.head.kind, Kind::Erased);
    assert_eq!(placed[0].frame.head.count, 3);
    assert_eq!(placed[0].frame.sequences().unwrap(), [0..1, 2..3]);
    assert_eq!(ids(&placed[0].frame.batch().unwrap()), [0, 2]);
    let ledger = open(&disk, settings());
    assert!(ledger.dead_letters().sequences("splunk_hec").is_empty());
    ledger.close();
}

#[tokio::test]
async fn erasing_again_or_the_rest_of_a_frame_keeps_every_commitment() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 9).await;
    for sequences in [&[3][..], &[3], &[4, 5], &[0, 1, 2, 8]] {
        erase(&disk, sequences).unwrap();
        open(&disk, settings()).close();
        let found = verify(&disk);
        assert_whole(&found);
    }
    assert_eq!(verify(&disk).erased, 7);
    let proof = crate::prove_on(Arc::new(disk.clone()), &keys(), 4).unwrap();
    assert_eq!(
        (proof.verify(&keys(), None).is_ok(), proof.record.clone()),
        (true, None)
    );
    assert!(matches!(erase(&disk, &[77]), Err(EraseError::NotThere(77))));
}

#[tokio::test]
async fn a_power_cut_while_erasing_leaves_the_record_or_its_erasure() {
    let count = {
        let disk = SimulatedDisk::new(1);
        log(&disk, &settings(), 9).await;
        let before = disk.counts().changes;
        erase(&disk, &[4]).unwrap();
        disk.counts().changes - before
    };
    assert!(count > 8, "{count}");
    for at in 1..=count {
        let disk = SimulatedDisk::new(1);
        log(&disk, &settings(), 9).await;
        disk.crash_at(at);
        assert!(erase(&disk, &[4]).is_err(), "{at}");
        let disk = disk.restarted();
        assert_whole(&verify(&disk));
        erase(&disk, &[4]).unwrap();
        open(&disk, settings()).close();
        let found = verify(&disk);
        assert_whole(&found);
        assert_eq!((found.erased, found.not_covered), (1, 0));
    }
}

#[tokio::test]
async fn a_record_that_someone_erased_without_saying_so_is_told() {
    let disk = SimulatedDisk::new(1);
    log(&disk, &settings(), 9).await;
    let before = disk.snapshot();
    erase(&disk, &[4]).unwrap();
    // Everything but the record of it.
    let path = "segments/00000000000000000000.seg";
    before.put(path, &file(&disk, path)).unwrap();
    let found = verify(&before);
    assert_eq!(found.first_bad, Some(4));
    assert!(
        found
            .findings
            .iter()
            .any(|f| f.severity == Severity::Broken && f.fault == Fault::RecordsErased),
        "{found:#?}"
    );
}
