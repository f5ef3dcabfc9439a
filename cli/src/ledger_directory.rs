//! Which ledger a command means: the one in its argument, or that of a configuration file.

use std::path::{Path, PathBuf};

use clap::Args;
use sluice_config::{Ledger, Plan};
use sluice_ledger::Settings;

use crate::exit::Exit;
use crate::lookup::Surroundings;
use crate::source::{self, complain, show};

/// The configuration that is read when nothing else is named.
pub(crate) const DEFAULT_CONFIG: &str = "pipeline.yaml";

/// Where the ledger lies; every ledger command takes these.
#[derive(Clone, Debug, Args)]
pub(crate) struct LedgerArguments {
    /// The ledger's directory [default: that of the configuration file].
    #[arg(value_name = "LEDGER_DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// The configuration file that says where the ledger lies.
    #[arg(
        long,
        value_name = "FILE",
        help = "The configuration file that says where the ledger lies [default: pipeline.yaml]"
    )]
    pub(crate) config: Option<PathBuf>,
}

impl LedgerArguments {
    /// The directory. Tells the user when there is none.
    pub(crate) fn directory(&self) -> Result<PathBuf, Exit> {
        ledger_directory(self.directory.as_deref(), self.config())
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> &Path {
        self.config
            .as_deref()
            .unwrap_or_else(|| Path::new(DEFAULT_CONFIG))
    }

    /// The directory, and the signing key that the configuration names or else the one in the directory. A directory
    /// that is named is not looked at yet.
    pub(crate) fn locate(&self) -> Result<Located, Exit> {
        let directory = match &self.directory {
            Some(directory) => directory.clone(),
            None => self.directory()?,
        };
        let key = self.settings()?.and_then(|settings| settings.key);
        let key = key.unwrap_or_else(|| directory.join("signing.key"));
        Ok(Located { directory, key })
    }

    /// The ledger's settings in the configuration file, unless a directory is named and no file.
    pub(crate) fn settings(&self) -> Result<Option<Settings>, Exit> {
        if self.directory.is_some() && self.config.is_none() {
            return Ok(None);
        }
        Ok(match read_plan(self.config())?.ledger {
            Ledger::Disk(block) => Some(sluice_engine::ledger_settings(&block)),
            Ledger::None => None,
        })
    }
}

/// A ledger that was found.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) directory: PathBuf,
    /// The file with its signing key.
    pub(crate) key: PathBuf,
}

/// The directory in `argument`, or else that of the configuration file. Tells the user when there is none.
pub(crate) fn ledger_directory(argument: Option<&Path>, config: &Path) -> Result<PathBuf, Exit> {
    if let Some(directory) = argument {
        if directory.is_dir() {
            return Ok(directory.to_owned());
        }
        complain(&format!("error: {} is no directory\n", directory.display()));
        return Err(Exit::Usage);
    }
    if !config.exists() {
        complain(&format!(
            "error: no ledger is named and {} is not there: give the ledger's directory, or the file with --config\n",
            config.display()
        ));
        return Err(Exit::Usage);
    }
    let directory = match read_plan(config)?.ledger {
        Ledger::Disk(block) => sluice_engine::ledger_settings(&block).directory,
        Ledger::None => {
            complain(&format!(
                "error: {} says `ledger: none`: nothing is kept\n",
                config.display()
            ));
            return Err(Exit::Configuration);
        }
    };
    if directory.is_dir() {
        return Ok(directory);
    }
    complain(&format!(
        "error: {} says that its ledger is {}, which is no directory here: has it run, and in this directory?\n",
        config.display(),
        directory.display()
    ));
    Err(Exit::Runtime)
}

/// What a configuration file means. Tells the user what is wrong with it.
pub(crate) fn read_plan(config: &Path) -> Result<Plan, Exit> {
    read_all(&[config.to_owned()])
}

/// The same of several files.
pub(crate) fn read_all(files: &[PathBuf]) -> Result<Plan, Exit> {
    let source = source::read(files)?;
    Plan::read(&source, &crate::registry::registry(), &Surroundings).map_err(|errors| {
        show(&errors);
        Exit::Configuration
    })
}
