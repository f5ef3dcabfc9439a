//! Watches files by looking at them: an editor that renames, a symlink that Kubernetes flips and a network file system all
//! show in what the path leads to, whatever events there were.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);
/// A change counts when nothing has changed for this long: a file that is being written is not read.
const QUIET: Duration = Duration::from_millis(200);

/// What a path leads to: the file's number, length and time of change. `None`: to nothing.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.len(),
        file.mtime(),
        file.mtime_nsec(),
    ))
}

/// Calls `changed` each time that one of the files is another one, came or went, once those of the `configuration` itself
/// are all there. A file that joins the list counts as changed, because nobody knows since when it is as it is.
pub(crate) async fn watch(
    configuration: Vec<PathBuf>,
    mut files: watch::Receiver<Vec<PathBuf>>,
    mut seen: BTreeMap<PathBuf, Stamp>,
    changed: impl AsyncFn() -> bool,
) {
    let mut is_told = false;
    loop {
        tokio::time::sleep(LOOK).await;
        if files.has_changed().is_err() {
            return;
        }
        let watched = files.borrow_and_update().clone();
        let mut now = look(&watched);
        if now == seen {
            continue;
        }
        loop {
            tokio::time::sleep(QUIET).await;
            let again = look(&watched);
            if std::mem::replace(&mut now, again) == now {
                break;
            }
        }
        let is_missing = |path: &&PathBuf| now.get(*path).is_some_and(Option::is_none);
        if let Some(missing) = configuration.iter().find(is_missing) {
            if !std::mem::replace(&mut is_told, true) {
                tracing::warn!(file = %missing.display(), "is not there any more; everything goes on as it is");
            }
            continue;
        }
        is_told = false;
        seen = now;
        if !changed().await {
            return;
        }
    }
}

/// The stamps of some files.
pub(crate) fn look(files: &[PathBuf]) -> BTreeMap<PathBuf, Stamp> {
    let stamps = files.iter().map(|path| (path.clone(), stamp(path)));
    stamps.collect()
}
