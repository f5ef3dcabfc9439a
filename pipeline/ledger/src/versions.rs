//! A ledger that a newer program has written is refused before anything in it is touched: to this one its files would
//! look damaged, and damaged files are put aside.

use std::io;

use serde::Deserialize;

use crate::cursor::{self, Stored};
use crate::cursors;
use crate::disk::{self, Disk};
use crate::format::{HEADER, Header, VERSION};
use crate::recovery::META;
use crate::segment;

/// Looks at every file that names its version.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`] names the first file of a newer version. Files that cannot be read, or are damaged, are
/// left to whoever needs them.
pub(crate) fn check(disk: &dyn Disk) -> io::Result<()> {
    #[derive(Deserialize)]
    struct Meta {
        format: u32,
    }
    let meta = disk::read(disk, META, 4096).unwrap_or_default();
    if let Ok(meta) = serde_json::from_slice::<Meta>(&meta) {
        known(META, meta.format, VERSION)?;
    }
    for path in files(disk, segment::DIRECTORY) {
        let header = disk::read_prefix(disk, &path, HEADER).unwrap_or_default();
        if let Some(version) = Header::version(&header) {
            known(&path, version, VERSION)?;
        }
    }
    for path in files(disk, cursors::DIRECTORY) {
        let stored = disk::read(disk, &path, cursors::MAX_FILE).unwrap_or_default();
        if let Some(version) = Stored::version(&stored) {
            known(&path, version, cursor::VERSION)?;
        }
    }
    Ok(())
}

fn known(path: &str, version: u32, newest: u32) -> io::Result<()> {
    if version <= newest {
        return Ok(());
    }
    let why = format!(
        "{path} is of version {version}, and this program knows no version behind {newest}: nothing was changed; use the \
         program that wrote it, or a newer one"
    );
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

fn files(disk: &dyn Disk, directory: &str) -> Vec<String> {
    let files = disk.list(directory).unwrap_or_default();
    let files = files.iter().filter(|file| !file.name.ends_with(".tmp"));
    files
        .map(|file| format!("{directory}/{}", file.name))
        .collect()
}
