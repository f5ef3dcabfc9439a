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

/// Makes a key and two files: `path`, which only its owner may read, and the same with the extension `pub`, which holds
/// the text that checks it.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] rather than to overwrite a key; a name that no key may have.
pub fn make_key(path: &Path, name: &str) -> io::Result<SigningKey> {
    let invalid = |error: sluice_evidence::KeyError| {
        io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
    };
    if path.extension().is_some_and(|e| e == "pub") {
        let why = "the secret needs another extension than .pub, which its public half gets";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let key = SigningKey::generate(name).map_err(invalid)?;
    let secret = key.to_secret_text().map_err(invalid)?;
    // Whole before it has its name: a power cut must not leave half a key that no start can use. A link, unlike a rename,
    // takes no other file's place.
    let temporary = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(format!("{secret}\n").as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    fs::write(
        path.with_extension("pub"),
        format!("{}\n", key.verifying_key()),
    )?;
    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        fs::File::open(directory)?.sync_all()?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_left_half_written_is_made_anew_and_a_whole_one_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signing.key");
        fs::write(path.with_extension("tmp"), "PRIVATE+KEY+ha").unwrap();
        let made = make_key(&path, "test/node").unwrap();
        let loaded = load_key(&path).unwrap();
        assert_eq!(loaded.verifying_key(), made.verifying_key());
        let again = make_key(&path, "test/node").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let still = load_key(&path).unwrap();
        assert_eq!(still.verifying_key(), made.verifying_key());
        let files = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(files, 2, "the key and what checks it");
    }
}
