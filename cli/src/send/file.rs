//! Sends an export file, from where an earlier run stopped.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::Stopped;
use super::batch::{Batches, body};
use super::door::{Door, NotAccepted};
use super::progress::Progress;
use super::rows::{BadRow, Rows};
use super::watch::Watch;

/// Posts the events of `path` (`-`: standard input), beginning with record `from` or with the first that was not
/// accepted before. Returns what to tell the user.
pub(super) async fn send(door: &Door, path: &Path, from: Option<u64>) -> Result<String, Stopped> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let fail = |why: String| Stopped::Failed(format!("{name}: {why}"));

    let (input, length): (Box<dyn Read>, _) = if is_stdin {
        (Box::new(std::io::stdin()), None)
    } else {
        let file = File::open(path).map_err(|error| fail(error.to_string()))?;
        let metadata = file.metadata().map_err(|error| fail(error.to_string()))?;
        // A pipe with a name is read once, and has no length.
        let length = metadata.is_file().then_some(metadata.len());
        (Box::new(file), length)
    };
    let mut watch = Watch::new(length);
    let reader = BufReader::with_capacity(64 << 10, watch.over(input));
    let mut rows = Rows::open(reader).map_err(|bad| fail(bad.to_string()))?;

    let mut progress = Progress::new(length.map(|_| path), door.url());
    let passed = pass_over(&mut rows, &mut progress, from, &watch).map_err(fail)?;
    let mut run = Run {
        progress,
        passed,
        from,
        keeps_progress: true,
    };
    for batch in Batches::new(passed + 1, || rows.next()) {
        let batch = batch.map_err(|bad| fail(run.unreadable(&bad)))?;
        run.deliver(door, &batch.rows, &mut watch)
            .await
            .map_err(fail)?;
    }
    watch.finish();
    run.finish().map_err(fail)?;
    Ok(match (run.sent(), passed) {
        (0, 0) => format!("{name} holds no events: nothing was sent"),
        (sent, 0) => format!("{sent} records of {name} accepted by {}", door.url()),
        (sent, _) => format!(
            "{sent} records of {name} accepted by {}, from record {} on",
            door.url(),
            passed + 1
        ),
    })
}

/// Goes to the first record that is to be sent; how many stand before it.
fn pass_over<R: BufRead>(
    rows: &mut Rows<R>,
    progress: &mut Progress,
    from: Option<u64>,
    watch: &Watch,
) -> Result<u64, String> {
    let kept = progress.path().map(|path| path.display().to_string());
    let kept = kept.unwrap_or_default();
    let stored = match from {
        Some(_) => None,
        None => progress
            .stored()
            .map_err(|error| format!("{kept} cannot be read: {error}; remove it to send all"))?,
    };
    let passed = match (from, &stored) {
        (Some(from), _) => from - 1,
        (None, Some(stored)) => stored.accepted,
        (None, None) => 0,
    };
    while progress.accepted() < passed {
        match rows.next() {
            Some(Ok(row)) => progress.count([row.as_slice()]),
            Some(Err(bad)) if bad.can_be_passed_over => progress.count([&b""[..]]),
            Some(Err(bad)) => return Err(bad.to_string()),
            None if stored.is_some() => break,
            None => {
                return Err(format!(
                    "there are only {} records: nothing was sent",
                    progress.accepted()
                ));
            }
        }
    }
    if let Some(stored) = stored {
        if !progress.agrees_with(&stored) {
            return Err(format!(
                "{kept} says that {} records went to {}, and this is another destination or the file has changed; remove \
                 {kept} to send all, or give --from",
                stored.accepted, stored.to
            ));
        }
        watch.line(&format!(
            "going on from record {}: {passed} were accepted before",
            passed + 1
        ));
    }
    Ok(passed)
}

/// A file on its way.
struct Run {
    progress: Progress,
    /// Records in front of the first that this run sends.
    passed: u64,
    /// The user's own choice of it.
    from: Option<u64>,
    /// The progress file could be written so far.
    keeps_progress: bool,
}

impl Run {
    /// Posts events that follow the accepted ones, in smaller parts where they are refused as a whole: until they are
    /// small enough, or the one event that is refused stands alone. Err tells the user how to go on.
    async fn deliver(
        &mut self,
        door: &Door,
        rows: &[Vec<u8>],
        watch: &mut Watch,
    ) -> Result<(), String> {
        let (mut rest, mut size) = (rows, rows.len());
        while !rest.is_empty() {
            let (now, later) = rest.split_at(size.min(rest.len()));
            match door.deliver(body(now), watch).await {
                Ok(_) => {
                    self.progress.count(now.iter().map(Vec::as_slice));
                    self.keep(watch);
                    watch.accepted(self.progress.accepted());
                    rest = later;
                }
                Err(NotAccepted::Whole(_)) if now.len() > 1 => size = now.len() / 2,
                Err(why) => {
                    let last = self.progress.accepted() + now.len() as u64;
                    return Err(self.refused(last, &why));
                }
            }
        }
        Ok(())
    }

    /// Writes the progress down; says once when that does not work.
    fn keep(&mut self, watch: &Watch) {
        if let Err(error) = self.progress.store()
            && std::mem::take(&mut self.keeps_progress)
        {
            watch.line(&format!(
                "progress cannot be kept ({error}): after an interruption go on with --from"
            ));
        }
    }

    /// Nothing is left to go on with.
    fn finish(&self) -> Result<(), String> {
        match (self.progress.remove(), self.progress.path()) {
            (Err(error), Some(path)) => Err(format!(
                "everything was accepted, but {} cannot be removed: {error}",
                path.display()
            )),
            _ => Ok(()),
        }
    }

    fn sent(&self) -> u64 {
        self.progress.accepted() - self.passed
    }

    /// The records behind the accepted ones up to `last` were refused.
    fn refused(&self, last: u64, why: &NotAccepted) -> String {
        let first = self.progress.accepted() + 1;
        let (which, them) = if first == last {
            (format!("record {first} was"), "it")
        } else {
            (format!("records {first} to {last} were"), "them")
        };
        let (accepted, again) = (self.accepted(), self.again());
        let leave_out = match why {
            // There is nothing wrong with them.
            NotAccepted::OutOfPatience(_) => String::new(),
            _ => format!(", or leave {them} out with --from {}", last + 1),
        };
        format!("{which} not accepted: {why}; {accepted}; {again}{leave_out}")
    }

    /// The record behind the accepted ones is no event.
    fn unreadable(&self, bad: &BadRow) -> String {
        let (accepted, again) = (self.accepted(), self.again());
        if bad.can_be_passed_over {
            let next = bad.record + 1;
            format!("{bad}; {accepted}; mend it and {again}, or leave it out with --from {next}")
        } else {
            format!("{bad}; {accepted}; mend the file and {again}")
        }
    }

    fn accepted(&self) -> String {
        format!("in this run {} were accepted", self.sent())
    }

    fn again(&self) -> String {
        let next = self.progress.accepted() + 1;
        match (
            self.progress.path().filter(|_| self.keeps_progress),
            self.from,
        ) {
            (None, _) => format!("go on with --from {next}"),
            (Some(_), None) => format!("run the same command again to go on from record {next}"),
            (Some(_), Some(from)) if from == next => "run the same command again".to_owned(),
            (Some(_), Some(_)) => {
                format!("run the same command without --from to go on from record {next}")
            }
        }
    }
}
