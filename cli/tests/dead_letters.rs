//! `sluice dead-letters` on letters made for it: with nothing running, and through the instance that runs.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::fs;

use sluice_ledger::View;
use support::instance::{Destination, Running, configure, ended, signal};
use support::{Made, Ran, batch, sluice};

const ESCAPE: &str = "400 mapper_parsing_exception: \u{1b}[2J the field [policy.id] is of another type, which is a long story\nover lines";

/// Ten records, all taken by two exporters but 1 and 4 by `elasticsearch`, and 4 by a destination of `siem_bridge`.
fn letters() -> Made {
    let made = Made::new();
    let ledger = made.open();
    made.append(&ledger, "logs", batch(0..10));
    let mut elastic = made.reader(&ledger, "logs", "elasticsearch");
    made.refuse(&mut elastic, &[1, 4], ESCAPE);
    let mut bridge = made.reader(&ledger, "logs", "siem_bridge[splunk_hec@h:8088]");
    made.refuse(&mut bridge, &[4], "400 no index");
    made.close(ledger);
    made
}

fn dead_letters(made: &Made, arguments: &[&str]) -> Ran {
    let (verb, rest) = arguments.split_first().unwrap();
    sluice(&[&["dead-letters", verb, made.text()], rest].concat())
}

/// The letters that are left, `exporter sequence`, with `!` when they are to be sent again.
fn left(made: &Made) -> Vec<String> {
    let listed = dead_letters(made, &["list", "--json"]);
    let lines = listed.lines();
    let line = |l: &serde_json::Value| {
        let mark = if l["to_be_sent_again"] == true {
            "!"
        } else {
            ""
        };
        let exporter = l["exporter"].as_str().unwrap();
        format!(
            "{} {}{mark}",
            exporter.split('[').next().unwrap(),
            l["sequence"]
        )
    };
    lines.iter().map(line).collect()
}

