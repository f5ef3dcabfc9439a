//! What became of the configuration: which one runs, since when, and how the last attempt to change it went.

use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::load::Shown;

/// Who asks for a reload.
#[derive(Debug)]
pub(crate) enum Trigger {
    /// A file that is watched has changed.
    File,
    /// SIGHUP.
    Signal,
    /// An operator, who waits for the answer.
    Request(oneshot::Sender<Outcome>),
}

impl Trigger {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Signal => "SIGHUP",
            Self::Request(_) => "request",
        }
    }
}

/// How a reload went.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    /// Of the configuration that runs now.
    pub(crate) generation: u64,
    /// Of the configuration that runs now.
    pub(crate) hash: String,
    /// Why it failed, each with its place in the file. What ran goes on.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) errors: Vec<String>,
    /// What differs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) changes: Vec<String>,
}

/// What is known; shared by the engine's loop, which writes, and those who ask.
#[derive(Debug)]
pub(crate) struct Reloads(Mutex<State>);

#[derive(Debug)]
struct State {
    shown: Shown,
    generation: u64,
    since: u64,
    succeeded: u64,
    failed: u64,
    last: Option<(u64, &'static str, Outcome)>,
}

impl Reloads {
    /// The first configuration runs.
    pub(crate) fn new(shown: Shown) -> Self {
        Self(Mutex::new(State {
            shown,
            generation: 1,
            since: now(),
            succeeded: 0,
            failed: 0,
            last: None,
        }))
    }

    /// Another one runs.
    pub(crate) fn succeeded(
        &self,
        by: &'static str,
        shown: Shown,
        changes: Vec<String>,
    ) -> Outcome {
        let mut state = self.0.lock();
        if !changes.is_empty() {
            state.generation += 1;
            state.since = now();
        }
        state.shown = shown;
        state.succeeded += 1;
        let outcome = Outcome {
            success: true,
            generation: state.generation,
            hash: state.shown.hash.clone(),
            errors: Vec::new(),
            changes,
        };
        state.last = Some((now(), by, outcome.clone()));
        outcome
    }

    /// It did not change.
    pub(crate) fn failed(&self, by: &'static str, errors: Vec<String>) -> Outcome {
        let mut state = self.0.lock();
        state.failed += 1;
        let outcome = Outcome {
            success: false,
            generation: state.generation,
            hash: state.shown.hash.clone(),
            errors,
            changes: Vec::new(),
        };
        state.last = Some((now(), by, outcome.clone()));
        outcome
    }

    /// `GET /api/v1/config`.
    pub(crate) fn show(&self) -> serde_json::Value {
        let shown = self.0.lock().shown.clone();
        let text = shown.text();
        let state = self.0.lock();
        serde_json::json!({
            "generation": state.generation,
            "hash": shown.hash,
            "since": state.since,
            "reloads": { "succeeded": state.succeeded, "failed": state.failed },
            "last_reload": state.last.as_ref().map(|(at, by, outcome)| serde_json::json!({
                "at": at, "by": by, "success": outcome.success,
                "errors": outcome.errors, "changes": outcome.changes,
            })),
            "config": text,
        })
    }

    /// Lines for `/metrics`.
    pub(crate) fn metrics(&self, into: &mut crate::admin::Metrics) {
        let state = self.0.lock();
        let is_good = state.last.as_ref().is_none_or(|(_, _, o)| o.success);
        into.gauge(
            "config_last_reload_success",
            "Whether the last attempt to change the configuration went well.",
            [(vec![], f64::from(u8::from(is_good)))],
        );
        let at = state.last.as_ref().map_or(state.since, |(at, ..)| *at);
        into.gauge(
            "config_last_reload_timestamp_seconds",
            "When that was.",
            [(vec![], at as f64)],
        );
        into.gauge(
            "config_generation",
            "How many different configurations have run.",
            [(vec![], state.generation as f64)],
        );
        into.gauge(
            "config_info",
            "The hash of the configuration that runs.",
            [(vec![("hash", state.shown.hash.clone())], 1.0)],
        );
        into.counter(
            "config_reloads",
            "Attempts to change the configuration.",
            [
                (vec![("result", "success".to_owned())], state.succeeded),
                (vec![("result", "failure".to_owned())], state.failed),
            ],
        );
    }
}

/// Unix seconds.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
