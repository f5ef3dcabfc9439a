//! One process at a time.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// How long [`Lock::take`] tries. Another program's [`Lock::is_held`] has the lock for an instant, and so does a program
/// that the holder was starting when it gave the lock back: neither may keep a ledger from its start.
const PATIENCE: Duration = Duration::from_secs(1);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// A held lock on a ledger's directory; given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "{directory} is in use by another sluice (process {holder}): stop it, or give this one a directory of its own"
    )]
    InUse {
        /// The directory.
        directory: String,
        /// The process that has it, as it wrote down itself.
        holder: String,
    },
    /// The directory cannot be used.
    #[error("cannot use {directory} for the ledger: {source}")]
    Io {
        /// The directory.
        directory: String,
        /// Why.
        source: io::Error,
    },
}

/// Makes the directory and those above it, each with a name that a power cut leaves.
fn make(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|d| !d.exists()).collect();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    for made in missing {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

impl Lock {
    /// Takes the lock on a directory, which is made if it is not there.
    ///
    /// # Errors
    /// [`LockError::InUse`] when another process has it for longer than a second.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io {
            directory: directory.display().to_string(),
            source,
        };
        make(directory).map_err(failed)?;
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join("lock"))
            .map_err(failed)?;
        let start = Instant::now();
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != Errno::WOULDBLOCK {
                return Err(failed(error.into()));
            }
            if start.elapsed() < PATIENCE {
                thread::sleep(BETWEEN_TRIES);
                continue;
            }
            let mut holder = String::new();
            // Only for the message.
            let _ = file.read_to_string(&mut holder);
            return Err(LockError::InUse {
                directory: directory.display().to_string(),
                holder: holder.trim().to_owned(),
            });
        }
        let _ = file.set_len(0);
        let _ = write!(file, "{}", std::process::id());
        Ok(Self { _file: file })
    }

    /// Whether another process holds the lock on this directory.
    #[must_use]
    pub fn is_held(directory: &Path) -> bool {
        File::open(directory.join("lock")).is_ok_and(|file| {
            flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
        })
    }

    /// The process that holds the lock on this directory, as it wrote down itself; `None` while nobody has it.
    #[must_use]
    pub fn holder(directory: &Path) -> Option<String> {
        if !Self::is_held(directory) {
            return None;
        }
        let holder = fs::read_to_string(directory.join("lock")).unwrap_or_default();
        Some(holder.trim().to_owned())
    }
}
