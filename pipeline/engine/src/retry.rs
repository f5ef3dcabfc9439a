//! Dead letters once more to their exporter.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::outside::{Outside, take_away};
use crate::progress::Progress;
use crate::replay::{Control, End, ReplayError};

impl Control {
    /// Sends dead letters of an exporter once more. Those that are taken are letters no more; whatever becomes of one
    /// keeps no other from being sent, and is in `progress`.
    ///
    /// # Errors
    /// Nothing was sent.
    pub async fn retry(
        &self,
        exporter: &str,
        sequences: Vec<u64>,
        progress: Arc<Progress>,
        stop: CancellationToken,
    ) -> Result<(), ReplayError> {
        let ledger = self.ledger.clone().ok_or(ReplayError::NoLedger)?;
        progress.count_matched(sequences.len());
        let ends = self.ends.load();
        let ends: Vec<End> = ends
            .iter()
            .filter(|(_, d)| d.name == exporter)
            .cloned()
            .collect();
        let Some((_, destination)) = ends.first().cloned() else {
            let known = self.exporters().join(", ");
            let why = format!(
                "no exporter of the configuration is called {exporter}; there are: {known}"
            );
            progress.skip(&sequences, &why);
            return Ok(());
        };
        let exporter: Arc<str> = exporter.into();
        let (letters, delivered) = mpsc::unbounded_channel();
        // By itself: letters that were delivered go away also when the rest is abandoned.
        let away = take_away(
            ledger.clone(),
            exporter.clone(),
            progress.clone(),
            delivered,
        );
        let away = tokio::spawn(away);
        let own = CancellationToken::new();
        let mut outside = Outside::new(ledger.clone(), destination, progress.clone(), own.clone());
        outside.letters = Some(letters);
        let mut work = JoinSet::new();
        let soon = own.clone();
        work.spawn(async move {
            for sequence in sequences {
                if soon.is_cancelled() {
                    return Ok(());
                }
                let (ledger, name) = (ledger.clone(), exporter.clone());
                let read = tokio::task::spawn_blocking(move || {
                    let letter = ledger.dead_letters().letter(&name, sequence)?;
                    let batch = letter.batch()?;
                    Ok((letter.pipeline, batch))
                });
                let (pipeline, batch) = match read.await.map_err(io::Error::other).flatten() {
                    Ok(letter) => letter,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        progress.skip(&[sequence], "it is no dead letter any more");
                        continue;
                    }
                    Err(error) => {
                        let why = format!("the letter cannot be read: {error}");
                        progress.skip(&[sequence], &why);
                        continue;
                    }
                };
                let Some((path, _)) = ends.iter().find(|(path, _)| *path.name == *pipeline) else {
                    let why = format!("no pipeline {pipeline} ends in {exporter} any more");
                    progress.skip(&[sequence], &why);
                    continue;
                };
                outside.add(path, vec![sequence], batch).await;
            }
            outside.finish().await;
            Ok(())
        });
        let ended = self.all(work, &own, &stop).await;
        away.await.map_err(io::Error::other)?;
        ended.result
    }
}
