//! The stored ledger of version 1: whatever this program becomes, it reads this one. It was written once and is never
//! written again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_batch::{Signal, Value};

use super::rig::{AT_ONCE, append, ids, open, reader, settings};
use super::verification::assert_whole;
use crate::disk::SimulatedDisk;
use crate::{Entry, Frame, Keys, Kind, Request, View};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

/// A copy of it that may be written to.
fn copy() -> SimulatedDisk {
    fn put(disk: &SimulatedDisk, directory: &Path, prefix: &str) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                put(disk, &entry.path(), &format!("{name}/"));
            } else {
                disk.put(&name, &std::fs::read(entry.path()).unwrap())
                    .unwrap();
            }
        }
    }
    let disk = SimulatedDisk::new(1);
    put(&disk, &directory(), "");
    disk
}

fn keys() -> Keys {
    Keys::given(include_str!("../../tests/fixtures/v1/signing.pub")).unwrap()
}

#[test]
fn every_record_of_version_1_is_read_as_it_was_written() {
    let view = View::open(&directory()).unwrap();
    assert!(view.report().damages.is_empty(), "{:?}", view.report());
    let frames: Vec<Frame> = view
        .entries(0)
        .map(|entry| match entry.unwrap() {
            Entry::Frame(frame) => frame,
            Entry::Lost(range) => panic!("{range:?} is lost"),
        })
        .collect();
    let facts: Vec<_> = frames
        .iter()
        .map(|f| {
            (
                f.head.first,
                f.head.count,
                f.head.kind,
                f.pipeline.as_str(),
                f.signal(),
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            (0, 3, Kind::Erased, "logs", Signal::Logs),
            (3, 1, Kind::Records, "traces", Signal::Traces),
            (4, 2, Kind::Records, "metrics/audit", Signal::Metrics),
            (6, 2, Kind::Records, "logs", Signal::Logs),
            (8, 1, Kind::Records, "ledger", Signal::Logs),
        ]
    );
    assert_eq!(frames[0].sequences().unwrap(), [0..1, 2..3]);
    assert_eq!(ids(&frames[0].batch().unwrap()), [0, 2]);
    assert_eq!(frames[1].batch().unwrap().record(0).name(), "chat gpt-5");
    let points = frames[2].batch().unwrap();
    let model = |i| {
        points
            .record(i)
            .get("gen_ai.request.model")
            .map(|v| v.to_text().into_owned())
    };
    assert_eq!(
        (model(0).as_deref(), model(1).as_deref()),
        (Some("a"), Some("b"))
    );
    assert_eq!(ids(&frames[3].batch().unwrap()), [6, 7]);
    let erasure = frames[4].batch().unwrap();
    assert_eq!(
        erasure.record(0).get("audit.erasure.sequences"),
        Some(Value::Str("1"))
    );

    let cursors = view.cursors().unwrap();
    let lows: Vec<_> = cursors
        .iter()
        .map(|(id, state)| {
            (
                &*id.pipeline,
                &*id.exporter,
                state.cursor.low(),
                state.cursor.high(),
            )
        })
        .collect();
    assert_eq!(
        lows,
        [
            ("logs", "elasticsearch", 8, 8),
            ("logs", "splunk_hec", 0, 6)
        ]
    );
    let letters = view.dead_letters().unwrap();
    let letter = letters.letter("elasticsearch", 6).unwrap();
    assert_eq!(
        (letter.reason.as_str(), letter.attempts),
        ("400 mapper_parsing_exception", 2)
    );
    assert_eq!(ids(&letter.batch().unwrap()), [6]);
}

#[test]
fn version_1_verifies() {
    let found = crate::verify(&directory(), &keys(), &Request::default(), |_| {});
    assert_whole(&found);
    assert_eq!((found.covered, found.not_covered, found.erased), (9, 0, 1));
    assert_eq!(found.origin.as_deref(), Some("example.com/audit/node1/1"));
    assert!(found.checkpoints >= 2);
    for sequence in 0..9 {
        let proof = crate::prove(&directory(), &keys(), sequence).unwrap();
        assert_eq!(proof.record.is_none(), sequence == 1);
    }
}

#[tokio::test]
async fn version_1_is_gone_on_with() {
    let disk = copy();
    let mut settings = settings();
    settings.origin = Some("example.com/audit/node1".into());
    let ledger = open(&disk, settings);
    append(&ledger, [9]).await.unwrap();
    let mut exporter = reader(&ledger, "splunk_hec");
    let lease = exporter.next(&AT_ONCE).await;
    assert_eq!(ids(&lease.batch), [0, 6, 7, 9]);
    ledger.close();
    let on: Arc<dyn crate::disk::Disk> = Arc::new(disk);
    let found = crate::verify_on(on, &keys(), &Request::default(), |_| {});
    assert_whole(&found);
    assert_eq!((found.covered, found.epochs.len()), (10, 1));
}
