//! Erasing records on someone's request: first it is put on record in the log itself, then the records go.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use sluice_batch::{Batch, Signal, Value};

use super::rewrite;
use crate::clock;
use crate::cursors::{CursorId, Cursors};
use crate::dead_letters::DeadLetters;
use crate::disk::{Disk, RealDisk};
use crate::format::{Header, Key};
use crate::frame::Prepared;
use crate::inner::OWN_PIPELINE;
use crate::lock::{Lock, LockError};
use crate::recovery::{self, Recovered};
use crate::segment::{self, Segment};
use crate::view::{Entry, View};

/// The event that says which records were erased and why.
pub(crate) const EVENT: &str = "audit.erasure";
/// Its attribute with the sequence numbers, as `3,7-9`.
pub(crate) const SEQUENCES: &str = "audit.erasure.sequences";
/// Its attribute with the reason.
pub(crate) const REASON: &str = "audit.erasure.reason";

/// What was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// The records, in order.
    pub sequences: Vec<u64>,
    /// Sequence number of the record that says so.
    pub recorded_as: u64,
    /// Dead letters that held one of them, and hold nothing now.
    pub dead_letters: usize,
    /// Exporters that had not delivered all of them, and never will.
    pub undelivered: Vec<CursorId>,
}

/// Why nothing was erased, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The ledger is in use, or its directory cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The record was never there, is gone already, or cannot be read.
    #[error("record {0} is not in this ledger: nothing was erased")]
    NotThere(u64),
    /// The ledger ends with the last number that there is.
    #[error("the ledger has no number left for the record that says what was erased")]
    Full,
    /// The file system. The same command goes on where this one stopped.
    #[error("cannot erase records: {0}; give the same command again once this is mended")]
    Io(#[from] io::Error),
}

/// Erases records of the ledger in a directory that no process uses.
///
/// The record's bytes and its salt are taken out of its segment and out of the dead letters; its commitment stays, and
/// with it every proof about the others. That it happened, and why, becomes a record of the pipeline `ledger`.
///
/// # Errors
/// See [`EraseError`].
pub fn erase(
    directory: &Path,
    sequences: &BTreeSet<u64>,
    reason: &str,
) -> Result<Erasure, EraseError> {
    // Taking the lock would make the directory.
    if !directory.is_dir() {
        let why = format!("there is no ledger in {}", directory.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, why).into());
    }
    let _lock = Lock::take(directory)?;
    erase_on(Arc::new(RealDisk::new(directory)), sequences, reason)
}

/// Erases records of a ledger on a disk of the caller's, who makes sure that nothing else uses it.
///
/// # Errors
/// See [`EraseError`].
pub fn erase_on(
    disk: Arc<dyn Disk>,
    sequences: &BTreeSet<u64>,
    reason: &str,
) -> Result<Erasure, EraseError> {
    let mut recovered = recovery::recover(&*disk)?;
    let view = View::open_on(disk.clone())?;
    for sequence in sequences {
        find(&view, *sequence)?;
    }
    let cursors = Cursors::open(disk.clone(), &mut recovered.report)?;
    let letters = DeadLetters::open(disk.clone(), Key::of(&recovered.id), &mut recovered.report)?;
    let undelivered = cursors
        .all()
        .into_iter()
        .filter(|(_, state)| {
            let is_open = |s: &u64| !state.cursor.open(*s..*s + 1).is_empty();
            sequences.iter().any(is_open)
        })
        .map(|(id, _)| id)
        .collect();
    let next = recovery::next_sequence(&*disk, &recovered, &cursors, &letters);
    next.checked_add(1).ok_or(EraseError::Full)?;
    record(&*disk, &recovered, next, sequences, reason)?;
    for segment in view.segments() {
        if sequences.range(segment.first..segment.end).next().is_some() {
            rewrite::segment(&*disk, &recovered.id, segment, sequences)?;
        }
    }
    Ok(Erasure {
        sequences: sequences.iter().copied().collect(),
        recorded_as: next,
        dead_letters: letters.erase(sequences)?,
        undelivered,
    })
}

/// Makes sure that the record can be read. One that was erased already is fine: its frame is written again, which ends
/// what a crash may have left half done.
fn find(view: &View, sequence: u64) -> Result<(), EraseError> {
    let not_there = EraseError::NotThere(sequence);
    if !view.sequences().contains(&sequence) {
        return Err(not_there);
    }
    match view.entries(sequence).next().transpose()? {
        Some(Entry::Frame(frame)) if (frame.head.first..frame.head.end()).contains(&sequence) => {
            frame.commitments().map_err(|_| not_there)?;
            Ok(())
        }
        _ => Err(not_there),
    }
}

/// Puts it on record, in a segment of its own.
fn record(
    disk: &dyn Disk,
    recovered: &Recovered,
    next: u64,
    sequences: &BTreeSet<u64>,
    reason: &str,
) -> io::Result<()> {
    let before = recovered.segments.last().map_or(0, |s| s.accepted);
    let now = clock::system()().max(before);
    let mut batch = Batch::new(Signal::Logs);
    let mut event = batch.push_log();
    event.set_name(EVENT);
    event.set_observed_time(now);
    event.set_body(Value::Str("records of this log were erased"));
    event.set(SEQUENCES, Value::Str(&write_sequences(sequences)));
    event.set(REASON, Value::Str(reason));
    let frame = Prepared::new(OWN_PIPELINE.into(), batch, true)?;
    let key = Key::of(&recovered.id);
    let header = Header {
        first: next,
        created: now,
        ledger: recovered.id,
    };
    let mut bytes = header.encode().to_vec();
    frame.write(key, next, now, &mut bytes);
    let mut segment = Segment::new(next, now);
    segment.add(next + 1, frame.len() as u64, now, frame.times());
    bytes.extend_from_slice(&segment.seal(now).encode(key));
    let path = segment::path(next);
    let name = path.rsplit('/').next().unwrap_or(&path);
    crate::disk::replace(disk, segment::DIRECTORY, name, &bytes)
}

/// `3,7-9`.
fn write_sequences(sequences: &BTreeSet<u64>) -> String {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for sequence in sequences {
        match runs.last_mut() {
            Some(run) if run.end == *sequence => run.end += 1,
            _ => runs.push(*sequence..*sequence + 1),
        }
    }
    write_ranges(&runs)
}

/// The same of ranges, none of them empty.
pub(crate) fn write_ranges(ranges: &[Range<u64>]) -> String {
    let run = |run: &Range<u64>| match run.end - run.start {
        1 => run.start.to_string(),
        _ => format!("{}-{}", run.start, run.end - 1),
    };
    ranges.iter().map(run).collect::<Vec<_>>().join(",")
}

/// Reads what [`write_sequences`] wrote; what is no number is passed over.
pub(crate) fn parse_sequences(text: &str) -> Vec<Range<u64>> {
    text.split(',')
        .filter_map(|run| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            let end = last.parse::<u64>().ok()?.checked_add(1)?;
            Some(first.parse().ok()?..end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_come_back_from_their_short_form() {
        let sequences = BTreeSet::from([3, 7, 8, 9, 11]);
        assert_eq!(write_sequences(&sequences), "3,7-9,11");
        let back: BTreeSet<u64> = parse_sequences("3,7-9,11").into_iter().flatten().collect();
        assert_eq!(back, sequences);
        assert!(parse_sequences("x,,9-").is_empty());
    }
}
