//! What a sender is told, in the words of both protocols: export responses and `google.rpc.Status`.

use std::time::Duration;

use http::StatusCode;
use prost::Message;
use serde_json::json;
use sluice_batch::Signal;
use sluice_net::IntakeError;
use sluice_net::status::{DEFAULT_DELAY, retry_after_seconds};

use crate::door::Form;

/// The gRPC status codes that occur here (google.rpc.Code).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Cancelled = 1,
    InvalidArgument = 3,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
    Unauthenticated = 16,
}

/// Everything else was delivered, these were refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partial {
    pub(crate) signal: Signal,
    pub(crate) rejected: u64,
    pub(crate) message: String,
}

/// Why a request failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    /// Send it again, not before this has passed.
    pub(crate) delay: Option<Duration>,
    /// `WWW-Authenticate`.
    pub(crate) challenge: Option<&'static str>,
    /// `Accept-Encoding`.
    pub(crate) accepted: Option<String>,
}

impl Failure {
    fn new(code: Code, status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            code,
            status,
            message: message.into(),
            delay: None,
            challenge: None,
            accepted: None,
        }
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, StatusCode::BAD_REQUEST, message)
    }

    /// Without RetryInfo: the same request will never fit.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(
            Code::ResourceExhausted,
            StatusCode::PAYLOAD_TOO_LARGE,
            message,
        )
    }

    pub(crate) fn unauthenticated(challenge: &'static str) -> Self {
        let failure = Self::new(
            Code::Unauthenticated,
            StatusCode::UNAUTHORIZED,
            "missing or wrong credentials",
        );
        Self {
            challenge: Some(challenge),
            ..failure
        }
    }

    pub(crate) fn unimplemented(message: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, StatusCode::NOT_FOUND, message)
    }

    pub(crate) fn try_again(delay: Duration) -> Self {
        let failure = Self::new(
            Code::Unavailable,
            StatusCode::SERVICE_UNAVAILABLE,
            "not delivered, try again",
        );
        Self {
            delay: Some(delay),
            ..failure
        }
    }

    pub(crate) fn of_intake(error: IntakeError) -> Self {
        let (message, status) = (error.to_string(), error.status());
        match error {
            IntakeError::TooLarge { .. } => Self::too_large(message),
            IntakeError::Corrupt(_) => Self::malformed(message),
            IntakeError::UnsupportedEncoding { accepted } => Self {
                accepted: Some(accepted),
                ..Self::new(Code::Unimplemented, status, message)
            },
            IntakeError::Full(_) => Self {
                message,
                ..Self::try_again(DEFAULT_DELAY)
            },
            // An OTLP sender must not retry 408 and would drop its records because the network was slow.
            IntakeError::TimedOut(_) => Self {
                message,
                ..Self::try_again(DEFAULT_DELAY)
            },
            IntakeError::Broken => Self::new(Code::Cancelled, status, message),
        }
    }

    /// `google.rpc.Status`, in the form of the request.
    pub(crate) fn encode(&self, form: Form) -> Vec<u8> {
        match form {
            Form::Protobuf => self.to_status().encode_to_vec(),
            Form::Json => {
                let details: Vec<_> = self
                    .delay
                    .iter()
                    .map(|delay| json!({"@type": RETRY_INFO, "retryDelay": format!("{}s", retry_after_seconds(*delay))}))
                    .collect();
                let mut status = json!({"code": self.code as i32, "message": self.message});
                if !details.is_empty() {
                    status["details"] = details.into();
                }
                status.to_string().into_bytes()
            }
        }
    }

    fn to_status(&self) -> Status {
        let retry_info = |delay: &Duration| Any {
            type_url: RETRY_INFO.to_owned(),
            value: RetryInfo {
                retry_delay: Some(ProtoDuration {
                    seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
                    nanos: i32::try_from(delay.subsec_nanos()).unwrap_or_default(),
                }),
            }
            .encode_to_vec(),
        };
        Status {
            code: self.code as i32,
            message: self.message.clone(),
            details: self.delay.iter().map(retry_info).collect(),
        }
    }
}

/// An `Export*ServiceResponse`: empty, or with a `partial_success`, whose tags are the same for every signal.
pub(crate) fn encode_response(partial: Option<&Partial>, form: Form) -> Vec<u8> {
    match (form, partial) {
        (Form::Protobuf, partial) => ExportResponse {
            partial_success: partial.map(|partial| PartialSuccess {
                rejected: i64::try_from(partial.rejected).unwrap_or(i64::MAX),
                error_message: partial.message.clone(),
            }),
        }
        .encode_to_vec(),
        (Form::Json, None) => b"{}".to_vec(),
        (Form::Json, Some(partial)) => {
            let rejected = match partial.signal {
                Signal::Logs => "rejectedLogRecords",
                Signal::Traces => "rejectedSpans",
                Signal::Metrics => "rejectedDataPoints",
            };
            let body = json!({"partialSuccess": {rejected: partial.rejected.to_string(), "errorMessage": partial.message}});
            body.to_string().into_bytes()
        }
    }
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
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

/// google.rpc.Status
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// google.protobuf.Any
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// google.rpc.RetryInfo
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) retry_delay: Option<ProtoDuration>,
}

/// google.protobuf.Duration
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ProtoDuration {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}
