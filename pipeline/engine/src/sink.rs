//! Where a request's batches go once the stages are through with them: the node's ledger, or the pipeline's log in
//! memory.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sluice_batch::Batch;
use sluice_component::{After, BoxFuture, Undelivered, Verdict};
use sluice_ledger::{AppendError, CursorId, Ledger, Log, Reader, Refused, StartAt};
use tracing::warn;

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

fn cursor(pipeline: &Arc<str>, exporter: &str) -> CursorId {
    CursorId {
        pipeline: pipeline.clone(),
        exporter: exporter.into(),
    }
}

impl Sink {
    /// An exporter's cursor on a pipeline's records, from where it stands; a new one begins now.
    pub(crate) fn reader(&self, pipeline: &Arc<str>, exporter: &str) -> io::Result<Reader> {
        self.reader_from(pipeline, exporter, StartAt::Now)
    }

    /// The same; a new one begins as `start` says.
    pub(crate) fn reader_from(
        &self,
        pipeline: &Arc<str>,
        exporter: &str,
        start: StartAt,
    ) -> io::Result<Reader> {
        match self {
            Self::Memory(log) => Ok(log.reader(exporter)),
            Self::Ledger(ledger) => ledger.reader(cursor(pipeline, exporter), start),
        }
    }

    /// The place behind what was taken in until now.
    pub(crate) fn end(&self) -> u64 {
        match self {
            Self::Memory(_) => 0,
            Self::Ledger(ledger) => ledger.end(),
        }
    }

    /// Records that an exporter has not passed.
    pub(crate) fn behind(&self, pipeline: &Arc<str>, exporter: &str) -> u64 {
        match self {
            Self::Memory(log) => log.waiting(),
            Self::Ledger(ledger) => {
                let cursors = ledger.cursors();
                let cursor = cursors.get(&cursor(pipeline, exporter));
                cursor.map_or(0, |c| ledger.end().saturating_sub(c.cursor.low()))
            }
        }
    }

    /// Whether an exporter has taken everything before `end`; in memory, all there is.
    pub(crate) fn has_passed(&self, pipeline: &Arc<str>, exporter: &str, end: u64) -> bool {
        match self {
            Self::Memory(log) => log.waiting() == 0,
            Self::Ledger(ledger) => ledger.has_passed(&cursor(pipeline, exporter), end),
        }
    }

    /// Cursors that nobody holds are orphaned from here on.
    pub(crate) async fn all_claimed(&self) {
        let Self::Ledger(ledger) = self else { return };
        let ledger = ledger.clone();
        // It waits for the disk.
        let stored = tokio::task::spawn_blocking(move || ledger.all_claimed()).await;
        if let Err(error) = stored.map_err(io::Error::other).flatten() {
            warn!(%error, "cursors cannot be stored");
        }
    }
}
