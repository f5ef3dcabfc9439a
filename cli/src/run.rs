//! `sluice run`: from a file to running pipelines, from one file to the next, until a signal.

mod load;
mod reloads;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sluice_component::Severity;
use sluice_config::{Admin, Changes, Diagnostic, Diagnostics, Fate, Ledger, Telemetry};
use sluice_engine::Running;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::admin;
use crate::args::RunArguments;
use crate::exit::Exit;
use crate::logs::{self, Levels};
use crate::source::{complain, count, show};
use load::{LoadError, Loaded, load};
pub(crate) use reloads::{Outcome, Reloads, Trigger};

/// Runs the pipelines of a file until SIGTERM or SIGINT, then drains.
pub(crate) fn run(arguments: &RunArguments) -> Exit {
    let files = arguments.files();
    // Before the file is read: what changes meanwhile is seen.
    let seen = watch::look(&files);
    let (loaded, references) = load(&files);
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(LoadError::Unreadable(why)) => {
            complain(&format!("error: {why}\n"));
            return Exit::Configuration;
        }
        Err(LoadError::Wrong(errors)) => {
            refuse(arguments, &errors);
            return Exit::Configuration;
        }
    };
    let levels = logs::start(arguments, loaded.plan.telemetry);
    for warning in &loaded.plan.warnings {
        log(&loaded.plan.warnings, warning);
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "no threads to run on");
            return Exit::Runtime;
        }
    };
    let served = async {
        // Before anything that takes time: a signal must not end the process.
        let signals = (Signals::new()?, caught(SignalKind::hangup())?);
        let (triggers, told) = mpsc::channel(16);
        let mut service = Service::start(arguments, levels, loaded, triggers.clone()).await?;
        service.watched.extend(references);
        let (watched, list) = tokio::sync::watch::channel(service.watched.clone());
        tokio::spawn(watch::watch(files, list, seen, async move || {
            triggers.send(Trigger::File).await.is_ok()
        }));
        service.serve(signals, told, watched).await
    };
    let exit = match runtime.block_on(served) {
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

/// A running graph, and what changes it.
struct Service<'a> {
    arguments: &'a RunArguments,
    levels: Levels,
    running: Running,
    /// Files whose change is a reason to reload: those of the configuration, those that it refers to, and those that its
    /// components read; after a failure also those of the attempt.
    watched: Vec<PathBuf>,
    desk: admin::Desk,
    /// Ends the admin endpoint.
    endpoint: CancellationToken,
    /// Ends the socket for operators.
    socket: CancellationToken,
}

impl<'a> Service<'a> {
    async fn start(
        arguments: &'a RunArguments,
        levels: Levels,
        Loaded { plan, shown }: Loaded,
        triggers: mpsc::Sender<Trigger>,
    ) -> anyhow::Result<Self> {
        match &plan.ledger {
            Ledger::None => warn!(
                "ledger: none; a sender's OK means delivered to every exporter, and nothing is kept on disk"
            ),
            Ledger::Disk(block) => {
                let directory = sluice_engine::ledger_settings(block).directory;
                info!(directory = %directory.display(), "ledger: a sender's OK means that its records are on this disk");
            }
        }
        let listener = listen(&plan.admin).await?;
        let mut watched = arguments.files();
        watched.extend(sluice_engine::files_read_by(&plan));
        let (pipelines, ledger) = (plan.pipelines.len(), plan.ledger.clone());
        let running = sluice_engine::start(plan, sluice_engine::Options::default())?;
        info!(pipelines, hash = shown.hash, "running");
        let desk = admin::Desk {
            control: running.control(),
            reloads: Arc::new(Reloads::new(shown)),
            triggers,
        };
        let service = Self {
            arguments,
            levels,
            running,
            watched,
            desk,
            endpoint: CancellationToken::new(),
            socket: CancellationToken::new(),
        };
        service.open(listener);
        if let Ledger::Disk(block) = &ledger {
            let (desk, stop) = (service.desk.clone(), service.socket.clone());
            let directory = sluice_engine::ledger_settings(block).directory;
            tokio::spawn(async move { admin::serve(desk, &directory, stop).await });
        }
        Ok(service)
    }

    /// Serves the admin endpoint, if there is one.
    fn open(&self, listener: Option<TcpListener>) {
        if let Some(listener) = listener {
            let (desk, stop) = (self.desk.clone(), self.endpoint.clone());
            tokio::spawn(admin::http::serve(listener, desk, stop));
        }
    }

    /// Waits for a signal, then drains. On the way, reloads: one at a time.
    async fn serve(
        mut self,
        (mut signals, mut hangup): (Signals, Signal),
        mut triggers: mpsc::Receiver<Trigger>,
        watched: tokio::sync::watch::Sender<Vec<PathBuf>>,
    ) -> anyhow::Result<()> {
        loop {
            let trigger = tokio::select! {
                () = signals.next() => break,
                _ = hangup.recv() => Trigger::Signal,
                failure = self.running.failed() => anyhow::bail!(failure),
                Some(trigger) = triggers.recv() => trigger,
            };
            let outcome = self.reload(&trigger).await;
            watched.send_replace(self.watched.clone());
            if let Trigger::Request(tell) = trigger {
                // Whoever asked may have gone.
                let _ = tell.send(outcome);
            }
        }
        self.endpoint.cancel();
        self.socket.cancel();
        let drain = match self.arguments.drain_seconds {
            Some(seconds) => Duration::from_secs(seconds),
            None => self.running.plan().timeouts.shutdown,
        };
        info!(
            seconds = drain.as_secs(),
            "draining; a second signal ends it"
        );
        tokio::select! {
            // An unfinished drain has said so itself, and no sender was told OK for what is left.
            _complete = self.running.drain(drain) => info!("stopped"),
            () = signals.next() => anyhow::bail!("stopped by a second signal before everything was delivered"),
        }
        Ok(())
    }

