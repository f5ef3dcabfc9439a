use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use sluice_batch::{Batch, Signal};

use super::{CREATED, EVENT, audit_batch, file, infos, points, spans, text_batch};
use crate::columns::COLUMNS;
use crate::parquet::{Limits, Sink};
use crate::{Error, Format};

fn read(file: Vec<u8>) -> (ParquetMetaData, Vec<RecordBatch>) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    let metadata = reader.metadata().as_ref().clone();
    (
        metadata,
        reader.build().unwrap().map(Result::unwrap).collect(),
    )
}

/// Every row as column name and text, without nulls.
fn texts(file: Vec<u8>) -> Vec<HashMap<String, String>> {
    let mut rows = Vec::new();
    for batch in read(file).1 {
        for row in 0..batch.num_rows() {
            let mut cells = HashMap::new();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let text = match column.data_type() {
                    _ if column.is_null(row) => continue,
                    DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
                    DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
                    DataType::Timestamp(..) => column
                        .as_primitive::<TimestampNanosecondType>()
                        .value(row)
                        .to_string(),
                    DataType::Boolean => column.as_boolean().value(row).to_string(),
                    DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
                    DataType::Dictionary(..) => {
                        let words = column
                            .as_dictionary::<Int32Type>()
                            .downcast_dict::<arrow_array::StringArray>()
                            .unwrap();
                        arrow_array::ArrayAccessor::value(&words, row).to_owned()
                    }
                    other => panic!("a column of {other}"),
                };
                cells.insert(field.name().clone(), text);
            }
            rows.push(cells);
        }
    }
    rows
}

fn sink(limits: Limits) -> Sink<Vec<u8>> {
    Sink::new(Vec::new(), limits).unwrap()
}

#[test]
fn columns_have_types_that_other_engines_know() {
    let (metadata, batches) = read(file(Format::Parquet, &[audit_batch()]));
    let schema = batches[0].schema();
    let word = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    for (name, expected) in [
        ("sequence", &DataType::UInt64),
        ("pipeline", &word),
        ("time", &time),
        ("severity_number", &DataType::Int32),
        ("ai_policy_decision", &word),
        ("ai_policy_enforced", &DataType::Boolean),
        ("body", &DataType::Utf8),
    ] {
        assert_eq!(
            schema.field_with_name(name).unwrap().data_type(),
            expected,
            "{name}"
        );
    }
    assert_eq!(schema.fields().len(), COLUMNS.len());
    for column in metadata.row_group(0).columns() {
        let compression = format!("{:?}", column.compression());
        assert!(compression.starts_with("ZSTD"), "{compression}");
    }
}

#[test]
fn an_audit_event_is_read_back_with_its_normalised_view() {
    let row = &texts(file(Format::Parquet, &[audit_batch()]))[0];
    let accepted = (CREATED + 2_000_000_000).to_string();
    let (time, leaf) = (CREATED.to_string(), "ee".repeat(32));
    for (name, expected) in [
        ("sequence", "1"),
        ("pipeline", "logs/audit"),
        ("accepted_time", &accepted),
        ("time", &time),
        ("signal", "logs"),
        ("severity", "INFO"),
        ("severity_number", "10"),
        ("trace_id", "abababababababababababababababab"),
        ("log_record_uid", "e-1"),
        ("ai_policy_decision", "refuse"),
        ("ai_policy_outcome", "allow"),
        ("ai_policy_enforced", "false"),
        ("user_id", "user_42"),
        ("data_classification", "internal,pii"),
        ("audit_leaf_hash", &leaf),
        ("scope", r#"{"name":"audit"}"#),
        ("resource", r#"{"service.name":"policy-gateway"}"#),
        ("body", EVENT),
    ] {
        assert_eq!(row.get(name).map(String::as_str), Some(expected), "{name}");
    }
    assert!(
        !row.contains_key("ai_admin_action"),
        "what is not there is null"
    );
}

#[test]
fn a_file_without_records_has_its_columns() {
    let (metadata, batches) = read(file(Format::Parquet, &[]));
    assert_eq!(metadata.num_row_groups(), 0);
    assert_eq!(
        metadata.file_metadata().schema_descr().num_columns(),
        COLUMNS.len()
    );
    assert!(batches.is_empty());
}

#[test]
fn signals_share_one_file() {
    let rows = texts(file(Format::Parquet, &[points(), audit_batch(), spans()]));
    let signals: Vec<&str> = rows.iter().map(|row| row["signal"].as_str()).collect();
    assert_eq!(signals, ["metrics", "metrics", "logs", "traces", "traces"]);
    assert!(rows[4]["body"].contains(r#""name":"retry""#));
}

#[test]
fn a_time_beyond_what_a_column_holds_is_null_and_the_row_is_there() {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_log().set_time(i64::MAX as u64);
    batch.push_log().set_time(i64::MAX as u64 + 1);
    let rows = texts(file(Format::Parquet, &[batch]));
    assert_eq!(rows[0]["time"], i64::MAX.to_string());
    assert_eq!((rows.len(), rows[1].get("time")), (2, None));
}

#[test]
fn row_groups_are_bounded_by_rows() {
    let limits = Limits {
        pending_rows: 7,
        group_rows: 20,
        ..Limits::default()
    };
    let mut sink = sink(limits);
    for first in 0..10 {
        let batch = text_batch(["a", "b", "c", "d", "e"]);
        sink.write(&batch, &infos(&batch, first * 5)).unwrap();
    }
    let file = sink.finish().unwrap();
    let groups: Vec<i64> = read(file.clone())
        .0
        .row_groups()
        .iter()
        .map(|g| g.num_rows())
        .collect();
    assert_eq!(groups, [20, 20, 10]);
    let sequences: Vec<String> = texts(file)
        .into_iter()
        .map(|mut row| row.remove("sequence").unwrap())
        .collect();
    assert_eq!(
        sequences,
        (0..50).map(|n| n.to_string()).collect::<Vec<_>>()
    );
}

/// Text that does not compress well.
fn noise(seed: u64, len: usize) -> String {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b' ' + (state % 90) as u8)
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn memory_and_row_groups_are_bounded_by_bytes_whatever_the_number_of_records() {
    let limits = Limits {
        pending_bytes: 64 << 10,
        group_bytes: 256 << 10,
        ..Limits::default()
    };
    let mut sink = sink(limits);
    let mut most = 0;
    for seed in 1..=400 {
        let batch = text_batch([noise(seed, 10_000).as_str()]);
        sink.write(&batch, &infos(&batch, seed)).unwrap();
        most = most.max(sink.held_bytes());
    }
    let (metadata, batches) = read(sink.finish().unwrap());
    assert!(
        metadata.num_row_groups() > 8,
        "{} row groups",
        metadata.num_row_groups()
    );
    assert_eq!(
        batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
        400
    );
    // Above the two bounds only what encoders keep for each column.
    assert!(most < 2 << 20, "{most} bytes held");
}

#[test]
fn a_text_that_parquet_cannot_take_is_an_error_and_no_panic() {
    let mut sink = sink(Limits {
        text_bytes: 100,
        ..Limits::default()
    });
    let batch = text_batch(["short", &"x".repeat(99)]);
    let error = sink.write(&batch, &infos(&batch, 7)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooLarge {
                sequence: 8,
                bytes: 101,
                format: Format::Parquet
            }
        ),
        "{error}"
    );
}
