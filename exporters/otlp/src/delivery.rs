//! A batch as one or more requests, and their answers as verdicts for ranges of records.

use std::ops::Range;
use std::time::Duration;

use sluice_batch::{Batch, Signal};
use sluice_component::{After, BoxError, Undelivered, Verdict};
use tokio::time::Instant;

use crate::answer::Answer;

/// Most requests for one batch. What is undecided then is tried again with what was learnt: bad records are refused
/// and good ones delivered, so every attempt gets on.
pub(crate) const MAX_REQUESTS: usize = 256;

/// Takes one request at a time.
pub(crate) trait Destination: Sync {
    /// The request of these records.
    fn encode(&self, batch: &Batch, records: Range<usize>) -> Vec<u8>;
    /// Sends it once and reads the answer.
    fn send(&self, signal: Signal, request: Vec<u8>) -> impl Future<Output = Answer> + Send;
}

/// Bounds of one attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most bytes of a request of more than one record, before compression.
    pub(crate) max_bytes: usize,
    /// No request is begun when this much time has passed and any record's fate is known.
    pub(crate) patience: Duration,
}

/// Sends the batch, in as many requests as it takes.
///
/// A request that is too large or holds a bad record is halved until the bad record is alone. When the destination
/// cannot judge (overload, failure, configuration), the records not yet sent share that verdict.
pub(crate) async fn deliver<D: Destination>(
    destination: &D,
    batch: &Batch,
    limits: Limits,
) -> Result<(), Undelivered> {
    let mut waiting = requests(batch, limits.max_bytes);
    waiting.reverse();
    let mut outcome = Outcome::default();
    let begun = Instant::now();
    let mut sent = 0;
    while let Some(records) = waiting.pop() {
        if sent == MAX_REQUESTS || (records.start > 0 && begun.elapsed() >= limits.patience) {
            outcome.add(records.start..batch.len(), Verdict::Retry(After::Backoff));
            break;
        }
        let request = destination.encode(batch, records.clone());
        let answer = if request.len() > limits.max_bytes && records.len() > 1 {
            Answer::TooLarge(String::new())
        } else {
            sent += 1;
            destination.send(batch.signal(), request).await
        };
        match answer {
            Answer::Taken => {}
            Answer::Partly { rejected } => {
                let text = format!(
                    "{rejected} of {} records were rejected by the destination, which ones is unknown",
                    records.len()
                );
                outcome.add(records, Verdict::Refused(text));
            }
            Answer::TooLarge(text) | Answer::Bad(text) if records.len() == 1 => {
                outcome.add(records, Verdict::Refused(text))
            }
            Answer::TooLarge(_) | Answer::Bad(_) => {
                let middle = records.start + records.len() / 2;
                waiting.push(middle..records.end);
                waiting.push(records.start..middle);
            }
            Answer::Undecided { verdict, source } => {
                outcome.add(records.start..batch.len(), verdict);
                outcome.source = source;
                break;
            }
        }
    }
    outcome.finish()
}

/// Ranges of records of about `max_bytes` each; a record larger than that is alone.
fn requests(batch: &Batch, max_bytes: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for i in 0..batch.len() {
        let record = batch.record_bytes(i);
        if bytes > 0 && bytes + record > max_bytes {
            ranges.push(start..i);
            (start, bytes) = (i, 0);
        }
        bytes += record;
    }
    if start < batch.len() {
        ranges.push(start..batch.len());
    }
    ranges
}

#[derive(Default)]
struct Outcome {
    verdicts: Vec<(Range<u32>, Verdict)>,
    source: Option<BoxError>,
}

impl Outcome {
    fn add(&mut self, records: Range<usize>, verdict: Verdict) {
        let position = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
        let range = position(records.start)..position(records.end);
        match self.verdicts.last_mut() {
            Some((last, same)) if last.end == range.start && *same == verdict => {
                last.end = range.end
            }
            _ => self.verdicts.push((range, verdict)),
        }
    }

    fn finish(self) -> Result<(), Undelivered> {
        if self.verdicts.is_empty() {
            Ok(())
        } else {
            Err(Undelivered {
                verdicts: self.verdicts,
                source: self.source,
            })
        }
    }
}
