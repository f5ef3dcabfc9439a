//! Which tags and severities records get, and what a wrong configuration is told.

mod configuration;
mod ranking;
mod rules;

use processor_ottl::severity;
use sluice_batch::{Batch, Record, Signal, Value, ValueBuf};
use sluice_component::{Problems, Transform as _};

use crate::Config;

/// Applies a configuration without problems to a batch.
#[track_caller]
fn apply(json: &str, batch: &mut Batch) {
    let config: Config = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
    let mut problems = Problems::new();
    let classifier = config.classifier(&mut problems);
    assert!(problems.found.is_empty(), "{:?}", problems.found);
    classifier.apply(batch).unwrap();
}

/// One log record with these attributes and a JSON body.
fn event(attributes: &[(&str, Value<'_>)], body: &str) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[], "audit");
    let body = ValueBuf::from_json(body.as_bytes()).unwrap();
    let mut record = batch.push_log();
    record.set_body(body.as_value());
    record.set_severity(9, "INFO");
    for (key, value) in attributes {
        record.set(key, *value);
    }
    batch
}

/// The same as it would arrive: over the wire, untouched since.
fn arrived(batch: &Batch) -> Batch {
    Batch::decode(Signal::Logs, batch.encode().into()).unwrap()
}

fn text(record: Record<'_>, key: &str) -> String {
    record
        .get(key)
        .map_or("-".into(), |value| value.to_text().into_owned())
}

/// The tag and the severity that `rules` give a record, built here and over the wire.
#[track_caller]
fn tag(rules: &str, batch: &Batch) -> String {
    let shown = [batch.clone(), arrived(batch)].map(|mut batch| {
        apply(&format!(r#"{{"rules": [{rules}]}}"#), &mut batch);
        let record = batch.record(0);
        let severity = severity::name(record.severity_number()).unwrap_or("none");
        assert!(severity == "none" || severity == record.severity_text());
        format!("{} {severity}", text(record, "data.classification"))
    });
    assert_eq!(shown[0], shown[1]);
    shown[0].clone()
}
