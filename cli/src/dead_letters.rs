//! `sluice dead-letters`: the records that destinations refused for good.

mod change;
mod which;

use clap::{Args, Subcommand};
use exporter_formats::{Format, RowInfo, Writer};
use serde_json::Value;
use sluice_batch::{Batch, Value as Attribute};
use sluice_ledger::Letter;

use crate::exit::Exit;
use crate::export::OutputArguments;
use crate::source::{complain, say};
use crate::table::table;
use crate::when;
use crate::words;
use which::Which;

/// Characters of a destination's answer in a table.
const REASON: usize = 70;

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
    /// Show one with its record, the destination's answer and the attempts, as JSON.
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Write their records to a file, each with `sluice.dead_letter.*` attributes that say what became of it.
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
        #[command(flatten)]
        all: All,
        /// Only mark them: the next `sluice run` sends them.
        #[arg(long)]
        later: bool,
    },
    /// Throw them away, for ever.
    Drop {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        all: All,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

/// That really all are meant.
#[derive(Debug, Args)]
pub(crate) struct All {
    /// All letters that the other arguments leave.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub(crate) fn dead_letters(command: &DeadLettersCommand) -> Exit {
    let result = match command {
        DeadLettersCommand::List { which, json } => list(which, *json),
        DeadLettersCommand::Show { which } => show(which),
        DeadLettersCommand::Export { which, output } => export(which, output),
        DeadLettersCommand::Retry { which, all, later } => change::retry(which, all.all, *later),
        DeadLettersCommand::Drop { which, all, yes } => change::drop_them(which, all.all, *yes),
    };
    match result {
        Ok(exit) | Err(Failure::Told(exit)) => exit,
        Err(Failure::Usage(why)) => {
            complain(&format!("error: {why}\n"));
            Exit::Usage
        }
        Err(Failure::Error(error)) => {
            complain(&format!("error: {error:#}\n"));
            Exit::Runtime
        }
    }
}

enum Failure {
    /// The user knows.
    Told(Exit),
    Usage(String),
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

fn list(which: &Which, json: bool) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    which.each(&which.directory()?, |letter, is_wanted| {
        if json {
            say(&format!("{}\n", facts(&letter, is_wanted)?));
        } else {
            let mut reason = words::shortened(&letter.reason, REASON);
            if is_wanted {
                reason = format!("(to be sent again) {reason}");
            }
            rows.push([
                words::plain(&letter.exporter),
                letter.sequence.to_string(),
                words::plain(&letter.pipeline),
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
            "EXPORTER",
            ">SEQUENCE",
            "PIPELINE",
            "REFUSED",
            ">ATTEMPTS",
            "REASON",
        ],
        &rows,
    ));
    Ok(Exit::Ok)
}

/// What a letter says of itself.
fn facts(letter: &Letter, is_wanted: bool) -> anyhow::Result<Value> {
    let mut facts = serde_json::to_value(letter)?;
    facts["refused_at"] = words::time(letter.refused_at).into();
    facts["to_be_sent_again"] = is_wanted.into();
    Ok(facts)
}

fn show(which: &Which) -> Result<Exit, Failure> {
    if which.numbers_named().count() != 1 {
        let why =
            "name one record by its number in the ledger: `sluice dead-letters list` shows them";
        return Err(Failure::Usage(why.into()));
    }
    which.each(&which.directory()?, |letter, is_wanted| {
        let mut facts = facts(&letter, is_wanted)?;
        facts["record"] = record(&letter)?;
        say(&format!("{}\n", serde_json::to_string_pretty(&facts)?));
        Ok(())
    })?;
    Ok(Exit::Ok)
}

/// The record as an export shows it.
fn record(letter: &Letter) -> anyhow::Result<Value> {
    let mut writer = Writer::new(Format::Ndjson, Vec::new())?;
    writer.write(&letter.batch()?, &[row(letter)])?;
    Ok(serde_json::from_slice(&writer.finish()?)?)
}

/// A letter does not know when its record was accepted, nor its place in the tree.
fn row(letter: &Letter) -> RowInfo<'_> {
    RowInfo {
        sequence: letter.sequence,
        pipeline: &letter.pipeline,
        leaf_hash: None,
        accepted_ns: 0,
    }
}

fn export(which: &Which, output: &OutputArguments) -> Result<Exit, Failure> {
    if let Some(why) = output.mistake() {
        return Err(Failure::Usage(why));
    }
    let directory = which.directory()?;
    let mut count = 0_u64;
    let mut told = None;
    let written = output.write(|writer| {
        let result = which.each(&directory, |letter, _| {
            writer.write(&with_reason(&letter)?, &[row(&letter)])?;
            count += 1;
            Ok(())
        });
        match result {
            Ok(()) => Ok(()),
            Err(Failure::Error(error)) => Err(error),
            // What was written until now must not get the file's name.
            Err(failure) => {
                told = Some(failure);
                Err(anyhow::anyhow!("told"))
            }
        }
    });
    if let Some(failure) = told {
        return Err(failure);
    }
    let ((), bytes) = written?;
    complain(&format!(
        "{} written{}\n",
        words::count(count, "record"),
        output.summary(bytes)
    ));
    Ok(Exit::Ok)
}

/// The record, and on it what became of it: a file of records without that would tell half.
fn with_reason(letter: &Letter) -> anyhow::Result<Batch> {
    let mut batch = letter.batch()?;
    let mut record = batch.record_mut(0);
    record.set(
        "sluice.dead_letter.exporter",
        Attribute::Str(&letter.exporter),
    );
    record.set("sluice.dead_letter.reason", Attribute::Str(&letter.reason));
    record.set(
        "sluice.dead_letter.attempts",
        Attribute::Int(letter.attempts.into()),
    );
    let refused = words::time(letter.refused_at);
    record.set("sluice.dead_letter.refused_at", Attribute::Str(&refused));
    Ok(batch)
}
