//! Times as people write them: `2026-11-01`, `2026-11-01T12:00:00Z`, `-24h`, `now`.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use sluice_component::HumanDuration;

/// Which end of a range a day means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A day means its first moment.
    From,
    /// A day means the first moment of the next: it is part of the range.
    To,
}

/// Unix nanoseconds of a time.
///
/// # Errors
/// Text that is none, with the accepted forms.
pub(crate) fn parse(text: &str, end: End, now: Timestamp) -> Result<u64, String> {
    let wrong = || {
        format!("`{text}` is no time: write `2026-11-01`, `2026-11-01T12:00:00Z`, `-24h` or `now`")
    };
    let text_trimmed = text.trim();
    let at = if text_trimmed == "now" {
        now
    } else if let Some(ago) = text_trimmed.strip_prefix('-') {
        let ago = HumanDuration::parse(ago).map_err(|_| wrong())?.0;
        let ago = SignedDuration::try_from(ago).map_err(|_| wrong())?;
        now.checked_sub(ago).map_err(|_| wrong())?
    } else if let Ok(day) = text_trimmed.parse::<Date>()
        && text_trimmed.len() == 10
    {
        let day = match end {
            End::From => day,
            End::To => day.tomorrow().map_err(|_| wrong())?,
        };
        day.to_zoned(TimeZone::UTC)
            .map_err(|_| wrong())?
            .timestamp()
    } else {
        text_trimmed.parse::<Timestamp>().map_err(|_| wrong())?
    };
    Ok(u64::try_from(at.as_nanosecond()).unwrap_or(0))
}

/// A time for people, to the second.
pub(crate) fn show(nanos: u64) -> String {
    let seconds = i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| "-".into(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, end: End) -> String {
        let now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        parse(text, end, now).map_or_else(|error| error, show)
    }

    #[test]
    fn a_day_is_whole_at_both_ends() {
        assert_eq!(at("2026-11-01", End::From), "2026-11-01T00:00:00Z");
        assert_eq!(at("2026-11-01", End::To), "2026-11-02T00:00:00Z");
    }

    #[test]
    fn times_may_be_exact_or_relative() {
        assert_eq!(
            at("2026-11-01T12:30:00+02:00", End::To),
            "2026-11-01T10:30:00Z"
        );
        assert_eq!(at("-24h", End::From), "2026-11-24T10:00:00Z");
        assert_eq!(at("-7d", End::From), "2026-11-18T10:00:00Z");
        assert_eq!(at("now", End::To), "2026-11-25T10:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_answered_with_the_forms() {
        for wrong in ["yesterday", "-", "-5", "2026-13-01", "24h", ""] {
            assert!(
                at(wrong, End::From).contains("is no time: write `2026-11-01`"),
                "{wrong}"
            );
        }
    }
}
