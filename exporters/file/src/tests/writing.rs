use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice_batch::{Batch, Signal, Value};
use sluice_component::{After, Undelivered, Verdict};
use tempfile::{TempDir, tempdir};

use super::{bodies, build, logs, to};
use crate::frame::{Framing, PIECE_BYTES};
use crate::writer::{Settings, Writer};
use crate::{Config, Format, RotationConfig};

fn place() -> (TempDir, PathBuf) {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.json");
    (directory, path)
}

async fn write(config: &Config, body: &str) -> Result<(), Undelivered> {
    build(config).unwrap().exporter.export(&logs([body])).await
}

#[tokio::test]
async fn what_the_file_holds_is_kept_unless_it_is_to_be_emptied() {
    let (_directory, path) = place();
    write(&to(&path), "one").await.unwrap();
    write(&to(&path), "two").await.unwrap();
    assert_eq!(bodies(&path), ["one", "two"]);
    let fresh = build(&Config {
        append: false,
        ..to(&path)
    })
    .unwrap()
    .exporter;
    assert_eq!(
        bodies(&path),
        ["one", "two"],
        "nothing is emptied before the first write"
    );
    fresh.export(&logs(["three"])).await.unwrap();
    fresh.export(&logs(["four"])).await.unwrap();
    assert_eq!(bodies(&path), ["three", "four"]);
}

