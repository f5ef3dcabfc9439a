//! Where `${env:NAME}` and `${file:PATH}` come from: the only place that reads the environment.

use std::fs::File;
use std::io::Read as _;

use sluice_config::Lookup;

/// Longest file that `${file:PATH}` reads, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The process's environment, and files relative to its working directory.
#[derive(Debug)]
pub(crate) struct Surroundings;

impl Lookup for Surroundings {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let mut text = String::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(|error| error.to_string())?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(format!("it is longer than {MAX_FILE_BYTES} bytes"));
        }
        Ok(text)
    }
}
