//! What an operator asks of a running instance: over a Unix socket in the ledger's directory, which only its owner can
//! reach. No port, no password.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /api/v1/status` | | exporters, cursors, dead letters, the ledger's size |
//! | `POST /api/v1/replay` | [`ReplayRequest`] | lines of [`Report`], the last with `done` |
//! | `POST /api/v1/dead-letters/retry` | [`LettersRequest`] | likewise |
//! | `POST /api/v1/dead-letters/drop` | [`LettersRequest`] | `{"dropped": n}` |
//!
//! And everything that the [admin endpoint](http) answers.

pub(crate) mod client;
pub(crate) mod http;
mod metrics;
mod report;
mod socket;

pub(crate) use http::Desk;
pub(crate) use metrics::Metrics;
pub(crate) use report::Report;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use processor_ottl::Condition;
use serde::{Deserialize, Serialize};
use sluice_engine::{Control, Progress, Replay, ReplayError};
use sluice_ledger::Outcome;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

/// What to send again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReplayRequest {
    /// Unix nanoseconds, inclusive.
    pub(crate) from: u64,
    /// Unix nanoseconds, exclusive.
    pub(crate) to: u64,
    /// An OTTL condition; empty: every record.
    #[serde(rename = "where")]
    pub(crate) condition: String,
    pub(crate) exporter: String,
    pub(crate) dry_run: bool,
    /// Records a second; 0: no limit.
    pub(crate) rate: u32,
}

/// Which letters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LettersRequest {
    pub(crate) exporter: String,
    /// Empty: all of the exporter's.
    pub(crate) sequences: Vec<u64>,
}

/// What the handlers need.
#[derive(Clone)]
struct Office {
    control: Control,
    /// The instance stops: what is under way here ends.
    stop: CancellationToken,
}

impl FromRef<Office> for Control {
    fn from_ref(office: &Office) -> Self {
        office.control.clone()
    }
}

/// Serves until `stop`. That the socket cannot be made is no reason not to run.
pub(crate) async fn serve(desk: Desk, directory: &Path, stop: CancellationToken) {
    let (listener, file) = match socket::listen(directory) {
        Ok(listening) => listening,
        Err(error) => {
            warn!(%error, directory = %directory.display(), "no socket for `sluice replay` and `sluice dead-letters`: use them while nothing runs");
            return;
        }
    };
    let router = Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/replay", post(replay))
        .route("/api/v1/dead-letters/retry", post(retry))
        .route("/api/v1/dead-letters/drop", post(drop_letters))
        .with_state(Office {
            control: desk.control.clone(),
            stop: stop.clone(),
        })
        .merge(http::routes(desk));
    let stopped = async move {
        stop.cancelled_owned().await;
        // At once: whoever still listens to a stream must not keep the file of a process that ends.
        drop(file);
    };
    let served = axum::serve(listener, router).with_graceful_shutdown(stopped);
    if let Err(error) = served.await {
        warn!(%error, "the socket for operators failed");
    }
}

async fn status(State(control): State<Control>) -> Response {
    let Some(ledger) = control.ledger() else {
        return refuse(StatusCode::NOT_FOUND, "there is no ledger");
    };
    let end = ledger.end();
    let cursors: Vec<_> = ledger
        .cursors()
        .into_iter()
        .map(|(id, state)| {
            serde_json::json!({
                "pipeline": &*id.pipeline, "exporter": &*id.exporter,
                "position": state.cursor.low(), "behind": end.saturating_sub(state.cursor.low()),
                "lost": state.lost, "orphaned": state.orphaned.is_some(),
            })
        })
        .collect();
    let letters: std::collections::BTreeMap<_, _> = ledger
        .dead_letters()
        .counts()
        .into_iter()
        .map(|(exporter, n)| (exporter.to_string(), n))
        .collect();
    Json(serde_json::json!({
        "end": end, "bytes": ledger.bytes(), "max_bytes": ledger.max_bytes(), "full": ledger.is_full(),
        "failing": ledger.is_failing(),
        "exporters": control.exporters(), "cursors": cursors, "dead_letters": letters,
    }))
    .into_response()
}

