//! What of a file was accepted, kept beside it so that the same command goes on where it stopped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// How far a file has got.
pub(super) struct Progress {
    /// `FILE.sluice-progress`; none for standard input.
    path: Option<PathBuf>,
    to: String,
    accepted: u64,
    /// Over the records in front of the next one.
    digest: Context,
}

/// The file's form.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Where it was sent.
    pub(super) to: String,
    /// How many records were accepted, from the first on.
    pub(super) accepted: u64,
    /// SHA-256 over them: a changed file must not be taken for the one that was sent.
    sha256: String,
}

impl Progress {
    /// Nothing accepted yet.
    pub(super) fn new(input: Option<&Path>, to: &str) -> Self {
        Self {
            path: input.map(beside),
            to: to.to_owned(),
            accepted: 0,
            digest: Context::new(&SHA256),
        }
    }

    /// Where it is kept.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What an earlier run left.
    ///
    /// # Errors
    /// The file is there, and cannot be read or is not ours.
    pub(super) fn stored(&self) -> io::Result<Option<Stored>> {
        let Some(path) = &self.path else {
            return Ok(None);
        };
        match fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Counts records that were accepted, in this run or before it.
    pub(super) fn count<'r>(&mut self, rows: impl IntoIterator<Item = &'r [u8]>) {
        for row in rows {
            self.digest.update(row);
            self.digest.update(b"\n");
            self.accepted += 1;
        }
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Whether the records counted so far are those that `stored` speaks of.
    pub(super) fn agrees_with(&self, stored: &Stored) -> bool {
        *stored == self.to_store()
    }

    /// Writes it down, so that an interruption leaves the old or the new one and never half of one.
    ///
    /// # Errors
    /// The directory takes no file.
    pub(super) fn store(&self) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut beside = path.clone().into_os_string();
        beside.push(".new");
        fs::write(&beside, serde_json::to_vec(&self.to_store())?)?;
        fs::rename(&beside, path)
    }

    /// Everything was accepted: there is nothing to go on with.
    pub(super) fn remove(&self) -> io::Result<()> {
        match self.path.as_ref().map(fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn to_store(&self) -> Stored {
        Stored {
            to: self.to.clone(),
            accepted: self.accepted,
            sha256: hex::encode(self.digest.clone().finish()),
        }
    }
}

fn beside(input: &Path) -> PathBuf {
    let mut name = input.as_os_str().to_owned();
    name.push(".sluice-progress");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(input: &Path, to: &str, rows: &[&str]) -> Progress {
        let mut progress = Progress::new(Some(input), to);
        progress.count(rows.iter().map(|row| row.as_bytes()));
        progress
    }

    #[test]
    fn what_is_stored_agrees_with_the_same_records_to_the_same_place_only() {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("export.csv");
        assert!(
            Progress::new(Some(&input), "http://h/")
                .stored()
                .unwrap()
                .is_none()
        );
        counted(&input, "http://h/", &["a", "b"]).store().unwrap();

        let stored = Progress::new(Some(&input), "").stored().unwrap().unwrap();
        assert_eq!(stored.accepted, 2);
        assert!(counted(&input, "http://h/", &["a", "b"]).agrees_with(&stored));
        for (to, rows) in [
            ("http://h/", &["a", "c"][..]),
            ("http://h/", &["ab"]),
            ("http://h/", &["a"]),
            ("http://i/", &["a", "b"]),
        ] {
            assert!(
                !counted(&input, to, rows).agrees_with(&stored),
                "{to} {rows:?}"
            );
        }
        counted(&input, "http://h/", &[]).remove().unwrap();
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_progress_file_that_is_not_ours_is_an_error_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("export.csv");
        let file = directory.path().join("export.csv.sluice-progress");
        fs::write(&file, "notes of mine").unwrap();
        assert!(Progress::new(Some(&input), "").stored().is_err());
        assert!(file.try_exists().unwrap());
    }

    #[test]
    fn standard_input_leaves_nothing_behind() {
        let mut progress = Progress::new(None, "http://h/");
        progress.count([&b"a"[..]]);
        assert_eq!(progress.path(), None);
        progress.store().and_then(|()| progress.remove()).unwrap();
    }
}
