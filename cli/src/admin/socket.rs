//! The socket's place.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

const NAME: &str = "admin.sock";
/// The kernel takes no longer path for a socket.
const MAX_PATH: usize = 100;

/// A path to the socket that is short enough, and what must stay open for it.
pub(super) struct Place {
    pub(super) path: PathBuf,
    _directory: Option<std::fs::File>,
}

/// Where the socket of the ledger in `directory` is.
pub(super) fn place(directory: &Path) -> io::Result<Place> {
    let path = directory.join(NAME);
    if path.as_os_str().len() <= MAX_PATH {
        return Ok(Place {
            path,
            _directory: None,
        });
    }
    let open = std::fs::File::open(directory)?;
    Ok(Place {
        path: format!("/proc/self/fd/{}/{NAME}", open.as_raw_fd()).into(),
        _directory: Some(open),
    })
}

/// The socket's file. It goes when this is dropped.
pub(super) struct Bound(PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Listens; one that an earlier process left is replaced: the directory's lock says that it is dead.
pub(super) fn listen(directory: &Path) -> io::Result<(UnixListener, Bound)> {
    remove(directory);
    let place = place(directory)?;
    let listener = UnixListener::bind(&place.path)?;
    let file = Bound(directory.to_owned());
    std::fs::set_permissions(&place.path, std::fs::Permissions::from_mode(0o600))?;
    Ok((listener, file))
}

fn remove(directory: &Path) {
    // It may not be there.
    let _ = std::fs::remove_file(directory.join(NAME));
}
