//! Which letters a command means.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use sluice_ledger::Letter;

use super::Failure;
use crate::exit::Exit;
use crate::ledger_directory::{DEFAULT_CONFIG, ledger_directory};
use crate::select::{self, SelectArguments};
use crate::words;

/// Which letters.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The ledger's directory [default: that of the configuration file], and numbers of records in it. A directory whose
    /// name is a number is written `./7`.
    #[arg(value_name = "LEDGER_DIR | SEQUENCE")]
    words: Vec<Word>,
    /// The configuration file that says where the ledger lies.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(super) config: PathBuf,
    #[command(flatten)]
    select: SelectArguments,
    /// Only those of this exporter: its id in the file, or one destination of it (`siem_bridge[…]`).
    #[arg(long, value_name = "ID")]
    exporter: Option<String>,
    /// As SEQUENCE.
    #[arg(long = "sequence", value_name = "N", hide = true)]
    sequences: Vec<u64>,
}

/// A word on the command line: all digits, or a directory.
#[derive(Clone, Debug)]
enum Word {
    Sequence(u64),
    Directory(PathBuf),
}

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self::Directory(text.into()));
        }
        text.parse()
            .map(Self::Sequence)
            .map_err(|_| "no record has such a number".to_owned())
    }
}

impl Which {
    /// The numbers that are named.
    pub(super) fn numbers_named(&self) -> impl Iterator<Item = u64> {
        let words = self.words.iter().filter_map(|word| match word {
            Word::Sequence(sequence) => Some(*sequence),
            Word::Directory(_) => None,
        });
        words.chain(self.sequences.iter().copied())
    }

    /// Whether anything narrows the letters down.
    pub(super) fn is_narrow(&self) -> bool {
        self.exporter.is_some() || self.select.is_any() || self.numbers_named().next().is_some()
    }

    /// The ledger's directory.
    pub(super) fn directory(&self) -> Result<PathBuf, Failure> {
        let mut directories = self.words.iter().filter_map(|word| match word {
            Word::Directory(directory) => Some(directory.as_path()),
            Word::Sequence(_) => None,
        });
        let first = directories.next();
        if let Some(second) = directories.next() {
            let why = format!("`{}` is a second directory: name one", second.display());
            return Err(Failure::Usage(why));
        }
        Ok(ledger_directory(first, &self.config)?)
    }

    fn is_of(&self, exporter: &str) -> bool {
        self.exporter.as_deref().is_none_or(|only| {
            let rest = exporter.strip_prefix(only);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        })
    }

    /// The letters that are meant, exporter by exporter, oldest first, and whether each is to be sent again. One at a
    /// time is in memory.
    pub(super) fn each(
        &self,
        directory: &Path,
        mut see: impl FnMut(Letter, bool) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let selection = self.select.selection()?;
        let letters = select::open(directory)?
            .dead_letters()
            .context("the dead letters cannot be read")?;
        let named: BTreeSet<u64> = self.numbers_named().collect();
        let exporters: Vec<_> = letters
            .counts()
            .into_keys()
            .filter(|exporter| self.is_of(exporter))
            .collect();
        // All of the named ones, or nothing: a mistyped number must not pass in silence.
        let mut missing = named.clone();
        for exporter in &exporters {
            for sequence in letters.sequences(exporter) {
                missing.remove(&sequence);
            }
        }
        if let Some(first) = missing.first() {
            let of = self
                .exporter
                .as_deref()
                .map_or_else(String::new, |exporter| {
                    format!(" of {}", words::plain(exporter))
                });
            let error = anyhow::anyhow!(
                "record {first} is no dead letter{of}: `sluice dead-letters list` shows them"
            );
            return Err(error.into());
        }
        for exporter in &exporters {
            let wanted: BTreeSet<u64> = letters.wanted(exporter).into_iter().collect();
            for sequence in letters.sequences(exporter) {
                if !named.is_empty() && !named.contains(&sequence) {
                    continue;
                }
                let letter = letters
                    .letter(exporter, sequence)
                    .context("a dead letter cannot be read")?;
                let batch = letter.batch()?;
                if selection.takes(batch.record(0), letter.refused_at) {
                    see(letter, wanted.contains(&sequence))?;
                }
            }
        }
        Ok(())
    }

    /// Their numbers by exporter.
    pub(super) fn numbers(&self, directory: &Path) -> Result<Vec<(String, Vec<u64>)>, Failure> {
        let mut numbers: Vec<(String, Vec<u64>)> = Vec::new();
        self.each(directory, |letter, _| {
            match numbers.last_mut() {
                Some((exporter, of_it)) if *exporter == letter.exporter => {
                    of_it.push(letter.sequence);
                }
                _ => numbers.push((letter.exporter, vec![letter.sequence])),
            }
            Ok(())
        })?;
        Ok(numbers)
    }
}

/// Refuses a change of all letters that nobody has asked for in so many words.
pub(super) fn must_be_asked_for(which: &Which, all: bool) -> Result<(), Failure> {
    if all || which.is_narrow() {
        return Ok(());
    }
    let why = "which letters? Name records by their numbers, narrow them down with --exporter, --where, --from or --to, or write --all";
    Err(Failure::Usage(why.into()))
}

/// Nothing to do is no failure.
pub(super) fn none() -> Exit {
    crate::source::say("no dead letters\n");
    Exit::Ok
}
