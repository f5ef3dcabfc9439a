//! Datadog's tags: `key:value`, joined by commas.
//!
//! Rules from Datadog's page "Getting Started with Tags", read in November 2026.

/// Longest tag, in characters.
const MAX_TAG: usize = 200;

/// A tag as Datadog would store it: lower case; letters, digits and `_-:./`, anything else `_`; it starts with a
/// letter and does not end with a colon. `None`: nothing is left.
pub(super) fn tag(text: &str) -> Option<String> {
    let kept: String = text
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| {
            if c.is_alphanumeric() || "_-:./".contains(c) {
                c
            } else {
                '_'
            }
        })
        .skip_while(|c| !c.is_alphabetic())
        .take(MAX_TAG)
        .collect();
    let kept = kept.trim_end_matches(':');
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// Appends a tag to a list.
pub(super) fn add(list: &mut String, text: &str) {
    // Most tags are as Datadog would store them.
    if is_stored_as_written(text) {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(text);
        return;
    }
    if let Some(tag) = tag(text) {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(&tag);
    }
}

/// Whether [`tag`] would not change this; no false yes, some false noes.
fn is_stored_as_written(text: &str) -> bool {
    text.len() <= MAX_TAG
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with(':')
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b':' | b'.' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_what_datadog_would_store() {
        for (text, expected) in [
            ("env:prod", Some("env:prod")),
            ("Project:Support Bot", Some("project:support_bot")),
            ("project:a,b", Some("project:a_b")),
            ("1team:x", Some("team:x")),
            ("env:", Some("env")),
            ("::", None),
            ("", None),
        ] {
            assert_eq!(tag(text).as_deref(), expected, "{text}");
            let mut list = String::new();
            add(&mut list, text);
            assert_eq!(list, expected.unwrap_or_default(), "{text}");
        }
        assert_eq!(tag(&"a".repeat(201)).map(|t| t.len()), Some(200));
    }
}
