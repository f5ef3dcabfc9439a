//! `sluice run`: from a file to running pipelines, until a signal.

use std::time::Duration;

use anyhow::Context as _;
use sluice_component::Severity;
use sluice_config::{Diagnostic, Diagnostics, Ledger, Plan, Telemetry};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin;
use crate::args::RunArguments;
use crate::exit::Exit;
use crate::logs;
use crate::lookup::Surroundings;
use crate::source::{self, complain, count, show};

/// Runs the pipelines of a file until SIGTERM or SIGINT, then drains.
pub(crate) fn run(arguments: &RunArguments) -> Exit {
    let source = match source::read(&arguments.file) {
        Ok(source) => source,
        Err(exit) => return exit,
    };
    let plan = match Plan::read(&source, &crate::registry::registry(), &Surroundings) {
        Ok(plan) => plan,
        Err(errors) => {
            refuse(arguments, &errors);
            return Exit::Configuration;
        }
    };
    logs::start(arguments, plan.telemetry);
    for warning in &plan.warnings {
        log(&plan.warnings, warning);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "no threads to run on");
            return Exit::Runtime;
        }
    };
    let exit = match runtime.block_on(serve(plan, Duration::from_secs(arguments.drain_seconds))) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            error!("{error:#}");
            Exit::Runtime
        }
    };
    // What is still stuck after the drain has had its time.
    runtime.shutdown_background();
    exit
}

/// The engine's life: start, wait for a signal, drain.
async fn serve(plan: Plan, drain: Duration) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    match &plan.ledger {
        Ledger::None => warn!(
            "ledger: none; a sender's OK means delivered to every exporter, and nothing is kept on disk"
        ),
        Ledger::Disk(block) => {
            let directory = sluice_engine::ledger_settings(block).directory;
            info!(directory = %directory.display(), "ledger: a sender's OK means that its records are on this disk");
        }
    }
    let pipelines = plan.pipelines.len();
    let mut running = sluice_engine::start(&plan, sluice_engine::Options::default())?;
    info!(pipelines, "running");
    let operators = CancellationToken::new();
    if let Ledger::Disk(block) = &plan.ledger {
        let (control, stop) = (running.control(), operators.clone());
        let directory = sluice_engine::ledger_settings(block).directory;
        tokio::spawn(async move { admin::serve(control, &directory, stop).await });
    }

    tokio::select! {
        () = signals.next() => {}
        failure = running.failed() => anyhow::bail!(failure),
    }
    operators.cancel();
    info!(
        seconds = drain.as_secs(),
        "draining; a second signal ends it"
    );
    tokio::select! {
        // An unfinished drain has said so itself, and no sender was told OK for what is left.
        _complete = running.drain(drain) => info!("stopped"),
        () = signals.next() => anyhow::bail!("stopped by a second signal before everything was delivered"),
    }
    Ok(())
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let on = |kind| signal(kind).context("signals cannot be caught");
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Shows why a file is refused: for people, or as the log lines that a JSON reader expects.
fn refuse(arguments: &RunArguments, errors: &Diagnostics) {
    // Only the flag can ask for JSON here: the file that might ask for it is no good.
    if logs::is_json(arguments, Telemetry::default()) {
        logs::start(arguments, Telemetry::default());
        for finding in errors {
            log(errors, finding);
        }
        return;
    }
    show(errors);
    complain(&format!("not started: {}\n", count(errors)));
}

fn log(all: &Diagnostics, finding: &Diagnostic) {
    let place = all.place(finding);
    match (finding.severity, &finding.help) {
        (Severity::Error, Some(help)) => error!(%place, %help, "{}", finding.message),
        (Severity::Error, None) => error!(%place, "{}", finding.message),
        (Severity::Warning, Some(help)) => warn!(%place, %help, "{}", finding.message),
        (Severity::Warning, None) => warn!(%place, "{}", finding.message),
    }
}
