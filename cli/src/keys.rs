//! `sluice keys`: the keys that sign checkpoints.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::source::{complain, say};

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key that signs a ledger's checkpoints, and beside it the public half that checks them.
    Generate(GenerateArguments),
}

#[derive(Debug, Args)]
pub(crate) struct GenerateArguments {
    /// The log's identity without its epoch, such as example.com/audit/node1; the same as `service.ledger.origin`.
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// The file for the secret, which only its owner may read; the public half gets the extension `.pub`.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs one of the commands.
pub(crate) fn keys(command: &KeysCommand) -> Exit {
    let KeysCommand::Generate(arguments) = command;
    let (path, origin) = (&arguments.output, &arguments.origin);
    match sluice_ledger::make_key(path, origin) {
        Ok(key) => {
            say(&format!(
                "{}\n{}: the secret; set `service.ledger.key` to it and `service.ledger.origin` to {origin}\n\
                 {}: the public half, which the first line shows; give it to whoever verifies, outside this machine\n",
                key.verifying_key(),
                path.display(),
                path.with_extension("pub").display()
            ));
            Exit::Ok
        }
        Err(error) => {
            let why = if error.kind() == std::io::ErrorKind::AlreadyExists {
                "the file is there already, and no key is overwritten".to_owned()
            } else {
                error.to_string()
            };
            complain(&format!("error: {}: {why}\n", path.display()));
            Exit::Runtime
        }
    }
}
