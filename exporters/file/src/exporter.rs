//! One attempt: encode and write on a thread that may block.

use std::io;
use std::sync::Arc;

use sluice_batch::Batch;
use sluice_component::{Exporter, Undelivered};
use tokio::sync::Mutex;

use crate::frame::Framing;
use crate::writer::Writer;

/// Appends batches to one file.
pub(crate) struct FileExporter {
    framing: Framing,
    writer: Arc<Mutex<Writer>>,
}

impl FileExporter {
    pub(crate) fn new(framing: Framing, writer: Writer) -> Self {
        Self {
            framing,
            writer: Arc::new(Mutex::new(writer)),
        }
    }

    async fn write(&self, batch: &Batch) -> io::Result<()> {
        // Waited for here and not on the thread: a disk that hangs holds one thread, however often it is tried again.
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let (framing, batch) = (self.framing, batch.clone());
        tokio::task::spawn_blocking(move || writer.append(framing.pieces(&batch)))
            .await
            .map_err(io::Error::other)?
    }
}

impl Exporter for FileExporter {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        if batch.is_empty() {
            return Ok(());
        }
        // A full disk, a missing directory, a wrong owner: all of them can be mended while the records wait.
        self.write(batch)
            .await
            .map_err(|error| Undelivered::retry(batch.len(), error))
    }
}
