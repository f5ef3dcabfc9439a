//! Reading the configuration file, and showing what is wrong with it.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use sluice_config::{Diagnostics, MAX_BYTES, Source, Style};

use crate::exit::Exit;

/// The file's text. Tells the user when there is none.
pub(crate) fn read(path: &Path) -> Result<Source, Exit> {
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that the parser can say that it is too long.
    let read =
        File::open(path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        complain(&format!(
            "error: {} cannot be read: {error}\n",
            path.display()
        ));
        return Err(Exit::Configuration);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(path.display().to_string(), text)),
        Err(error) => {
            complain(&format!(
                "error: {} is not UTF-8 text from byte {} on\n",
                path.display(),
                error.utf8_error().valid_up_to()
            ));
            Err(Exit::Configuration)
        }
    }
}

/// Shows findings on standard error, in colour when somebody watches.
pub(crate) fn show(diagnostics: &Diagnostics) {
    let in_colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    complain(&diagnostics.render(if in_colour {
        Style::Colour
    } else {
        Style::Plain
    }));
}

/// `2 errors, 1 warning`.
pub(crate) fn count(diagnostics: &Diagnostics) -> String {
    let plural =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match (diagnostics.errors(), diagnostics.warnings()) {
        (errors, 0) => plural(errors, "error"),
        (0, warnings) => plural(warnings, "warning"),
        (errors, warnings) => format!(
            "{}, {}",
            plural(errors, "error"),
            plural(warnings, "warning")
        ),
    }
}

/// Writes to standard error. A closed one is nobody listening, which is no failure.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes to standard output. A closed pipe (`| head`) is no failure.
pub(crate) fn say(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
