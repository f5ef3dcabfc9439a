//! Which segments may go: those that every cursor has passed, that a checkpoint covers, and that are older than asked
//! for. Undelivered records never go by themselves.

use std::time::Duration;

use tracing::{error, info, warn};

use crate::inner::Inner;
use crate::segment;

/// Deletes what may go, and as much more of the delivered records as `wanted` bytes need below `max_bytes`.
pub(crate) fn collect(inner: &Inner, wanted: u64) {
    let needed = inner.oldest_needed();
    let now = inner.clock.wall();
    let settings = &inner.settings;
    let oldest = now.saturating_sub(nanos(settings.retention.time));
    loop {
        let victim = {
            let mut state = inner.state.lock();
            let bytes = state.bytes();
            // The last one with records stays: it says where the log ends.
            let has_more = state.segments.get(1).is_some_and(|s| s.end > s.first);
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
        let path = segment::path(victim.first);
        let removed = inner
            .disk
            .remove(&path)
            .and_then(|()| inner.disk.sync_directory(segment::DIRECTORY));
        match removed {
            Ok(()) => info!(
                first = victim.first,
                end = victim.end,
                "delivered records are past their retention and were deleted"
            ),
            Err(error) => {
                warn!(file = path, %error, "a segment past its retention cannot be deleted");
                return;
            }
        }
    }
}

/// Takes the claim on the oldest records from the exporter that is furthest behind. Says whether there was one.
pub(crate) fn detach_last(inner: &Inner) -> bool {
    let cursors = inner.cursors.all();
    let last = cursors
        .iter()
        .filter(|(_, s)| s.pins)
        .min_by_key(|(_, s)| s.cursor.low());
    let Some((id, state)) = last else {
        return false;
    };
    let waiting = inner
        .state
        .lock()
        .durable
        .saturating_sub(state.cursor.low());
    error!(
        exporter = %id.exporter, pipeline = %id.pipeline, waiting,
        "the ledger is full: this exporter is furthest behind and loses its claim on the oldest records (on_full: detach_exporter)"
    );
    inner.cursors.set_pins(id, false);
    true
}

/// Lets cursors go that no exporter has claimed for longer than the grace.
pub(crate) fn release_orphans(inner: &Inner) {
    let now = inner.clock.wall();
    for (id, state) in inner.cursors.all() {
        let Some(since) = state.orphaned.filter(|_| state.pins) else {
            continue;
        };
        if now.saturating_sub(since) >= nanos(inner.settings.orphan_grace) {
            warn!(
                exporter = %id.exporter, pipeline = %id.pipeline,
                "no exporter with this id has been configured for a long time: its undelivered records no longer keep segments from being deleted"
            );
            inner.cursors.set_pins(&id, false);
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
    match last {
        Some((id, state)) => format!(
            "max_bytes is reached and {} is {} records behind",
            id.exporter,
            durable.saturating_sub(state.cursor.low())
        ),
        None => "max_bytes is reached".into(),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
