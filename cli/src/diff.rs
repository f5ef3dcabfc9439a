//! `sluice diff`.

use std::path::PathBuf;

use clap::Args;

use crate::exit::Exit;
use crate::ledger_directory::read_plan;
use crate::run::describe;
use crate::source::say;

#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The file that runs.
    pub(crate) old: PathBuf,
    /// The file that is to run.
    pub(crate) new: PathBuf,
}

/// Says what a reload from one file to the other would do. Touches nothing.
pub(crate) fn diff(arguments: &DiffArguments) -> Exit {
    let plans = read_plan(&arguments.old).and_then(|old| Ok((old, read_plan(&arguments.new)?)));
    let (old, new) = match plans {
        Ok(plans) => plans,
        Err(exit) => return exit,
    };
    let changes = new.changes_from(&old, &|_| false);
    for line in describe(&changes) {
        say(&format!("{line}\n"));
    }
    if let Err(error) = sluice_engine::ledger_adjusted(&old.ledger, &new.ledger) {
        say(&format!("{error}: a running instance refuses this file\n"));
    }
    let [kept, changed, added, removed] = changes.counts();
    say(&format!(
        "{kept} kept, {changed} changed, {added} added, {removed} removed\n"
    ));
    Exit::Ok
}
