//! Event times in the forms that senders use.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sluice_batch::Value;

/// UTC nanoseconds since 1970 of an ISO 8601 text (UTC where it names no zone) or of a number since 1970, whose unit
/// shows in its size: seconds below 1e11, milliseconds below 1e14, microseconds below 1e17, else nanoseconds. `None`
/// when it is neither, or before 1970.
pub(super) fn nanoseconds(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Int(number) => from_integer(number.try_into().ok()?),
        Value::Double(number) => from_double(number),
        Value::Str(text) => {
            let text = text.trim();
            if text.bytes().all(|byte| byte.is_ascii_digit()) {
                return from_integer(text.parse().ok()?);
            }
            if text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
            {
                return from_double(text.parse().ok()?);
            }
            let time = text.parse::<Timestamp>().ok().or_else(|| {
                let local: DateTime = text.parse().ok()?;
                local
                    .to_zoned(TimeZone::UTC)
                    .ok()
                    .map(|zoned| zoned.timestamp())
            })?;
            u64::try_from(time.as_nanosecond())
                .ok()
                .filter(|nanoseconds| *nanoseconds > 0)
        }
        _ => None,
    }
}

fn from_integer(number: u64) -> Option<u64> {
    number
        .checked_mul(unit(number as f64))
        .filter(|nanoseconds| *nanoseconds > 0)
}

fn from_double(number: f64) -> Option<u64> {
    let nanoseconds = number * unit(number) as f64;
    (nanoseconds.is_finite() && nanoseconds >= 1.0 && nanoseconds < u64::MAX as f64)
        .then_some(nanoseconds as u64)
}

/// Nanoseconds in the unit that a number of this size is in.
fn unit(number: f64) -> u64 {
    match number {
        n if n < 1e11 => 1_000_000_000,
        n if n < 1e14 => 1_000_000,
        n if n < 1e17 => 1_000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;
    use sluice_batch::Value;

    #[test]
    fn the_unit_of_a_number_shows_in_its_size() {
        let expected = Some(1_776_709_800_000_000_000);
        for number in [
            1_776_709_800,
            1_776_709_800_000,
            1_776_709_800_000_000,
            1_776_709_800_000_000_000,
        ] {
            assert_eq!(nanoseconds(Value::Int(number)), expected);
            assert_eq!(nanoseconds(Value::Str(&number.to_string())), expected);
        }
        assert_eq!(
            nanoseconds(Value::Int(99_999_999_999)),
            None,
            "a time beyond the year 2554 has no nanoseconds"
        );
        assert_eq!(
            nanoseconds(Value::Int(100_000_000_000)),
            Some(100_000_000_000_000_000)
        );
        assert_eq!(
            nanoseconds(Value::Int(100_000_000_000_000)),
            Some(100_000_000_000_000_000)
        );
        assert_eq!(
            nanoseconds(Value::Int(100_000_000_000_000_000)),
            Some(100_000_000_000_000_000)
        );
        assert_eq!(
            nanoseconds(Value::Double(1_776_709_800.5)),
            Some(1_776_709_800_500_000_000)
        );
        assert_eq!(
            nanoseconds(Value::Str("1776709800.5")),
            Some(1_776_709_800_500_000_000)
        );
    }

    #[test]
    fn a_text_is_read_with_its_zone_and_as_utc_without_one() {
        for text in [
            "2026-04-20T18:30:00Z",
            "2026-04-20T18:30:00",
            "2026-04-20 18:30:00",
            "2026-04-20T20:30:00+02:00",
            " 2026-04-20T18:30:00.000Z ",
        ] {
            assert_eq!(
                nanoseconds(Value::Str(text)),
                Some(1_776_709_800_000_000_000),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for value in [
            Value::Str(""),
            Value::Str("yesterday"),
            Value::Str("."),
            Value::Str("1969-12-31T00:00:00Z"),
            Value::Int(-1),
            Value::Int(0),
            Value::Double(f64::NAN),
            Value::Double(f64::INFINITY),
            Value::Bool(true),
            Value::Empty,
            Value::Str("99999999999999999999999"),
        ] {
            assert_eq!(nanoseconds(value), None, "{value:?}");
        }
    }
}
