//! Full files: their names, and which of them go. Names are those of the Collector's (Go's `lumberjack`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::config::RotationConfig;

const DAY: Duration = Duration::from_secs(86_400);
/// `2026-04-20T18-30-00.000`
const STAMP: &str = "%Y-%m-%dT%H-%M-%S%.3f";

/// When a file is full, and how long full files stay.
#[derive(Clone, Debug)]
pub(crate) struct Rotation {
    pub(crate) max_bytes: u64,
    max_age: Option<Duration>,
    max_backups: usize,
    zone: TimeZone,
}

impl From<RotationConfig> for Rotation {
    fn from(config: RotationConfig) -> Self {
        let megabytes = if config.max_megabytes == 0 {
            RotationConfig::default().max_megabytes
        } else {
            config.max_megabytes
        };
        Self {
            max_bytes: megabytes.saturating_mul(1 << 20),
            max_age: u32::try_from(config.max_days)
                .ok()
                .filter(|days| *days > 0)
                .map(|days| DAY * days),
            max_backups: config.max_backups,
            zone: if config.localtime {
                TimeZone::system()
            } else {
                TimeZone::UTC
            },
        }
    }
}

/// Renames the file to a name with the time in it that no other file has.
///
/// # Errors
/// The rename failed; nothing changed.
pub(crate) fn set_aside(path: &Path, zone: &TimeZone, now: Timestamp) -> io::Result<PathBuf> {
    let (stem, extension) = parts(path);
    let mut time = now.to_zoned(zone.clone()).datetime();
    loop {
        let backup = path.with_file_name(format!("{stem}-{}{extension}", time.strftime(STAMP)));
        if backup.try_exists()? {
            time = time
                .checked_add(1.millisecond())
                .map_err(io::Error::other)?;
            continue;
        }
        fs::rename(path, &backup)?;
        return Ok(backup);
    }
}

impl Rotation {
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Deletes full files that are too many or too old. What cannot be listed or deleted stays, with a warning.
    pub(crate) fn clean(&self, path: &Path, now: Timestamp) {
        let oldest = self.max_age.map(|age| {
            now.to_zoned(self.zone.clone())
                .datetime()
                .saturating_sub(age)
        });
        for (i, (time, backup)) in backups(path).into_iter().rev().enumerate() {
            let is_too_many = self.max_backups > 0 && i >= self.max_backups;
            let is_too_old = oldest.is_some_and(|oldest| time < oldest);
            if !is_too_many && !is_too_old {
                continue;
            }
            match fs::remove_file(&backup) {
                Ok(()) => {
                    tracing::info!(file = %backup.display(), "deleted a rotated file, as max_backups and max_days say")
                }
                Err(error) => {
                    tracing::warn!(file = %backup.display(), %error, "cannot delete a rotated file")
                }
            }
        }
    }
}

/// Full files of `path`, oldest first.
fn backups(path: &Path) -> Vec<(DateTime, PathBuf)> {
    let (stem, extension) = parts(path);
    let directory = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(directory = %directory.display(), %error, "cannot look for rotated files");
            return Vec::new();
        }
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let stamp = name
                .to_str()?
                .strip_prefix(&stem)?
                .strip_prefix('-')?
                .strip_suffix(&extension)?;
            // Only names that this rotation makes: a neighbour that merely looks alike is never deleted.
            let time = DateTime::strptime(STAMP, stamp).ok()?;
            (time.strftime(STAMP).to_string() == stamp).then(|| (time, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// `audit` and `.json` of `audit.json`.
fn parts(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned());
    let stem = text(path.file_stem()).unwrap_or_default();
    let extension = text(path.extension()).map_or_else(String::new, |e| format!(".{e}"));
    (stem, extension)
}
