//! `sluice dead-letters`: the records that destinations refused for good.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use exporter_formats::{Format, RowInfo, Writer};
use sluice_ledger::{Letter, Outcome};

use crate::admin::{LettersRequest, client};
use crate::exit::Exit;
use crate::export::OutputArguments;
use crate::ledger_directory::LedgerArguments;
use crate::replay::{self, Order};
use crate::select::{self, SelectArguments, Selection};
use crate::source::{complain, say};
use crate::when;

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Show them as a table.
    List {
        #[command(flatten)]
        which: Which,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one with its record, the destination's answer and the attempts.
    Show {
        /// The record's number in the ledger.
        sequence: u64,
        #[command(flatten)]
        which: Which,
    },
    /// Write their records to a file.
    Export {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Send them once more: now, by the running instance or by this process.
    Retry {
        #[command(flatten)]
        which: Which,
        /// Only mark them: the next `sluice run` sends them.
        #[arg(long)]
        later: bool,
    },
    /// Throw them away, for ever.
    Drop {
        #[command(flatten)]
        which: Which,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// Which letters.
#[derive(Debug, Args)]
pub(crate) struct Which {
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    select: SelectArguments,
    /// Only those of this exporter.
    #[arg(long, value_name = "ID")]
    exporter: Option<String>,
    /// Only these records, by their numbers in the ledger.
    #[arg(long = "sequence", value_name = "N")]
    sequences: Vec<u64>,
}

/// Runs the command.
pub(crate) fn dead_letters(command: &DeadLettersCommand) -> Exit {
    let result = match command {
        DeadLettersCommand::List { which, json } => list(which, *json),
        DeadLettersCommand::Show { sequence, which } => show(which, *sequence),
        DeadLettersCommand::Export { which, output } => export(which, output),
        DeadLettersCommand::Retry { which, later } => retry(which, *later),
        DeadLettersCommand::Drop { which, yes } => drop_them(which, *yes),
    };
    match result {
        Ok(exit) => exit,
        Err(Failure::Told(exit)) => exit,
        Err(Failure::Error(error)) => {
            complain(&format!("error: {error:#}\n"));
            Exit::Runtime
        }
    }
}

enum Failure {
    /// The user knows.
    Told(Exit),
    Error(anyhow::Error),
}

impl From<Exit> for Failure {
    fn from(exit: Exit) -> Self {
        Self::Told(exit)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Which {
    /// The letters that are meant, exporter by exporter, oldest first. One at a time is in memory.
    fn each(
        &self,
        directory: &Path,
        mut see: impl FnMut(Letter) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let selection: Selection = self.select.selection()?;
        let letters = select::open(directory)?
            .dead_letters()
            .context("the dead letters cannot be read")?;
        let wanted: BTreeSet<u64> = self.sequences.iter().copied().collect();
        for exporter in letters.counts().into_keys() {
            if self
                .exporter
                .as_deref()
                .is_some_and(|only| only != &*exporter)
            {
                continue;
            }
            for sequence in letters.sequences(&exporter) {
                if !wanted.is_empty() && !wanted.contains(&sequence) {
                    continue;
                }
                let letter = letters
                    .letter(&exporter, sequence)
                    .context("a dead letter cannot be read")?;
                let batch = letter.batch()?;
                if selection.takes(batch.record(0), letter.refused_at) {
                    see(letter)?;
                }
            }
        }
        Ok(())
    }

    /// Their numbers by exporter.
    fn numbers(&self, directory: &Path) -> Result<Vec<(String, Vec<u64>)>, Failure> {
        let mut numbers: Vec<(String, Vec<u64>)> = Vec::new();
        self.each(directory, |letter| {
            match numbers.last_mut() {
                Some((exporter, of_it)) if *exporter == letter.exporter => {
                    of_it.push(letter.sequence)
                }
                _ => numbers.push((letter.exporter, vec![letter.sequence])),
            }
            Ok(())
        })?;
        Ok(numbers)
    }
}

fn list(which: &Which, json: bool) -> Result<Exit, Failure> {
    let directory = which.ledger.directory()?;
    let mut rows = Vec::new();
    which.each(&directory, |letter| {
        if json {
            say(&format!("{}\n", serde_json::to_string(&letter)?));
        } else {
            let reason: String = letter.reason.chars().take(70).collect();
            rows.push([
                letter.exporter,
                letter.sequence.to_string(),
                letter.pipeline,
                when::show(letter.refused_at),
                letter.attempts.to_string(),
                reason,
            ]);
        }
        Ok(())
    })?;
    if json {
        return Ok(Exit::Ok);
    }
    if rows.is_empty() {
        say("no dead letters\n");
        return Ok(Exit::Ok);
    }
    say(&table(
        [
            "EXPORTER", "SEQUENCE", "PIPELINE", "REFUSED", "ATTEMPTS", "REASON",
        ],
        &rows,
    ));
    Ok(Exit::Ok)
}

/// Columns as wide as their widest cell; the last one is not padded.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let mut line = |cells: [&str; N]| {
        for (i, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if i + 1 == N {
                let _ = writeln!(text, "{cell}");
            } else {
                let _ = write!(text, "{cell:width$}  ");
            }
        }
    };
    line(head);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
    text
}

fn show(which: &Which, sequence: u64) -> Result<Exit, Failure> {
    let directory = which.ledger.directory()?;
    let letters = select::open(&directory)?.dead_letters()?;
    let mut found = false;
    for exporter in letters.counts().into_keys() {
        let is_meant = which
            .exporter
            .as_deref()
            .is_none_or(|only| only == &*exporter);
        if !is_meant || !letters.sequences(&exporter).contains(&sequence) {
            continue;
        }
        found = true;
        let letter = letters.letter(&exporter, sequence)?;
        let mut facts = serde_json::to_value(&letter)?;
        facts["record"] = record(&letter)?;
        say(&format!("{}\n", serde_json::to_string_pretty(&facts)?));
    }
    if found {
        return Ok(Exit::Ok);
    }
    complain(&format!("error: record {sequence} is no dead letter\n"));
    Ok(Exit::Runtime)
}

/// The record as an export shows it.
fn record(letter: &Letter) -> anyhow::Result<serde_json::Value> {
    let mut writer = Writer::new(Format::Ndjson, Vec::new())?;
    writer.write(&letter.batch()?, &[row(letter)])?;
    Ok(serde_json::from_slice(&writer.finish()?)?)
}

fn row(letter: &Letter) -> RowInfo<'_> {
    RowInfo {
        sequence: letter.sequence,
        pipeline: &letter.pipeline,
        leaf_hash: None,
        accepted_ns: letter.refused_at,
    }
}

fn export(which: &Which, output: &OutputArguments) -> Result<Exit, Failure> {
    let directory = which.ledger.directory()?;
    let mut count = 0_u64;
    let mut told = None;
    let written = output.write(|writer| {
        let result = which.each(&directory, |letter| {
            writer.write(&letter.batch()?, &[row(&letter)])?;
            count += 1;
            Ok(())
        });
        match result {
            Ok(()) => Ok(()),
            Err(Failure::Error(error)) => Err(error),
            Err(Failure::Told(exit)) => {
                told = Some(exit);
                Ok(())
            }
        }
    });
    if let Some(exit) = told {
        return Ok(exit);
    }
    written?;
    complain(&format!("{count} records written{}\n", output.summary()));
    Ok(Exit::Ok)
}

fn retry(which: &Which, later: bool) -> Result<Exit, Failure> {
    let directory = which.ledger.directory()?;
    let numbers = which.numbers(&directory)?;
    if numbers.is_empty() {
        say("no dead letters\n");
        return Ok(Exit::Ok);
    }
    let mut worst = Exit::Ok;
    for (exporter, sequences) in numbers {
        if later {
            let count = sequences.len();
            let letters = locked(&directory)?;
            let exporter: Arc<str> = exporter.into();
            letters.1.want(&exporter, &sequences)?;
            say(&format!(
                "{exporter}: {count} marked; the next `sluice run` sends them\n"
            ));
            continue;
        }
        complain(&format!("{exporter}: "));
        let request = LettersRequest {
            exporter,
            sequences,
        };
        let exit = replay::run(&directory, &which.ledger.config, Order::Letters(request));
        if exit != Exit::Ok {
            worst = exit;
        }
    }
    Ok(worst)
}

fn drop_them(which: &Which, yes: bool) -> Result<Exit, Failure> {
    let directory = which.ledger.directory()?;
    let numbers = which.numbers(&directory)?;
    let count: usize = numbers.iter().map(|(_, of_it)| of_it.len()).sum();
    if count == 0 {
        say("no dead letters\n");
        return Ok(Exit::Ok);
    }
    if !yes && !confirmed(count)? {
        complain("nothing was dropped\n");
        return Ok(Exit::Usage);
    }
    for (exporter, sequences) in numbers {
        let of_it = sequences.len();
        if client::is_running(&directory) {
            let request = LettersRequest {
                exporter: exporter.clone(),
                sequences,
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(client::post(
                &directory,
                "/api/v1/dead-letters/drop",
                &request,
            ))?;
        } else {
            let letters = locked(&directory)?;
            letters
                .1
                .resolve(&exporter.as_str().into(), &sequences, Outcome::Dropped)?;
        }
        say(&format!("{exporter}: {of_it} dropped\n"));
    }
    Ok(Exit::Ok)
}

/// The letters for writing, while no process runs.
fn locked(directory: &Path) -> anyhow::Result<(sluice_ledger::Lock, sluice_ledger::DeadLetters)> {
    let lock = sluice_ledger::Lock::take(directory)?;
    let letters = select::open(directory)
        .map_err(|_| anyhow::anyhow!("nothing was changed"))?
        .dead_letters_to_change(&lock)?;
    Ok((lock, letters))
}

fn confirmed(count: usize) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        complain("error: add --yes to drop letters without a terminal to ask on\n");
        return Ok(false);
    }
    complain(&format!(
        "{count} dead letters will be gone for ever. Type `drop` to go on: "
    ));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "drop")
}
