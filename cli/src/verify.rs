//! `sluice verify`: whether a ledger is what was signed, offline and without changing anything.

mod proofs;
mod report;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use sluice_ledger::{KeySource, Keys, Request, Verdict};

use crate::exit::Exit;
use crate::ledger_directory::{LedgerArguments, Located};
use crate::source::{complain, say};

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    /// File with the public keys to check signatures with, a vkey a line. Default: the one beside the signing key, which
    /// nothing outside the ledger vouches for.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// First record to read.
    #[arg(long, value_name = "N")]
    from_sequence: Option<u64>,
    /// Last record to read.
    #[arg(long, value_name = "N")]
    to_sequence: Option<u64>,
    /// A checkpoint kept from an earlier time: the log must have grown out of it, and only what came after is read.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from_sequence", "to_sequence"])]
    from_checkpoint: Option<PathBuf>,
    /// Prove that the ledger holds this record: writes a file that is checked with `--proof`, without the ledger.
    #[arg(long, value_name = "SEQUENCE", requires = "output", conflicts_with_all = ["from_sequence", "to_sequence", "from_checkpoint"])]
    prove: Option<u64>,
    /// The proof to write, FILE.tlog-proof.
    #[arg(long, value_name = "FILE", requires = "prove")]
    output: Option<PathBuf>,
    /// Prove that nothing was changed between two checkpoints of the ledger.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with_all = ["prove", "from_sequence", "to_sequence", "from_checkpoint"])]
    consistency: Option<Vec<PathBuf>>,
    /// Check a proof that `--prove` wrote. Needs no ledger.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prove", "consistency", "from_sequence", "to_sequence", "from_checkpoint"])]
    proof: Option<PathBuf>,
    /// With `--proof`: the record's bytes as an auditor has them, in the place of those in the proof.
    #[arg(long, value_name = "FILE", requires = "proof")]
    payload: Option<PathBuf>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// Verifies what is asked for: 0 whole, 1 broken, 2 could not check.
pub(crate) fn verify(arguments: &VerifyArguments) -> Exit {
    match checked(arguments) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn checked(arguments: &VerifyArguments) -> Result<Exit, Exit> {
    if let Some(proof) = &arguments.proof {
        // A proof stands for itself: the ledger's directory is only asked for a key.
        let keys = match &arguments.ledger {
            LedgerArguments {
                directory: None,
                config: None,
            } => keys(arguments, None)?,
            ledger => keys(arguments, Some(&ledger.locate()?))?,
        };
        return proofs::check(proof, arguments.payload.as_deref(), &keys, arguments.json);
    }
    let located = arguments.ledger.locate()?;
    let keys = keys(arguments, Some(&located))?;
    if let (Some(sequence), Some(output)) = (arguments.prove, &arguments.output) {
        return proofs::prove(&located.directory, &keys, sequence, output);
    }
    if let Some([old, new]) = arguments.consistency.as_deref() {
        return proofs::consistency(&located.directory, &keys, old, new, arguments.json);
    }
    log(arguments, &located, &keys)
}

/// The whole log, or a part of it.
fn log(arguments: &VerifyArguments, located: &Located, keys: &Keys) -> Result<Exit, Exit> {
    let from_checkpoint = arguments.from_checkpoint.as_deref().map(checkpoint);
    let request = Request {
        from_sequence: arguments.from_sequence,
        to_sequence: arguments.to_sequence,
        from_checkpoint: from_checkpoint.transpose()?,
    };
    let watch = watch::Watch::new();
    let found = sluice_ledger::verify(&located.directory, keys, &request, |progress| {
        watch.at(progress);
    });
    watch.finish();
    if arguments.json {
        say(&report::json(&located.directory, &found));
    } else {
        say(&report::text(&located.directory, &found));
    }
    Ok(match found.verdict {
        Verdict::Whole => Exit::Ok,
        Verdict::Broken => Exit::Runtime,
        Verdict::Incomplete => Exit::Unchecked,
    })
}

/// The keys that are given, or those beside the signing key. None is a finding, not an error.
fn keys(arguments: &VerifyArguments, located: Option<&Located>) -> Result<Keys, Exit> {
    if let Some(path) = &arguments.key {
        let text = text(path)?;
        return Keys::given(&text).map_err(|why| {
            complain(&format!("error: {}: {why}\n", path.display()));
            Exit::Unchecked
        });
    }
    let Some(located) = located else {
        return Ok(Keys::none());
    };
    match Keys::beside(&located.key) {
        Ok(keys) => Ok(keys),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Keys::none()),
        Err(error) => {
            let path = located.key.with_extension("pub");
            complain(&format!("error: {}: {error}\n", path.display()));
            Err(Exit::Unchecked)
        }
    }
}

/// The note in a file that someone kept.
fn checkpoint(path: &Path) -> Result<String, Exit> {
    sluice_ledger::read_checkpoint(&text(path)?).map_err(|error| {
        complain(&format!(
            "error: {} holds no checkpoint: {error}\n",
            path.display()
        ));
        Exit::Unchecked
    })
}

fn text(path: &Path) -> Result<String, Exit> {
    fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Exit {
    complain(&format!(
        "error: {} cannot be read: {error}\n",
        path.display()
    ));
    Exit::Unchecked
}

/// Says whose word the signatures stand for.
fn vouching(key: KeySource) -> Option<&'static str> {
    match key {
        KeySource::Given => None,
        KeySource::BesideTheLedger => Some(
            "the key lies beside the ledger: whoever could rewrite the one could rewrite the other, and nothing outside \
             anchors it. Keep the public key and checkpoints elsewhere, and give them with --key and --from-checkpoint",
        ),
        KeySource::None => Some("there was no key: who signed is not known"),
    }
}
