//! What an OTLP server's answer means for the records of a request.
//!
//! | answer | HTTP | gRPC | verdict |
//! |---|---|---|---|
//! | taken | 2xx | OK | delivered |
//! | taken in part | 2xx with `partial_success` | OK with `partial_success` | refused: the protocol forbids a resend and does not say which records |
//! | overload, failure | 408, 425, 429, 5xx | CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, INTERNAL, UNAVAILABLE, DATA_LOSS | retry, after the delay that the server names |
//! | not for us | 401, 403, 404, 3xx, other 4xx | NOT_FOUND, PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED | hold: nobody judged the records |
//! | too large | 413 | RESOURCE_EXHAUSTED or OUT_OF_RANGE that speaks of the size | halves; a lone record is refused |
//! | bad record | 400, 422 | INVALID_ARGUMENT, ALREADY_EXISTS, FAILED_PRECONDITION | halves; a lone record is refused |
//!
//! Source: OpenTelemetry protocol specification 1.11, "OTLP/gRPC Response", "OTLP/HTTP Response" (read November 2026).
//! It has a client drop what it must not retry, 500 and INTERNAL among it. Here nothing is dropped, and repeating an
//! audit record is better than losing it, so failures of the server are retried.

use std::time::Duration;

use sluice_component::{After, BoxError, Verdict};
use tonic::Code;

/// What became of one request.
#[derive(Debug)]
pub enum Answer {
    /// Every record was taken.
    Taken,
    /// Some records were taken and this many were not; which ones is unknown.
    Partly {
        /// How many were rejected.
        rejected: u64,
    },
    /// Smaller requests may pass.
    TooLarge(String),
    /// A record of it is bad; which one is unknown.
    Bad(String),
    /// The records were not judged.
    Undecided {
        /// Retry or hold.
        verdict: Verdict,
        /// The cause, for the log.
        source: Option<BoxError>,
    },
}

impl Answer {
    fn retry(delay: Option<Duration>, source: impl Into<BoxError>) -> Self {
        let after = delay.map_or(After::Backoff, After::Delay);
        Self::Undecided {
            verdict: Verdict::Retry(after),
            source: Some(source.into()),
        }
    }

    fn hold(reason: String) -> Self {
        Self::Undecided {
            verdict: Verdict::Hold(reason),
            source: None,
        }
    }
}

/// From an HTTP status that is not a success. `said`: the server's own words, for the debug log alone.
#[must_use]
pub fn of_http(status: http::StatusCode, retry_after: Option<Duration>, said: &str) -> Answer {
    note(said);
    let text = format!("the destination answered {status}");
    match status.as_u16() {
        400 | 422 => Answer::Bad(text),
        413 => Answer::TooLarge(text),
        408 | 425 | 429 | 500.. => Answer::retry(retry_after, text),
        300..400 => Answer::hold(format!(
            "{text}; redirects are not followed: configure the address that it leads to"
        )),
        _ => Answer::hold(text),
    }
}

/// From a gRPC status that is not OK. `retry_delay` is its `RetryInfo`; `retry_exhausted` decides about
/// RESOURCE_EXHAUSTED without one. `said`: the server's own words, which tell a message that is too large and else go
/// to the debug log alone.
#[must_use]
pub fn of_grpc(
    code: Code,
    retry_delay: Option<Duration>,
    said: &str,
    retry_exhausted: bool,
) -> Answer {
    note(said);
    let text = format!("the destination answered {}", name(code));
    match code {
        Code::Ok => Answer::Taken,
        Code::ResourceExhausted | Code::OutOfRange
            if retry_delay.is_none() && speaks_of_size(said) =>
        {
            Answer::TooLarge(text)
        }
        Code::ResourceExhausted if retry_delay.is_none() && !retry_exhausted => Answer::Bad(text),
        Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => Answer::retry(retry_delay, text),
        Code::NotFound | Code::PermissionDenied | Code::Unimplemented | Code::Unauthenticated => {
            Answer::hold(text)
        }
        Code::InvalidArgument | Code::AlreadyExists | Code::FailedPrecondition => Answer::Bad(text),
    }
}

/// Whether a message is one of those by which gRPC libraries refuse a large message: grpc-go and C++ ("larger than
/// max"), grpc-java ("exceeds maximum size"), tonic and others ("too large"). The code alone also means "too busy".
fn speaks_of_size(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["larger than max", "exceeds maximum size", "too large"]
        .iter()
        .any(|words| said.contains(words))
}

/// A gRPC code as the specification writes it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Puts the server's words in the debug log and nowhere else: they may quote what a record holds, and a verdict is
/// logged as an error and told to every sender whose records were in the request.
pub(crate) fn note(said: &str) {
    let said = said.trim();
    if !said.is_empty() {
        tracing::debug!(said = line(said), "what the destination said");
    }
}

/// The first 200 characters as one line.
pub(crate) fn line(said: &str) -> String {
    said.chars()
        .take(200)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
