//! Which segments may go: those that every cursor has passed, that a checkpoint covers, and that are older than asked
//! for. Undelivered records never go by themselves.

use std::fmt::Write as _;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::inner::Inner;
use crate::segment;

/// Deletes what may go, and as much more of the delivered records as `wanted` bytes need below `max_bytes`.
pub(crate) fn collect(inner: &Inner, wanted: u64) {
    let needed = inner.oldest_needed();
    let now = inner.clock.wall();
    let settings = inner.settings();
    let oldest = now.saturating_sub(nanos(settings.retention.time));
    loop {
        let victim = {
            let mut state = inner.state.lock();
            let bytes = state.bytes();
            // The last one with records stays: it says where the log ends.
            let has_more = state.segments.iter().skip(1).any(|s| s.end > s.first);
            let Some(first) = state.segments.front().filter(|_| has_more) else {
                return;
            };
            let is_needed = first.end > needed;
            let is_kept = first.accepted >= oldest
                && bytes <= settings.retention.bytes
                && bytes + inner.dead_letters.bytes() + wanted <= settings.max_bytes;
            if is_needed || is_kept {
                return;
            }
            state.segments.pop_front()
        };
        let Some(victim) = victim else { return };
        // Or a power cut would set cursors back to where nothing is any more, and that would look like a loss. A disk
        // too full for a cursor needs the room all the same.
        if inner.cursors.is_dirty() {
            let _ = inner.cursors.store();
        }
        let path = segment::path(victim.first);
        let removed = match inner.disk.remove(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| inner.disk.sync_directory(segment::DIRECTORY)),
        };
        match removed {
            Ok(()) => info!(
                first = victim.first,
                end = victim.end,
                "delivered records are past their retention and were deleted"
            ),
            Err(error) => {
                warn!(file = path, %error, "a segment past its retention cannot be deleted");
                inner.state.lock().segments.push_front(victim);
                return;
            }
        }
    }
}

/// Takes the claim on the oldest segment, and on no more, from the exporter that is furthest behind. Says whether that
/// can make room.
pub(crate) fn detach_last(inner: &Inner) -> bool {
    let (oldest, durable) = {
        let state = inner.state.lock();
        // Only what has a later one behind it can be deleted.
        let has_more = state.segments.get(1).is_some_and(|s| s.end > s.first);
        let oldest = state.segments.front().filter(|_| has_more);
        (oldest.map(|s| s.end), state.durable)
    };
    let Some(end) = oldest.filter(|end| *end <= inner.checkpointed.load(Ordering::Acquire)) else {
        return false;
    };
    let cursors = inner.cursors.all();
    let last = cursors
        .iter()
        .filter(|(_, s)| s.pins && s.needs() < end)
        .min_by_key(|(_, s)| s.cursor.low());
    let Some((id, state)) = last else {
        return false;
    };
    error!(
        exporter = %id.exporter, pipeline = %id.pipeline, waiting = durable.saturating_sub(state.cursor.low()), end,
        "the ledger is full: this exporter is furthest behind and loses its claim on the oldest records (on_full: detach_exporter)"
    );
    inner.cursors.disclaim(id, end);
    true
}

/// Lets cursors go that no exporter has claimed for longer than the grace.
pub(crate) fn release_orphans(inner: &Inner) {
    let now = inner.clock.wall();
    for (id, state) in inner.cursors.all() {
        let Some(since) = state.orphaned.filter(|_| state.pins) else {
            continue;
        };
        if inner.state.lock().claimed.contains_key(&id) {
            continue;
        }
        if now.saturating_sub(since) >= nanos(inner.settings().orphan_grace) {
            warn!(
                exporter = %id.exporter, pipeline = %id.pipeline,
                "no exporter with this id has been configured for a long time: its undelivered records no longer keep segments from being deleted"
            );
            inner.cursors.unpin(&id);
        }
    }
}

/// Who keeps the ledger full.
pub(crate) fn why_full(inner: &Inner) -> String {
    let durable = inner.state.lock().durable;
    let cursors = inner.cursors.all();
    let last = cursors
        .iter()
        .filter(|(_, s)| s.pins)
        .min_by_key(|(_, s)| s.cursor.low());
    let letters = inner.dead_letters.bytes();
    let mut why = match last {
        Some((id, state)) => format!(
            "max_bytes is reached and {} is {} records behind",
            id.exporter,
            durable.saturating_sub(state.cursor.low())
        ),
        None => "max_bytes is reached".into(),
    };
    if letters > 0 {
        let _ = write!(why, "; dead letters take {letters} bytes");
    }
    why
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