    /// Reads the file again and becomes what it says. What is wrong with it changes nothing.
    async fn reload(&mut self, trigger: &Trigger) -> Outcome {
        let by = trigger.name();
        let failed = |errors: Vec<String>| {
            let outcome = self.desk.reloads.failed(by, errors);
            error!(
                by,
                generation = outcome.generation,
                "not reloaded: the configuration that runs goes on"
            );
            outcome
        };
        let (loaded, references) = load(&self.arguments.files());
        // What was missing for an attempt may come later.
        let mut wanted = self.arguments.files();
        wanted.extend(references);
        if let Ok(loaded) = &loaded {
            wanted.extend(sluice_engine::files_read_by(&loaded.plan));
        }
        for file in &wanted {
            if !self.watched.contains(file) {
                self.watched.push(file.clone());
            }
        }
        let Loaded { plan, shown } = match loaded {
            Ok(loaded) => loaded,
            Err(LoadError::Unreadable(why)) => {
                error!("{why}");
                return failed(vec![why]);
            }
            Err(LoadError::Wrong(found)) => {
                for finding in found.iter() {
                    log(&found, finding);
                }
                let errors = found.iter().filter(|f| f.severity == Severity::Error);
                let told = errors.map(|f| format!("{}: {}", found.place(f), f.message));
                return failed(told.collect());
            }
        };
        let admin = plan.admin.clone();
        let has_new_admin = admin.endpoint() != self.running.plan().admin.endpoint();
        let listener = if has_new_admin {
            match listen(&admin).await {
                Ok(listener) => listener,
                Err(error) => {
                    error!("{error:#}");
                    return failed(vec![format!("{error:#}")]);
                }
            }
        } else {
            None
        };
        let (telemetry, warnings) = (plan.telemetry, plan.warnings.clone());
        let encoding = self.running.plan().telemetry.encoding;
        let changes = match self.running.reload(plan) {
            Ok(changes) => changes,
            Err(error) => {
                error!("{error}");
                return failed(vec![error.to_string()]);
            }
        };
        self.watched = wanted;
        if telemetry.encoding != encoding {
            warn!("`service.telemetry.logs.encoding` differs: this takes a restart");
        }
        if has_new_admin {
            std::mem::take(&mut self.endpoint).cancel();
            self.open(listener);
        }
        // A log that cannot be told another level goes on with the one it has.
        let _ = self.levels.reload(logs::targets(self.arguments, telemetry));
        for warning in warnings.iter().filter(|_| !changes.is_empty()) {
            log(&warnings, warning);
        }
        let lines = describe(&changes);
        let outcome = self.desk.reloads.succeeded(by, shown, lines);
        if changes.is_empty() {
            // Files are looked at more often than they change.
            if matches!(trigger, Trigger::File) {
                debug!(by, "nothing has changed");
            } else {
                info!(by, "nothing has changed");
            }
            return outcome;
        }
        let [kept, changed, added, removed] = changes.counts();
        info!(
            by,
            generation = outcome.generation,
            hash = outcome.hash,
            kept,
            changed,
            added,
            removed,
            "reloaded"
        );
        for line in &outcome.changes {
            info!("{line}");
        }
        outcome
    }
}

/// The socket of the admin endpoint. That the default one is taken, by another Sluice for instance, is no reason not to
/// run.
async fn listen(admin: &Admin) -> anyhow::Result<Option<TcpListener>> {
    let Some(endpoint) = admin.endpoint() else {
        return Ok(None);
    };
    match TcpListener::bind(endpoint).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if *admin == Admin::Default => {
            warn!(
                endpoint,
                %error,
                "no admin endpoint (metrics, reload over HTTP): write `service.admin.endpoint`, or `admin: none`"
            );
            Ok(None)
        }
        Err(error) => {
            Err(error).with_context(|| format!("service.admin: cannot listen on {endpoint}"))
        }
    }
}

/// What differs, a line each: `exporter splunk_hec: changed, its settings differ`.
pub(crate) fn describe(changes: &Changes) -> Vec<String> {
    let line = |what: String, fate: &Fate| match fate {
        Fate::Kept => None,
        Fate::Changed(why) => Some(format!("{what}: changed, {why}")),
        Fate::Added => Some(format!("{what}: added")),
        Fate::Removed => Some(format!("{what}: removed")),
    };
    let components = changes.components.iter();
    let mut lines: Vec<_> = components
        .filter_map(|((class, id), fate)| line(format!("{class} {id}"), fate))
        .collect();
    let pipelines = changes.pipelines.iter();
    lines.extend(pipelines.filter_map(|(id, fate)| line(format!("pipeline {id}"), fate)));
    if changes.ledger {
        lines.push("service.ledger: changed, its settings differ".to_owned());
    }
    if changes.service {
        lines.push("service: telemetry, admin or timeouts differ".to_owned());
    }
    lines
}

/// SIGTERM and SIGINT.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: caught(SignalKind::terminate())?,
            interrupt: caught(SignalKind::interrupt())?,
        })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn caught(kind: SignalKind) -> anyhow::Result<Signal> {
    signal(kind).context("signals cannot be caught")
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
