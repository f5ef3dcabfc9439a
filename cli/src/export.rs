//! `sluice export`: records of the ledger as a file for whoever asks for evidence.
//!
//! ```text
//!  segments ─by time─▶ frames ─by time, pipeline─▶ records ─by time, condition─▶ FILE.partial ─complete─▶ FILE
//! ```

mod leaves;
mod output;

use std::io;
use std::path::Path;

use clap::Args;
use exporter_formats::RowInfo;
use sluice_ledger::View;

use crate::exit::Exit;
use crate::ledger_directory::LedgerArguments;
use crate::select::{self, Seen, SelectArguments, Selection};
use crate::source::complain;
use crate::words;
use leaves::Leaves;
use output::Sink;

pub(crate) use output::OutputArguments;

#[derive(Debug, Args)]
#[command(
    after_help = "A record's time is that of its event, or when it was accepted if the event has none. A day means all of \
        it, in UTC: `--from 2026-11-01 --to 2026-11-30` is November.\n\n\
        One person: --where 'attributes[\"user.id\"] == \"ann@example.com\"'\n\
        One resource: --where 'attributes[\"ai.admin.resource.id\"] == \"policy-7\"'\n\n\
        Exit codes: 0 complete, 1 it failed or some records cannot be read (the rest is in the file), 64 wrong usage, \
        78 the configuration is wrong."
)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    select: SelectArguments,
    /// Only records of this pipeline. Those that the ledger itself writes are in `ledger`, and left out otherwise.
    #[arg(long)]
    pipeline: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Exports, streaming: memory does not grow with the number of records.
pub(crate) fn export(arguments: &ExportArguments) -> Exit {
    // What is wrong with the command line comes first: the directory may take reading a file.
    let selection = match arguments.select.selection() {
        Ok(selection) => selection,
        Err(exit) => return exit,
    };
    if let Some(why) = arguments.output.mistake() {
        complain(&format!("error: {why}\n"));
        return Exit::Usage;
    }
    let opened = arguments
        .ledger
        .directory()
        .and_then(|directory| Ok((select::open(&directory)?, directory)));
    let (view, directory) = match opened {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let pipeline = arguments.pipeline.as_deref();
    let written = arguments
        .output
        .write(|writer| fill(&directory, &view, &selection, pipeline, writer));
    match written {
        Ok((seen, bytes)) => {
            complain(&format!(
                "{} of {} scanned written{}{}\n",
                words::number(seen.taken),
                words::count(seen.scanned, "record"),
                arguments.output.summary(bytes),
                selection.times()
            ));
            tell_lost(&seen)
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
    directory: &Path,
    view: &View,
    selection: &Selection,
    pipeline: Option<&str>,
    writer: &mut Sink,
) -> anyhow::Result<Seen> {
    let leaves = Leaves::of(view)?;
    let mut seen = select::walk(view, selection, pipeline, |frame, batch, sequences| {
        let rows: Vec<RowInfo<'_>> = sequences
            .iter()
            .map(|sequence| RowInfo {
                sequence: *sequence,
                pipeline: &frame.pipeline,
                leaf_hash: leaves.hash(*sequence),
                accepted_ns: frame.head.accepted,
            })
            .collect();
        writer.write(batch, &rows)?;
        Ok(())
    })?;
    seen.look_behind(directory, view)?;
    Ok(seen)
}

/// Says which records could not be read; the export is incomplete then.
fn tell_lost(seen: &Seen) -> Exit {
    if seen.is_complete() {
        return Exit::Ok;
    }
    for range in &seen.lost {
        complain(&format!(
            "warning: {} cannot be read and {} not in the export\n",
            words::records(range),
            if range.end - range.start == 1 {
                "is"
            } else {
                "are"
            }
        ));
    }
    for segment in &seen.unreadable {
        complain(&format!("warning: a segment cannot be read: {segment}\n"));
    }
    complain(
        "error: the export is incomplete: whether the missing records belong to it cannot be told; `sluice ledger inspect` shows the damage\n",
    );
    Exit::Runtime
}
