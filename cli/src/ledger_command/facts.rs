//! What lies in a ledger, as one JSON object.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value, json};
use sluice_ledger::{CursorId, CursorState, Entry, Lock, Segment, View};

use crate::admin::client;
use crate::when;

/// The records from somewhere on, by pipeline: a frame's range each.
#[derive(Debug, Default)]
pub(super) struct Behind {
    frames: BTreeMap<String, Vec<Range<u64>>>,
}

/// Reads which pipelines the records from `low` on belong to. Sequence numbers alone do not tell how far an exporter is
/// behind: all pipelines share them.
pub(super) fn behind(view: &View, low: u64) -> io::Result<Behind> {
    let mut behind = Behind::default();
    if low >= view.sequences().end {
        return Ok(behind);
    }
    for entry in view.entries(low) {
        if let Entry::Frame(frame) = entry? {
            let range = frame.head.first..frame.head.end();
            let ranges = behind.frames.entry(frame.pipeline).or_default();
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
    }
    Ok(behind)
}

impl Behind {
    /// Records that an exporter does not have yet.
    pub(super) fn of(&self, id: &CursorId, state: &CursorState) -> u64 {
        let ranges = self.frames.get(&*id.pipeline).into_iter().flatten();
        ranges
            .flat_map(|range| state.cursor.open(range.clone()))
            .map(|open| open.end - open.start)
            .sum()
    }
}

/// Everything that is worth knowing; the text is made of it too. `max_bytes` is what the configuration says; an instance
/// that runs knows better.
pub(super) fn facts(directory: &Path, view: &View, max_bytes: Option<u64>) -> io::Result<Value> {
    let status = running(directory);
    let range = view.sequences();
    let segments = view.segments();
    let missing: u64 = missing(view).iter().map(|r| r.end - r.start).sum();
    let bytes: u64 = segments.iter().map(|s| s.len).sum();
    let held: u64 = segments.iter().map(|s| s.end - s.first).sum();
    let events = segments.iter().filter(|s| s.times.0 <= s.times.1);
    let oldest = events.clone().map(|s| s.times.0).filter(|t| *t > 0).min();
    let newest = events.map(|s| s.times.1).filter(|t| *t > 0).max();
    let checkpoints = view.checkpoints();
    let epoch = view.epoch()?;
    let lost_end = super::lost_end(directory, view)?;
    Ok(json!({
        "directory": directory.display().to_string(),
        "id": view.ledger_id(),
        "running": Lock::holder(directory),
        "origin": epoch.as_ref().map(|e| e.origin()),
        "epoch": epoch.map(|e| json!({"number": e.number, "first": e.first})),
        "first": range.start, "end": range.end, "records": held.saturating_sub(missing),
        "bytes": bytes,
        // With dead letters: what counts against `max_bytes`.
        "bytes_used": bytes + view.dead_letters()?.bytes(),
        "max_bytes": status["max_bytes"].as_u64().or(max_bytes),
        // Not known unless it runs.
        "full": status["full"],
        "oldest_event": oldest.map(when::show), "newest_event": newest.map(when::show),
        "segments": segments.iter().map(segment).collect::<Vec<_>>(),
        "cursors": cursors(view)?,
        "dead_letters": dead_letters(view)?,
        "checkpoints": checkpoints.as_ref().map_or(0, Vec::len),
        "newest_checkpoint": checkpoints.as_ref().ok().and_then(|all| all.last()).map(|signed| {
            let read = signed.read().ok();
            json!({
                "time": when::show(signed.time), "origin": read.as_ref().map(|c| c.origin().to_owned()),
                "size": read.as_ref().map(sluice_evidence::Checkpoint::size), "first": signed.first,
            })
        }),
        "checkpoints_damage": checkpoints.err().map(|error| error.to_string()),
        "damages": view.report().damages,
        "lost_end": (!lost_end.is_empty()).then_some(lost_end),
    }))
}

/// What an instance that runs on it says; nothing when none does, or it does not answer.
fn running(directory: &Path) -> Value {
    if !client::is_running(directory) {
        return Value::Null;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let status = runtime.map(|runtime| runtime.block_on(client::status(directory)));
    match status {
        Ok(Ok(status)) => status,
        _ => Value::Null,
    }
}

/// Records that are known to be missing within segments.
fn missing(view: &View) -> Vec<Range<u64>> {
    let damages = view.report().damages.iter();
    let missing = damages.filter_map(|d| d.sequences.clone());
    missing
        .filter(|range| {
            let mut segments = view.segments().iter();
            segments.any(|s| s.first <= range.start && range.end <= s.end)
        })
        .collect()
}

fn segment(segment: &Segment) -> Value {
    let (from, to) = segment.times;
    // A record without an event time has the time 0.
    let time = |nanos| (from <= to && nanos > 0).then(|| when::show(nanos));
    json!({
        "first": segment.first, "end": segment.end, "bytes": segment.len, "sealed": segment.is_sealed,
        "oldest_event": time(from), "newest_event": time(to), "accepted": when::show(segment.accepted),
    })
}

fn cursors(view: &View) -> io::Result<Vec<Value>> {
    let cursors = view.cursors()?;
    let lowest = cursors.values().map(|state| state.cursor.low()).min();
    let behind = behind(view, lowest.unwrap_or(u64::MAX))?;
    let cursors = cursors.iter().map(|(id, state)| {
        let cursor = &state.cursor;
        json!({
            "pipeline": &*id.pipeline, "exporter": &*id.exporter, "position": cursor.low(),
            "behind": behind.of(id, state), "in_flight": cursor.open(cursor.low()..cursor.high()).len(),
            "lost": state.lost, "orphaned_since": state.orphaned.map(when::show),
        })
    });
    Ok(cursors.collect())
}

fn dead_letters(view: &View) -> io::Result<Map<String, Value>> {
    let letters = view.dead_letters()?;
    let counts = letters.counts().into_iter().map(|(exporter, n)| {
        let wanted = letters.wanted(&exporter).len();
        let counts = json!({"letters": n, "to_be_sent_again": wanted});
        (exporter.to_string(), counts)
    });
    Ok(counts.collect())
}
