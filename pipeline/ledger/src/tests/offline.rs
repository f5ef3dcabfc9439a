//! A ledger that nothing runs, on a real disk: the lock is part of what is tested.

use std::fs;

use super::rig::{AT_ONCE, append, settings};
use crate::{CursorId, Ledger, Lock, LockError, Offline, OfflineError, Settings, StartAt, View};

fn id(exporter: &str) -> CursorId {
    CursorId {
        pipeline: "logs".into(),
        exporter: exporter.into(),
    }
}

/// A closed ledger with nine records, a dead letter of record 1, and the cursors of two exporters.
async fn made(directory: &std::path::Path) {
    let ledger = Ledger::open(Settings {
        directory: directory.to_owned(),
        ..settings()
    })
    .unwrap();
    let mut elastic = ledger
        .reader(id("elasticsearch"), StartAt::Beginning)
        .unwrap();
    for start in [0, 3, 6] {
        append(&ledger, start..start + 3).await.unwrap();
    }
    let lease = elastic.next(&AT_ONCE).await;
    lease.refused(1..2, "400 no", 4).await.unwrap();
    ledger.close();
}

#[tokio::test]
async fn a_torn_end_is_cut_off_once_and_the_second_repair_has_nothing_to_do() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path()).await;
    let segment = directory.path().join("segments/00000000000000000000.seg");
    let whole = fs::read(&segment).unwrap();
    // Without its seal, and with the beginning of one more write.
    let mut torn = whole[..whole.len() - crate::format::HEAD].to_vec();
    torn.extend_from_slice(b"\xF7SLf and then the power went");
    fs::write(&segment, torn).unwrap();

    let offline = Offline::take(directory.path()).unwrap();
    let repaired = offline.repair().unwrap();
    assert!(repaired.report.damages[0].is_torn_end(), "{repaired:?}");
    assert!(repaired.report.damages[0].quarantine.is_some());
    assert_eq!(repaired.sealed, [0]);
    assert_eq!(repaired.lost, []);
    assert_eq!(fs::read(&segment).unwrap().len(), whole.len());
    assert_eq!(offline.repair().unwrap(), crate::Repaired::default());
    drop(offline);
    assert_eq!(View::open(directory.path()).unwrap().sequences(), 0..9);
}

#[tokio::test]
async fn records_that_were_signed_and_are_gone_are_lost() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path()).await;
    let segment = directory.path().join("segments/00000000000000000000.seg");
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &whole[..whole.len() - crate::format::HEAD - 1]).unwrap();
    let repaired = Offline::take(directory.path()).unwrap().repair().unwrap();
    assert_eq!(repaired.lost.as_slice(), std::slice::from_ref(&(6..9)));
}

#[tokio::test]
async fn a_cursor_is_forgotten_under_the_lock_alone() {
    let directory = tempfile::tempdir().unwrap();
    made(directory.path()).await;
    let offline = Offline::take(directory.path()).unwrap();
    assert_eq!(
        Lock::holder(directory.path()),
        Some(std::process::id().to_string())
    );
    let refused = Offline::take(directory.path()).unwrap_err();
    assert!(
        matches!(refused, OfflineError::Lock(LockError::InUse { .. })),
        "{refused}"
    );
    assert!(offline.forget(&id("elasticsearch")).unwrap());
    assert!(!offline.forget(&id("elasticsearch")).unwrap());
    drop(offline);
    assert_eq!(Lock::holder(directory.path()), None);
    let view = View::open(directory.path()).unwrap();
    assert!(view.cursors().unwrap().is_empty());
}

#[test]
fn what_is_no_ledger_is_refused_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let mistyped = directory.path().join("leger");
    let refused = Offline::take(&mistyped).unwrap_err();
    assert!(matches!(refused, OfflineError::Io { .. }), "{refused}");
    assert!(!mistyped.try_exists().unwrap());
}
