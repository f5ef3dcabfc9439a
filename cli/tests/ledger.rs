//! `sluice ledger` on ledgers made for it: what is shown, what is mended, and what is refused.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::fs;

use serde_json::{Value, json};
use sluice_ledger::{CursorId, View};
use support::instance::{Destination, Running, configure};
use support::{Made, Ran, batch, id, sluice};

/// Bytes of a seal, the last frame of a segment.
const SEAL: usize = 112;

/// Two pipelines in one segment: `logs` with 6 records, `logs/other` with 4. `behind` has the first two of `logs`, but
/// for one; `gone` is configured no longer.
fn made() -> Made {
    let made = Made::new();
    let ledger = made.open();
    let _kept = made.reader(&ledger, "logs/other", "gone");
    let mut behind = made.reader(&ledger, "logs", "behind");
    made.append(&ledger, "logs", batch(0..2));
    made.refuse(&mut behind, &[1], "400 no");
    made.append(&ledger, "logs/other", batch(2..6));
    made.append(&ledger, "logs", batch(6..10));
    made.close(ledger);
    let ledger = made.open();
    let _claimed = made.reader(&ledger, "logs", "behind");
    ledger.all_claimed().unwrap();
    made.close(ledger);
    made
}

fn ledger(made: &Made, verb: &str, arguments: &[&str]) -> Ran {
    sluice(&[&["ledger", verb], arguments, &[made.text()]].concat())
}

