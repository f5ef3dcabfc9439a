//! Where a request's batches go once the stages are through with them: the node's ledger, or the pipeline's log in
//! memory.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sluice_batch::Batch;
use sluice_component::{After, BoxFuture, Undelivered, Verdict};
use sluice_ledger::{AppendError, CursorId, Ledger, Log, Reader, Refused, StartAt};

/// The end of a pipeline.
#[derive(Clone, Debug)]
pub(crate) enum Sink {
    /// An OK means delivered to every exporter.
    Memory(Log),
    /// An OK means durable.
    Ledger(Ledger),
}

/// What became of one pipeline's records. Ok carries what was refused for good; all else is taken care of.
pub(crate) type Outcome = Result<Vec<Refused>, Undelivered>;

/// Hands over the batches of one request, each with the sink and the name of its pipeline. What goes to the ledger
/// becomes durable together or not at all.
pub(crate) fn append(parts: Vec<(Sink, Arc<str>, Batch)>) -> Vec<BoxFuture<'static, Outcome>> {
    let mut ledger = None;
    let mut durable = Vec::new();
    let mut records = Vec::with_capacity(parts.len());
    for (sink, pipeline, batch) in parts {
        let len = batch.len();
        match sink {
            Sink::Memory(log) => records.push((len, Some((log, batch)))),
            Sink::Ledger(its) => {
                ledger = Some(its);
                durable.push((pipeline, batch));
                records.push((len, None));
            }
        }
    }
    let written = ledger.map(|ledger| ledger.append(durable).shared());
    records
        .into_iter()
        .map(|(len, memory)| match (memory, written.clone()) {
            (Some((log, batch)), _) => async move { log.append(batch).await }.boxed(),
            (None, Some(written)) => async move {
                let failed = |error| not_written(len, error);
                written.await.map(|()| Vec::new()).map_err(failed)
            }
            .boxed(),
            (None, None) => std::future::ready(Ok(Vec::new())).boxed(),
        })
        .collect()
}

/// What a sender hears when its records did not become durable.
fn not_written(records: usize, error: AppendError) -> Undelivered {
    let verdict = match &error {
        AppendError::Full(_) => Verdict::Retry(After::Delay(Duration::from_secs(5))),
        AppendError::Failed(_) => Verdict::Retry(After::Delay(Duration::from_secs(1))),
        AppendError::Closed => Verdict::Retry(After::Backoff),
        AppendError::Impossible(why) => Verdict::Refused((*why).to_owned()),
    };
    Undelivered::all(records, verdict).because(error)
}

impl Sink {
    /// An exporter's cursor on a pipeline's records.
    pub(crate) fn reader(&self, pipeline: &Arc<str>, exporter: &str) -> std::io::Result<Reader> {
        match self {
            Self::Memory(log) => Ok(log.reader(exporter)),
            Self::Ledger(ledger) => {
                let id = CursorId {
                    pipeline: pipeline.clone(),
                    exporter: exporter.into(),
                };
                ledger.reader(id, StartAt::Now)
            }
        }
    }
}
