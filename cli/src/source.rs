//! Reading the configuration file, and showing what is wrong with it.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sluice_config::{Diagnostics, MAX_BYTES, Source, Style};

use crate::exit::Exit;

/// The files as one configuration. Tells the user when one cannot be read.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Source, Exit> {
    texts(paths).map_err(|why| {
        complain(&format!("error: {why}\n"));
        Exit::Configuration
    })
}

/// The same; says why one cannot be read.
pub(crate) fn texts(paths: &[PathBuf]) -> Result<Source, String> {
    let sources: Result<Vec<Source>, String> = paths.iter().map(|path| text(path)).collect();
    Ok(Source::merged(&sources?))
}

fn text(path: &Path) -> Result<Source, String> {
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that the parser can say that it is too long.
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("{} is not UTF-8 text from byte {at} on", path.display())
    })?;
    Ok(Source::new(path.display().to_string(), text))
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
