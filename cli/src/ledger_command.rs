//! `sluice ledger`: what lies in a ledger, and mending it.

mod facts;
mod inspect;

use std::path::Path;

use clap::Subcommand;
use sluice_ledger::{CursorId, DamageReport, Lock, LockError, Offline, OfflineError, View};

use crate::exit::Exit;
use crate::ledger_directory::LedgerArguments;
use crate::select;
use crate::source::{complain, say};
use crate::words;

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Show what is in a ledger: records, segments, exporters, dead letters, checkpoints, damage.
    Inspect {
        #[command(flatten)]
        ledger: LedgerArguments,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Mend what a start would mend, and say what was lost.
    Repair {
        #[command(flatten)]
        ledger: LedgerArguments,
    },
    /// Remove the cursor of an exporter that is configured no longer: its undelivered records are given up.
    Forget {
        /// The exporter's name as `inspect` shows it.
        exporter: String,
        #[command(flatten)]
        ledger: LedgerArguments,
        /// Only in this pipeline.
        #[arg(long)]
        pipeline: Option<String>,
        /// Also one that is not orphaned.
        #[arg(long)]
        force: bool,
    },
    /// Erase records for good: their bytes go, the proofs about all others stay.
    Erase(crate::erase::EraseArguments),
}

/// Runs the command.
pub(crate) fn ledger(command: &LedgerCommand) -> Exit {
    let result = match command {
        LedgerCommand::Erase(arguments) => return crate::erase::erase(arguments),
        LedgerCommand::Inspect { ledger, json } => inspect::inspect(ledger, *json),
        LedgerCommand::Repair { ledger } => ledger.directory().and_then(|d| repair(&d)),
        LedgerCommand::Forget {
            exporter,
            ledger,
            pipeline,
            force,
        } => ledger
            .directory()
            .and_then(|d| forget(&d, exporter, pipeline.as_deref(), *force)),
    };
    result.unwrap_or_else(|exit| exit)
}

fn failed(error: impl std::fmt::Display) -> Exit {
    complain(&format!("error: {error}\n"));
    Exit::Runtime
}

/// Takes the lock; while somebody has it, says who.
fn take(directory: &Path) -> Result<Offline, Exit> {
    Offline::take(directory).map_err(|error| match error {
        OfflineError::Lock(LockError::InUse { directory, holder }) => failed(format!(
            "{directory} is in use by process {holder}: stop it first"
        )),
        error => failed(error),
    })
}

/// `FILE: what; records 3 to 5 are lost; the bytes are in COPY`.
fn told(damage: &DamageReport) -> String {
    let mut line = format!("{}: {}", damage.file, damage.what);
    if let Some(sequences) = &damage.sequences {
        line += &format!("; {}", lost(sequences));
    }
    if let Some(copy) = &damage.quarantine {
        line += &format!("; the bytes are in {copy}");
    }
    line
}

fn lost(sequences: &std::ops::Range<u64>) -> String {
    let is = if sequences.end - sequences.start == 1 {
        "is"
    } else {
        "are"
    };
    format!("{} {is} lost", words::records(sequences))
}

fn repair(directory: &Path) -> Result<Exit, Exit> {
    let repaired = take(directory)?.repair().map_err(failed)?;
    for damage in &repaired.report.damages {
        say(&format!("{}\n", told(damage)));
    }
    for first in &repaired.sealed {
        say(&format!(
            "the segment from record {first} on was left open by an ended process: sealed\n"
        ));
    }
    let is_told = |range: &&std::ops::Range<u64>| {
        let mut damages = repaired.report.damages.iter();
        damages.any(|d| d.sequences.as_ref() == Some(*range))
    };
    for range in repaired.lost.iter().filter(|range| !is_told(range)) {
        say(&format!(
            "{}: an exporter had passed them or a checkpoint was signed over them, and the log ends before\n",
            lost(range)
        ));
    }
    if !repaired.lost.is_empty() {
        let records = repaired.lost.iter().map(|r| r.end - r.start).sum();
        complain(&format!(
            "error: the ledger is whole again without {}\n",
            words::count(records, "record")
        ));
        return Ok(Exit::Runtime);
    }
    if repaired.report.damages.is_empty() && repaired.sealed.is_empty() {
        say(
            "nothing to repair: sealed segments count as whole here, `sluice verify` reads every record\n",
        );
    } else {
        say("repaired; no record is lost\n");
    }
    Ok(Exit::Ok)
}

fn forget(
    directory: &Path,
    exporter: &str,
    pipeline: Option<&str>,
    force: bool,
) -> Result<Exit, Exit> {
    let offline = take(directory)?;
    let view = select::open(directory)?;
    let all = view.cursors().map_err(failed)?;
    let found: Vec<_> = all
        .iter()
        .filter(|(id, _)| &*id.exporter == exporter && pipeline.is_none_or(|p| *id.pipeline == *p))
        .collect();
    if found.is_empty() {
        return Err(failed(nobody(exporter, pipeline, all.keys())));
    }
    // None of them, or all: half of an exporter is of no use to anybody.
    if let Some((id, _)) = found.iter().find(|(_, state)| state.orphaned.is_none())
        && !force
    {
        return Err(failed(format!(
            "{exporter} in {} was configured when Sluice ran last: remove it from the file and run once, or add --force",
            id.pipeline
        )));
    }
    for (id, state) in found {
        offline.forget(id).map_err(failed)?;
        let behind = facts::behind(&view, state.cursor.low());
        let behind = behind.map_err(failed)?.of(id, state);
        say(&format!(
            "{exporter} in {}: forgotten, with {} that it did not have\n",
            id.pipeline,
            words::count(behind, "record")
        ));
    }
    Ok(Exit::Ok)
}

fn nobody<'c>(
    exporter: &str,
    pipeline: Option<&str>,
    known: impl Iterator<Item = &'c CursorId>,
) -> String {
    let mut known: Vec<String> = known
        .map(|id| format!("{} in {}", id.exporter, id.pipeline))
        .collect();
    known.dedup();
    let of = pipeline.map_or_else(String::new, |pipeline| format!(" in {pipeline}"));
    let known = match known.as_slice() {
        [] => "there is no cursor at all".to_owned(),
        known => format!("there are {}", known.join(", ")),
    };
    format!("no exporter called {exporter} has a cursor{of} here: {known}")
}

/// What is gone from the log's end; nothing while an instance runs, whose cursors move on.
fn lost_end(directory: &Path, view: &View) -> std::io::Result<std::ops::Range<u64>> {
    let lost = view.lost_end()?;
    Ok(if Lock::is_held(directory) { 0..0 } else { lost })
}
