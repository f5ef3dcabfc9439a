mod input;
mod output;
mod plain;
mod round_trip;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;

use crate::schema::LOGS_REQUEST;

/// What prost reads in the protobuf that an OTLP/JSON document became.
fn logs(json: &str) -> Result<ExportLogsServiceRequest, String> {
    super::to_protobuf(&LOGS_REQUEST, json.as_bytes())
        .map(|wire| ExportLogsServiceRequest::decode(&wire[..]).unwrap())
}

/// The one record of a request whose `logRecords` is `[record]`.
fn record(record: &str) -> Result<LogRecord, String> {
    logs(&format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#
    ))
    .map(|mut request| {
        request
            .resource_logs
            .remove(0)
            .scope_logs
            .remove(0)
            .log_records
            .remove(0)
    })
}
