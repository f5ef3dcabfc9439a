//! From one receiver to every pipeline that names it.

use std::sync::Arc;
use std::time::Duration;

use sluice_batch::{Batch, Signal};
use sluice_component::{After, BoxFuture, Consume, Undelivered, Verdict};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::accept;
use crate::path::Path;
use crate::sink::{self, Sink};

/// A sender hears something within this long. Delivery goes on behind a "try again", so a sender that does so sends
/// duplicates, which `dedupe` takes out.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The pipelines behind one receiver's outlet.
pub(crate) struct Fanout {
    pub(crate) paths: Vec<Arc<Path>>,
    /// Requests that have come in here and whose fate is not known.
    pub(crate) under_way: TaskTracker,
}

impl Fanout {
    pub(crate) fn new(paths: Vec<Arc<Path>>) -> Self {
        Self {
            paths,
            under_way: TaskTracker::new(),
        }
    }

    fn paths_for(&self, signal: Signal) -> Vec<Arc<Path>> {
        self.paths
            .iter()
            .filter(|p| p.signal == signal)
            .cloned()
            .collect()
    }
}

impl Consume for Fanout {
    fn consume(&self, batch: Batch) -> BoxFuture<'static, Result<(), Undelivered>> {
        let paths = self.paths_for(batch.signal());
        let under_way = self.under_way.clone();
        let request = under_way.token();
        Box::pin(async move {
            let _request = request;
            let records = batch.len();
            if paths.is_empty() && records > 0 {
                let reason = format!(
                    "no pipeline takes {} from this receiver",
                    batch.signal().name()
                );
                return Err(Undelivered::all(records, Verdict::Refused(reason)));
            }
            let mut batch = batch;
            // Before the copies: one event has one id in every pipeline.
            accept::assign_ids(&mut batch);
            let deadline = Instant::now() + ANSWER_WITHIN;
            let is_kept = paths.iter().any(|p| matches!(p.sink, Sink::Ledger(_)));
            let mut prepared = Vec::with_capacity(paths.len());
            let mut batch = Some(batch);
            for (i, path) in paths.iter().enumerate() {
                let copy = if i + 1 == paths.len() {
                    batch.take()
                } else {
                    batch.clone()
                };
                if let Some(copy) = copy {
                    // A stage that refuses a batch refuses the request: no pipeline has any of it then.
                    prepared.push((path, path.prepare(copy)?));
                }
            }
            let (mut parts, mut claims) = (Vec::new(), Vec::new());
            for (path, one) in prepared {
                parts.push((path.sink.clone(), path.name.clone(), one.batch));
                claims.push(one.claims);
            }
            let outcomes = sink::append(parts);
            // Spawned, so that a deadline ends the wait and not the delivery.
            let works: Vec<_> = claims
                .into_iter()
                .zip(outcomes)
                .map(|(claims, outcome)| {
                    under_way.spawn(async move { claims.settle(outcome.await, deadline).await })
                })
                .collect();
            let all = async {
                let mut worst = Ok(());
                for work in works {
                    let result = work
                        .await
                        .unwrap_or_else(|panicked| Err(Undelivered::retry(records, panicked)));
                    worst = worse(worst, result);
                }
                worst
            };
            match timeout_at(deadline, all).await {
                Ok(result) => result,
                Err(_) => {
                    let later = Verdict::Retry(After::Delay(Duration::from_secs(5)));
                    let why = if is_kept {
                        "the ledger's disk has not taken the records yet"
                    } else {
                        "the exporters have not taken the records yet"
                    };
                    Err(Undelivered::all(records, later).because(why))
                }
            }
        })
    }
}

/// Of two answers the one that must reach the sender: what can be tried again comes before what was refused for good.
fn worse(a: Result<(), Undelivered>, b: Result<(), Undelivered>) -> Result<(), Undelivered> {
    match (a, b) {
        (Ok(()), other) | (other, Ok(())) => other,
        (Err(a), Err(b)) => Err(if b.is_retryable() && !a.is_retryable() {
            b
        } else {
            a
        }),
    }
}
