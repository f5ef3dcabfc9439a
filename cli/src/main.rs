//! The `sluice` program.

mod admin;
mod args;
mod components;
mod dead_letters;
mod diff;
mod erase;
mod exit;
mod export;
mod keys;
mod ledger_command;
mod ledger_directory;
mod logs;
mod lookup;
mod print_config;
mod registry;
mod reload;
mod replay;
mod run;
mod select;
mod send;
mod source;
mod table;
mod validate;
mod verify;
mod when;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};
use crate::exit::Exit;

// The hot path allocates per request and frees on another thread, which mimalloc does well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First of all, because a TLS configuration made without a process default would fail.
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();

    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            let exit = if usage.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            // Nothing can be done about a closed terminal.
            let _ = usage.print();
            return exit.into();
        }
    };
    let exit = match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Reload(arguments) => reload::reload(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Validate(arguments) => validate::validate(&arguments),
        Command::Components => components::components(),
        Command::PrintConfig(arguments) => print_config::print_config(&arguments),
        Command::Send(arguments) => send::send(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::DeadLetters(command) => dead_letters::dead_letters(&command),
        Command::Ledger(command) => ledger_command::ledger(&command),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Keys(command) => keys::keys(&command),
    };
    exit.into()
}
