//! Where the data lies: on a real disk, since on a file system in memory an fsync costs nothing.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Cargo's folder for the data of benches.
fn root() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&root).expect("the target directory can be written");
    root.canonicalize().expect("it is there")
}

/// A fresh directory, removed when dropped.
///
/// # Panics
/// On a file system in memory.
pub(crate) fn directory() -> TempDir {
    let root = root();
    let (kind, _) = file_system(&root);
    assert!(
        kind != "tmpfs" && kind != "ramfs",
        "{} lies in memory: set CARGO_TARGET_DIR to a disk",
        root.display()
    );
    tempfile::Builder::new()
        .prefix("load-")
        .tempdir_in(root)
        .expect("a directory")
}

/// One line: the file system, the processors, what else runs.
pub(crate) fn describe() -> String {
    let (kind, device) = file_system(&root());
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    format!("data on {kind} ({device}); {processors} processors, load average {load} at the start")
}

/// The type and the device of the file system that holds `path`.
fn file_system(path: &Path) -> (String, String) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut best = (0, ("?".to_owned(), "?".to_owned()));
    for line in mounts.lines() {
        let mut fields = line.split(' ');
        let (Some(device), Some(point), Some(kind)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if path.starts_with(point) && point.len() >= best.0 {
            best = (point.len(), (kind.to_owned(), device.to_owned()));
        }
    }
    best.1
}

/// Bytes of all files below a directory.
pub(crate) fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = directory.read_dir() else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(what) if what.is_dir() => bytes_in(&entry.path()),
            Ok(what) => what.len(),
            Err(_) => 0,
        })
        .sum()
}
