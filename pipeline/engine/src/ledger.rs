//! The ledger as the engine uses it: from the plan's words to an open one, and from its records to the memory of the
//! stages that remember what was delivered.

use std::path::PathBuf;
use std::sync::Arc;

use sluice_component::{BuildError, Reserve};
use sluice_config::{FsyncRule, IntegrityRule, LedgerBlock, OnFullRule};
use sluice_ledger::{Fsync, Integrity, Ledger, OnFull, Settings};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::graph::StartError;
use crate::progress::Progress;
use crate::replay::Control;

/// Where a ledger lies unless the file says otherwise.
pub const DEFAULT_DIRECTORY: &str = "sluice-ledger";

/// The settings that a file asks for, over the defaults.
#[must_use]
pub fn settings(block: &LedgerBlock) -> Settings {
    let directory = block.directory.clone();
    let mut settings = Settings::new(directory.unwrap_or_else(|| PathBuf::from(DEFAULT_DIRECTORY)));
    match block.fsync {
        None => {}
        Some(FsyncRule::Always) => settings.fsync = Fsync::Always,
        Some(FsyncRule::Every(time)) => settings.fsync = Fsync::Every(time),
    }
    if let Some(bytes) = block.max_bytes {
        settings.max_bytes = bytes.0;
    }
    if let Some(bytes) = block.segment_bytes {
        settings.segment_bytes = bytes.0;
    }
    if let Some(time) = block.retention.time {
        settings.retention.time = time.0;
    }
    settings.retention.bytes = match block.retention.bytes {
        Some(bytes) => bytes.0,
        None => settings.retention.bytes.min(settings.max_bytes / 2),
    };
    match block.on_full {
        None => {}
        Some(OnFullRule::Refuse) => settings.on_full = OnFull::Refuse,
        Some(OnFullRule::DetachExporter) => settings.on_full = OnFull::DetachExporter,
    }
    match block.integrity {
        None => {}
        Some(IntegrityRule::Record) => settings.integrity = Integrity::Record,
        Some(IntegrityRule::Off) => settings.integrity = Integrity::Off,
    }
    settings.origin.clone_from(&block.origin);
    settings.key.clone_from(&block.key);
    if let Some(time) = block.checkpoint_every {
        settings.checkpoint_every = time.0;
    }
    if let Some(events) = block.checkpoint_events {
        settings.checkpoint_events = events;
    }
    if let Some(time) = block.orphan_grace {
        settings.orphan_grace = time.0;
    }
    settings
}

/// Opens what the plan asks for.
pub(crate) fn open(plan: &sluice_config::Ledger) -> Result<Option<Ledger>, StartError> {
    let sluice_config::Ledger::Disk(block) = plan else {
        return Ok(None);
    };
    let ledger = Ledger::open(settings(block)).map_err(unusable)?;
    for damage in &ledger.report().damages {
        warn!(
            file = damage.file,
            quarantine = damage.quarantine,
            first = damage.sequences.as_ref().map(|s| s.start),
            end = damage.sequences.as_ref().map(|s| s.end),
            "found in the ledger at start: {}",
            damage.what
        );
    }
    Ok(Some(ledger))
}

/// The settings to go on with when a plan says something else about the ledger. What is decided when it is opened cannot
/// change while it is.
///
/// # Errors
/// [`StartError`] names the key that takes a restart.
pub fn adjusted(
    old: &sluice_config::Ledger,
    new: &sluice_config::Ledger,
) -> Result<Option<Settings>, StartError> {
    use sluice_config::Ledger::{Disk, None as Nowhere};
    let (old, new) = match (old, new) {
        (Nowhere, Nowhere) => return Ok(None),
        (Disk(old), Disk(new)) => (settings(old), settings(new)),
        (Nowhere, Disk(_)) | (Disk(_), Nowhere) => {
            return Err(unusable(
                "cannot be switched on or off while Sluice runs: restart it",
            ));
        }
    };
    match old.fixed_difference(&new) {
        Some(key) => Err(unusable(format!(
            "`{key}` cannot change while Sluice runs: restart it"
        ))),
        None => Ok((old != new).then_some(new)),
    }
}

pub(crate) fn unusable(error: impl std::fmt::Display) -> StartError {
    StartError {
        at: None,
        component: "service.ledger".into(),
        why: BuildError(error.to_string()),
    }
}

/// Gives stages that remember delivered ids their memory back, each with its pipeline: what the ledger took within their
/// window.
pub(crate) fn remember(ledger: &Ledger, stages: &[(Arc<str>, Arc<dyn Reserve>)]) {
    let window = stages
        .iter()
        .map(|(_, step)| step.window())
        .max()
        .unwrap_or_default();
    if window.is_zero() {
        return;
    }
    let mut records = 0;
    let read = ledger.recent(window, |pipeline, age, batch| {
        for (name, step) in stages {
            if **name == *pipeline && age <= step.window() {
                step.remember(&batch, age);
                records += batch.len();
            }
        }
    });
    match read {
        Ok(()) if records > 0 => info!(
            records,
            "the memory of delivered ids was made again from the ledger"
        ),
        Ok(()) => {}
        Err(error) => {
            warn!(%error, "the memory of delivered ids could not be made again; duplicates of recent records may pass")
        }
    }
}

/// Sends the dead letters again that someone marked while no process ran, those of each exporter at its own pace.
pub(crate) async fn retry_wanted(control: Control) {
    let Some(ledger) = control.ledger.clone() else {
        return;
    };
    let mut works = JoinSet::new();
    // Also of exporters that are configured no longer: whoever marked the letters must hear of it.
    for exporter in ledger.dead_letters().counts().into_keys() {
        let wanted = ledger.dead_letters().wanted(&exporter);
        if !wanted.is_empty() {
            works.spawn(retry_of(control.clone(), exporter, wanted));
        }
    }
    while works.join_next().await.is_some() {}
}

async fn retry_of(control: Control, exporter: Arc<str>, wanted: Vec<u64>) {
    let (letters, progress) = (wanted.len(), Arc::new(Progress::default()));
    let stop = control.stop.clone();
    let result = control
        .retry(&exporter, wanted, progress.clone(), stop)
        .await;
    for reason in progress.reasons() {
        warn!(%exporter, "not all dead letters were sent again: {reason}");
    }
    match result {
        Ok(()) => info!(
            %exporter,
            letters,
            delivered = progress.delivered(),
            refused = progress.refused(),
            withheld = progress.withheld(),
            skipped = progress.skipped(),
            unsent = progress.unsent(),
            "dead letters were sent again"
        ),
        Err(error) => warn!(%exporter, %error, "dead letters cannot be sent again"),
    }
}
