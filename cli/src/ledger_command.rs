//! `sluice ledger`: what lies in a ledger, and mending it.

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};
use sluice_ledger::{CursorId, DamageReport, Ledger, Settings, View};

use crate::dead_letters::table;
use crate::exit::Exit;
use crate::ledger_directory::LedgerArguments;
use crate::select;
use crate::source::{complain, say};
use crate::when;

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
}

/// Runs the command.
pub(crate) fn ledger(command: &LedgerCommand) -> Exit {
    let result = match command {
        LedgerCommand::Inspect { ledger, json } => {
            ledger.directory().and_then(|d| inspect(&d, *json))
        }
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

/// Everything that is worth knowing, as JSON; the text is made of it too.
fn facts(directory: &Path, view: &View) -> std::io::Result<Value> {
    let range = view.sequences();
    let segments: Vec<Value> = view
        .segments()
        .iter()
        .map(|s| {
            let has_records = s.times.0 <= s.times.1;
            let time = |nanos| has_records.then(|| when::show(nanos));
            json!({
                "first": s.first, "end": s.end, "bytes": s.len, "sealed": s.is_sealed,
                "oldest_event": time(s.times.0), "newest_event": time(s.times.1), "accepted": when::show(s.accepted),
            })
        })
        .collect();
    let cursors: Vec<Value> = view
        .cursors()?
        .into_iter()
        .map(|(id, state)| {
            json!({
                "pipeline": &*id.pipeline, "exporter": &*id.exporter, "position": state.cursor.low(),
                "behind": range.end.saturating_sub(state.cursor.low()), "gaps": state.cursor.gaps(),
                "lost": state.lost, "orphaned_since": state.orphaned.map(when::show),
            })
        })
        .collect();
    let letters: serde_json::Map<String, Value> = view
        .dead_letters()?
        .counts()
        .into_iter()
        .map(|(exporter, n)| (exporter.to_string(), n.into()))
        .collect();
    let checkpoints = view.checkpoints().unwrap_or_default();
    let newest = checkpoints.last().map(|signed| {
        let read = signed.read().ok();
        json!({
            "time": when::show(signed.time), "origin": read.as_ref().map(|c| c.origin().to_owned()),
            "size": read.as_ref().map(sluice_evidence::Checkpoint::size),
        })
    });
    Ok(json!({
        "directory": directory.display().to_string(),
        "running": crate::admin::client::is_running(directory),
        "origin": view.epoch()?.map(|e| e.origin()),
        "first": range.start, "end": range.end, "records": range.end - range.start,
        "bytes": view.segments().iter().map(|s| s.len).sum::<u64>(),
        "segments": segments, "cursors": cursors, "dead_letters": letters,
        "checkpoints": checkpoints.len(), "newest_checkpoint": newest,
        "damages": view.report().damages,
    }))
}

fn inspect(directory: &Path, as_json: bool) -> Result<Exit, Exit> {
    let view = select::open(directory)?;
    let facts = facts(directory, &view).map_err(failed)?;
    if as_json {
        let text = serde_json::to_string_pretty(&facts).map_err(failed)?;
        say(&format!("{text}\n"));
    } else {
        say(&text(&facts));
    }
    Ok(Exit::Ok)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text(facts: &Value) -> String {
    let list = |key: &str| facts[key].as_array().cloned().unwrap_or_default();
    let bytes = indicatif::HumanBytes(facts["bytes"].as_u64().unwrap_or(0));
    let segments = list("segments");
    let mut text = format!(
        "{}{}\n  log          {}\n  records      {} (numbers {} to {}), {bytes} in {} segment{}\n",
        cell(&facts["directory"]),
        if facts["running"] == true {
            ", in use by a running instance"
        } else {
            ""
        },
        cell(&facts["origin"]),
        cell(&facts["records"]),
        cell(&facts["first"]),
        facts["end"].as_u64().unwrap_or(0).saturating_sub(1),
        segments.len(),
        if segments.len() == 1 { "" } else { "s" },
    );
    if let (Some(first), Some(last)) = (segments.first(), segments.last()) {
        text += &format!(
            "  events from  {}\n  events to    {}\n",
            cell(&first["oldest_event"]),
            cell(&last["newest_event"])
        );
    }
    let newest = &facts["newest_checkpoint"];
    text += &format!(
        "  checkpoints  {}{}\n",
        cell(&facts["checkpoints"]),
        if newest.is_null() {
            String::new()
        } else {
            format!(
                ", the newest of {} over {} records",
                cell(&newest["time"]),
                cell(&newest["size"])
            )
        }
    );
    let rows: Vec<[String; 6]> = list("cursors")
        .iter()
        .map(|c| {
            [
                "exporter",
                "pipeline",
                "position",
                "behind",
                "lost",
                "orphaned_since",
            ]
            .map(|key| cell(&c[key]))
        })
        .collect();
    text.push('\n');
    text += &table(
        [
            "EXPORTER",
            "PIPELINE",
            "POSITION",
            "BEHIND",
            "LOST",
            "ORPHANED SINCE",
        ],
        &rows,
    );
    let letters = facts["dead_letters"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    if !letters.is_empty() {
        let rows: Vec<[String; 2]> = letters
            .iter()
            .map(|(exporter, n)| [exporter.clone(), cell(n)])
            .collect();
        text.push('\n');
        text += &table(["EXPORTER", "DEAD LETTERS"], &rows);
    }
    for damage in list("damages") {
        text += &format!(
            "\ndamage: {}: {}",
            cell(&damage["file"]),
            cell(&damage["what"])
        );
    }
    text.trim_end().to_owned() + "\n"
}

fn repair(directory: &Path) -> Result<Exit, Exit> {
    let mut settings = Settings::new(directory);
    // Nothing is to be deleted and nothing to be signed by a repair.
    settings.retention.time = std::time::Duration::MAX;
    settings.retention.bytes = u64::MAX;
    settings.max_bytes = u64::MAX;
    settings.integrity = sluice_ledger::Integrity::Off;
    let ledger = Ledger::open(settings).map_err(failed)?;
    let damages: Vec<DamageReport> = ledger.report().damages.clone();
    ledger.close();
    let mut is_lost = false;
    for damage in &damages {
        let mut line = format!("{}: {}", damage.file, damage.what);
        if let Some(sequences) = &damage.sequences {
            is_lost = true;
            line += &format!(
                "; records {} to {} are lost",
                sequences.start,
                sequences.end.saturating_sub(1)
            );
        }
        if let Some(copy) = &damage.quarantine {
            line += &format!("; the bytes are in {copy}");
        }
        say(&format!("{line}\n"));
    }
    if damages.is_empty() {
        say("nothing to repair\n");
    }
    Ok(if is_lost { Exit::Runtime } else { Exit::Ok })
}

fn forget(
    directory: &Path,
    exporter: &str,
    pipeline: Option<&str>,
    force: bool,
) -> Result<Exit, Exit> {
    let mut settings = Settings::new(directory);
    settings.integrity = sluice_ledger::Integrity::Off;
    let ledger = Ledger::open(settings).map_err(failed)?;
    let found: Vec<(CursorId, bool)> = ledger
        .cursors()
        .into_iter()
        .filter(|(id, _)| &*id.exporter == exporter && pipeline.is_none_or(|p| *id.pipeline == *p))
        .map(|(id, state)| (id, state.orphaned.is_some()))
        .collect();
    let result = (|| {
        if found.is_empty() {
            return Err(failed(format!(
                "no exporter called {exporter} has a cursor here"
            )));
        }
        for (id, is_orphaned) in found {
            if !is_orphaned && !force {
                return Err(failed(format!(
                    "{exporter} was configured when Sluice ran last: remove it from the file and run once, or add --force"
                )));
            }
            ledger.forget(&id).map_err(failed)?;
            say(&format!("{exporter} in {}: forgotten\n", id.pipeline));
        }
        Ok(Exit::Ok)
    })();
    ledger.close();
    result
}
