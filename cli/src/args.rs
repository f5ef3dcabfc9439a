//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Carries AI-gateway audit events and OpenTelemetry signals to the SIEMs that you have.
#[derive(Debug, Parser)]
#[command(
    name = "sluice",
    version,
    after_help = "Exit codes: 0 done, 1 failed or incomplete or a ledger is broken, 2 a ledger could not be checked, 64 wrong usage, 78 the configuration is wrong."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the pipelines of a file until SIGTERM or SIGINT.
    Run(RunArguments),
    /// Make a running Sluice read its configuration again.
    Reload(crate::reload::ReloadArguments),
    /// Say what a reload from one file to another would keep, build anew, add and remove.
    Diff(crate::diff::DiffArguments),
    /// Check a file and show everything wrong with it, without touching the network.
    Validate(ValidateArguments),
    /// List the components that a file can use, as YAML.
    Components,
    /// Print a file as it is understood: aliases put in, secrets hidden.
    PrintConfig(FileArguments),
    /// Post sample events, or those of an export file, to a running Sluice.
    Send(Box<crate::send::SendArguments>),
    /// Write records of the ledger to a file: JSON, CSV, Parquet or OTLP.
    Export(Box<crate::export::ExportArguments>),
    /// Send records of the ledger once more to one exporter.
    Replay(Box<crate::replay::ReplayArguments>),
    /// See to the records that destinations refused for good.
    #[command(subcommand)]
    DeadLetters(Box<crate::dead_letters::DeadLettersCommand>),
    /// Look into a ledger, or mend it.
    #[command(subcommand)]
    Ledger(crate::ledger_command::LedgerCommand),
    /// Check offline that a ledger is what was signed: 0 whole, 1 broken, 2 could not check.
    Verify(Box<crate::verify::VerifyArguments>),
    /// Keys that sign a ledger's checkpoints.
    #[command(subcommand)]
    Keys(crate::keys::KeysCommand),
}

#[derive(Debug, Args)]
pub(crate) struct FileArguments {
    /// The configuration file; of several the later ones win, mappings are merged.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArguments {
    #[command(flatten)]
    pub(crate) of: FileArguments,
    /// One line for each finding: `file:line:column: error: …`.
    #[arg(long)]
    pub(crate) one_line: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The configuration file; of several the later ones win, mappings are merged.
    #[arg(value_name = "FILE", required_unless_present = "config")]
    files: Vec<PathBuf>,
    /// A configuration file, as the OpenTelemetry Collector takes them.
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Least severity to log; wins over `service.telemetry.logs.level`.
    #[arg(long, value_enum)]
    pub(crate) log_level: Option<Level>,
    /// Form of the log; wins over `service.telemetry.logs.encoding`.
    #[arg(long, value_enum)]
    pub(crate) log_format: Option<Format>,
    /// Seconds that requests and deliveries under way get after SIGTERM or SIGINT; wins over `service.shutdown_timeout`.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) drain_seconds: Option<u64>,
}

impl RunArguments {
    /// The configuration files, in their order.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.files.iter().chain(&self.config).cloned().collect()
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Console,
    /// One JSON object a line.
    Json,
}
