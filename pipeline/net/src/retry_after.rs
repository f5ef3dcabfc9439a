//! `Retry-After` of an answer, in both of its forms.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// The longest delay that a peer may ask for; a larger one is cut down to this, so that a bad clock or a typing error
/// at the destination does not park a pipeline for days.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The delay that an answer asks for: `Retry-After` as seconds or as an HTTP-date (RFC 9110, section 10.2.3), measured
/// from `now`. A date in the past is no delay. `None` without the header, or when it is neither form.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // All digits: only too many of them can fail.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .unwrap_or_default()
    };
    Some(delay.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, text.parse().unwrap());
        // Sun, 06 Nov 1994 08:49:37 GMT
        retry_after(
            &headers,
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
        )
    }

    #[test]
    fn seconds_and_dates_are_both_delays() {
        assert_eq!(parse("120"), Some(Duration::from_secs(120)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:50:07 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            parse("Sunday, 06-Nov-94 08:50:07 GMT"),
            Some(Duration::from_secs(30)),
            "the obsolete form of RFC 850"
        );
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:49:00 GMT"),
            Some(Duration::ZERO),
            "the past is now"
        );
    }

    #[test]
    fn an_absurd_delay_is_an_hour() {
        assert_eq!(parse("3600"), Some(MAX_RETRY_AFTER));
        assert_eq!(parse("3601"), Some(MAX_RETRY_AFTER));
        assert_eq!(parse("99999999999999999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(
            parse("Fri, 31 Dec 2100 23:59:59 GMT"),
            Some(MAX_RETRY_AFTER)
        );
    }

    #[test]
    fn anything_else_is_no_delay() {
        for text in ["", "soon", "-1", "1.5", "1h"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::now()), None);
    }
}
