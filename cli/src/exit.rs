//! What the program's end tells its caller.

use std::process::ExitCode;

/// How the program ended. The numbers are those of `sysexits.h` where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done as asked.
    Ok,
    /// The configuration was good, and then something failed or stayed incomplete: an address in use, a fault that no
    /// retry mends, records that cannot be read. Of a verification: something is not as it was signed.
    Runtime,
    /// Nothing wrong was found, but not all could be checked.
    Unchecked,
    /// The command line was wrong.
    Usage,
    /// The configuration is wrong or cannot be read.
    Configuration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Runtime => 1,
            Exit::Unchecked => 2,
            Exit::Usage => 64,
            Exit::Configuration => 78,
        })
    }
}
