//! What encoders keep from one record to the next never shows: a record is written among others as it is alone.

use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use sluice_batch::{Batch, Signal, Value, ValueBuf};

use super::*;
use crate::{datadog, elasticsearch, splunk_hec};

/// Names that some encoder treats in its own way, and one that none does.
const NAMES: [&str; 21] = [
    "ai.policy.id",
    "com.splunk.hec.access_token",
    "com.splunk.index",
    "com.splunk.source",
    "com.splunk.sourcetype",
    "datadog.log.source",
    "decision",
    "elasticsearch.index",
    "event_id",
    "host.name",
    "log.record.uid",
    "message",
    "other",
    "otel.log.name",
    "otel.log.severity.number",
    "otel.log.severity.text",
    "service.name",
    "severity",
    "span_id",
    "status",
    "trace_id",
];

/// How many ways there are for a record to look.
const LOOKS: usize = 7;

/// A record: whether its resource is another one than before, and that one's attributes; its own; what it looks like;
/// whether it is tagged.
#[derive(Clone, Debug)]
struct Sketch {
    is_elsewhere: bool,
    resource: Vec<usize>,
    attributes: Vec<usize>,
    looks: usize,
    is_tagged: bool,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    // A few sets come often, so that neighbours have the same keys.
    let names = || {
        prop_oneof![
            2 => Just(vec![12]),
            1 => Just(vec![8, 6]),
            1 => Just(vec![16]),
            3 => prop::sample::select(vec![2, 3, 4, 9]).prop_map(|name| vec![name]),
            3 => prop::collection::vec(0..NAMES.len(), 0..4),
        ]
    };
    let is_elsewhere = prop::bool::weighted(0.3);
    let is_tagged = prop::bool::weighted(0.2);
    (is_elsewhere, names(), names(), 0..LOOKS, is_tagged).prop_map(
        |(is_elsewhere, resource, attributes, looks, is_tagged)| Sketch {
            is_elsewhere,
            resource,
            attributes,
            looks,
            is_tagged,
        },
    )
}

fn batch(sketches: &[Sketch]) -> Batch {
    // What is older than a few hours Datadog files under the present.
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let mut batch = Batch::new(Signal::Logs);
    for (n, sketch) in sketches.iter().enumerate() {
        if n == 0 || sketch.is_elsewhere {
            let values: Vec<String> = sketch
                .resource
                .iter()
                .map(|at| format!("r_{n}-{at}"))
                .collect();
            let names = sketch.resource.iter().map(|at| NAMES[*at]);
            let attributes: Vec<_> = names.zip(values.iter().map(|v| Value::Str(v))).collect();
            batch.push_scope(&attributes, if n % 2 == 0 { "audit" } else { "" });
        }
        let mut record = batch.push_log();
        record.set_time(u64::try_from(now.as_nanos()).expect("before 2554"));
        match sketch.looks {
            0 | 1 => {
                let source = ["a_b", "b"][sketch.looks];
                let object =
                    format!(r#"{{"decision":"refuse","source":"{source}","event_id":"e{n}"}}"#);
                let object = ValueBuf::from_json(object.as_bytes()).expect("JSON");
                record.set_body(object.as_value());
            }
            2 => record.set_body(Value::Str("text")),
            3 => record.set_name("ai.policy.decision"),
            4 => record.set_name("login"),
            5 => record.set_trace(&[7; 16], &[9; 8], 1),
            _ => record.set_severity(13, "WARN"),
        }
        for at in &sketch.attributes {
            record.set(NAMES[*at], Value::Str(&format!("{n}-{at}")));
        }
    }
    // Only what was decoded is known to have its neighbour's keys.
    let mut batch = Batch::decode(Signal::Logs, batch.encode().into()).expect("valid");
    for at in (0..batch.len()).filter(|at| sketches[*at].is_tagged) {
        let mut record = batch.record_mut(at);
        record.set("data.classification", Value::Str("internal"));
    }
    batch
}

type Encode<'e> = &'e dyn Fn(&Batch) -> Vec<u8>;

/// The records of a body in the order of their texts: those that go another way stand apart there.
fn records(body: &[u8], begin: &str) -> Vec<String> {
    let text = std::str::from_utf8(body).expect("JSON is UTF-8");
    let mut records: Vec<String> = text.split(begin).skip(1).map(str::to_owned).collect();
    records.sort();
    records
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_record_is_written_among_neighbours_as_it_is_alone(
        sketches in prop::collection::vec(sketch(), 1..12),
    ) {
        let splunk: splunk_hec::Config =
            config(json!({"endpoint": "https://h", "token": "t", "index": "i"}));
        let datadog: datadog::Config = config(json!({"api": {"key": "k"}}));
        let elastic = |mode: &str| -> elasticsearch::Config {
            config(json!({"endpoint": "http://h:9200", "mapping": {"mode": mode}}))
        };
        let (otel, source) = (elastic("otel"), elastic("source"));
        let bulk = |config, batch: &Batch| elasticsearch::encode(config, batch).expect("an index");
        let strict: splunk_hec::Config = config(
            json!({"endpoint": "https://h", "token": "t", "host": "h", "max_event_size": 260}),
        );
        let encoders: [(&str, Encode<'_>); 5] = [
            (r#"{"time":"#, &|batch| splunk_hec::encode(&splunk, batch)),
            (r#"{"time":"#, &|batch| splunk_hec::encode(&strict, batch)),
            (r#",{"message":"#, &|batch| datadog::encode(&datadog, batch)),
            (r#"{"create":"#, &|batch| bulk(&otel, batch)),
            (r#"{"create":"#, &|batch| bulk(&source, batch)),
        ];
        let batch = batch(&sketches);
        let mut merged = batch.slice(0..batch.len() / 2);
        merged.append(&batch.slice(batch.len() / 2..batch.len()));
        for (at, (begin, encode)) in encoders.into_iter().enumerate() {
            let mut alone: Vec<String> = (0..batch.len())
                .flat_map(|at| records(&encode(&batch.slice(at..at + 1)), begin))
                .collect();
            alone.sort();
            // Some are too large for the strict one.
            prop_assert!(alone.len() == batch.len() || at == 1);
            prop_assert_eq!(&records(&encode(&batch), begin), &alone);
            prop_assert_eq!(&records(&encode(&merged), begin), &alone);
        }
    }
}
