//! The main job on 1000 audit events: decode, redact with eight detectors, drop duplicates, classify, and write Splunk
//! HEC envelopes. Beside it the same work on `prost` structs, with the same detectors on each value and `serde_json`.

use std::collections::HashSet;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as ProstValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use processor_detect::{DetectorSet, Match, Scanner};
use prost::Message as _;
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde_json::json;
use sluice_batch::{Batch, Signal};
use sluice_component::{BuildContext, ProcessorConfig, Stage};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DETECTORS: [&str; 8] = [
    "email",
    "credit_card",
    "iban",
    "us_ssn",
    "jwt",
    "private_key",
    "aws_access_key",
    "api_key",
];

/// A destination's body of a batch.
type Encode = Box<dyn Fn(&Batch) -> Vec<u8>>;

fn stage<C: ProcessorConfig + serde::de::DeserializeOwned>(config: serde_json::Value) -> Stage {
    let context = BuildContext::alone("bench");
    let config: C = serde_json::from_value(config).expect("a valid configuration");
    config.build(&context).expect("it builds")
}

/// What the user's pipeline would hold.
fn stages() -> Vec<Stage> {
    vec![
        stage::<processor_redaction::Config>(json!({"detectors": DETECTORS})),
        stage::<processor_dedupe::Config>(json!({})),
        stage::<processor_classification::Config>(json!({"default": "internal", "rules": [
            {"tag": "restricted", "detectors": ["aws_access_key", "api_key", "jwt"]},
            {"tag": "confidential", "when": "attributes[\"decision\"] == \"refuse\""},
        ]})),
    ]
}

fn splunk() -> exporter_bridge::splunk_hec::Config {
    let config = json!({"endpoint": "https://hec.example.com:8088", "token": "t", "index": "ai_audit", "sourcetype": "policy_gateway_audit"});
    serde_json::from_value(config).expect("a valid configuration")
}

/// Decode to envelopes, on rows.
fn rows(wire: Bytes, stages: &[Stage]) -> Batch {
    let mut batch = Batch::decode(Signal::Logs, wire).expect("valid");
    for stage in stages {
        match stage {
            Stage::Transform(step) => step.apply(&mut batch).expect("nothing refuses"),
            Stage::Reserve(step) => {
                let reservation = step.reserve(&mut batch);
                // Given back, so that the next round meets new ids again.
                (reservation.settle)(&|_| false);
            }
            Stage::Batching(_) => {}
        }
    }
    batch
}

/// The same on structs.
fn structs(wire: Bytes, scanner: &Scanner) -> Vec<u8> {
    let secrets = DetectorSet::from_name("secrets").expect("a group").bits();
    let mut request = ExportLogsServiceRequest::decode(wire).expect("valid");
    let mut seen = HashSet::new();
    let mut found: Vec<Match> = Vec::new();
    let mut out = Vec::new();
    for resource_logs in &mut request.resource_logs {
        let resource = resource_logs.resource.take().unwrap_or_default();
        for scope_logs in &mut resource_logs.scope_logs {
            for record in &mut scope_logs.log_records {
                let mut bits = record
                    .body
                    .as_mut()
                    .map_or(0, |body| redact(scanner, "body", body, &mut found));
                for attribute in &mut record.attributes {
                    if let Some(value) = &mut attribute.value {
                        bits |= redact(scanner, &attribute.key, value, &mut found);
                    }
                }
                if let Some(id) = text(&record.attributes, "event_id")
                    && !seen.insert(id.to_owned())
                {
                    continue;
                }
                let tag = if bits & secrets != 0 {
                    "restricted"
                } else if text(&record.attributes, "decision") == Some("refuse") {
                    "confidential"
                } else {
                    "internal"
                };
                let value = Some(AnyValue {
                    value: Some(ProstValue::StringValue(tag.into())),
                });
                record.attributes.push(KeyValue {
                    key: "data.classification".into(),
                    value,
                    ..KeyValue::default()
                });
                envelope(record, &resource.attributes, &mut out);
            }
        }
    }
    out
}