fn inspected(made: &Made) -> Value {
    let ran = ledger(made, "inspect", &["--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    serde_json::from_str(ran.text()).unwrap()
}

#[test]
fn what_is_in_a_ledger_is_shown_as_json() {
    let made = made();
    let facts = inspected(&made);
    let view = View::open(made.path()).unwrap();
    assert_eq!(facts["id"], json!(view.ledger_id()));
    for (key, expected) in [
        ("running", Value::Null),
        ("origin", json!("test/node/1")),
        ("epoch", json!({"number": 1, "first": 0})),
        ("first", json!(0)),
        ("end", json!(10)),
        ("records", json!(10)),
        ("bytes", json!(fs::metadata(made.segment(0)).unwrap().len())),
        ("oldest_event", json!("2026-04-20T18:30:00Z")),
        ("newest_event", json!("2026-04-20T18:30:09Z")),
        (
            "dead_letters",
            json!({"behind": {"letters": 1, "to_be_sent_again": 0}}),
        ),
        ("damages", json!([])),
        ("lost_end", Value::Null),
    ] {
        assert_eq!(facts[key], expected, "{key}");
    }
    let segment = &facts["segments"][0];
    assert_eq!(
        (&segment["first"], &segment["end"], &segment["sealed"]),
        (&json!(0), &json!(10), &json!(true))
    );
    let cursors = facts["cursors"].as_array().unwrap();
    let cursor = |exporter: &str| cursors.iter().find(|c| c["exporter"] == exporter).unwrap();
    let behind = cursor("behind");
    assert_eq!(
        (&behind["position"], &behind["behind"]),
        (&json!(2), &json!(4)),
        "of its own pipeline alone"
    );
    assert_eq!(behind["orphaned_since"], Value::Null);
    assert_eq!(cursor("gone")["behind"], 4);
    assert!(cursor("gone")["orphaned_since"].is_string());
    assert_eq!(facts["newest_checkpoint"]["size"], 10);
}

#[test]
fn what_is_in_a_ledger_is_shown_to_people() {
    let made = made();
    let ran = ledger(&made, "inspect", &[]);
    for part in [
        "log         test/node/1, epoch 1 from record 0 on\n",
        "records     10 (numbers 0 to 9), ",
        " in 1 segment\n",
        "events      2026-04-20T18:30:00Z to 2026-04-20T18:30:09Z\n",
        "SEGMENT  END",
        "EXPORTER  PIPELINE    POSITION  BEHIND  IN FLIGHT  LOST  ORPHANED SINCE\n",
        "behind    logs               2       4          0     0  -\n",
        "EXPORTER  DEAD LETTERS  TO BE SENT AGAIN\n",
        "no damage where it shows without reading everything",
    ] {
        assert!(ran.text().contains(part), "{part} in\n{}", ran.text());
    }
    let running = made.open();
    let process = std::process::id().to_string();
    assert_eq!(inspected(&made)["running"], json!(process));
    made.close(running);
    let empty = Made::new();
    empty.close(empty.open());
    let ran = ledger(&empty, "inspect", &[]);
    assert_eq!(ran.code, 0);
    assert!(ran.text().contains("records     none\n"), "{}", ran.text());
}

#[test]
fn a_torn_end_is_cut_off_and_then_there_is_nothing_to_repair() {
    let made = made();
    let whole = fs::read(made.segment(0)).unwrap();
    let mut torn = whole[..whole.len() - SEAL].to_vec();
    torn.extend_from_slice(b"\xF7SLf and then the power went");
    fs::write(made.segment(0), torn).unwrap();
    assert_eq!(inspected(&made)["damages"].as_array().unwrap().len(), 1);

    let ran = ledger(&made, "repair", &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.text(), ran.err);
    assert!(
        ran.text().contains("torn end: ") && ran.text().contains("; the bytes are in quarantine/"),
        "{}",
        ran.text()
    );
    assert!(
        ran.text()
            .contains("the segment from record 0 on was left open by an ended process: sealed"),
        "{}",
        ran.text()
    );
    assert!(
        ran.text().ends_with("repaired; no record is lost\n"),
        "{}",
        ran.text()
    );
    let ran = ledger(&made, "repair", &[]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.text().starts_with("nothing to repair"),
        "{}",
        ran.text()
    );
    assert_eq!(sluice(&["export", made.text()]).sequences().len(), 10);
}

#[test]
fn records_that_no_repair_brings_back_are_1_and_named() {
    let made = made();
    // The last frame, of records 6 to 9, and the seal are cut into.
    let whole = fs::read(made.segment(0)).unwrap();
    fs::write(made.segment(0), &whole[..whole.len() - SEAL - 1]).unwrap();
    let ran = ledger(&made, "inspect", &[]);
    assert!(
        ran.text()
            .contains("damage: records 6 to 9 are lost from the log's end"),
        "{}",
        ran.text()
    );
    let ran = ledger(&made, "repair", &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.text().contains("records 6 to 9 are lost: "),
        "{}",
        ran.text()
    );
    assert!(
        ran.err
            .contains("error: the ledger is whole again without 4 records"),
        "{}",
        ran.err
    );
}

#[test]
fn a_repair_touches_neither_a_running_ledger_nor_what_is_none() {
    let made = made();
    let running = made.open();
    for (verb, arguments) in [("repair", &[][..]), ("forget", &["gone"])] {
        let ran = ledger(&made, verb, arguments);
        assert_eq!(ran.code, 1);
        let process = format!("is in use by process {}: stop it first", std::process::id());
        assert!(ran.err.contains(&process), "{}", ran.err);
    }
    made.close(running);
    let other = tempfile::tempdir().unwrap();
    let ran = sluice(&["ledger", "repair", other.path().to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("is no ledger that can be read"),
        "{}",
        ran.err
    );
    assert_eq!(other.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_cursor_is_forgotten_when_nobody_is_configured_for_it() {
    let made = made();
    let known = || {
        View::open(made.path())
            .unwrap()
            .cursors()
            .unwrap()
            .into_keys()
            .collect::<Vec<CursorId>>()
    };
    let nobody = ledger(&made, "forget", &["nobody"]);
    assert_eq!(nobody.code, 1);
    assert!(
        nobody
            .err
            .contains("there are behind in logs, gone in logs/other"),
        "{}",
        nobody.err
    );
    assert_eq!(
        ledger(&made, "forget", &["gone", "--pipeline", "logs"]).code,
        1
    );
    let configured = ledger(&made, "forget", &["behind"]);
    assert_eq!(configured.code, 1);
    assert!(
        configured.err.contains("or add --force"),
        "{}",
        configured.err
    );
    assert_eq!(known().len(), 2);

    let ran = ledger(&made, "forget", &["gone"]);
    assert_eq!(
        (ran.code, ran.text()),
        (
            0,
            "gone in logs/other: forgotten, with 4 records that it did not have\n"
        )
    );
    assert_eq!(known(), [id("logs", "behind")]);
    assert_eq!(ledger(&made, "forget", &["behind", "--force"]).code, 0);
    assert!(known().is_empty());
    assert_eq!(
        sluice(&["export", made.text()]).sequences().len(),
        10,
        "no record goes with it"
    );
}

#[test]
fn the_room_that_is_taken_and_left_is_shown_by_the_file_and_by_the_instance_that_runs() {
    let destination = Destination::start();
    let made = made();
    configure(&made, &[("otlp_http", &destination)], ", max_bytes: 10GiB");
    let facts = inspected(&made);
    let letters: u64 = made
        .file("dead_letters")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    let segments = facts["bytes"].as_u64().unwrap();
    assert!(letters > 0);
    assert_eq!(facts["bytes_used"], segments + letters);
    assert_eq!(
        (&facts["max_bytes"], &facts["full"]),
        (&json!(null), &json!(null))
    );
    let config = made.file("pipeline.yaml");
    let ran = sluice(&["ledger", "inspect", "--config", config.to_str().unwrap()]);
    assert!(
        ran.text()
            .contains(" used of 10.00 GiB, with dead letters\n"),
        "{}",
        ran.text()
    );
    let _running = Running::start(&made);
    let facts = inspected(&made);
    assert_eq!(
        (&facts["max_bytes"], &facts["full"]),
        (&json!(10_u64 << 30), &json!(false))
    );
}
