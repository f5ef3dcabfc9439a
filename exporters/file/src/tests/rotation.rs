use std::fs;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tempfile::tempdir;

use super::{bodies, build, logs, to};
use crate::rotation::{Rotation, set_aside};
use crate::{Config, RotationConfig};

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_full_file_is_set_aside_and_no_record_is_lost_or_split() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.json");
    let rotation = Some(RotationConfig {
        max_megabytes: 1,
        ..RotationConfig::default()
    });
    let exporter = build(&Config {
        rotation,
        ..to(&path)
    })
    .unwrap()
    .exporter;
    for i in 0..10 {
        exporter
            .export(&logs([format!("{i}{}", "x".repeat(300_000))]))
            .await
            .unwrap();
    }
    let names = names(directory.path());
    assert_eq!(names.len(), 4, "three of 300 000 fit into a MiB: {names:?}");
    let mut all = Vec::new();
    for name in &names {
        let file = directory.path().join(name);
        assert!(fs::metadata(&file).unwrap().len() <= 1 << 20);
        all.extend(bodies(&file).iter().map(|b| b[..1].to_owned()));
    }
    all.sort();
    assert_eq!(all, (0..10).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_larger_than_a_file_gets_a_file_of_its_own() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.json");
    let rotation = Some(RotationConfig {
        max_megabytes: 1,
        ..RotationConfig::default()
    });
    let exporter = build(&Config {
        rotation,
        ..to(&path)
    })
    .unwrap()
    .exporter;
    for _ in 0..3 {
        exporter
            .export(&logs(["x".repeat(1_500_000)]))
            .await
            .unwrap();
    }
    assert_eq!(names(directory.path()).len(), 3);
}

#[test]
fn names_have_the_time_and_never_meet() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.log.json");
    let now = at("2026-04-20T18:30:00.999Z");
    for _ in 0..3 {
        fs::write(&path, "x").unwrap();
        set_aside(&path, &TimeZone::UTC, now).unwrap();
    }
    fs::write(&path, "x").unwrap();
    set_aside(&path, &TimeZone::fixed(jiff::tz::offset(2)), now).unwrap();
    assert_eq!(
        names(directory.path()),
        [
            "audit.log-2026-04-20T18-30-00.999.json",
            "audit.log-2026-04-20T18-30-01.000.json",
            "audit.log-2026-04-20T18-30-01.001.json",
            "audit.log-2026-04-20T20-30-00.999.json"
        ]
    );
}

#[test]
fn the_oldest_go_first_and_only_files_of_this_rotation() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("audit.json");
    let keep = [
        "audit.json",
        "audit-2026-04-20.json",
        "audit-2026-04-20T18-30-00.000.json.gz",
        "audit-other-2026-04-01T00-00-00.000.json",
        "other-2026-04-01T00-00-00.000.json",
        "audit-2026-04-20T18-30-00.000000.json",
    ];
    let full: Vec<String> = (1..=5)
        .map(|day| format!("audit-2026-04-{day:02}T00-00-00.000.json"))
        .collect();
    let create = || {
        keep.iter()
            .copied()
            .chain(full.iter().map(String::as_str))
            .for_each(|name| fs::write(directory.path().join(name), "").unwrap())
    };
    let left = |config: RotationConfig| {
        create();
        Rotation::from(config).clean(&path, at("2026-04-06T00:00:00Z"));
        let names = names(directory.path());
        assert!(
            keep.iter().all(|name| names.contains(&(*name).to_owned())),
            "{names:?}"
        );
        full.iter()
            .filter(|name| names.contains(name))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        left(RotationConfig {
            max_backups: 2,
            ..RotationConfig::default()
        }),
        full[3..]
    );
    assert_eq!(
        left(RotationConfig {
            max_backups: 5,
            ..RotationConfig::default()
        }),
        full[..]
    );
    assert_eq!(
        left(RotationConfig {
            max_backups: 0,
            ..RotationConfig::default()
        }),
        full[..],
        "0 keeps all"
    );
    assert_eq!(
        left(RotationConfig {
            max_days: 3,
            ..RotationConfig::default()
        }),
        full[2..],
        "exactly 3 days is not older"
    );
    assert_eq!(
        left(RotationConfig {
            max_days: 3,
            max_backups: 1,
            ..RotationConfig::default()
        }),
        full[4..]
    );
}
