//! `google.rpc.Status`: how OTLP says no, over gRPC and over HTTP.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{Response, header};
use prost::Message;
use serde_json::json;

use crate::{Answer, Reply};

/// `google.rpc.Status` (googleapis `google/rpc/status.proto`).
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo` (googleapis `google/rpc/error_details.proto`).
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// A scripted gRPC status, with a `RetryInfo` in its details when `retry_delay` is given.
#[must_use]
pub fn grpc_answer(code: u32, message: &str, retry_delay: Option<Duration>) -> Answer {
    // Percent-encoded, as the gRPC protocol asks of `grpc-message`.
    let text: String = url::form_urlencoded::byte_serialize(message.as_bytes())
        .collect::<String>()
        .replace('+', "%20");
    let answer = Answer::new(200)
        .header("content-type", "application/grpc")
        .header("grpc-status", &code.to_string())
        .header("grpc-message", &text);
    let Some(delay) = retry_delay else {
        return answer;
    };
    let delay = Delay {
        seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(delay.subsec_nanos()).expect("less than a thousand million"),
    };
    let info = Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: RetryInfo {
            retry_delay: Some(delay),
        }
        .encode_to_vec(),
    };
    let status = Status {
        code: i32::try_from(code).unwrap_or(i32::MAX),
        message: message.to_owned(),
        details: vec![info],
    };
    answer.header(
        "grpc-status-details-bin",
        &STANDARD_NO_PAD.encode(status.encode_to_vec()),
    )
}

/// A scripted HTTP status with a `google.rpc.Status` body, in JSON or in protobuf. Add `Retry-After` to it if it
/// should say when to come back.
#[must_use]
pub fn http_answer(status: u16, json: bool, message: &str) -> Answer {
    // google.rpc.Code by HTTP status, as google/rpc/code.proto maps them.
    let code = match status {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        413 | 429 => 8,
        503 => 14,
        _ => 13,
    };
    if json {
        return Answer::new(status).json(&json!({"code": code, "message": message}));
    }
    let body = Status {
        code,
        message: message.to_owned(),
        details: Vec::new(),
    }
    .encode_to_vec();
    Answer::new(status)
        .header(header::CONTENT_TYPE.as_str(), "application/x-protobuf")
        .body(body)
}

pub(super) fn http_reply(status: u16, json: bool, message: &str) -> Response<Reply> {
    let answer = http_answer(status, json, message);
    let mut response = Response::new(Reply::from(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}
