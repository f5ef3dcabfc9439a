//! Where an export goes: standard output, or a file that gets its name only when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use clap::Args;
use exporter_formats::{Format, Writer};

use crate::words;

/// What an export is written with.
pub(crate) type Sink = Writer<Box<dyn Write + Send>>;

/// Where an export goes.
#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// json, ndjson, csv, parquet or otlp [default: by the output's name, else ndjson].
    #[arg(long)]
    format: Option<Format>,
    /// The file to write; `-` is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

impl OutputArguments {
    /// The format that the file's name stands for.
    fn by_name(&self) -> Option<Format> {
        let extension = self.output.extension()?.to_str()?;
        Format::ALL.into_iter().find(|f| f.extension() == extension)
    }

    fn format(&self) -> Format {
        self.format
            .or_else(|| self.by_name())
            .unwrap_or(Format::Ndjson)
    }

    /// What is wrong with the command line: a name that promises another format than the one that is asked for.
    pub(crate) fn mistake(&self) -> Option<String> {
        let (asked, named) = (self.format?, self.by_name()?);
        let name = self.output.display();
        let right = self.output.with_extension(asked.extension());
        (asked.extension() != named.extension()).then(|| {
            format!(
                "{name} has the name of a {named} file and --format says {asked}: leave --format out, or name the file {}",
                right.display()
            )
        })
    }

    /// Writes what `fill` writes; says how many bytes that made.
    ///
    /// # Errors
    /// Of the output and of `fill`. What was written so far is removed.
    pub(crate) fn write<T>(
        &self,
        fill: impl FnOnce(&mut Sink) -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, u64)> {
        if self.output == Path::new("-") {
            if self.format() == Format::Parquet && io::stdout().is_terminal() {
                bail!("a Parquet file is no text for a terminal: name a file with --output");
            }
            return self.through(io::stdout(), fill);
        }
        let partial = Partial::create(&self.output, self.force)?;
        let file = partial.file.try_clone()?;
        let written = self.through(file, fill)?;
        partial.complete(&self.output)?;
        Ok(written)
    }

    fn through<T>(
        &self,
        out: impl Write + Send + 'static,
        fill: impl FnOnce(&mut Sink) -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, u64)> {
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            out: io::BufWriter::with_capacity(1 << 18, out),
            bytes: bytes.clone(),
        };
        let mut writer = Writer::new(self.format(), Box::new(counted) as Box<dyn Write + Send>)?;
        let result = fill(&mut writer)?;
        writer.finish()?.flush()?;
        Ok((result, bytes.load(Ordering::Relaxed)))
    }

    /// ` to FILE (csv, 1.20 KiB)`.
    pub(crate) fn summary(&self, bytes: u64) -> String {
        let what = format!("({}, {})", self.format(), words::bytes(bytes));
        if self.output == Path::new("-") {
            format!(" {what}")
        } else {
            format!(" to {} {what}", self.output.display())
        }
    }
}

/// `FILE.partial`, removed unless it becomes `FILE`.
struct Partial {
    path: PathBuf,
    file: File,
    is_complete: bool,
}

impl Partial {
    fn create(output: &Path, force: bool) -> anyhow::Result<Self> {
        free(output, force)?;
        let mut path = output.as_os_str().to_owned();
        path.push(".partial");
        let path = PathBuf::from(path);
        // Audit records are nobody else's; and what an interrupted export has left is written over.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let cannot = || format!("cannot write {}", path.display());
        let file = options.open(&path).with_context(cannot)?;
        if file.try_lock().is_err() {
            bail!(
                "another export writes {} just now: name another file",
                path.display()
            );
        }
        file.set_len(0).with_context(cannot)?;
        Ok(Self {
            path,
            file,
            is_complete: false,
        })
    }

    fn complete(mut self, output: &Path) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", output.display());
        self.file.sync_all().with_context(cannot)?;
        fs::rename(&self.path, output).with_context(cannot)?;
        self.is_complete = true;
        let directory = match output.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        // The name must survive a power cut too.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .with_context(cannot)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_complete {
            // It may be gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether a file may be written here.
fn free(output: &Path, force: bool) -> anyhow::Result<()> {
    match fs::symlink_metadata(output) {
        Ok(there) if there.is_dir() => {
            bail!("{} is a directory: name a file in it", output.display())
        }
        // Not over a device: its name would become that of a file.
        Ok(there) if !there.is_file() => bail!(
            "{} is no ordinary file: use `--output -` and the shell's redirection",
            output.display()
        ),
        Ok(_) if !force => bail!(
            "{} is there already: name another file, or add --force to replace it",
            output.display()
        ),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot write {}", output.display()))
        }
        _ => Ok(()),
    }
}

/// Counts what is written.
struct Counted<W> {
    out: W,
    bytes: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
