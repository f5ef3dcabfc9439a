//! The open file: appends whole lines or frames and nothing less.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::rotation::{Rotation, set_aside};

/// What a writer was configured with.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    pub(crate) append: bool,
    /// Text lines; else frames behind their length.
    pub(crate) is_lines: bool,
    pub(crate) fsync: bool,
    /// Create missing directories with these permissions.
    pub(crate) directory_mode: Option<u32>,
    pub(crate) rotation: Option<Rotation>,
}

/// Appends to the file at a path. The file is opened by the first write, and again when it is no longer the one at its
/// path. Every write happens under the file's advisory lock, so that a second writer (the same path during a reload)
/// waits instead of interleaving.
#[derive(Debug)]
pub(crate) struct Writer {
    settings: Settings,
    file: Option<File>,
    begun: Arc<Begun>,
}

/// Whether the file was emptied, or need not be. Outlives the writer: its successor empties nothing.
#[derive(Debug, Default)]
pub(crate) struct Begun(AtomicBool);

impl Begun {
    fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Writer {
    pub(crate) fn new(settings: Settings, begun: Arc<Begun>) -> Self {
        if settings.append {
            begun.set();
        }
        Self {
            settings,
            file: None,
            begun,
        }
    }

    /// Appends all of `pieces` or nothing, in a new file when this one is full. Blocks. Holds one piece at a time, so
    /// with rotation it goes over those after the first twice: their size decides about the file.
    ///
    /// # Errors
    /// Nothing of `pieces` stays in the file, unless taking it back fails as well; then the file is set aside by the
    /// next write.
    pub(crate) fn append(
        &mut self,
        mut pieces: impl Iterator<Item = io::Result<Vec<u8>>> + Clone,
    ) -> io::Result<()> {
        let Some(first) = pieces.next().transpose()? else {
            return Ok(());
        };
        let len = match self.settings.rotation {
            Some(_) => pieces.clone().try_fold(first.len() as u64, |len, piece| {
                io::Result::Ok(len + piece?.len() as u64)
            })?,
            None => 0,
        };
        let result = self.try_append(len, first, pieces);
        if result.is_err() {
            // Whatever went wrong, the next attempt starts from what is at the path then.
            self.file = None;
        }
        result
    }

    /// `needed`: how many bytes all pieces have, if there is rotation.
    fn try_append(
        &mut self,
        needed: u64,
        first: Vec<u8>,
        mut rest: impl Iterator<Item = io::Result<Vec<u8>>>,
    ) -> io::Result<()> {
        loop {
            let file = match self.file.take() {
                Some(file) => file,
                None => self.open()?,
            };
            lock(&file)?;
            if !is_at(&file, &self.settings.path)? {
                // Moved away or deleted since it was opened.
                continue;
            }
            let metadata = file.metadata()?;
            let len = metadata.len();
            if metadata.is_file()
                && len > 0
                && let Some(rotation) = &self.settings.rotation
                && len.saturating_add(needed) > rotation.max_bytes
            {
                let now = Timestamp::now();
                set_aside(&self.settings.path, rotation.zone(), now)?;
                rotation.clean(&self.settings.path, now);
                continue;
            }
            let written = (&file)
                .write_all(&first)
                .and_then(|()| {
                    drop(first);
                    rest.try_for_each(|piece| (&file).write_all(&piece?))
                })
                .and_then(|()| {
                    if self.settings.fsync {
                        file.sync_data()
                    } else {
                        Ok(())
                    }
                });
            if let Err(error) = written {
                if metadata.is_file() {
                    // What is half written would tear the next line or frame. The error that counts is the first.
                    let _ = file.set_len(len);
                }
                return Err(error);
            }
            file.unlock().or_else(unsupported)?;
            self.file = Some(file);
            return Ok(());
        }
    }

    fn open(&mut self) -> io::Result<File> {
        let path = &self.settings.path;
        if let Some(directory) = path.parent().filter(|p| !p.as_os_str().is_empty())
            && let Some(mode) = self.settings.directory_mode
        {
            create_directories(directory, mode)?;
        }
        let is_new = !path.try_exists()?;
        let file = open_or_create(path)?;
        lock(&file)?;
        // Asked under the lock: until then another writer may be half way through a line.
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            self.begun.set();
            return Ok(file);
        }
        if !is_at(&file, path)? {
            drop(file);
            return self.open();
        }
        if !self.begun.is() {
            file.set_len(0)?;
        } else if metadata.len() > 0 && !self.is_whole(&file, metadata.len())? {
            if self.settings.is_lines {
                // A crash tore the last line: end it, so that the next one is whole.
                (&file).write_all(b"\n")?;
            } else {
                let zone = self
                    .settings
                    .rotation
                    .as_ref()
                    .map_or(TimeZone::UTC, |rotation| rotation.zone().clone());
                let aside = set_aside(path, &zone, Timestamp::now())?;
                tracing::warn!(file = %aside.display(), "its last frame is torn: set aside, and a new file is begun");
                drop(file);
                return self.open();
            }
        }
        if is_new && self.settings.fsync {
            sync_directory(path)?;
        }
        self.begun.set();
        Ok(file)
    }

    /// Whether the file ends where a line or frame ends.
    fn is_whole(&self, mut file: &File, len: u64) -> io::Result<bool> {
        if self.settings.is_lines {
            file.seek(SeekFrom::Start(len - 1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            return Ok(last == *b"\n");
        }
        let mut at = 0;
        while at < len {
            if len - at < 4 {
                return Ok(false);
            }
            file.seek(SeekFrom::Start(at))?;
            let mut prefix = [0; 4];
            file.read_exact(&mut prefix)?;
            at += 4 + u64::from(u32::from_be_bytes(prefix));
        }
        Ok(at == len)
    }
}

fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn create_directories(directory: &Path, mode: u32) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
    builder.create(directory)
}

/// Makes the file's name durable.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Waits for the file's advisory lock, where the file system has one.
fn lock(file: &File) -> io::Result<()> {
    file.lock().or_else(unsupported)
}

fn unsupported(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Unsupported {
        Ok(())
    } else {
        Err(error)
    }
}

/// Whether the open file is still the one at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether there is a file at `path`; an open file cannot be moved away here.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}
