//! HEC's own codes, with the HTTP status and text that come with each.

use serde_json::{Value, json};

use crate::Answer;

/// Code, HTTP status, text (Splunk's page "Troubleshoot HTTP Event Collector"; 28 is Splunk Cloud's form of 10).
pub const CODES: [(u16, u16, &str); 29] = [
    (0, 200, "Success"),
    (1, 403, "Token disabled"),
    (2, 401, "Token is required"),
    (3, 401, "Invalid authorization"),
    (4, 403, "Invalid token"),
    (5, 400, "No data"),
    (6, 400, "Invalid data format"),
    (7, 400, "Incorrect index"),
    (8, 500, "Internal server error"),
    (9, 503, "Server is busy"),
    (10, 400, "Data channel is missing"),
    (11, 400, "Invalid data channel"),
    (12, 400, "Event field is required"),
    (13, 400, "Event field cannot be blank"),
    (14, 400, "ACK is disabled"),
    (15, 400, "Error in handling indexed fields"),
    (16, 400, "Query string authorization is not enabled"),
    (17, 200, "HEC is healthy"),
    (18, 503, "HEC is unhealthy, queues are full"),
    (19, 503, "HEC is unhealthy, ack service unavailable"),
    (
        20,
        503,
        "HEC is unhealthy, queues are full, ack service unavailable",
    ),
    (21, 400, "Invalid token"),
    (22, 400, "Token disabled"),
    (23, 503, "Server is shutting down"),
    (24, 200, "HEC queue is approaching its capacity limit"),
    (25, 200, "HEC ACK is approaching its capacity limit"),
    (
        26,
        429,
        "HEC queue is at capacity and cannot process any more requests",
    ),
    (
        27,
        429,
        "HEC ACK channel is at capacity and cannot process any more requests",
    ),
    (
        28,
        400,
        "Data channel is missing. If you have multiple indexers, sticky session must be enabled",
    ),
];

/// A scripted answer with `code`, as the server would give it. The data is **not** taken: for the codes that come with
/// taken data (24 and 25) use [`super::Splunk::set_success_code`].
#[must_use]
pub fn answer(code: u16) -> Answer {
    Answer::new(status(code)).json(&body(code))
}

/// The HTTP status of `code`; 500 for one that is not in the table.
pub(super) fn status(code: u16) -> u16 {
    CODES
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or(500, |(_, status, _)| *status)
}

/// The body of `code`.
pub(super) fn body(code: u16) -> Value {
    let text = CODES
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or("unknown", |(.., text)| *text);
    json!({"text": text, "code": code})
}
