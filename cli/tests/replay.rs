//! `sluice replay`: by the instance that runs, or by the command itself.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use support::instance::{Destination, Running, configure, ended, signal};
use support::{Made, batch, sluice, spawned};

/// Ten records that `otlp_http` has taken, and a configuration that sends to this destination.
fn taken(destination: &Destination) -> Made {
    let made = Made::new();
    let ledger = made.open();
    made.append(&ledger, "logs", batch(0..10));
    let mut reader = made.reader(&ledger, "logs", "otlp_http");
    made.refuse(&mut reader, &[], "");
    made.close(ledger);
    configure(&made, &[("otlp_http", destination)], "");
    made
}

#[test]
fn records_are_sent_again_and_a_dry_run_counts_them() {
    let destination = Destination::start();
    let made = taken(&destination);
    let config = made.file("pipeline.yaml");
    let replay = ["replay", "--to-exporter", "otlp_http", "--config"];
    let replay = [&replay[..], &[config.to_str().unwrap()]].concat();
    let ran = sluice(&[&replay[..], &["--dry-run"]].concat());
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (0, "dry run, nothing is sent: 10 records, 0 delivered\n")
    );
    let ran = sluice(&replay);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (0, "10 records, 10 delivered\n")
    );
    assert_eq!(destination.bodies.lock().unwrap().len(), 1);
}

#[test]
fn an_interrupted_replay_is_1_and_says_what_was_not_sent() {
    for (name, with_instance) in [("TERM", false), ("INT", false), ("TERM", true)] {
        let destination = Destination::hung();
        let made = taken(&destination);
        let running = with_instance.then(|| Running::start(&made));
        let config = made.file("pipeline.yaml");
        let replay = spawned(&[
            "replay",
            "--to-exporter",
            "otlp_http",
            "--config",
            config.to_str().unwrap(),
        ]);
        destination.reached();
        signal(replay.id(), name);
        let ran = ended(replay);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(
            ran.err.contains("0 delivered; interrupted"),
            "{name}: {}",
            ran.err
        );
        if !with_instance {
            assert!(ran.err.contains("10 not sent"), "{}", ran.err);
        }
        drop(running);
    }
}
