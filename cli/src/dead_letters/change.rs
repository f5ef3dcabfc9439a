//! Sending letters again, and dropping them: by the instance that runs on the ledger, or else under its lock.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use sluice_ledger::{DeadLetters, Lock, Outcome};

use super::Failure;
use super::which::{Which, must_be_asked_for, none};
use crate::admin::{LettersRequest, client};
use crate::exit::Exit;
use crate::replay::{self, Order};
use crate::select;
use crate::source::{complain, say};
use crate::words;

/// Numbers in one request to a running instance: it takes no body over 2 MiB.
const AT_A_TIME: usize = 50_000;

/// Sends letters again.
pub(super) fn retry(which: &Which, all: bool, later: bool) -> Result<Exit, Failure> {
    must_be_asked_for(which, all)?;
    let directory = which.directory()?;
    let numbers = which.numbers(&directory)?;
    if numbers.is_empty() {
        return Ok(none());
    }
    if later {
        if let Some(process) = Lock::holder(&directory) {
            let error = anyhow::anyhow!(
                "{} is in use by process {process}: without --later that one sends them now; or stop it first",
                directory.display()
            );
            return Err(error.into());
        }
        let (_lock, letters) = locked(&directory)?;
        for (exporter, sequences) in numbers {
            letters.want(&exporter.as_str().into(), &sequences)?;
            say(&format!(
                "{exporter}: {} marked; the next `sluice run` sends {}\n",
                words::count(sequences.len() as u64, "letter"),
                if sequences.len() == 1 { "it" } else { "them" }
            ));
        }
        return Ok(Exit::Ok);
    }
    let orders = numbers.iter().map(|(exporter, sequences)| {
        let requests = sequences.chunks(AT_A_TIME).map(|sequences| LettersRequest {
            exporter: exporter.clone(),
            sequences: sequences.to_vec(),
        });
        Order::Letters(requests.collect())
    });
    Ok(replay::run(&directory, &which.config, orders.collect()))
}

/// Drops letters for ever.
pub(super) fn drop_them(which: &Which, all: bool, yes: bool) -> Result<Exit, Failure> {
    must_be_asked_for(which, all)?;
    let directory = which.directory()?;
    let numbers = which.numbers(&directory)?;
    if numbers.is_empty() {
        return Ok(none());
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            let why = "there is no terminal to ask on: add --yes to drop them";
            return Err(Failure::Usage(why.into()));
        }
        if !is_confirmed(&numbers)? {
            complain("nothing was dropped\n");
            return Ok(Exit::Runtime);
        }
    }
    let locked = (!client::is_running(&directory))
        .then(|| locked(&directory))
        .transpose()?;
    for (exporter, sequences) in numbers {
        let dropped = match &locked {
            Some((_lock, letters)) => {
                letters.resolve(&exporter.as_str().into(), &sequences, Outcome::Dropped)?;
                sequences.len() as u64
            }
            None => drop_by_running(&directory, &exporter, &sequences)?,
        };
        say(&format!(
            "{exporter}: {} dropped\n",
            words::count(dropped, "letter")
        ));
    }
    Ok(Exit::Ok)
}

/// Has the running instance drop them; says how many it knew.
fn drop_by_running(directory: &Path, exporter: &str, sequences: &[u64]) -> anyhow::Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut dropped = 0;
    for sequences in sequences.chunks(AT_A_TIME) {
        let request = LettersRequest {
            exporter: exporter.to_owned(),
            sequences: sequences.to_vec(),
        };
        dropped += runtime.block_on(async {
            let answer = client::post(directory, "/api/v1/dead-letters/drop", &request).await?;
            let answer: serde_json::Value = serde_json::from_slice(&answer.bytes().await?)?;
            answer["dropped"]
                .as_u64()
                .context("the running instance is of another version")
        })?;
    }
    Ok(dropped)
}

/// The letters for writing, while no process runs.
fn locked(directory: &Path) -> Result<(Lock, DeadLetters), Failure> {
    let lock = Lock::take(directory)?;
    let letters = select::open(directory)?.dead_letters_to_change(&lock)?;
    Ok((lock, letters))
}

fn is_confirmed(numbers: &[(String, Vec<u64>)]) -> anyhow::Result<bool> {
    let count: usize = numbers.iter().map(|(_, of_it)| of_it.len()).sum();
    let exporters: Vec<_> = numbers.iter().map(|(e, _)| words::plain(e)).collect();
    complain(&format!(
        "{} of {} will be gone for ever. Type `drop` to go on: ",
        words::count(count as u64, "dead letter"),
        exporters.join(", ")
    ));
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "drop")
}
