//! What actions do to records, which records they do it to, and what a wrong configuration is told.

mod actions;
mod configuration;
mod matching;

use sluice_batch::{Batch, Signal, Value};
use sluice_component::{Problems, Transform as _};

use crate::{Config, resource};

/// Reads a configuration; every test's is right in its types.
fn config(json: &str) -> Config {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"))
}

/// Applies a configuration without problems to a batch.
#[track_caller]
fn apply(json: &str, batch: &mut Batch) {
    let mut problems = Problems::new();
    let processor = config(json).processor(&mut problems);
    assert!(problems.found.is_empty(), "{:?}", problems.found);
    processor.apply(batch).unwrap();
}

/// One log record with these attributes.
fn record(attributes: &[(&str, Value<'_>)]) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(
        &[
            ("service.name", Value::Str("gateway")),
            ("host", Value::Str("a")),
        ],
        "audit",
    );
    let mut record = batch.push_log();
    for (key, value) in attributes {
        record.set(key, *value);
    }
    batch
}

/// A record's attributes as `key=text` in order.
fn shown(batch: &Batch) -> Vec<String> {
    batch
        .record(0)
        .attributes()
        .iter()
        .map(|(key, value)| format!("{key}={}", value.to_text()))
        .collect()
}

/// The configuration of the `resource` processor, applied.
fn apply_to_resources(json: &str, batch: &mut Batch) {
    let config: resource::Config = serde_json::from_str(json).unwrap();
    let mut problems = Problems::new();
    let steps = crate::config::steps("attributes", &config.attributes, &mut problems);
    assert!(problems.found.is_empty(), "{:?}", problems.found);
    crate::processor::Resources { steps }.apply(batch).unwrap();
}
