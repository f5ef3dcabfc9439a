//! What every audit event gets when it is taken in: an id that all destinations share.

use sluice_batch::{Batch, Signal, Value};
use sluice_component::audit;

/// Where an event's id stands when its source gave none in a place of its own.
const UID: &str = "log.record.uid";

/// Gives each audit event without an id a UUIDv7, before anything can copy or retry it: a retry then carries the same
/// id, and Elasticsearch refuses the second copy.
pub(crate) fn assign_ids(batch: &mut Batch) {
    if batch.signal() != Signal::Logs {
        return;
    }
    for i in 0..batch.len() {
        let record = batch.record(i);
        if audit::is_event(record) && audit::event_id(record).is_none() {
            let id = uuid::Uuid::now_v7();
            let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
            batch
                .record_mut(i)
                .set(UID, Value::Str(id.hyphenated().encode_lower(&mut text)));
        }
    }
}
