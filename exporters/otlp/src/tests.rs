mod answers;
mod config;
mod splitting;
mod wire;

use sluice_batch::{Batch, Signal, Value};
use sluice_component::{
    BuildContext, BuiltExporter, ByteSize, ExporterConfig, Undelivered, Verdict,
};
use sluice_testing::otlp::Double;

use crate::{grpc, http};

fn build(config: &dyn ExporterConfig) -> BuiltExporter {
    let context = BuildContext::alone("otlp");
    config.build(&context).unwrap().remove(0)
}

fn grpc_to(double: &Double) -> grpc::Config {
    grpc::Config {
        endpoint: double.url(""),
        ..Default::default()
    }
}

fn http_to(double: &Double) -> http::Config {
    http::Config {
        endpoint: double.url(""),
        ..Default::default()
    }
}

async fn export(config: &dyn ExporterConfig, batch: &Batch) -> Result<(), Undelivered> {
    build(config).exporter.export(batch).await
}

/// The one verdict for the whole batch.
fn verdict(result: Result<(), Undelivered>, records: u32) -> Verdict {
    let mut undelivered = result.unwrap_err();
    assert_eq!(undelivered.verdicts.len(), 1, "{undelivered:?}");
    let (range, verdict) = undelivered.verdicts.remove(0);
    assert_eq!(range, 0..records);
    verdict
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
