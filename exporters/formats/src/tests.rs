//! Files written and read back.

mod any_batch;
mod csv;
mod errors;
mod json;
mod otlp;
mod parquet;

use sluice_batch::{Batch, Signal, Value, ValueBuf};

use crate::{Format, RowInfo, Writer};

/// 2026-04-20T18:30:00Z.
const CREATED: u64 = 1_776_709_800_000_000_000;

const EVENT: &str = r#"{"event_id":"e-1","decision":"refuse","org_id":null,"denylist_hits":["competitor-x"],"allowlist_hits":[],"note":"=1+1"}"#;

/// A batch with one audit event, as a receiver makes it.
fn audit_batch() -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("service.name", Value::Str("policy-gateway"))], "audit");
    let body = ValueBuf::from_json(EVENT.as_bytes()).unwrap();
    let classes = ValueBuf::array([Value::Str("internal"), Value::Str("pii")]);
    let mut record = batch.push_log();
    record.set_name("ai.policy.decision");
    record.set_time(CREATED);
    record.set_observed_time(CREATED + 1_000_000_001);
    record.set_severity(10, "INFO");
    record.set_trace(&[0xab; 16], &[0xcd; 8], 1);
    record.set_body(body.as_value());
    for (key, value) in [
        ("log.record.uid", Value::Str("e-1")),
        ("ai.policy.id", Value::Str("support-bot")),
        ("ai.policy.decision", Value::Str("refuse")),
        ("ai.policy.outcome", Value::Str("allow")),
        ("ai.policy.enforced", Value::Bool(false)),
        ("user.id", Value::Str("user_42")),
        ("data.classification", classes.as_value()),
    ] {
        record.set(key, value);
    }
    batch
}

/// A batch of one text each.
fn text_batch<'t>(texts: impl IntoIterator<Item = &'t str>) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    for text in texts {
        batch.push_log().set_body(Value::Str(text));
    }
    batch
}

fn spans() -> Batch {
    let json = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[
        {"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd","name":"GET /","kind":2,"startTimeUnixNano":"5","endTimeUnixNano":"9","status":{"code":2}},
        {"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdce","name":"GET /cart","events":[{"timeUnixNano":"6","name":"retry"}]}]}]}]}"#;
    Batch::decode_json(Signal::Traces, json.as_bytes()).unwrap()
}

fn points() -> Batch {
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"requests","unit":"1","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
        {"timeUnixNano":"7","asInt":"3","attributes":[{"key":"gen_ai.request.model","value":{"stringValue":"m"}}]},{"timeUnixNano":"8","asInt":"4"}]}}]}]}]}"#;
    Batch::decode_json(Signal::Metrics, json.as_bytes()).unwrap()
}

fn infos(batch: &Batch, first: u64) -> Vec<RowInfo<'static>> {
    (first..)
        .take(batch.len())
        .map(|sequence| RowInfo {
            sequence,
            pipeline: "logs/audit",
            leaf_hash: (sequence % 2 == 1).then_some([0xee; 32]),
            accepted_ns: CREATED + 2_000_000_000,
        })
        .collect()
}

/// The file of these batches.
fn file(format: Format, batches: &[Batch]) -> Vec<u8> {
    let mut writer = Writer::new(format, Vec::new()).unwrap();
    let mut next = 1;
    for batch in batches {
        writer.write(batch, &infos(batch, next)).unwrap();
        next += batch.len() as u64;
    }
    writer.finish().unwrap()
}

fn text(format: Format, batches: &[Batch]) -> String {
    String::from_utf8(file(format, batches)).unwrap()
}
