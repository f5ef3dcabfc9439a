//! What the intake's answer means.
//!
//! From Datadog's API page "Send logs", read in November 2026. The answer's text is not repeated: it may quote a log.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use sluice_component::After;

use crate::delivery::Outcome;
use sluice_net::MAX_RETRY_AFTER;

use crate::retry_after::retry_after;

/// What became of the logs of a request. There is no answer for a single log.
pub(super) fn outcome(status: u16, after: After) -> Outcome {
    let why = |what: &str| format!("HTTP {status}: {what}");
    match status {
        200 | 202 => Outcome::Taken,
        400 | 422 => Outcome::Halve(why("malformed payload")),
        401 => Outcome::Hold(why("the API key is missing")),
        // Also for a key that is so new that the intake does not know it yet.
        403 => Outcome::Hold(why("the API key is invalid or belongs to another site")),
        413 => Outcome::Halve(why("payload too large")),
        408 | 429 | 500..=599 => Outcome::Retry(after, why("not taken")),
        // Another 2xx is not the intake's: a proxy's page.
        201 | 203..=299 => Outcome::Retry(After::Backoff, why("a success, but not the intake's")),
        _ => Outcome::Hold(why("check endpoint and site")),
    }
}

/// `Retry-After`, else `X-RateLimit-Reset`: seconds until the limit is lifted.
pub(super) fn after(headers: &HeaderMap, now: SystemTime) -> After {
    match retry_after(headers, now) {
        After::Backoff => headers
            .get("x-ratelimit-reset")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map_or(After::Backoff, |seconds| {
                After::Delay(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
            }),
        delay => delay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_answer() {
        let after = After::Delay(Duration::from_secs(7));
        for (status, expected) in [
            (200, "Taken"),
            (202, "Taken"),
            (400, "Halve"),
            (401, "Hold"),
            (403, "Hold"),
            (404, "Hold"),
            (408, "Retry(Delay(7s)"),
            (413, "Halve"),
            (429, "Retry(Delay(7s)"),
            (500, "Retry(Delay(7s)"),
            (502, "Retry(Delay(7s)"),
            (503, "Retry(Delay(7s)"),
            (504, "Retry(Delay(7s)"),
            (204, "Retry(Backoff"),
            (302, "Hold"),
        ] {
            let outcome = format!("{:?}", outcome(status, after));
            assert!(outcome.starts_with(expected), "{status}: {outcome}");
        }
    }

    #[test]
    fn retry_after_wins_over_the_rate_limit_header() {
        let now = SystemTime::now();
        let mut headers = HeaderMap::new();
        assert_eq!(after(&headers, now), After::Backoff);
        headers.insert("x-ratelimit-reset", "9".parse().expect("a header value"));
        assert_eq!(after(&headers, now), After::Delay(Duration::from_secs(9)));
        headers.insert("retry-after", "3".parse().expect("a header value"));
        assert_eq!(after(&headers, now), After::Delay(Duration::from_secs(3)));
    }
}
