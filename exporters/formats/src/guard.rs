//! What keeps a spreadsheet from running a CSV cell as a formula.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and passes over blanks before it;
//! with some languages set, the wide forms of these characters count too. A tab or a line break at the start can move
//! what follows to a cell of its own. Source: OWASP, "CSV Injection", read November 2026.

use std::borrow::Cow;

/// The mark in front of a guarded cell.
const MARK: char = '\'';

/// The text as a CSV cell: with an apostrophe in front when a spreadsheet could take it for a formula, or when it begins
/// with an apostrophe already, so that [`unguard`] is exact.
///
/// ```
/// use exporter_formats::{guard, unguard};
/// assert_eq!(guard("refuse"), "refuse");
/// assert_eq!(guard(" =1+1"), "' =1+1");
/// assert_eq!(guard("'tis"), "''tis");
/// assert_eq!(unguard(&guard("'=1")), "'=1");
/// ```
#[must_use]
pub fn guard(text: &str) -> Cow<'_, str> {
    if text.starts_with(MARK) || is_formula(text) {
        Cow::Owned(format!("{MARK}{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text that [`guard`] was given: a cell without the one apostrophe that it may begin with.
#[must_use]
pub fn unguard(cell: &str) -> &str {
    cell.strip_prefix(MARK).unwrap_or(cell)
}

/// Whether the first character that counts can start a formula or a new cell.
fn is_formula(text: &str) -> bool {
    text.chars()
        .find(|c| is_trigger(*c) || !is_passed_over(*c))
        .is_some_and(is_trigger)
}

fn is_trigger(c: char) -> bool {
    matches!(
        c,
        '=' | '+' | '-' | '@' | '\t' | '\r' | '\n'
        // Full-width and small forms, and the minus sign.
        | '＝' | '＋' | '－' | '＠' | '﹦' | '﹢' | '﹣' | '﹫' | '−'
    )
}

/// Blanks, quotes and what cannot be seen.
fn is_passed_over(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '"' | '\'' | '`' | '“' | '”' | '„' | '‘' | '’' | '«' | '»' | '＂' | '＇'
        )
        || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_formula_gets_an_apostrophe_and_nothing_else_does() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\tx",
            "\rx",
            "\nx",
            " =1",
            "\u{a0}=1",
            "\u{feff}=1",
            "\u{200b}=1",
            "\"=1",
            "' =1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            " \u{3000}＝1",
            "−5",
            "“=1",
            "\0=1",
            "-",
            "'",
        ] {
            assert_eq!(guard(text), format!("'{text}"), "{text:?}");
        }
        for text in [
            "",
            " ",
            "refuse",
            "a=1",
            "1-2",
            "{\"a\":\"=1\"}",
            "[]",
            "user@example.com",
            "\"text\"",
            "é",
            "_-",
        ] {
            assert_eq!(guard(text), text, "{text:?}");
        }
    }
}
