mod config;
mod formats;
mod rotation;
mod writing;

use std::path::Path;

use serde_json::Value as Json;
use sluice_batch::{Batch, Signal, Value, ValueBuf};
use sluice_component::{BuildContext, BuildError, BuiltExporter, ExporterConfig as _};

use crate::Config;

fn build(config: &Config) -> Result<BuiltExporter, BuildError> {
    let context = BuildContext::alone("file");
    config.build(&context).map(|mut built| built.remove(0))
}

fn to(path: &Path) -> Config {
    Config {
        path: path.to_owned(),
        ..Config::default()
    }
}

/// Log records whose bodies are these.
fn logs(bodies: impl IntoIterator<Item = impl AsRef<str>>) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("service.name", Value::Str("policy-gateway"))], "audit");
    for body in bodies {
        let mut record = batch.push_log();
        record.set_time(1_776_709_800_000_000_000);
        record.set_body(Value::Str(body.as_ref()));
    }
    batch
}

fn decision() -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("service.name", Value::Str("policy-gateway"))], "audit");
    let mut record = batch.push_log();
    record.set_time(1_776_709_800_000_000_001);
    record.set_observed_time(1_776_709_801_000_000_000);
    record.set_severity(10, "INFO");
    record.set_name("ai.policy.decision");
    record.set_body(
        ValueBuf::from_json(br#"{"decision":"refuse","reasons":[1,null]}"#)
            .unwrap()
            .as_value(),
    );
    record.set("tokens", Value::Int(5));
    record.set_trace(&[0xab; 16], &[0xcd; 8], 1);
    batch
}

fn json_lines(path: &Path) -> Vec<Json> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The bodies of all log records in a file of OTLP/JSON lines.
fn bodies(path: &Path) -> Vec<String> {
    json_lines(path)
        .iter()
        .flat_map(|line| {
            Batch::decode_json(Signal::Logs, line.to_string().as_bytes())
                .unwrap()
                .records()
                .map(|r| r.body().to_text().into_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}
