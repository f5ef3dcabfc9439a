//! Exporters make one attempt at one destination. Batching, retry, concurrency, timeout and dead letters are the engine's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_batch::Batch;

use crate::{BoxFuture, Undelivered};

/// One attempt at one destination.
///
/// Ok: the destination took every record. Err: a verdict for each range that it did not take; everything outside the
/// ranges was taken. It may be called several times at once. Dropping the future abandons the attempt: its outcome is
/// unknown and the engine tries again.
pub trait Exporter: Send + Sync + 'static {
    /// Sends a batch once (it may use several requests for it: splits, halvings).
    fn export(&self, batch: &Batch) -> impl Future<Output = Result<(), Undelivered>> + Send;

    /// Told once, at shutdown, after the last `export`: flush files, close connections.
    fn shutdown(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// [`Exporter`] behind a pointer.
pub trait DynExporter: Send + Sync + 'static {
    /// See [`Exporter::export`].
    fn export<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), Undelivered>>;
    /// See [`Exporter::shutdown`].
    fn shutdown(&self) -> BoxFuture<'_, ()>;
}

impl<E: Exporter> DynExporter for E {
    fn export<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(Exporter::export(self, batch))
    }
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(Exporter::shutdown(self))
    }
}

/// How records are gathered before an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// At most this many records an attempt; 0: no limit.
    pub max_records: usize,
    /// At most about this many bytes of records an attempt (measured as OTLP); 0: no limit.
    pub max_bytes: usize,
    /// `None`: an idle destination gets records at once and a busy one gets full batches. `Some`: wait this long for
    /// more, unless `min_records` are there.
    pub timeout: Option<Duration>,
    /// With `timeout`: enough to send before it runs out.
    pub min_records: usize,
}

impl Default for Batching {
    fn default() -> Self {
        Self {
            max_records: 1_000,
            max_bytes: 4 << 20,
            timeout: None,
            min_records: 0,
        }
    }
}

/// How long to go on, and how patiently.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// First back-off.
    pub initial: Duration,
    /// Longest back-off.
    pub max: Duration,
    /// Growth from one back-off to the next.
    pub multiplier: f64,
    /// Share of a back-off that is random: 0.5 means between half and one and a half of it.
    pub randomization: f64,
    /// `None`: for ever (the default). `Some`: after this long the records are refused, which dead-letters them.
    pub max_elapsed: Option<Duration>,
    /// `false`: a retryable answer refuses the records at once.
    pub enabled: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            multiplier: 1.5,
            randomization: 0.5,
            max_elapsed: None,
            enabled: true,
        }
    }
}

/// Where an exporter begins that was not there before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartAt {
    /// With the first record that is accepted from now on.
    #[default]
    Now,
    /// With the oldest record that the ledger still has.
    Beginning,
}

/// How the engine drives an exporter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// Gathering.
    pub batching: Batching,
    /// Whether the user wrote a batching setting on this exporter: then a pipeline's `batch` processor does not change it.
    pub batching_is_explicit: bool,
    /// Patience.
    pub retry: Retry,
    /// An attempt that takes longer is given up and tried again.
    pub attempt_timeout: Duration,
    /// Most attempts under way at once; the engine adapts between 1 and this.
    pub max_concurrency: usize,
    /// Where it begins on a pipeline on which it was not before.
    pub start_at: StartAt,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            batching: Batching::default(),
            batching_is_explicit: false,
            retry: Retry::default(),
            attempt_timeout: Duration::from_secs(30),
            max_concurrency: 10,
            start_at: StartAt::Now,
        }
    }
}

/// What an exporter's configuration builds; a `siem_bridge` builds one for each destination.
#[derive(Clone)]
pub struct BuiltExporter {
    /// Names this destination's state (cursor, dead letters) below the component's id: empty for a plain exporter,
    /// `splunk_hec@host:8088/index` for one of several.
    pub key: String,
    /// The exporter.
    pub exporter: Arc<dyn DynExporter>,
    /// How to drive it.
    pub delivery: Delivery,
}

impl fmt::Debug for BuiltExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltExporter")
            .field("key", &self.key)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}
