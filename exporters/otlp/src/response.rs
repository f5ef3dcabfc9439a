//! The body of a success: `Export*ServiceResponse`, alike for the three signals.

use prost::Message;
use serde_json::Value;

use crate::answer::{Answer, note};

/// `ExportLogsServiceResponse` and its siblings: their field numbers are the same.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// Reads a protobuf response.
pub(crate) fn of_protobuf(body: &[u8]) -> Answer {
    match Response::decode(body) {
        Ok(response) => of_partial_success(response.partial_success.unwrap_or_default()),
        Err(_) => unreadable(),
    }
}

/// Reads a JSON response.
pub(crate) fn of_json(body: &[u8]) -> Answer {
    let Ok(response) = serde_json::from_slice::<Value>(body) else {
        return unreadable();
    };
    let partial = &response["partialSuccess"];
    let rejected = ["rejectedLogRecords", "rejectedSpans", "rejectedDataPoints"]
        .into_iter()
        .find_map(|key| match &partial[key] {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        });
    of_partial_success(PartialSuccess {
        rejected: rejected.unwrap_or(0),
        error_message: partial["errorMessage"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    })
}

fn of_partial_success(partial: PartialSuccess) -> Answer {
    note(&partial.error_message);
    match u64::try_from(partial.rejected) {
        Ok(0) | Err(_) => {
            if !partial.error_message.is_empty() {
                tracing::warn!("the destination took the records with a warning");
            }
            Answer::Taken
        }
        Ok(rejected) => Answer::Partly { rejected },
    }
}

/// The status said success, and only the body cannot be read: by the protocol the records were taken.
fn unreadable() -> Answer {
    tracing::warn!("the destination confirmed the records with a body that is no OTLP response");
    Answer::Taken
}
