//! `sluice verify`, `sluice keys` and `sluice ledger erase` as a user runs them: what they say, and the exit codes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failure here fails the test, with its place"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use sluice_batch::{Batch, Signal, Value};
use sluice_ledger::{Ledger, Lock, Settings};

fn sluice(arguments: &[&str]) -> (i32, String, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Writes so many records to the ledger in a directory, in frames of two.
fn write(directory: &Path, count: i64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut settings = Settings::new(directory);
    settings.origin = Some("example.com/node1".into());
    let ledger = Ledger::open(settings).unwrap();
    for first in (0..count).step_by(2) {
        let mut batch = Batch::new(Signal::Logs);
        for id in first..count.min(first + 2) {
            batch.push_log().set("id", Value::Int(id));
        }
        runtime
            .block_on(ledger.append(vec![("logs".into(), batch)]))
            .unwrap();
    }
    ledger.close();
}

/// A ledger with ten records, and its path.
fn ledger() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    write(&path, 10);
    let text = path.to_str().unwrap().to_owned();
    (directory, text)
}

fn flip(file: &Path, offset: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[offset] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_whole_ledger_is_0_and_says_that_nothing_outside_anchors_its_key() {
    let (_kept, path) = ledger();
    let (code, out, err) = sluice(&["verify", &path]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for part in [
        "whole",
        "example.com/node1/1",
        "0 to 9 in 1 segment",
        "10 records",
        "nothing outside anchors it",
    ] {
        assert!(out.contains(part), "{part} in\n{out}");
    }
    let key = format!("{path}/signing.pub");
    let (code, out, _) = sluice(&["verify", &path, "--key", &key]);
    assert_eq!(code, 0);
    assert!(!out.contains("anchors"), "{out}");
}

#[test]
fn a_changed_byte_is_1_and_names_the_sequence_the_file_and_the_byte() {
    let (_kept, path) = ledger();
    let segment = Path::new(&path).join("segments/00000000000000000000.seg");
    flip(&segment, 64 + 112 + 10);
    let (code, out, _) = sluice(&["verify", &path]);
    assert_eq!(code, 1);
    for part in [
        "BROKEN, first bad sequence 0",
        "records 0 to 1 cannot be read",
        "segments/00000000000000000000.seg, byte 64",
    ] {
        assert!(out.contains(part), "{part} in\n{out}");
    }
    let (code, out, _) = sluice(&["verify", &path, "--json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1);
    assert_eq!(
        (&report["verdict"], &report["first_bad"]),
        (&"broken".into(), &0.into())
    );
    assert_eq!(report["findings"][0]["fault"], "records_missing");
    // The rest is as it was.
    assert_eq!(sluice(&["verify", &path, "--from-sequence", "2"]).0, 0);
}

#[test]
fn what_cannot_be_checked_is_2() {
    let (kept, path) = ledger();
    let (code, out, _) = sluice(&["verify", "/nowhere/ledger"]);
    assert_eq!(code, 2);
    assert!(out.contains("there is no ledger"), "{out}");
    assert_eq!(sluice(&["verify", &path, "--key", "/nowhere/key"]).0, 2);
    fs::remove_file(Path::new(&path).join("signing.pub")).unwrap();
    let (code, out, _) = sluice(&["verify", &path]);
    assert_eq!(code, 2);
    assert!(out.contains("give one with --key"), "{out}");
    drop(kept);
}

#[test]
fn the_ledger_is_found_in_the_configuration() {
    let (kept, path) = ledger();
    let config = kept.path().join("pipeline.yaml");
    let text = |ledger: &str| {
        format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: \"127.0.0.1:0\"}}}}}}}}\nexporters: {{debug: }}\n\
             service:\n  ledger: {ledger}\n  pipelines: {{logs: {{receivers: [otlp], exporters: [debug]}}}}\n"
        )
    };
    fs::write(&config, text(&format!("{{directory: \"{path}\"}}"))).unwrap();
    let config = config.to_str().unwrap();
    let (code, out, err) = sluice(&["verify", "--config", config]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.starts_with(&path), "{out}");
    fs::write(config, text("none")).unwrap();
    let (code, _, err) = sluice(&["verify", "--config", config]);
    assert_eq!(code, 78);
    assert!(err.contains("`ledger: none`"), "{err}");
}

#[test]
fn a_kept_checkpoint_is_where_the_next_verification_begins() {
    let (kept, path) = ledger();
    let anchor = kept.path().join("anchor");
    fs::copy(Path::new(&path).join("checkpoint"), &anchor).unwrap();
    let image = kept.path().join("image");
    copy(Path::new(&path), &image);
    write(Path::new(&path), 6);
    let anchor = anchor.to_str().unwrap();
    let (code, out, _) = sluice(&["verify", &path, "--from-checkpoint", anchor]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("10 to 15") && out.contains("6 records"),
        "{out}"
    );

    let newest = format!("{path}/checkpoint");
    let (code, out, _) = sluice(&["verify", &path, "--consistency", anchor, &newest]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("only appended to from 10 records to 16"),
        "{out}"
    );

    // An old image, put back: by itself it is whole.
    let image = image.to_str().unwrap();
    assert_eq!(sluice(&["verify", image]).0, 0);
    let (code, out, _) = sluice(&["verify", image, "--from-checkpoint", &newest]);
    assert_eq!(code, 1);
    assert!(out.contains("a new epoch must begin"), "{out}");
}

#[test]
fn a_record_is_proved_to_somebody_who_has_the_key_and_nothing_else() {
    let (kept, path) = ledger();
    let proof = kept.path().join("7.tlog-proof");
    let proof = proof.to_str().unwrap();
    let (code, out, err) = sluice(&["verify", &path, "--prove", "7", "--output", proof]);
    assert_eq!(code, 0, "{out}{err}");
    let key = kept.path().join("log.pub");
    fs::rename(Path::new(&path).join("signing.pub"), &key).unwrap();
    fs::remove_dir_all(&path).unwrap();
    let key = key.to_str().unwrap();
    let (code, out, _) = sluice(&["verify", "--proof", proof, "--key", key]);
    assert_eq!(code, 0);
    assert!(out.contains("record 7 is in example.com/node1/1"), "{out}");
    assert!(out.contains("\"intValue\":\"7\""), "{out}");
    let (code, _, err) = sluice(&["verify", "--proof", proof, "--key", key, "--payload", key]);
    assert_eq!(code, 1);
    assert!(err.contains("not the record"), "{err}");
    assert_eq!(
        sluice(&["verify", "--proof", proof]).0,
        2,
        "nobody knows who signed"
    );
}

#[test]
fn a_generated_key_signs_a_ledger_and_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("audit.key");
    let arguments = [
        "keys",
        "generate",
        "--origin",
        "example.com/node1",
        "--output",
    ];
    let arguments = [&arguments[..], &[key.to_str().unwrap()]].concat();
    let (code, out, _) = sluice(&arguments);
    assert_eq!(code, 0);
    let vkey = fs::read_to_string(key.with_extension("pub")).unwrap();
    assert!(
        vkey.starts_with("example.com/node1+") && out.starts_with(&vkey),
        "{out}"
    );
    let secret = fs::read_to_string(&key).unwrap();
    assert!(secret.starts_with("PRIVATE+KEY+") && !out.contains(secret.trim()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let (code, _, err) = sluice(&arguments);
    assert_eq!(code, 1);
    assert!(err.contains("no key is overwritten"), "{err}");
    assert_eq!(fs::read_to_string(&key).unwrap(), secret);
}

#[test]
fn erased_records_are_gone_and_the_ledger_is_whole() {
    let (_kept, path) = ledger();
    let erase = [
        "ledger",
        "erase",
        &path,
        "--sequence",
        "3,4",
        "--reason",
        "ticket 7",
    ];
    let lock = Lock::take(Path::new(&path)).unwrap();
    let (code, _, err) = sluice(&erase);
    assert_eq!(code, 1);
    assert!(err.contains("in use by another sluice"), "{err}");
    drop(lock);
    let (code, out, err) = sluice(&erase);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("erased 3, 4; record 10 says so"), "{out}");
    let (code, out, _) = sluice(&["verify", &path]);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("erased       2 records") && out.contains("ticket 7"),
        "{out}"
    );
    let (code, _, err) = sluice(&[
        "ledger",
        "erase",
        &path,
        "--sequence",
        "99",
        "--reason",
        "x",
    ]);
    assert_eq!(code, 1);
    assert!(err.contains("record 99 is not in this ledger"), "{err}");
    assert_eq!(sluice(&["ledger", "erase", &path, "--sequence", "1"]).0, 64);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
