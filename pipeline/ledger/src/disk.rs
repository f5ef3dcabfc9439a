//! The few file operations the ledger stands on, so that a model of a failing disk can take the place of the real one.
//!
//! Paths are relative to the ledger's directory. What an operation promises is what POSIX promises and no more: a
//! write is durable after [`File::sync`], a new, renamed or removed name after [`Disk::sync_directory`].

mod real;
#[cfg(any(test, feature = "simulation"))]
mod simulated;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;

pub use real::RealDisk;
#[cfg(any(test, feature = "simulation"))]
pub use simulated::{Counts, Fault, FaultKind, NameOrder, Operation, SimulatedDisk, When};

/// Files below one directory.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Makes a directory and those above it; one that is there is fine.
    ///
    /// # Errors
    /// Of the file system.
    fn create_directory(&self, path: &str) -> io::Result<()>;

    /// The files in a directory, without directories in it, in no order.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::NotFound`] without the directory.
    fn list(&self, directory: &str) -> io::Result<Vec<Entry>>;

    /// Makes a new file that only its owner may read.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::AlreadyExists`] when the name is taken.
    fn create(&self, path: &str) -> io::Result<Box<dyn File>>;

    /// Opens a file that is there, for reading and appending.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::NotFound`] without the file.
    fn open(&self, path: &str) -> io::Result<Box<dyn File>>;

    /// Gives a file another name; a file that has it already is replaced in one step.
    ///
    /// # Errors
    /// Of the file system. Which of both names holds after an error is unknown.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Of the file system; [`io::ErrorKind::NotFound`] without the file.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// Of the file system. What was not durable before may be lost.
    fn sync_directory(&self, directory: &str) -> io::Result<()>;
}

/// One open file.
#[expect(
    clippy::len_without_is_empty,
    reason = "nobody asks whether a file is empty"
)]
pub trait File: fmt::Debug + Send + Sync {
    /// Writes at the end.
    ///
    /// # Errors
    /// Of the file system. Any part of the bytes may stand in the file then.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Reads from `offset` on until `buffer` is full or the file ends; says how much.
    ///
    /// # Errors
    /// Of the file system.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Bytes in the file.
    ///
    /// # Errors
    /// Of the file system.
    fn len(&self) -> io::Result<u64>;

    /// Cuts the file to `len` bytes.
    ///
    /// # Errors
    /// Of the file system.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes what was written and cut durable.
    ///
    /// # Errors
    /// Of the file system. After an error nothing may be assumed of what was written since the last success, also when
    /// a second call succeeds.
    fn sync(&self) -> io::Result<()>;
}

/// A file in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name without the directory.
    pub name: String,
    /// Its bytes.
    pub len: u64,
}

/// Makes a directory below the uppermost one, if it is not there. It is durable then, and so are the names in it, also
/// those that a killed process left: whoever reads them relies on them from then on.
///
/// # Errors
/// Of the file system.
pub fn make_directory(disk: &dyn Disk, name: &str) -> io::Result<()> {
    disk.create_directory(name)?;
    disk.sync_directory("")?;
    disk.sync_directory(name)
}

/// Puts `bytes` in the place of the file `directory/name`, all or nothing and durable: written under another name,
/// synced, renamed, the directory synced.
///
/// # Errors
/// Of the file system; the old content or the new stands there then, and nothing in between.
pub fn replace(disk: &dyn Disk, directory: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    replace_with(disk, directory, name, |file| file.append(bytes))
}

/// The same for content that is written piece by piece.
///
/// # Errors
/// As [`replace`], and those of `write`.
pub fn replace_with(
    disk: &dyn Disk,
    directory: &str,
    name: &str,
    write: impl FnOnce(&dyn File) -> io::Result<()>,
) -> io::Result<()> {
    let path = if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    };
    let temporary = format!("{path}.tmp");
    match disk.remove(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = disk.create(&temporary)?;
    write(&*file)?;
    file.sync()?;
    drop(file);
    disk.rename(&temporary, &path)?;
    disk.sync_directory(directory)
}

/// The whole of a file of at most `limit` bytes.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::InvalidData`] when it is longer.
pub fn read(disk: &dyn Disk, path: &str, limit: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let len = file.len()?;
    if len > limit {
        let why = format!("{path} is {len} bytes long, which no such file can be");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The first `len` bytes of a file, or all if it is shorter.
///
/// # Errors
/// Of the file system.
pub fn read_prefix(disk: &dyn Disk, path: &str, len: usize) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let mut bytes = vec![0; len];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}
