//! Numbers, times and ranges as people read them.

use std::ops::Range;

use indicatif::{BinaryBytes, HumanCount};
use jiff::Timestamp;

/// `1 record`, `2,000 records`.
pub(crate) fn count(n: u64, what: &str) -> String {
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// `2,000`.
pub(crate) fn number(n: u64) -> String {
    HumanCount(n).to_string()
}

/// `1.50 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    BinaryBytes(n).to_string()
}

/// RFC 3339 in UTC with as many digits as it needs.
pub(crate) fn time(nanos: u64) -> String {
    timestamp(nanos).to_string()
}

fn timestamp(nanos: u64) -> Timestamp {
    Timestamp::from_nanosecond(nanos.into()).unwrap_or(Timestamp::MAX)
}

/// `record 7`, `records 7 to 9`.
pub(crate) fn records(range: &Range<u64>) -> String {
    match range.end.saturating_sub(range.start) {
        0 | 1 => format!("record {}", range.start),
        _ => format!("records {} to {}", range.start, range.end - 1),
    }
}

/// Text of somebody else's that must not move the terminal's cursor: on one line, without control characters.
pub(crate) fn plain(text: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(is_odd, " ").trim().to_owned()
}

/// The first `most` characters, and a mark when there are more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= most {
        return text;
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_have_the_right_form() {
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(0, "record"), "0 records");
        assert_eq!(count(1_234_567, "record"), "1,234,567 records");
        assert_eq!(records(&(7..8)), "record 7");
        assert_eq!(records(&(7..10)), "records 7 to 9");
        assert_eq!(time(1_776_709_800_000_000_000), "2026-04-20T18:30:00Z");
        assert_eq!(time(u64::MAX), "2554-07-21T23:34:33.709551615Z");
    }

    #[test]
    fn foreign_text_moves_no_cursor_and_is_cut_at_a_character() {
        assert_eq!(plain("a\u{1b}[31mb\r\nc\u{9b}d"), "a [31mb  c d");
        assert_eq!(shortened("grün, grün, grün", 7), "grün,…");
        assert_eq!(shortened("short", 5), "short");
    }
}
