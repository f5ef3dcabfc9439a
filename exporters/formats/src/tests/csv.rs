use proptest::prelude::*;
use sluice_batch::{Batch, Signal, Value};

use super::{EVENT, audit_batch, file, infos, points, spans, text};
use crate::columns::{COLUMNS, Kind};
use crate::{Format, RowInfo, Writer, unguard};

fn rows(file: &[u8]) -> Vec<Vec<String>> {
    csv::Reader::from_reader(file)
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn at(name: &str) -> usize {
    COLUMNS
        .iter()
        .position(|column| column.name == name)
        .unwrap()
}

#[test]
fn the_header_stands_also_over_no_records() {
    assert_eq!(
        text(Format::Csv, &[]),
        "sequence,pipeline,accepted_time,time,observed_time,signal,event_name,severity,severity_number,trace_id,span_id,\
         log_record_uid,ai_policy_id,ai_policy_decision,ai_policy_outcome,ai_policy_enforced,user_id,gen_ai_request_model,\
         ai_project_id,ai_admin_action,ai_admin_resource_type,ai_admin_resource_id,client_address,data_classification,\
         audit_leaf_hash,scope,resource,attributes,body\n"
    );
}

#[test]
fn an_audit_event_is_a_line_of_its_normalised_view() {
    let rows = rows(&file(Format::Csv, &[audit_batch()]));
    let row: Vec<(&str, &str)> = COLUMNS
        .iter()
        .zip(&rows[0])
        .map(|(column, cell)| (column.name, cell.as_str()))
        .filter(|(_, cell)| !cell.is_empty())
        .collect();
    let leaf = "ee".repeat(32);
    assert_eq!(
        row[..20],
        [
            ("sequence", "1"),
            ("pipeline", "logs/audit"),
            ("accepted_time", "2026-04-20T18:30:02.000000000Z"),
            ("time", "2026-04-20T18:30:00.000000000Z"),
            ("observed_time", "2026-04-20T18:30:01.000000001Z"),
            ("signal", "logs"),
            ("event_name", "ai.policy.decision"),
            ("severity", "INFO"),
            ("severity_number", "10"),
            ("trace_id", "abababababababababababababababab"),
            ("span_id", "cdcdcdcdcdcdcdcd"),
            ("log_record_uid", "e-1"),
            ("ai_policy_id", "support-bot"),
            ("ai_policy_decision", "refuse"),
            ("ai_policy_outcome", "allow"),
            ("ai_policy_enforced", "false"),
            ("user_id", "user_42"),
            ("data_classification", "internal,pii"),
            ("audit_leaf_hash", leaf.as_str()),
            ("scope", r#"{"name":"audit"}"#),
        ]
    );
    assert_eq!(row[20].1, r#"{"service.name":"policy-gateway"}"#);
    assert_eq!(*row.last().unwrap(), ("body", EVENT));
}

#[test]
fn an_event_without_the_view_still_has_its_id_and_its_decision() {
    let mut batch = audit_batch();
    for key in ["log.record.uid", "ai.policy.decision", "ai.policy.enforced"] {
        batch.record_mut(0).remove(key);
    }
    batch
        .record_mut(0)
        .set("ai.policy.enforced", Value::Str("true"));
    let row = &rows(&file(Format::Csv, &[batch]))[0];
    let cells = ["log_record_uid", "ai_policy_decision", "ai_policy_enforced"].map(|c| &row[at(c)]);
    assert_eq!(cells, ["e-1", "refuse", "true"]);
}

#[test]
fn signals_share_one_file() {
    let rows = rows(&file(Format::Csv, &[audit_batch(), spans(), points()]));
    let signals: Vec<&str> = rows.iter().map(|row| row[at("signal")].as_str()).collect();
    assert_eq!(signals, ["logs", "traces", "traces", "metrics", "metrics"]);
    assert_eq!(rows[3][at("gen_ai_request_model")], "m");
    let body: serde_json::Value = serde_json::from_str(&rows[4][at("body")]).unwrap();
    assert_eq!(body["sum"]["dataPoints"][0]["asInt"], "4");
}

/// Where a spreadsheet starts to look: after blanks, quotes and what it does not show.
fn as_seen(cell: &str) -> &str {
    cell.trim_start_matches(|c: char| {
        c.is_whitespace() || c.is_control() || "\"\u{feff}\u{200b}".contains(c)
    })
}

/// Texts that mean harm more often than chance would have it.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "=", "+", "-", "@", "\t", "\r", "\n", "\r\n", "＝", "＋", "－", "＠", "'", "\"", "\"\"", " ", "\u{a0}", "\u{feff}",
            "\u{200b}", ",", ";", "\0", "=cmd|' /C calc'!A0", "{", "null",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_cell_begins_a_formula_and_the_texts_come_back_once_the_guard_is_taken_off(
        texts in prop::collection::vec(hostile(), 8), key in hostile(),
    ) {
        let mut batch = Batch::new(Signal::Logs);
        batch.push_scope(&[(key.as_str(), Value::Str(&texts[0]))], &texts[1]);
        let mut record = batch.push_log();
        record.set_name(&texts[2]);
        record.set_severity(9, &texts[3]);
        record.set("user.id", Value::Str(&texts[4]));
        record.set("ai.policy.id", Value::Str(&texts[5]));
        record.set_body(Value::Str(&texts[6]));
        let info = RowInfo { pipeline: &texts[7], ..infos(&batch, 1)[0] };
        let mut writer = Writer::new(Format::Csv, Vec::new()).unwrap();
        writer.write(&batch, &[info]).unwrap();
        let file = writer.finish().unwrap();

        let rows = rows(&file);
        prop_assert_eq!(rows.len(), 1);
        for (column, cell) in COLUMNS.iter().zip(&rows[0]) {
            if matches!(column.kind, Kind::Text | Kind::Word) {
                prop_assert!(!cell.starts_with(['\t', '\r', '\n']), "{}: {cell:?}", column.name);
                prop_assert!(!as_seen(cell).starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{}: {cell:?}", column.name);
            }
        }
        let original = |name: &str| unguard(&rows[0][at(name)]).to_owned();
        for (name, text) in [("event_name", 2), ("severity", 3), ("user_id", 4), ("ai_policy_id", 5), ("pipeline", 7)] {
            prop_assert_eq!(&original(name), &texts[text]);
        }
        let body: String = serde_json::from_str(&original("body")).unwrap();
        prop_assert_eq!(&body, &texts[6]);
        let resource: serde_json::Value = serde_json::from_str(&original("resource")).unwrap();
        prop_assert_eq!(&resource[key.as_str()], &texts[0]);
    }
}
