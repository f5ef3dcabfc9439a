//! `sluice print-config`.

use crate::args::FileArguments;
use crate::exit::Exit;
use crate::lookup::Surroundings;
use crate::source::{self, complain, count, say, show};

/// Prints a valid file as it is understood, with its secrets hidden. Of an invalid one, says what is wrong.
pub(crate) fn print_config(arguments: &FileArguments) -> Exit {
    let source = match source::read(&arguments.files) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    match sluice_config::print(&source, &crate::registry::registry(), &Surroundings) {
        Ok(text) => {
            say(&text);
            Exit::Ok
        }
        Err(errors) => {
            show(&errors);
            complain(&format!("{}: {}\n", source.name(), count(&errors)));
            Exit::Configuration
        }
    }
}
