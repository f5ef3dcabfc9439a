//! `sluice export` on ledgers made for it: which records are in the file, and what it says when some cannot be.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::fs::{self, File};
use std::io::Read as _;
use std::process::Stdio;

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::Value;
use sluice_batch::{Batch, Signal};
use sluice_ledger::View;
use support::{Made, Ran, batch, sluice};

/// Ten records, one a second, in frames of two.
fn ten() -> Made {
    let made = Made::new();
    let ledger = made.open();
    for start in (0..10).step_by(2) {
        made.append(&ledger, "logs", batch(start..start + 2));
    }
    made.close(ledger);
    made
}

fn export(made: &Made, arguments: &[&str]) -> Ran {
    sluice(&[&["export", made.text()], arguments].concat())
}

#[test]
fn from_is_in_the_range_and_to_is_not_and_a_day_is_whole() {
    let made = ten();
    for (from, to, expected) in [
        ("2026-04-20T18:30:03Z", "2026-04-20T18:30:07Z", 3..7),
        (
            "2026-04-20T18:30:02.000000001Z",
            "2026-04-20T18:30:03.000000001Z",
            3..4,
        ),
        ("2026-04-20T20:30:08+02:00", "now", 8..10),
        ("2026-04-20", "2026-04-20", 0..10),
        ("2026-04-19", "2026-04-19", 0..0),
        ("2026-04-21", "now", 0..0),
        ("-99999d", "2026-04-20T18:30:01Z", 0..1),
    ] {
        let ran = export(&made, &["--from", from, "--to", to]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(
            ran.sequences(),
            expected.collect::<Vec<_>>(),
            "{from} to {to}"
        );
    }
    let ran = export(
        &made,
        &["--from", "2026-04-20T18:30:03Z", "--to", "2026-04-20"],
    );
    assert_eq!(
        ran.err.trim_end().split_once(" (").unwrap().0,
        "7 of 8 records scanned written",
        "frames outside the range are not scanned"
    );
    assert!(
        ran.err
            .contains("events from 2026-04-20T18:30:03Z before 2026-04-21T00:00:00Z"),
        "{}",
        ran.err
    );
}

#[test]
fn a_record_without_an_event_time_counts_by_when_it_was_accepted() {
    let made = Made::new();
    let ledger = made.open();
    let timeless = || {
        let mut batch = Batch::new(Signal::Logs);
        batch.push_log();
        batch
    };
    made.append(&ledger, "logs", timeless());
    let mut mixed = batch(0..1);
    mixed.append(&timeless());
    made.append(&ledger, "logs", mixed);
    made.close(ledger);
    assert_eq!(export(&made, &["--from", "-1h"]).sequences(), [0, 2]);
    let old = export(&made, &["--from", "2026-04-20", "--to", "2026-04-20"]);
    assert_eq!(old.sequences(), [1]);
}

#[test]
fn records_may_be_chosen_by_a_condition_and_a_wrong_one_is_shown_with_its_column() {
    let made = ten();
    let ran = export(&made, &["--where", r#"attributes["user.id"] == "odd""#]);
    assert_eq!((ran.code, ran.sequences()), (0, vec![1, 3, 5, 7, 9]));
    let wrong = export(&made, &["--where", r#"attributes["user.id"] = "odd""#]);
    assert_eq!((wrong.code, wrong.out.len()), (64, 0));
    assert!(
        wrong.err.contains("--where is wrong at column 23"),
        "{}",
        wrong.err
    );
    assert!(
        wrong.err.contains(&format!("\n  {}^", " ".repeat(22))),
        "{}",
        wrong.err
    );
}

#[test]
fn every_format_reads_back_and_has_the_leaf_of_each_record() {
    let made = ten();
    let view = View::open(made.path()).unwrap();
    let hashes = view.hashes(view.epoch().unwrap().unwrap().number);
    let leaves: Vec<String> = (0..10)
        .map(|i| hex::encode(hashes.leaf(i).unwrap().as_bytes()))
        .collect();
    // By its name, or by --format.
    for (name, format) in [
        ("a.json", None),
        ("b.ndjson", None),
        ("c.csv", None),
        ("d.parquet", None),
        ("e", Some("otlp")),
    ] {
        let file = made.file(name);
        let mut arguments = vec!["--output", file.to_str().unwrap()];
        arguments.extend(format.iter().flat_map(|format| ["--format", format]));
        let ran = export(&made, &arguments);
        assert_eq!((ran.code, ran.out.len()), (0, 0), "{}", ran.err);
        let summary = format!(
            "10 of 10 records scanned written to {} ({}, ",
            file.display(),
            format.unwrap_or_else(|| name.split_once('.').unwrap().1)
        );
        assert!(ran.err.starts_with(&summary), "{}", ran.err);
        let read = match name {
            "a.json" => from_json(&serde_json::from_slice(&fs::read(&file).unwrap()).unwrap()),
            "b.ndjson" => {
                let text = fs::read_to_string(&file).unwrap();
                let lines = text.lines().map(|l| serde_json::from_str(l).unwrap());
                from_json(&Value::Array(lines.collect()))
            }
            "c.csv" => from_csv(&fs::read(&file).unwrap()),
            "d.parquet" => from_parquet(File::open(&file).unwrap()),
            _ => {
                let text = fs::read_to_string(&file).unwrap();
                assert_eq!(text.matches("timeUnixNano").count(), 10);
                let request: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
                assert!(request["resourceLogs"].is_array());
                continue;
            }
        };
        let expected: Vec<_> = (0..10).zip(leaves.clone()).collect();
        assert_eq!(read, expected, "{name}");
    }
}

fn from_json(records: &Value) -> Vec<(u64, String)> {
    let row = |r: &Value| {
        let hash = r["audit"]["leaf_hash"].as_str().unwrap().to_owned();
        (r["sequence"].as_u64().unwrap(), hash)
    };
    records.as_array().unwrap().iter().map(row).collect()
}

fn from_csv(bytes: &[u8]) -> Vec<(u64, String)> {
    let mut reader = csv::Reader::from_reader(bytes);
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|h| h == name).unwrap();
    let (sequence, hash, body) = (
        column("sequence"),
        column("audit_leaf_hash"),
        column("body"),
    );
    let row = |row: csv::StringRecord| {
        assert!(!row[body].starts_with('='), "a spreadsheet would run it");
        (row[sequence].parse().unwrap(), row[hash].to_owned())
    };
    reader.records().map(|r| row(r.unwrap())).collect()
}

fn from_parquet(file: File) -> Vec<(u64, String)> {
    let reader = SerializedFileReader::new(file).unwrap();
    let columns = reader.metadata().file_metadata().schema_descr_ptr();
    let column = |name: &str| {
        let mut columns = columns.columns().iter();
        columns.position(|c| c.name() == name).unwrap()
    };
    let (sequence, hash) = (column("sequence"), column("audit_leaf_hash"));
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        (
            row.get_ulong(sequence).unwrap(),
            row.get_string(hash).unwrap().clone(),
        )
    })
    .collect()
}

/// Six segments of one frame with five records each.
fn segments() -> Made {
    let made = Made::new();
    let ledger = made.open_with(|settings| settings.segment_bytes = 1);
    for start in (0..30).step_by(5) {
        made.append(&ledger, "logs", batch(start..start + 5));
    }
    made.close(ledger);
    assert_eq!(View::open(made.path()).unwrap().segments().len(), 6);
    made
}

#[test]
fn a_damaged_segment_is_1_and_named_and_the_rest_is_in_the_file() {
    let made = segments();
    made.damage(10, 0);
    let file = made.file("out.ndjson");
    let ran = export(&made, &["--output", file.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .contains("warning: records 10 to 14 cannot be read and are not in the export"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("error: the export is incomplete"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 25);
    // What lies outside the range is not read, and its damage is nobody's business.
    let ran = export(&made, &["--from", "2026-04-20T18:30:15Z"]);
    assert_eq!(
        (ran.code, ran.sequences()),
        (0, (15..30).collect()),
        "{}",
        ran.err
    );
    let ran = export(&made, &["--to", "2026-04-20T18:30:10Z"]);
    assert_eq!(
        (ran.code, ran.sequences()),
        (0, (0..10).collect()),
        "{}",
        ran.err
    );
}

#[test]
fn records_whose_segment_is_gone_are_1_wherever_it_was() {
    let made = segments();
    fs::remove_file(made.segment(10)).unwrap();
    let ran = export(&made, &[]);
    assert_eq!((ran.code, ran.sequences().len()), (1, 25));
    assert!(ran.err.contains("records 10 to 14"), "{}", ran.err);
    // At the end only the checkpoint knows of them.
    fs::remove_file(made.segment(25)).unwrap();
    let ran = export(&made, &[]);
    assert_eq!((ran.code, ran.sequences().len()), (1, 20));
    assert!(ran.err.contains("records 25 to 29"), "{}", ran.err);
}

#[test]
fn a_range_without_records_is_a_whole_file_and_one_without_time_is_wrong_usage() {
    let made = ten();
    let ran = export(&made, &["--from", "2030-01-01", "--format", "json"]);
    assert_eq!((ran.code, ran.text().trim()), (0, "[]"));
    assert!(
        ran.err.starts_with("0 of 0 records scanned written"),
        "{}",
        ran.err
    );
    let ran = export(&made, &["--from", "2026-04-21", "--to", "2026-04-20"]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains("the range is empty"), "{}", ran.err);
    let ran = export(&made, &["--from", "yesterday"]);
    assert_eq!(ran.code, 64);
    assert!(
        ran.err
            .contains("`yesterday` is no time: write `2026-11-01`"),
        "{}",
        ran.err
    );
}

#[test]
fn a_file_that_is_there_stays_unless_force_says_otherwise() {
    let made = ten();
    let file = made.file("out.csv");
    fs::write(&file, "mine").unwrap();
    let path = file.to_str().unwrap();
    let ran = export(&made, &["--output", path]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .contains("is there already: name another file, or add --force"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    // What an interrupted export has left is in nobody's way.
    fs::write(
        made.file("out.csv.partial"),
        "half of a file, longer than the whole one\n".repeat(1000),
    )
    .unwrap();
    let ran = export(&made, &["--output", path, "--force"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(from_csv(&fs::read(&file).unwrap()).len(), 10);
    assert!(!made.file("out.csv.partial").try_exists().unwrap());
    let ran = export(&made, &["--output", "/dev/null", "--force"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no ordinary file"), "{}", ran.err);
}

#[test]
fn one_file_is_written_by_one_export_at_a_time_and_a_failed_one_leaves_nothing() {
    let made = ten();
    let partial = made.file("out.csv.partial");
    let other = File::create(&partial).unwrap();
    other.lock().unwrap();
    let output = made.file("out.csv");
    let ran = export(&made, &["--output", output.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("another export writes"), "{}", ran.err);
    drop(other);
    fs::remove_file(&partial).unwrap();
    // A file that cannot be read.
    fs::remove_file(made.file("epoch.json")).unwrap();
    fs::create_dir(made.file("epoch.json")).unwrap();
    let ran = export(&made, &["--output", output.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(!output.try_exists().unwrap() && !partial.try_exists().unwrap());
}

#[test]
fn a_running_ledger_is_exported_without_its_lock() {
    let made = Made::new();
    let ledger = made.open();
    made.append(&ledger, "logs", batch(0..5));
    made.append(&ledger, "logs/other", batch(5..8));
    let ran = export(&made, &[]);
    assert_eq!(
        (ran.code, ran.sequences()),
        (0, (0..8).collect()),
        "{}",
        ran.err
    );
    let ran = export(&made, &["--pipeline", "logs/other"]);
    assert_eq!(ran.sequences(), [5, 6, 7]);
    made.append(&ledger, "logs", batch(8..9));
    assert_eq!(export(&made, &[]).sequences().len(), 9);
    made.close(ledger);
}

#[test]
fn the_ledgers_own_records_are_in_the_export_when_asked_for_and_ended_epochs_keep_their_leaves() {
    let made = segments();
    let leaf = |ran: &Ran, i: usize| ran.lines()[i]["audit"]["leaf_hash"].clone();
    let before = leaf(&export(&made, &[]), 3);
    assert!(before.is_string());
    // Signed records are gone: the next start begins a new epoch, and puts that on record.
    fs::remove_file(made.segment(25)).unwrap();
    let ledger = made.open();
    made.append(&ledger, "logs", batch(30..31));
    while ledger.end() < 32 {
        std::thread::yield_now();
    }
    made.close(ledger);
    let own = export(&made, &["--pipeline", "ledger"]);
    assert_eq!(own.lines().len(), 1, "{}{}", own.text(), own.err);
    assert_eq!(own.lines()[0]["event_name"], "audit.epoch");
    let all = export(&made, &[]);
    assert!(all.lines().iter().all(|l| l["pipeline"] == "logs"));
    assert_eq!(leaf(&all, 3), before, "of the epoch that has ended");
    assert!(leaf(&all, 25).is_string(), "of the new one");
}

/// Peak memory in KiB of an export of so many records.
fn peak(format: &str, records: u64) -> u64 {
    let made = Made::new();
    let ledger = made.open();
    for start in (0..records).step_by(1000) {
        made.append(&ledger, "logs", batch(start..start + 1000));
    }
    made.close(ledger);
    let mut child = support::command(&["export", made.text(), "--format", format])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let (mut out, mut chunk, mut peak) = (child.stdout.take().unwrap(), vec![0; 1 << 16], 0);
    while out.read(&mut chunk).unwrap() > 0 {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let high = high.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(high.unwrap_or(0));
    }
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
#[ignore = "takes minutes unoptimised; to run it: `cargo test -p sluice --test export -- --ignored --nocapture`"]
fn memory_does_not_grow_with_the_number_of_records() {
    for (format, grows) in [
        ("ndjson", 8 << 10),
        ("csv", 8 << 10),
        ("otlp", 8 << 10),
        ("parquet", 64 << 10),
    ] {
        let (few, many) = (peak(format, 30_000), peak(format, 300_000));
        eprintln!("{format}: {few} KiB for 30,000 records, {many} KiB for 300,000");
        assert!(many < few + grows, "{format}");
    }
}

#[test]
fn the_directory_may_come_from_the_configuration() {
    let made = ten();
    let config = made.file("pipeline.yaml");
    let text = |ledger: &str| {
        format!(
            "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: 127.0.0.1:0\nexporters:\n  debug:\nservice:\n  ledger: {ledger}\n  pipelines:\n    logs: {{receivers: [otlp], exporters: [debug]}}\n"
        )
    };
    fs::write(&config, text(&format!("{{directory: {}}}", made.text()))).unwrap();
    let ran = sluice(&["export", "--config", config.to_str().unwrap()]);
    assert_eq!((ran.code, ran.sequences().len()), (0, 10), "{}", ran.err);
    // It is found under its usual name too.
    let output = support::command(&["export"])
        .current_dir(made.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));

    fs::write(&config, text("none")).unwrap();
    let ran = sluice(&["export", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, 78);
    assert!(
        ran.err.contains("`ledger: none`: nothing is kept"),
        "{}",
        ran.err
    );
    fs::write(&config, text("{directry: x}")).unwrap();
    let ran = sluice(&["export", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("directry"), "{}", ran.err);
    let ran = sluice(&["export", "--config", "/nowhere/pipeline.yaml"]);
    assert_eq!(ran.code, 64);
    assert!(
        ran.err.contains("give the ledger's directory"),
        "{}",
        ran.err
    );
    let empty = tempfile::tempdir().unwrap();
    let ran = sluice(&["export", empty.path().to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("is no ledger that can be read"),
        "{}",
        ran.err
    );
}

#[test]
fn an_erased_record_is_not_in_the_file_and_the_others_keep_their_numbers() {
    let made = ten();
    let erase = [
        "ledger",
        "erase",
        made.text(),
        "--sequence",
        "4",
        "--reason",
        "ticket 7",
    ];
    let ran = sluice(&erase);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = export(&made, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.sequences(), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    let text = String::from_utf8(ran.out.clone()).unwrap();
    let fifth = text.lines().nth(4).unwrap();
    assert!(fifth.contains("18:30:05"), "{fifth}");
}

#[test]
fn a_name_that_promises_another_format_than_the_flag_is_refused() {
    let made = Made::new();
    made.close(made.open());
    let file = made.file("x.parquet");
    let arguments = ["export", made.text(), "--format", "json", "-o"];
    let ran = sluice(&[&arguments[..], &[file.to_str().unwrap()]].concat());
    assert_eq!(ran.code, 64);
    assert!(
        ran.err.contains("leave --format out, or name the file") && ran.err.contains("x.json\n"),
        "{}",
        ran.err
    );
    assert!(!file.exists());
}
