use proptest::prelude::*;
use sluice_batch::{Batch, Signal, Value, ValueBuf};

use super::{file, text};
use crate::Format;

fn value() -> impl Strategy<Value = ValueBuf> {
    let scalar = prop_oneof![
        Just(ValueBuf::default()),
        any::<String>().prop_map(|text| ValueBuf::new(Value::Str(&text))),
        any::<bool>().prop_map(|truth| ValueBuf::new(Value::Bool(truth))),
        any::<i64>().prop_map(|number| ValueBuf::new(Value::Int(number))),
        any::<f64>().prop_map(|number| ValueBuf::new(Value::Double(number))),
        any::<Vec<u8>>().prop_map(|bytes| ValueBuf::new(Value::Bytes(&bytes))),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| ValueBuf::array(values.iter().map(ValueBuf::as_value))),
            prop::collection::vec((any::<String>(), inner), 0..4).prop_map(
                |entries| ValueBuf::map(
                    entries
                        .iter()
                        .map(|(key, value)| (key.as_str(), value.as_value()))
                )
            ),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "log.record.uid",
            "ai.policy.enforced",
            "ai.policy.decision",
            "data.classification",
            "event_id",
            ""
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

prop_compose! {
    fn logs()(
        records in prop::collection::vec((
            any::<(String, String, i32, u64, u64)>(), value(), prop::collection::vec((key(), value()), 0..4), any::<bool>(),
        ), 0..6),
    ) -> Batch {
        let mut batch = Batch::new(Signal::Logs);
        for ((name, severity, number, time, observed), body, attributes, starts_scope) in &records {
            if *starts_scope {
                batch.push_scope(&[(name, body.as_value())], severity);
            }
            let mut record = batch.push_log();
            record.set_name(name);
            record.set_severity(*number, severity);
            record.set_time(*time);
            record.set_observed_time(*observed);
            record.set_trace(name.as_bytes(), severity.as_bytes(), 0);
            record.set_body(body.as_value());
            for (key, value) in attributes {
                record.set(key, value.as_value());
            }
        }
        batch
    }
}

/// OTLP/JSON requests put together from these texts and numbers.
fn others() -> impl Strategy<Value = Batch> {
    (any::<Vec<(String, u64, bool)>>(), any::<bool>()).prop_map(|(rows, is_metrics)| {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let levels = |records: &dyn Fn(&str, u64) -> String, resource: &str, scope: &str, record: &str| {
            let resources: Vec<String> = rows
                .iter()
                .map(|(text, number, is_full)| {
                    let records = if *is_full { records(&quoted(text), *number) } else { String::new() };
                    format!(r#"{{"resource":{{}},"{scope}":[{{"scope":{{"name":{}}},"{record}":[{records}]}}]}}"#, quoted(text))
                })
                .collect();
            format!(r#"{{"{resource}":[{}]}}"#, resources.join(","))
        };
        if is_metrics {
            let json = levels(
                &|name, n| format!(
                    r#"{{"name":{name},"gauge":{{"dataPoints":[{{"timeUnixNano":"{n}","asInt":"1"}},{{"asDouble":{n}}}]}}}},{{"name":{name}}}"#
                ),
                "resourceMetrics", "scopeMetrics", "metrics",
            );
            Batch::decode_json(Signal::Metrics, json.as_bytes()).unwrap()
        } else {
            let json = levels(
                &|name, n| format!(r#"{{"name":{name},"startTimeUnixNano":"{n}","status":{{"message":{name}}}}},{{}}"#),
                "resourceSpans", "scopeSpans", "spans",
            );
            Batch::decode_json(Signal::Traces, json.as_bytes()).unwrap()
        }
    })
}

proptest! {
    #[test]
    fn every_format_holds_every_record_of_any_batches(logs in logs(), others in others(), again in logs()) {
        let batches = [logs, others, again];
        let records: usize = batches.iter().map(Batch::len).sum();

        let array: Vec<serde_json::Value> = serde_json::from_str(&text(Format::Json, &batches)).unwrap();
        prop_assert_eq!(array.len(), records);
        let lines = text(Format::Ndjson, &batches);
        let objects: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(&objects, &array);
        for (i, object) in objects.iter().enumerate() {
            prop_assert_eq!(&object["sequence"], i + 1);
            prop_assert!(object["signal"] == "logs" || object["body"].is_object(), "{}", object);
        }

        let rows = csv::Reader::from_reader(&file(Format::Csv, &batches)[..]).records().map(Result::unwrap).count();
        prop_assert_eq!(rows, records);

        let parquet = bytes::Bytes::from(file(Format::Parquet, &batches));
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
        let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        prop_assert_eq!(rows, records);

        let otlp = text(Format::Otlp, &batches);
        let signals = batches.iter().filter(|batch| !batch.is_empty()).map(Batch::signal);
        let read: usize = otlp.lines().zip(signals)
            .map(|(line, signal)| Batch::decode_json(signal, line.as_bytes()).unwrap().len())
            .sum();
        prop_assert_eq!(read, records);
    }
}
