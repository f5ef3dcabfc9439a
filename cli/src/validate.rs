//! `sluice validate`.

use sluice_config::Plan;

use crate::args::ValidateArguments;
use crate::exit::Exit;
use crate::lookup::Surroundings;
use crate::source::{self, complain, count, say, show};

/// Checks a file. Findings go to standard error, the verdict on a good file to standard output.
pub(crate) fn validate(arguments: &ValidateArguments) -> Exit {
    let source = match source::read(&arguments.of.files) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let (found, verdict) = match Plan::read(&source, &crate::registry::registry(), &Surroundings) {
        Ok(plan) => {
            let pipelines = plan
                .pipelines
                .iter()
                .map(|pipeline| pipeline.id.to_string())
                .collect::<Vec<_>>()
                .join(", ");
            (
                plan.warnings,
                Some(format!(
                    "{}: valid; pipelines: {pipelines}\n",
                    source.name()
                )),
            )
        }
        Err(errors) => (errors, None),
    };
    if arguments.one_line && !found.is_empty() {
        complain(&format!("{found}\n"));
    } else if !found.is_empty() {
        show(&found);
        complain(&format!("{}: {}\n", source.name(), count(&found)));
    }
    match verdict {
        Some(verdict) => {
            say(&verdict);
            Exit::Ok
        }
        None => Exit::Configuration,
    }
}
