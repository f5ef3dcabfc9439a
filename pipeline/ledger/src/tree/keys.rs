//! The key that signs checkpoints: made at first start unless one is given.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sluice_evidence::SigningKey;

/// Reads a key file.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] without it; [`io::ErrorKind::InvalidData`] when it is no key.
pub fn load_key(path: &Path) -> io::Result<SigningKey> {
    let text = fs::read_to_string(path)?;
    SigningKey::from_secret_text(text.trim_end()).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{}: {error}", path.display()),
        )
    })
}

/// Makes a key and two files: `path`, which only its owner may read, and `path.pub` with the text that checks it.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] rather than to overwrite a key; a name that no key may have.
pub fn make_key(path: &Path, name: &str) -> io::Result<SigningKey> {
    let invalid = |error: sluice_evidence::KeyError| {
        io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
    };
    let key = SigningKey::generate(name).map_err(invalid)?;
    let secret = key.to_secret_text().map_err(invalid)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(format!("{secret}\n").as_bytes())?;
    file.sync_all()?;
    fs::write(
        path.with_extension("pub"),
        format!("{}\n", key.verifying_key()),
    )?;
    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(key)
}
