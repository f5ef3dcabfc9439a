//! The rules for ids.

/// Longest name after the slash, in characters.
const MAX_NAME: usize = 1024;

/// Splits `type/name` by the Collector's rules
/// (<https://github.com/open-telemetry/opentelemetry-collector/blob/main/component/identifiable.go>).
pub(crate) fn parse_id(written: &str) -> Result<(&str, &str), &'static str> {
    let (kind, name) = match written.split_once('/') {
        Some((_, "")) => return Err("the name after `/` is empty"),
        Some((kind, name)) => (kind, name),
        None => (written, ""),
    };
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if !kind.starts_with(|c: char| c.is_ascii_alphabetic())
        || !kind.bytes().all(is_word)
        || kind.len() > 63
    {
        return Err("a type starts with a letter and has at most 63 letters, digits and `_`");
    }
    if name.chars().count() > MAX_NAME {
        return Err("a name has at most 1024 characters");
    }
    if name.chars().any(|c| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
    }) {
        return Err("a name has no blanks, control characters or symbols");
    }
    Ok((kind, name))
}