fn redact(scanner: &Scanner, key: &str, value: &mut AnyValue, found: &mut Vec<Match>) -> u64 {
    match &mut value.value {
        Some(ProstValue::StringValue(text)) => {
            found.clear();
            let bits = scanner.find(key, text, found);
            for hit in found.iter().rev() {
                text.replace_range(
                    hit.range.clone(),
                    &format!("[REDACTED:{}]", hit.finding.name()),
                );
            }
            bits
        }
        Some(ProstValue::ArrayValue(array)) => array
            .values
            .iter_mut()
            .fold(0, |bits, item| bits | redact(scanner, key, item, found)),
        Some(ProstValue::KvlistValue(list)) => list
            .values
            .iter_mut()
            .filter_map(|kv| kv.value.as_mut().map(|v| (&kv.key, v)))
            .fold(0, |bits, (key, value)| {
                bits | redact(scanner, key, value, found)
            }),
        _ => 0,
    }
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attributes
        .iter()
        .find(|a| a.key == key)?
        .value
        .as_ref()?
        .value
        .as_ref()?
    {
        ProstValue::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A HEC envelope with all attributes as fields.
fn envelope(record: &LogRecord, resource: &[KeyValue], out: &mut Vec<u8>) {
    struct Json<'a>(&'a AnyValue);
    impl serde::Serialize for Json<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match &self.0.value {
                Some(ProstValue::StringValue(text)) => serializer.serialize_str(text),
                Some(ProstValue::BoolValue(truth)) => serializer.serialize_bool(*truth),
                Some(ProstValue::IntValue(number)) => serializer.serialize_i64(*number),
                Some(ProstValue::DoubleValue(number)) => serializer.serialize_f64(*number),
                Some(ProstValue::ArrayValue(array)) => {
                    let mut seq = serializer.serialize_seq(None)?;
                    for value in &array.values {
                        seq.serialize_element(&Json(value))?;
                    }
                    seq.end()
                }
                Some(ProstValue::KvlistValue(list)) => {
                    let mut map = serializer.serialize_map(None)?;
                    for kv in &list.values {
                        map.serialize_entry(&kv.key, &kv.value.as_ref().map(Json))?;
                    }
                    map.end()
                }
                _ => serializer.serialize_unit(),
            }
        }
    }
    struct Fields<'a>(&'a [KeyValue], &'a [KeyValue]);
    impl serde::Serialize for Fields<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            for kv in self.0.iter().chain(self.1) {
                map.serialize_entry(&kv.key, &kv.value.as_ref().map(Json))?;
            }
            map.end()
        }
    }
    let mut serializer = serde_json::Serializer::new(&mut *out);
    let mut write = || {
        let mut map = serde::Serializer::serialize_map(&mut serializer, None)?;
        map.serialize_entry(
            "time",
            &((record.time_unix_nano / 1_000_000) as f64 / 1000.0),
        )?;
        map.serialize_entry("host", text(resource, "host.name").unwrap_or("unknown"))?;
        map.serialize_entry("source", "policy-gateway")?;
        map.serialize_entry("sourcetype", "policy_gateway_audit")?;
        map.serialize_entry("index", "ai_audit")?;
        map.serialize_entry("event", &record.body.as_ref().map(Json))?;
        map.serialize_entry("fields", &Fields(resource, &record.attributes))?;
        serde::ser::SerializeMap::end(map)
    };
    let written: Result<(), serde_json::Error> = write();
    written.expect("a vector takes everything");
}

fn main_job(criterion: &mut Criterion) {
    let wire = Bytes::from(sluice_benches::policy_gateway_1000());
    let (stages, splunk) = (stages(), splunk());
    let scanner = {
        let set = DETECTORS.iter().fold(DetectorSet::default(), |set, name| {
            DetectorSet::from_bits(
                set.bits() | DetectorSet::from_name(name).expect("a detector").bits(),
            )
        });
        Scanner::new(set)
    };

    // Both do the same: as many events, the same events redacted.
    let ours = String::from_utf8(exporter_bridge::splunk_hec::encode(
        &splunk,
        &rows(wire.clone(), &stages),
    ))
    .expect("UTF-8");
    let theirs = String::from_utf8(structs(wire.clone(), &scanner)).expect("UTF-8");
    let count = |text: &str, what: &str| text.matches(what).count();
    for what in [
        "\"event\":",
        "[REDACTED:",
        "\"data.classification\":\"restricted\"",
        "\"data.classification\":\"confidential\"",
    ] {
        assert_eq!(count(&ours, what), count(&theirs, what), "{what}");
    }
    assert_eq!(count(&ours, "\"event\":"), 1000);

    let mut group = criterion.benchmark_group("decode, redact, dedupe, classify, HEC");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("rows", |b| {
        b.iter(|| {
            exporter_bridge::splunk_hec::encode(&splunk, &rows(black_box(wire.clone()), &stages))
        })
    });
    group.bench_function("prost structs", |b| {
        b.iter(|| structs(black_box(wire.clone()), &scanner))
    });
    group.finish();

    let done = rows(wire, &stages);
    let datadog: exporter_bridge::datadog::Config =
        serde_json::from_value(json!({"api": {"key": "k"}})).expect("valid");
    let elastic: exporter_bridge::elasticsearch::Config = serde_json::from_value(
        json!({"endpoint": "http://127.0.0.1:9200", "logs_index": "ai-audit-%Y.%m.%d"}),
    )
    .expect("valid");
    let encoders: [(&str, Encode); 3] = [
        (
            "splunk_hec",
            Box::new(move |batch| exporter_bridge::splunk_hec::encode(&splunk, batch)),
        ),
        (
            "datadog",
            Box::new(move |batch| exporter_bridge::datadog::encode(&datadog, batch)),
        ),
        (
            "elasticsearch",
            Box::new(move |batch| {
                exporter_bridge::elasticsearch::encode(&elastic, batch).expect("a valid index")
            }),
        ),
    ];
    let mut group = criterion.benchmark_group("encode for");
    group.throughput(Throughput::Elements(1000));
    for (name, encode) in &encoders {
        group.bench_function(*name, |b| b.iter(|| encode(black_box(&done))));
    }
    group.finish();
}

criterion_group!(benches, main_job);
criterion_main!(benches);
