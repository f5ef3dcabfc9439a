//! What a sender is told about records that were not taken, the same for every receiver.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use sluice_component::{Undelivered, Verdict};

use crate::IntakeError;

/// The delay that a sender is asked for when nobody else named one.
pub const DEFAULT_DELAY: Duration = Duration::from_secs(1);

/// What became of a request, as its sender needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every record is in durable care.
    Taken,
    /// All that were not taken were refused for good: sending them again is of no use.
    Refused {
        /// How many.
        records: u64,
        /// The first reason, safe to show.
        reason: String,
    },
    /// Some record may be taken later: the whole request must be sent again.
    TryAgain {
        /// Not before this has passed.
        delay: Duration,
    },
}

impl Outcome {
    /// From what an outlet said.
    #[must_use]
    pub fn of(result: Result<(), Undelivered>) -> Self {
        let Err(undelivered) = result else {
            return Self::Taken;
        };
        if undelivered.is_retryable() {
            return Self::TryAgain {
                delay: undelivered.delay().unwrap_or(DEFAULT_DELAY),
            };
        }
        match undelivered.count(|verdict| matches!(verdict, Verdict::Refused(_))) {
            0 => Self::Taken,
            records => Self::Refused {
                records,
                reason: undelivered.reason().unwrap_or_default().to_owned(),
            },
        }
    }
}

/// A delay as `Retry-After` wants it: whole seconds, at least one.
#[must_use]
pub fn retry_after_seconds(delay: Duration) -> u64 {
    let whole = delay.as_secs();
    if delay.subsec_nanos() > 0 {
        whole + 1
    } else {
        whole.max(1)
    }
}

/// Sets `Retry-After`.
pub fn set_retry_after(headers: &mut HeaderMap, delay: Duration) {
    headers.insert(
        header::RETRY_AFTER,
        HeaderValue::from(retry_after_seconds(delay)),
    );
}

impl IntakeError {
    /// The HTTP status for it.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedEncoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Corrupt(_) | Self::Broken => StatusCode::BAD_REQUEST,
            Self::TimedOut(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Adds the headers that belong to the status: `Retry-After` for 503, `Accept-Encoding` for 415.
    pub fn add_headers(&self, headers: &mut HeaderMap) {
        match self {
            Self::Full(_) => set_retry_after(headers, DEFAULT_DELAY),
            Self::UnsupportedEncoding { accepted } => {
                if let Ok(value) = HeaderValue::from_str(accepted) {
                    headers.insert(header::ACCEPT_ENCODING, value);
                }
            }
            Self::TooLarge { .. } | Self::Corrupt(_) | Self::TimedOut(_) | Self::Broken => {}
        }
    }
}