#[tokio::test]
async fn only_the_owner_can_read_a_new_file() {
    let (_directory, path) = place();
    write(&to(&path), "one").await.unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn fsync_writes_the_same() {
    let (_directory, path) = place();
    let config = Config {
        fsync: true,
        ..to(&path)
    };
    let exporter = build(&config).unwrap().exporter;
    exporter.export(&logs(["one"])).await.unwrap();
    exporter.export(&logs(["two"])).await.unwrap();
    assert_eq!(bodies(&path), ["one", "two"]);
}

#[tokio::test]
async fn missing_directories_are_created_on_request_and_an_error_otherwise() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("a/b/audit.json");
    let error = build(&to(&path)).unwrap_err().to_string();
    assert!(error.contains("create_directory: true"), "{error}");
    let config = Config {
        create_directory: true,
        directory_permissions: "0700".into(),
        ..to(&path)
    };
    write(&config, "one").await.unwrap();
    assert_eq!(bodies(&path), ["one"]);
    assert_eq!(
        fs::metadata(directory.path().join("a/b"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o700
    );
}

#[tokio::test]
async fn a_file_that_was_moved_away_or_deleted_is_opened_anew() {
    let (directory, path) = place();
    let exporter = build(&to(&path)).unwrap().exporter;
    exporter.export(&logs(["one"])).await.unwrap();
    let moved = directory.path().join("audit.json.1");
    fs::rename(&path, &moved).unwrap();
    exporter.export(&logs(["two"])).await.unwrap();
    assert_eq!(
        (bodies(&moved), bodies(&path)),
        (vec!["one".to_owned()], vec!["two".to_owned()])
    );
    fs::remove_file(&path).unwrap();
    exporter.export(&logs(["three"])).await.unwrap();
    assert_eq!(bodies(&path), ["three"]);
}

#[tokio::test]
async fn a_disk_that_takes_no_writes_owes_the_records() {
    let full = to("/dev/full".as_ref());
    let undelivered = write(&full, "one").await.unwrap_err();
    assert_eq!(
        undelivered.verdicts,
        [(0..1, Verdict::Retry(After::Backoff))]
    );
    assert!(
        undelivered.to_string().contains("No space left"),
        "{undelivered}"
    );

    let (directory, path) = place();
    let exporter = build(&to(&path)).unwrap().exporter;
    fs::create_dir(&path).unwrap();
    assert!(
        exporter
            .export(&logs(["one"]))
            .await
            .unwrap_err()
            .is_retryable()
    );
    fs::remove_dir(&path).unwrap();
    exporter.export(&logs(["one"])).await.unwrap();
    assert_eq!(bodies(&path), ["one"], "and the next attempt starts afresh");
    drop(directory);
}

#[tokio::test]
async fn a_line_that_a_crash_tore_does_not_spoil_the_next() {
    let (_directory, path) = place();
    fs::write(&path, "{\"resourceLogs\":[{").unwrap();
    write(&to(&path), "one").await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "{\"resourceLogs\":[{");
    assert!(serde_json::from_str::<serde_json::Value>(lines[1]).is_ok());
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn a_file_whose_last_frame_is_torn_is_set_aside() {
    for torn in [
        &[0, 0][..],
        &[0, 0, 0, 9, 1, 2],
        &[0, 0, 0, 1, 7, 0, 0, 0, 5],
    ] {
        let (directory, path) = place();
        fs::write(&path, torn).unwrap();
        let config = Config {
            format: Format::Proto,
            ..to(&path)
        };
        write(&config, "one").await.unwrap();
        write(&config, "two").await.unwrap();
        let aside: Vec<PathBuf> = fs::read_dir(directory.path())
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| *p != path)
            .collect();
        assert_eq!(aside.len(), 1);
        assert_eq!(fs::read(&aside[0]).unwrap(), torn, "nothing of it is lost");
        let bytes = fs::read(&path).unwrap();
        let first = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(bytes.len(), 2 * (4 + first), "two whole frames");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_exporters_at_one_file_never_interleave() {
    let (_directory, path) = place();
    let writers: Vec<_> = (0..4)
        .map(|_| build(&to(&path)).unwrap().exporter)
        .collect();
    let tasks: Vec<_> = writers
        .into_iter()
        .enumerate()
        .map(|(w, exporter)| {
            tokio::spawn(async move {
                for i in 0..25 {
                    exporter
                        .export(&logs([format!("{w}-{i}-{}", "x".repeat(20_000))]))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut found: Vec<String> = bodies(&path)
        .iter()
        .map(|b| b[..b.rfind('-').unwrap()].to_owned())
        .collect();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 100);
}

/// Ten plain JSON records whose resource makes each 4 MiB.
fn repetitive() -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    let text = "x".repeat(4 << 20);
    batch.push_scope(&[("big", Value::Str(&text))], "audit");
    for i in 0..10 {
        batch.push_log().set_body(Value::Int(i));
    }
    batch
}

fn plain(path: &Path) -> Config {
    Config {
        format: Format::PlainJson,
        ..to(path)
    }
}

#[tokio::test]
async fn a_resource_that_each_record_repeats_is_written_in_pieces() {
    for zstd_level in [None, Some(1)] {
        let framing = Framing {
            format: Format::PlainJson,
            zstd_level,
        };
        let batch = repetitive();
        let pieces: Vec<usize> = framing.pieces(&batch).map(|p| p.unwrap().len()).collect();
        assert_eq!(pieces.len(), 3, "4 records, 4 and 2");
        assert!(pieces.iter().all(|len| *len < PIECE_BYTES + (5 << 20)));
    }
    let (_directory, path) = place();
    let exporter = build(&plain(&path)).unwrap().exporter;
    exporter.export(&repetitive()).await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let ends: Vec<bool> = text
        .lines()
        .enumerate()
        .map(|(i, line)| line.starts_with(&format!("{{\"body\":{i},")) && line.ends_with('}'))
        .collect();
    assert_eq!(ends, [true; 10]);
}

#[tokio::test]
async fn a_batch_of_several_pieces_goes_into_one_file() {
    let (directory, path) = place();
    let config = Config {
        rotation: Some(RotationConfig {
            max_megabytes: 30,
            ..RotationConfig::default()
        }),
        ..plain(&path)
    };
    let exporter = build(&config).unwrap().exporter;
    exporter.export(&logs(["one"])).await.unwrap();
    exporter.export(&repetitive()).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 10);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn an_attempt_that_fails_after_a_piece_takes_all_its_pieces_back() {
    let (_directory, path) = place();
    fs::write(&path, "before\n").unwrap();
    let mut writer = Writer::new(
        Settings {
            path: path.clone(),
            append: true,
            is_lines: true,
            fsync: false,
            directory_mode: None,
            rotation: None,
        },
        Arc::default(),
    );
    let pieces = |fails: bool| {
        [b"one\n", b"two\n", b"six\n"]
            .into_iter()
            .enumerate()
            .map(move |(i, piece)| match i {
                2 if fails => Err(io::Error::other("no memory")),
                _ => Ok(piece.to_vec()),
            })
    };
    assert!(writer.append(pieces(true)).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "before\n");
    writer.append(pieces(false)).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "before\none\ntwo\nsix\n"
    );
}
