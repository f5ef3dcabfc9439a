use sluice_component::{Checked as _, Claim, Problems};

use super::{build, to};
use crate::{Compression, Config, Format};

fn read(keys: serde_json::Value) -> Config {
    serde_json::from_value(keys).unwrap()
}

fn problems(config: &Config) -> Vec<String> {
    let mut problems = Problems::new();
    config.check(&mut problems);
    problems
        .found
        .iter()
        .map(|p| format!("{:?} {:?}", p.severity, p.path))
        .collect()
}

#[test]
fn the_collectors_keys_are_read() {
    let config = read(serde_json::json!({
        "path": "/var/log/audit.json", "append": true, "format": "proto", "compression": "zstd", "flush_interval": "5s",
        "rotation": {"max_megabytes": 10, "max_days": 3, "max_backups": 3, "localtime": true},
        "group_by": {"enabled": false}, "create_directory": true, "directory_permissions": "0750", "sending_queue": {"queue_size": 5},
    }));
    assert_eq!(problems(&config), Vec::<String>::new());
    assert_eq!(
        (config.format, config.compression),
        (Format::Proto, Compression::Zstd)
    );
    assert_eq!(config.claims(), [Claim::Path("/var/log/audit.json".into())]);
    assert!(
        serde_json::from_value::<Config>(serde_json::json!({"path": "x", "formt": "json"}))
            .is_err()
    );
}

#[test]
fn what_cannot_work_is_an_error_at_its_key() {
    for (keys, key) in [
        (serde_json::json!({}), "path"),
        (
            serde_json::json!({"path": "x", "encoding": "otlp_encoding"}),
            "encoding",
        ),
        (
            serde_json::json!({"path": "x", "group_by": {"enabled": true}}),
            "group_by",
        ),
        (
            serde_json::json!({"path": "x", "directory_permissions": "0999"}),
            "directory_permissions",
        ),
        (
            serde_json::json!({"path": "x", "directory_permissions": "1777"}),
            "directory_permissions",
        ),
        (
            serde_json::json!({"path": "x", "compression_params": {"level": 23}}),
            "level",
        ),
        (
            serde_json::json!({"path": "x", "sending_queue": {"num_consumers": 0}}),
            "num_consumers",
        ),
    ] {
        let found = problems(&read(keys.clone()));
        assert!(
            found
                .iter()
                .any(|p| p.starts_with("Error") && p.contains(key)),
            "{keys}: {found:?}"
        );
    }
    assert!(
        problems(&read(serde_json::json!({"path": "x", "append": false})))[0]
            .starts_with("Warning"),
        "it empties the file"
    );
}

#[test]
fn writes_are_made_one_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        build(&to(&directory.path().join("a")))
            .unwrap()
            .delivery
            .max_concurrency,
        1
    );
}
