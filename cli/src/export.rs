//! `sluice export`: records of the ledger as a file for whoever asks for evidence.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use exporter_formats::{Format, RowInfo, Writer};
use sluice_ledger::View;

use crate::exit::Exit;
use crate::ledger_directory::LedgerArguments;
use crate::select::{self, Seen, SelectArguments, Selection};
use crate::source::complain;

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    select: SelectArguments,
    /// Only records of this pipeline.
    #[arg(long)]
    pipeline: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

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
    fn format(&self) -> Format {
        let by_name = || {
            let extension = self.output.extension()?.to_str()?;
            Format::ALL.into_iter().find(|f| f.extension() == extension)
        };
        self.format.or_else(by_name).unwrap_or(Format::Ndjson)
    }

    fn is_standard(&self) -> bool {
        self.output == Path::new("-")
    }

    /// Writes what `fill` writes: into `FILE.partial`, which gets its name when it is complete.
    pub(crate) fn write<T>(
        &self,
        fill: impl FnOnce(&mut Writer<Box<dyn Write + Send>>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let partial = beside(&self.output);
        let out: Box<dyn Write + Send> = if self.is_standard() {
            Box::new(BufWriter::new(io::stdout()))
        } else {
            if self.output.exists() && !self.force {
                anyhow::bail!(
                    "{} is there: name another file, or add --force",
                    self.output.display()
                );
            }
            let file = File::create(&partial)
                .with_context(|| format!("cannot write {}", partial.display()))?;
            Box::new(BufWriter::with_capacity(1 << 18, file))
        };
        let mut writer = Writer::new(self.format(), out)?;
        let result = fill(&mut writer)?;
        writer.finish()?.flush()?;
        if !self.is_standard() {
            File::open(&partial)?.sync_all()?;
            fs::rename(&partial, &self.output)
                .with_context(|| format!("cannot write {}", self.output.display()))?;
        }
        Ok(result)
    }

    /// What the user reads after it.
    pub(crate) fn summary(&self) -> String {
        if self.is_standard() {
            return String::new();
        }
        let bytes = fs::metadata(&self.output).map_or(0, |m| m.len());
        format!(
            " to {} ({}, {})",
            self.output.display(),
            self.format(),
            indicatif::HumanBytes(bytes)
        )
    }
}

fn beside(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Exports, streaming: memory does not grow with the number of records.
pub(crate) fn export(arguments: &ExportArguments) -> Exit {
    let (directory, selection) = match (arguments.ledger.directory(), arguments.select.selection())
    {
        (Ok(directory), Ok(selection)) => (directory, selection),
        (Err(exit), _) | (_, Err(exit)) => return exit,
    };
    let view = match select::open(&directory) {
        Ok(view) => view,
        Err(exit) => return exit,
    };
    let pipeline = arguments.pipeline.as_deref();
    match arguments
        .output
        .write(|writer| fill(&view, &selection, pipeline, writer))
    {
        Ok(seen) => {
            complain(&format!(
                "{} of {} records written{}\n",
                seen.taken,
                seen.scanned,
                arguments.output.summary()
            ));
            lost(&seen)
        }
        // A closed pipe (`| head`) is no failure.
        Err(error) if is_closed_pipe(&error) => Exit::Ok,
        Err(error) => {
            complain(&format!("error: {error:#}\n"));
            Exit::Runtime
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    })
}

fn fill(
    view: &View,
    selection: &Selection,
    pipeline: Option<&str>,
    writer: &mut Writer<Box<dyn Write + Send>>,
) -> anyhow::Result<Seen> {
    let epoch = view.epoch()?;
    let hashes = epoch.as_ref().map(|e| view.hashes(e.number));
    select::walk(view, selection, pipeline, |frame, batch, sequences| {
        let leaf = |sequence: u64| {
            let (epoch, hashes) = (epoch.as_ref()?, hashes.as_ref()?);
            // Not there yet for the newest records, nor for those of an epoch before.
            let hash = hashes.leaf(sequence.checked_sub(epoch.first)?).ok()?;
            Some(*hash.as_bytes())
        };
        let rows: Vec<RowInfo<'_>> = sequences
            .iter()
            .map(|sequence| RowInfo {
                sequence: *sequence,
                pipeline: &frame.pipeline,
                leaf_hash: leaf(*sequence),
                accepted_ns: frame.head.accepted,
            })
            .collect();
        writer.write(batch, &rows)?;
        Ok(())
    })
}

/// Says which records could not be read; the export is incomplete then.
fn lost(seen: &Seen) -> Exit {
    for range in &seen.lost {
        complain(&format!(
            "warning: records {} to {} are damaged or missing and are not in the export\n",
            range.start,
            range.end.saturating_sub(1)
        ));
    }
    if seen.lost.is_empty() {
        Exit::Ok
    } else {
        Exit::Runtime
    }
}
