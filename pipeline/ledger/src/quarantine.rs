//! Where bytes go that are not what they should be: kept for whoever wants to know, out of everyone's way.

use std::io;
use std::ops::Range;

use crate::disk::{self, Disk, File};

const DIRECTORY: &str = "quarantine";

/// Moves a whole file there.
///
/// # Errors
/// Of the file system.
pub(crate) fn file(disk: &dyn Disk, path: &str) -> io::Result<String> {
    disk::make_directory(disk, DIRECTORY)?;
    let name = path.replace('/', "-");
    let to = free_name(disk, &name)?;
    disk.rename(path, &to)?;
    disk.sync_directory(DIRECTORY)?;
    if let Some((directory, _)) = path.rsplit_once('/') {
        disk.sync_directory(directory)?;
    }
    Ok(to)
}

/// Copies a part of a file there, durably.
///
/// # Errors
/// Of the file system.
pub(crate) fn bytes(
    disk: &dyn Disk,
    name: &str,
    file: &dyn File,
    range: Range<u64>,
) -> io::Result<String> {
    disk::make_directory(disk, DIRECTORY)?;
    let to = free_name(disk, &format!("{name}-{}-{}", range.start, range.end))?;
    let copied = copy(disk, &to, file, range).and_then(|()| disk.sync_directory(DIRECTORY));
    if copied.is_err() {
        // Half a copy is of no use and takes room that may be short.
        let _ = disk.remove(&to);
    }
    copied.map(|()| to)
}

fn copy(disk: &dyn Disk, to: &str, file: &dyn File, range: Range<u64>) -> io::Result<()> {
    let copy = disk.create(to)?;
    let mut at = range.start;
    let mut buffer = vec![0; 1 << 20];
    while at < range.end {
        let want = buffer.len().min((range.end - at) as usize);
        let read = file.read_at(at, &mut buffer[..want])?;
        if read == 0 {
            break;
        }
        copy.append(&buffer[..read])?;
        at += read as u64;
    }
    copy.sync()
}

/// A path below the directory that no file has.
fn free_name(disk: &dyn Disk, name: &str) -> io::Result<String> {
    let taken = disk.list(DIRECTORY)?;
    let is_free = |name: &str| taken.iter().all(|e| e.name != name);
    let numbered = |n: u32| {
        if n == 0 {
            name.to_owned()
        } else {
            format!("{name}.{n}")
        }
    };
    let free = (0..)
        .map(numbered)
        .find(|n| is_free(n))
        .unwrap_or_else(|| name.to_owned());
    Ok(format!("{DIRECTORY}/{free}"))
}
