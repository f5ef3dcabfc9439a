//! One attempt: text, then the outputs on a thread that may block.

use std::io::{self, Write};
use std::sync::Arc;

use sluice_batch::Batch;
use sluice_component::{Exporter, Undelivered};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::sampling::Sampling;
use crate::text;
use crate::{Config, Verbosity};

/// Shows batches. Ok: every output took the text, or sampling left the batch out, or nobody reads any more (a closed
/// pipe, as under `sluice run … | head`): that must not stop a pipeline.
pub struct Debug {
    verbosity: Verbosity,
    sampling: std::sync::Mutex<Sampling>,
    outputs: Arc<Mutex<Vec<Box<dyn Write + Send>>>>,
}

impl Debug {
    /// An exporter that shows batches on `outputs`.
    #[must_use]
    pub fn new(config: &Config, outputs: Vec<Box<dyn Write + Send>>) -> Self {
        Self {
            verbosity: config.verbosity,
            sampling: std::sync::Mutex::new(Sampling::new(
                config.sampling_initial,
                config.sampling_thereafter,
            )),
            outputs: Arc::new(Mutex::new(outputs)),
        }
    }

    fn is_shown(&self) -> bool {
        self.sampling
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .shows(Instant::now())
    }

    async fn write(&self, text: String) -> io::Result<()> {
        // Waited for here and not on the thread: an output that hangs holds one thread, however often it is tried again.
        let mut outputs = Arc::clone(&self.outputs).lock_owned().await;
        tokio::task::spawn_blocking(move || {
            let mut result = Ok(());
            outputs.retain_mut(|output| match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    tracing::warn!("nobody reads the debug exporter's output any more: no more records are shown on it");
                    false
                }
                written => {
                    if result.is_ok() {
                        result = written;
                    }
                    true
                }
            });
            result
        })
        .await
        .map_err(io::Error::other)?
    }
}

impl Exporter for Debug {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        if batch.is_empty() || !self.is_shown() {
            return Ok(());
        }
        let text = match self.verbosity {
            Verbosity::Basic => text::basic(batch),
            Verbosity::Normal => text::normal(batch),
            Verbosity::Detailed => text::detailed(batch),
        };
        self.write(text)
            .await
            .map_err(|error| Undelivered::retry(batch.len(), error))
    }
}

impl std::fmt::Debug for Debug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Debug")
            .field("verbosity", &self.verbosity)
            .finish_non_exhaustive()
    }
}
