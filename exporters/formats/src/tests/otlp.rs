use sluice_batch::{Batch, Signal, Value};

use super::{audit_batch, points, spans, text, text_batch};
use crate::Format;

fn decoded(signal: Signal, line: &str) -> Batch {
    Batch::decode_json(signal, line.as_bytes()).unwrap()
}

#[test]
fn a_line_is_the_request_of_its_batch() {
    let batches = [audit_batch(), spans(), points()];
    let file = text(Format::Otlp, &batches);
    assert_eq!(file.lines().count(), 3);
    assert!(file.ends_with('\n'));
    for (line, batch) in file.lines().zip(&batches) {
        assert_eq!(
            decoded(batch.signal(), line).encode(),
            batch.encode(),
            "{line}"
        );
    }
}

#[test]
fn no_records_are_no_lines() {
    assert_eq!(text(Format::Otlp, &[Batch::new(Signal::Traces)]), "");
}

#[test]
fn a_batch_that_is_too_long_for_one_line_is_cut_between_records() {
    let texts: Vec<String> = (0..500)
        .map(|i| format!("{i} {}", "\u{1}".repeat(1000)))
        .collect();
    let file = text(
        Format::Otlp,
        &[text_batch(texts.iter().map(String::as_str))],
    );
    assert!(file.lines().all(|line| line.len() < 1 << 20));
    let lines = file.lines().count();
    assert!((4..=8).contains(&lines), "{lines} lines for 3 MB");
    let read: Vec<String> = file
        .lines()
        .flat_map(|line| {
            let batch = decoded(Signal::Logs, line);
            batch
                .records()
                .map(|r| r.body().to_text().into_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(read, texts);
}

#[test]
fn one_record_too_long_for_a_line_is_whole_on_a_line_of_its_own() {
    let long = "x".repeat(2 << 20);
    let file = text(Format::Otlp, &[text_batch(["a", &long, "b"])]);
    let bodies: Vec<usize> = file
        .lines()
        .map(|line| decoded(Signal::Logs, line).record(0).body().to_text().len())
        .collect();
    assert_eq!(bodies, [1, 2 << 20, 1]);
}

#[test]
fn a_large_resource_does_not_make_lines_of_one_record() {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("inventory", Value::Str(&"x".repeat(100_000)))], "");
    for _ in 0..1000 {
        batch.push_log();
    }
    assert_eq!(text(Format::Otlp, &[batch]).lines().count(), 1);
}

#[test]
fn records_taken_out_of_a_batch_are_not_in_the_file() {
    let mut batch = text_batch(["keep", "drop", "keep too"]);
    batch.retain(|record| record.body().as_str() != Some("drop"));
    let file = text(Format::Otlp, &[batch]);
    assert!(file.contains("keep too") && !file.contains("drop"));
}
