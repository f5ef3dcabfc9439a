//! `sluice ledger erase`: takes records out of a ledger whose instance is stopped.

use clap::Args;

use crate::exit::Exit;
use crate::ledger_directory::LedgerArguments;
use crate::source::{complain, say};

#[derive(Debug, Args)]
pub(crate) struct EraseArguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    /// Sequence numbers of the records; may be given several times, or several with commas.
    #[arg(long, value_name = "N", required = true, value_delimiter = ',')]
    sequence: Vec<u64>,
    /// Why, for the log: a ticket, a name. It is kept in clear text for good, so nothing personal belongs in it.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Erases records for good, and puts on record that it did.
pub(crate) fn erase(arguments: &EraseArguments) -> Exit {
    let located = match arguments.ledger.locate() {
        Ok(located) => located,
        Err(exit) => return exit,
    };
    if arguments.reason.trim().is_empty() {
        complain("error: --reason is empty: the log must say why\n");
        return Exit::Usage;
    }
    let sequences = arguments.sequence.iter().copied().collect();
    match sluice_ledger::erase(&located.directory, &sequences, &arguments.reason) {
        Ok(erased) => {
            let numbers: Vec<String> = erased.sequences.iter().map(u64::to_string).collect();
            say(&format!(
                "{}: erased {}; record {} says so and why, and the next checkpoint covers it\n",
                located.directory.display(),
                numbers.join(", "),
                erased.recorded_as
            ));
            if erased.dead_letters > 0 {
                let letters = if erased.dead_letters == 1 {
                    "letter"
                } else {
                    "letters"
                };
                say(&format!(
                    "{} dead {letters} erased too\n",
                    erased.dead_letters
                ));
            }
            for id in &erased.undelivered {
                say(&format!(
                    "note: {} in {} had not delivered all of them, and will not\n",
                    id.exporter, id.pipeline
                ));
            }
            say("note: copies at destinations, in backups and in quarantine/ are not touched\n");
            Exit::Ok
        }
        Err(error) => {
            complain(&format!("error: {error}\n"));
            Exit::Runtime
        }
    }
}