async fn replay(State(office): State<Office>, Json(request): Json<ReplayRequest>) -> Response {
    let replay = match order(request) {
        Ok(replay) => replay,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    info!(
        exporter = replay.exporter,
        dry_run = replay.dry_run,
        "a replay begins"
    );
    let control = office.control;
    stream(&office.stop, move |progress, stop| async move {
        control.replay(replay, progress, stop).await
    })
}

/// From the words of a request to what the engine does.
pub(crate) fn order(request: ReplayRequest) -> Result<Replay, String> {
    let condition = (!request.condition.trim().is_empty())
        .then(|| Condition::parse(&request.condition))
        .transpose()
        .map_err(|error| {
            format!(
                "the condition is wrong at column {}: {error}",
                error.offset + 1
            )
        })?;
    Ok(Replay {
        from: request.from,
        to: request.to,
        wanted: Box::new(move |record| condition.as_ref().is_none_or(|c| c.matches(record))),
        exporter: request.exporter,
        dry_run: request.dry_run,
        rate: request.rate,
    })
}

async fn retry(State(office): State<Office>, Json(request): Json<LettersRequest>) -> Response {
    let control = office.control;
    let Some(ledger) = control.ledger() else {
        return refuse(StatusCode::NOT_FOUND, "there is no ledger");
    };
    let sequences = if request.sequences.is_empty() {
        ledger.dead_letters().sequences(&request.exporter)
    } else {
        request.sequences
    };
    info!(
        exporter = request.exporter,
        letters = sequences.len(),
        "dead letters are sent again"
    );
    stream(&office.stop, move |progress, stop| async move {
        control
            .retry(&request.exporter, sequences, progress, stop)
            .await
    })
}

async fn drop_letters(
    State(control): State<Control>,
    Json(request): Json<LettersRequest>,
) -> Response {
    let (Some(sequences), Some(ledger)) = (letters(&control, &request), control.ledger().cloned())
    else {
        return refuse(StatusCode::NOT_FOUND, "there is no ledger");
    };
    let (exporter, count): (Arc<str>, _) = (request.exporter.into(), sequences.len());
    let name = exporter.clone();
    let dropped = tokio::task::spawn_blocking(move || {
        ledger
            .dead_letters()
            .resolve(&name, &sequences, Outcome::Dropped)
    });
    match dropped.await.map_err(std::io::Error::other).flatten() {
        Ok(()) => {
            warn!(%exporter, letters = count, "dead letters were dropped by an operator");
            Json(serde_json::json!({ "dropped": count })).into_response()
        }
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Those that there are of the letters that are asked for.
fn letters(control: &Control, request: &LettersRequest) -> Option<Vec<u64>> {
    let letters = control.ledger()?.dead_letters();
    if request.sequences.is_empty() {
        return Some(letters.sequences(&request.exporter));
    }
    let known: std::collections::BTreeSet<u64> =
        letters.sequences(&request.exporter).into_iter().collect();
    let asked = request.sequences.iter().copied();
    Some(asked.filter(|sequence| known.contains(sequence)).collect())
}

/// Runs a piece of work and tells how far it is, a line at a time. A client that hangs up ends it, and so does a stop of
/// the instance.
fn stream<F, W>(instance: &CancellationToken, work: W) -> Response
where
    W: FnOnce(Arc<Progress>, CancellationToken) -> F,
    F: Future<Output = Result<(), ReplayError>> + Send + 'static,
{
    let progress = Arc::new(Progress::default());
    let (instance, stop) = (instance.clone(), instance.child_token());
    let work = tokio::spawn(work(progress.clone(), stop.clone()));
    let state = (Some(work), progress, (instance, stop.drop_guard()));
    let lines = futures_util::stream::unfold(
        state,
        |(work, progress, guard): (_, _, (CancellationToken, DropGuard))| async move {
            let mut work = work?;
            let report = match tokio::time::timeout(Duration::from_millis(200), &mut work).await {
                Err(_) => {
                    let report = Report::of(&progress);
                    return Some((line(&report), (Some(work), progress, guard)));
                }
                Ok(ended) => {
                    let error = match ended {
                        Ok(Ok(())) if guard.0.is_cancelled() => {
                            Some("the running instance stops".to_owned())
                        }
                        Ok(Ok(())) => None,
                        Ok(Err(error)) => Some(error.to_string()),
                        Err(panicked) => Some(panicked.to_string()),
                    };
                    Report {
                        done: true,
                        error,
                        ..Report::of(&progress)
                    }
                }
            };
            Some((line(&report), (None, progress, guard)))
        },
    );
    Body::from_stream(lines).into_response()
}

fn line(report: &Report) -> Result<Bytes, std::convert::Infallible> {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    Ok(line.into())
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(serde_json::json!({ "error": why }))).into_response()
}
