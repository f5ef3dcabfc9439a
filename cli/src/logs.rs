//! Sluice's own logs: text or JSON, on standard error.
//!
//! The libraries underneath log only from `warn` on whatever the level, because some of them write what they carry.

use std::io::IsTerminal as _;

use sluice_config::{Encoding, LogLevel, Telemetry};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use crate::args::{Format, Level as LevelFlag, RunArguments};

/// How the targets of this program's own crates begin.
const OWN: &[&str] = &["sluice", "receiver_", "processor_", "exporter_"];

/// What sets the level of a log that runs.
pub(crate) type Levels = reload::Handle<Targets, Registry>;

/// Starts logging: the flags win over the file.
pub(crate) fn start(arguments: &RunArguments, telemetry: Telemetry) -> Levels {
    let (targets, levels) = reload::Layer::new(targets(arguments, telemetry));
    let registry = tracing_subscriber::registry().with(targets);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if is_json(arguments, telemetry) {
        registry.with(lines.json().flatten_event(true)).init();
    } else {
        let in_colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        registry.with(lines.with_ansi(in_colour)).init();
    }
    levels
}

/// Which lines are logged.
pub(crate) fn targets(arguments: &RunArguments, telemetry: Telemetry) -> Targets {
    let level = match (arguments.log_level, telemetry.level) {
        (Some(LevelFlag::Debug), _) | (None, LogLevel::Debug) => Level::DEBUG,
        (Some(LevelFlag::Info), _) | (None, LogLevel::Info) => Level::INFO,
        (Some(LevelFlag::Warn), _) | (None, LogLevel::Warn) => Level::WARN,
        (Some(LevelFlag::Error), _) | (None, LogLevel::Error) => Level::ERROR,
    };
    Targets::new()
        .with_default(level.min(Level::WARN))
        .with_targets(OWN.iter().map(|target| (*target, level)))
}

/// Whether log lines are JSON.
pub(crate) fn is_json(arguments: &RunArguments, telemetry: Telemetry) -> bool {
    match arguments.log_format {
        Some(format) => format == Format::Json,
        None => telemetry.encoding == Encoding::Json,
    }
}
