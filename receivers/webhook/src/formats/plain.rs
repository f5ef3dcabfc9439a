//! Any JSON: nothing is known of it but where ids and times usually stand.

use super::judgement::Judgement;
use super::table::{Field, Source, read};

pub(super) static SOURCE: Source = Source {
    fields: FIELDS,
    marks: &[],
    uid: &["event_id", "id"],
    time: &["timestamp", "@timestamp", "time", "created_at", "date"],
    has_time: false,
    scope: "webhook",
    judge: |_| Judgement::default(),
};

static FIELDS: &[Field] = &[
    read("event_id"),
    read("id"),
    read("timestamp"),
    read("@timestamp"),
    read("time"),
    read("created_at"),
    read("date"),
];