#[test]
fn letters_are_listed_as_a_table_that_moves_no_cursor() {
    let made = letters();
    let ran = dead_letters(&made, &["list"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.text().lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.text());
    assert!(
        lines[0].starts_with("EXPORTER                        SEQUENCE  PIPELINE  REFUSED"),
        "{}",
        ran.text()
    );
    assert!(
        lines[1].starts_with("elasticsearch                          1  logs      20"),
        "{}",
        ran.text()
    );
    assert!(
        lines[1].ends_with("…") && !ran.text().contains('\u{1b}'),
        "{}",
        ran.text()
    );
    assert!(
        lines[3].ends_with("         3  400 no index"),
        "{}",
        ran.text()
    );
    assert_eq!(
        left(&made),
        ["elasticsearch 1", "elasticsearch 4", "siem_bridge 4"]
    );
}

#[test]
fn they_may_be_narrowed_down_by_exporter_and_condition() {
    let made = letters();
    for (arguments, expected) in [
        (&["--exporter", "elasticsearch"][..], &[1, 4][..]),
        (&["--exporter", "siem_bridge"], &[4]),
        (&["--exporter", "siem_bridge[splunk_hec@h:8088]"], &[4]),
        (&["--exporter", "siem"], &[]),
        (&["--where", r#"attributes["user.id"] == "odd""#], &[1]),
        (&["1"], &[1]),
        (&["--to", "2026-04-20T18:30:04Z"], &[1]),
    ] {
        let ran = dead_letters(&made, &[&["list", "--json"], arguments].concat());
        assert_eq!(
            (ran.code, ran.sequences().as_slice()),
            (0, expected),
            "{arguments:?}"
        );
    }
    let wrong = dead_letters(&made, &["list", "--where", "attributes["]);
    assert_eq!(wrong.code, 64);
    assert!(
        wrong.err.contains("--where is wrong at column 12"),
        "{}",
        wrong.err
    );
}

#[test]
fn one_is_shown_with_its_record_and_all_that_refused_it() {
    let made = letters();
    let ran = dead_letters(&made, &["show", "1"]);
    let shown: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
    assert_eq!(
        (shown["exporter"].as_str(), shown["attempts"].as_u64()),
        (Some("elasticsearch"), Some(3))
    );
    assert_eq!(shown["reason"].as_str(), Some(ESCAPE));
    assert_eq!(shown["record"]["attributes"]["n"], 1);
    assert_eq!(shown["record"]["time"], "2026-04-20T18:30:01.000000000Z");
    assert!(shown["refused_at"].as_str().unwrap().ends_with('Z'));
    let both = dead_letters(&made, &["show", "4"]);
    assert_eq!(both.text().matches("\"exporter\"").count(), 2);
    let none = dead_letters(&made, &["show", "5"]);
    assert_eq!((none.code, none.out.len()), (1, 0));
    assert!(
        none.err.contains("record 5 is no dead letter"),
        "{}",
        none.err
    );
    assert_eq!(dead_letters(&made, &["show"]).code, 64);
}

#[test]
fn an_export_says_of_each_record_what_became_of_it() {
    let made = letters();
    let file = made.file("letters.json");
    let path = file.to_str().unwrap();
    let ran = dead_letters(
        &made,
        &["export", "--exporter", "elasticsearch", "--output", path],
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err
            .starts_with(&format!("2 records written to {path} (json, ")),
        "{}",
        ran.err
    );
    let records: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(records[1]["sequence"], 4);
    assert_eq!(
        records[1]["attributes"]["sluice.dead_letter.reason"],
        ESCAPE
    );
    assert_eq!(records[1]["attributes"]["sluice.dead_letter.attempts"], 3);
    assert_eq!(
        records[1]["accepted_time"],
        serde_json::Value::Null,
        "a letter does not know it"
    );
    assert_eq!(
        dead_letters(&made, &["export", "--output", path]).code,
        1,
        "it is there"
    );
    let missing = dead_letters(&made, &["export", "5", "--output", path, "--force"]);
    assert_eq!(missing.code, 1);
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("mapper_parsing"),
        "the old file stays"
    );
}

#[test]
fn letters_are_marked_for_the_next_run() {
    let made = letters();
    let ran = dead_letters(&made, &["retry", "4", "--later"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.text(),
        "elasticsearch: 1 letter marked; the next `sluice run` sends it\n\
         siem_bridge[splunk_hec@h:8088]: 1 letter marked; the next `sluice run` sends it\n"
    );
    assert_eq!(
        left(&made),
        ["elasticsearch 1", "elasticsearch 4!", "siem_bridge 4!"]
    );
    let ran = dead_letters(
        &made,
        &["retry", "--all", "--exporter", "elasticsearch", "--later"],
    );
    assert_eq!(
        ran.text(),
        "elasticsearch: 2 letters marked; the next `sluice run` sends them\n"
    );
}

#[test]
fn letters_are_dropped_when_someone_says_so_and_never_all_by_accident() {
    let made = letters();
    for verb in ["retry", "drop"] {
        let ran = dead_letters(&made, &[verb]);
        assert_eq!(ran.code, 64);
        assert!(ran.err.contains("write --all"), "{}", ran.err);
    }
    let asked = dead_letters(&made, &["drop", "--all"]);
    assert_eq!(asked.code, 64);
    assert!(asked.err.contains("add --yes"), "{}", asked.err);
    let mistyped = dead_letters(&made, &["drop", "1", "40", "--yes"]);
    assert_eq!(mistyped.code, 1);
    assert_eq!(left(&made).len(), 3, "all that are named, or none");

    let ran = dead_letters(
        &made,
        &["drop", "4", "--exporter", "elasticsearch", "--yes"],
    );
    assert_eq!(
        (ran.code, ran.text()),
        (0, "elasticsearch: 1 letter dropped\n")
    );
    assert_eq!(left(&made), ["elasticsearch 1", "siem_bridge 4"]);
    assert_eq!(dead_letters(&made, &["drop", "--all", "--yes"]).code, 0);
    let none = dead_letters(&made, &["drop", "--all", "--yes"]);
    assert_eq!((none.code, none.text()), (0, "no dead letters\n"));
    assert_eq!(dead_letters(&made, &["list"]).text(), "no dead letters\n");
}

/// Ten records, of which `otlp_http` refused 1, 4 and 6; and a configuration that sends to this destination.
fn with_destination(destination: &Destination) -> Made {
    let made = Made::new();
    let ledger = made.open();
    made.append(&ledger, "logs", batch(0..10));
    let mut exporter = made.reader(&ledger, "logs", "otlp_http");
    made.refuse(&mut exporter, &[1, 4, 6], "400 no");
    made.close(ledger);
    configure(&made, &[("otlp_http", destination)], "");
    made
}

#[test]
fn a_running_instance_sends_letters_again_and_drops_them() {
    let destination = Destination::start();
    let made = with_destination(&destination);
    let running = Running::start(&made);
    let ran = dead_letters(&made, &["retry", "4"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("otlp_http: 1 record, 1 delivered"),
        "{}",
        ran.err
    );
    assert_eq!(destination.bodies.lock().unwrap().len(), 1);
    assert_eq!(left(&made), ["otlp_http 1", "otlp_http 6"]);
    let ran = dead_letters(&made, &["drop", "6", "--yes"]);
    assert_eq!(
        (ran.code, ran.text()),
        (0, "otlp_http: 1 letter dropped\n"),
        "{}",
        ran.err
    );
    assert_eq!(left(&made), ["otlp_http 1"]);
    let later = dead_letters(&made, &["retry", "1", "--later"]);
    assert_eq!(later.code, 1);
    let process = format!("in use by process {}", running.id());
    assert!(later.err.contains(&process), "{}", later.err);
    drop(running);
    assert_eq!(left(&made), ["otlp_http 1"], "what was done is durable");
}

#[test]
fn without_a_running_instance_letters_are_sent_by_the_command_or_at_the_next_run() {
    let destination = Destination::start();
    let made = with_destination(&destination);
    let config = made.file("pipeline.yaml");
    let ran = sluice(&[
        "dead-letters",
        "retry",
        "1",
        "--config",
        config.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("otlp_http: 1 record, 1 delivered"),
        "{}",
        ran.err
    );
    assert_eq!(left(&made), ["otlp_http 4", "otlp_http 6"]);
    assert_eq!(dead_letters(&made, &["retry", "6", "--later"]).code, 0);
    let running = Running::start(&made);
    while View::open(made.path())
        .unwrap()
        .dead_letters()
        .unwrap()
        .sequences("otlp_http")
        .len()
        > 1
    {
        std::thread::yield_now();
    }
    drop(running);
    assert_eq!(left(&made), ["otlp_http 4"]);
    assert_eq!(destination.bodies.lock().unwrap().len(), 2);
}

/// Letters of `otlp_http` and of `otlp_http/dead`, whose destination hangs.
fn beside_a_dead_one(good: &Destination, dead: &Destination) -> Made {
    let made = Made::new();
    let ledger = made.open();
    made.append(&ledger, "logs", batch(0..10));
    for exporter in ["otlp_http/dead", "otlp_http"] {
        let mut reader = made.reader(&ledger, "logs", exporter);
        made.refuse(&mut reader, &[1, 4, 6], "400 no");
    }
    made.close(ledger);
    configure(&made, &[("otlp_http/dead", dead), ("otlp_http", good)], "");
    made
}

#[test]
fn letters_arrive_while_another_exporter_hangs_and_an_interruption_says_what_was_not_sent() {
    for with_instance in [false, true] {
        let (good, dead) = (Destination::start(), Destination::hung());
        let made = beside_a_dead_one(&good, &dead);
        let running = with_instance.then(|| Running::start(&made));
        let config = made.file("pipeline.yaml");
        let arguments = ["dead-letters", "retry", "--all", "--config"];
        let arguments = [&arguments[..], &[config.to_str().unwrap()]].concat();
        let retry = support::spawned(&arguments);
        dead.reached();
        while left(&made).len() > 3 {
            std::thread::yield_now();
        }
        signal(retry.id(), "TERM");
        let ran = ended(retry);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(
            ran.err.contains("otlp_http: 3 records, 3 delivered\n"),
            "{}",
            ran.err
        );
        let dead = "otlp_http/dead: 3 records, 0 delivered; interrupted; 3 not sent\n";
        assert!(ran.err.contains(dead), "{}", ran.err);
        drop(running);
    }
}

#[test]
fn the_socket_goes_with_its_instance_also_while_somebody_listens_to_a_retry() {
    let dead = Destination::hung();
    let made = with_destination(&dead);
    let running = Running::start(&made);
    let retry = support::spawned(&["dead-letters", "retry", "--all", made.text()]);
    dead.reached();
    running.stop();
    let ran = ended(retry);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("3 not sent"), "{}", ran.err);
    assert!(!made.file("admin.sock").exists());
}

#[test]
fn letters_of_an_exporter_that_is_gone_are_skipped_and_named_and_that_is_1() {
    let destination = Destination::start();
    let made = with_destination(&destination);
    configure(&made, &[("otlp_http/new", &destination)], "");
    let config = made.file("pipeline.yaml");
    let arguments = ["dead-letters", "retry", "--all", "--config"];
    let ran = sluice(&[&arguments[..], &[config.to_str().unwrap()]].concat());
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "otlp_http: 3 records, 0 delivered, 3 skipped\n  records 1, 4, 6: no exporter of the configuration is called otlp_http; there are: otlp_http/new\n"
    );
    assert_eq!(left(&made).len(), 3, "they stay");
}

#[test]
fn a_file_is_not_named_for_another_format_than_it_is_written_in() {
    let made = letters();
    let file = made.file("letters.parquet");
    let path = file.to_str().unwrap();
    let ran = dead_letters(&made, &["export", "--format", "json", "--output", path]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains("or name the file"), "{}", ran.err);
    assert!(!file.exists());
}
