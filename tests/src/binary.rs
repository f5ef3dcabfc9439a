//! Finds the `sluice` binary beside the test's own, and builds it first when it is missing or older than its sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The binary under test: `$SLUICE_BIN` if set, else `target/<profile>/sluice`.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(path) = std::env::var_os("SLUICE_BIN") {
            return path.into();
        }
        let binary = beside_the_test();
        if is_stale(&binary) {
            build(&binary);
        }
        binary
    })
}

/// Tests run from `target/<profile>/deps`.
fn beside_the_test() -> PathBuf {
    let test = std::env::current_exe().expect("a running test knows its own path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests run from target/<profile>/deps");
    profile.join(format!("sluice{}", std::env::consts::EXE_SUFFIX))
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies in the workspace's root")
}

fn is_stale(binary: &Path) -> bool {
    let Ok(built) = binary.metadata().and_then(|file| file.modified()) else {
        return true;
    };
    [
        "Cargo.lock",
        "cli",
        "pipeline",
        "receivers",
        "processors",
        "exporters",
    ]
    .iter()
    .any(|room| newest(&workspace().join(room)).is_none_or(|changed| changed > built))
}

/// When something in `path` was last changed.
fn newest(path: &Path) -> Option<SystemTime> {
    let here = path.metadata().ok()?;
    let Ok(entries) = path.read_dir() else {
        return here.modified().ok();
    };
    entries
        .filter_map(|entry| newest(&entry.ok()?.path()))
        .max()
}

fn build(binary: &Path) {
    let directory = binary.parent().expect("a file has a directory");
    let profile = match directory.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = directory.parent().expect("target/<profile>");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--package",
            "sluice",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(target)
        .current_dir(workspace())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the sluice binary does not build");
}
