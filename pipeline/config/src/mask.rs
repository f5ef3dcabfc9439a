//! Which keys name secrets, and covering their values where lines of the file are shown.

use std::ops::Range;

use crate::Span;

/// Parts of a key (split at `_`, `-`, `.`) that make its value a secret wherever they stand last.
const SECRET_WORDS: &[&str] = &[
    "token",
    "tokens",
    "secret",
    "secrets",
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "apikey",
    "authorization",
    "credential",
    "credentials",
    "cookie",
    "htpasswd",
    "headers",
    "bearer",
];
/// Ends of a key that make its value a secret.
const SECRET_ENDS: &[&str] = &[
    "api_key",
    "access_key",
    "secret_key",
    "private_key",
    "hmac_key",
    "key_pem",
    "connection_string",
    "instrumentation_key",
    "signing_key",
    "license_key",
    "account_key",
    "access_key_id",
    "app_key",
    "application_key",
    "sas_token",
];
/// Keys whose last word is `token` and which still name no secret.
const HARMLESS: &[&str] = &["max_token", "max_tokens", "input_tokens", "output_tokens"];

/// Whether a value under this key is likely a secret, judged by the key's words: `splunk_token` is, `input_tokens`
/// and `key_file` are not.
pub(crate) fn names_a_secret(key: &str) -> bool {
    let mut name = String::with_capacity(key.len() + 4);
    let mut previous_is_lower = false;
    for c in key.chars() {
        if c.is_ascii_uppercase() && previous_is_lower {
            name.push('_');
        }
        previous_is_lower = c.is_ascii_lowercase();
        name.push(if matches!(c, '-' | '.' | '/' | ' ') {
            '_'
        } else {
            c.to_ascii_lowercase()
        });
    }
    if HARMLESS.contains(&name.as_str()) {
        return false;
    }
    let last = name.rsplit('_').next().unwrap_or_default();
    SECRET_WORDS.contains(&last) || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// Query parameters that carry a credential beside those whose names say so: Google's `key`, Azure's `sig` and `code`.
const SECRET_PARAMETERS: &[&str] = &["key", "sig", "signature", "code", "auth", "sas", "jwt"];

/// Where URLs in a text hold a literal credential: the password of `scheme://user:password@host`, and the values of
/// query parameters such as `api_key`. References in them are left out.
fn credentials(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(authority) = text[from..].find("://").map(|at| from + at + 3) {
        let end = text[authority..]
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`'))
            .map_or(text.len(), |at| authority + at);
        if let Some(at) = text[authority..end].rfind('@').map(|at| authority + at)
            && let Some(colon) = text[authority..at].find(':').map(|colon| authority + colon)
        {
            literals(text, colon + 1..at, &mut found);
        }
        from = end;
    }
    let mut from = 0;
    while let Some(name) = text[from..].find(['?', '&']).map(|at| from + at + 1) {
        from = name;
        let length = text[name..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
            .unwrap_or(0);
        let value = name + length + 1;
        if length == 0 || text.as_bytes().get(name + length) != Some(&b'=') {
            continue;
        }
        let name = &text[name..name + length];
        let end = text[value..]
            .find(|c: char| c.is_whitespace() || matches!(c, '&' | '#' | '"' | '\'' | '`'))
            .map_or(text.len(), |at| value + at);
        if names_a_secret(name) || SECRET_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()) {
            literals(text, value..end, &mut found);
        }
        from = end;
    }
    found.sort_by_key(|range| range.start);
    found
}

/// The parts of `range` that are no reference. A reference with a default has a literal in it, and counts as one.
fn literals(text: &str, range: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut start = range.start;
    while start < range.end {
        let rest = &text[start..range.end];
        let reference = rest.match_indices("${").find_map(|(at, _)| {
            let length = rest[at..].find('}')? + 1;
            is_reference(&rest[at..at + length]).then_some((start + at, start + at + length))
        });
        let (end, next) = reference.unwrap_or((range.end, range.end));
        if start < end {
            found.push(start..end);
        }
        start = next;
    }
}

/// The text with `***` for every literal credential in a URL.
pub(crate) fn hide_credentials(text: &str) -> String {
    let mut hidden = text.to_owned();
    let mut start = text.len();
    // A query inside a password's range would be one range in another: what is replaced already is left alone.
    for range in credentials(text).into_iter().rev() {
        if range.end <= start {
            hidden.replace_range(range.clone(), "***");
            start = range.start;
        }
    }
    hidden
}

/// Whether the whole text is one reference without a default, or a bare `$NAME`: nothing in it is a secret.
fn is_reference(text: &str) -> bool {
    is_bare_name(text)
        || (text.starts_with("${")
            && text.find('}') == Some(text.len() - 1)
            && !text.contains(":-"))
}

/// Whether a text is what a shell would take for a variable: `$NAME`, in capitals.
pub(crate) fn is_bare_name(text: &str) -> bool {
    text.strip_prefix('$').is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    })
}

/// The file's text as it may be shown: `spans` covered, and what [`mask_secrets`] finds. Places stay true.
pub(crate) fn cover(text: &str, spans: &[Span]) -> String {
    let mut covered = text.as_bytes().to_vec();
    for span in spans {
        if let Some(value) = text.get(span.start..span.end) {
            let mut masked = Vec::with_capacity(value.len());
            mask_value(&mut masked, value);
            covered[span.start..span.end].copy_from_slice(&masked);
        }
    }
    mask_secrets(&String::from_utf8(covered).unwrap_or_default())
}

/// The text with every literal under a secret's key, and every credential in a URL, covered by as many `*` as it has
/// bytes, so that places stay true. References stay: they are what the reader has to mend. Works on lines, because
/// text that is not even YAML has to be shown too.
fn mask_secrets(text: &str) -> String {
    let mut masked = Vec::with_capacity(text.len());
    // Below a secret's key, everything that is indented deeper belongs to it (a block scalar, a list, headers).
    let mut secret_indent: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() {
            masked.extend_from_slice(line.as_bytes());
            continue;
        }
        if secret_indent.is_some_and(|secret| {
            indent > secret || (indent == secret && line.trim_start().starts_with("- "))
        }) {
            mask_value(&mut masked, line);
            continue;
        }
        secret_indent = None;
        let mut rest = line;
        while let Some((key, value)) = next_key(rest) {
            let (before, after) = rest.split_at(value);
            masked.extend_from_slice(before.as_bytes());
            rest = after;
            if names_a_secret(key) {
                let length = value_length(rest);
                let (value, after) = rest.split_at(length);
                if matches!(
                    value.trim().chars().next(),
                    None | Some('|' | '>' | '&' | '#' | '{' | '[' | '"' | '\'')
                ) {
                    secret_indent = Some(line.find(key).unwrap_or(indent));
                }
                mask_value(&mut masked, value);
                rest = after;
            }
        }
        masked.extend_from_slice(rest.as_bytes());
    }
    let mut text = String::from_utf8(masked).unwrap_or_default();
    for range in credentials(&text) {
        text.replace_range(range.clone(), &"*".repeat(range.len()));
    }
    text
}

/// The next `key:` of a line, and where its value starts.
fn next_key(line: &str) -> Option<(&str, usize)> {
    let mut from = 0;
    while let Some(colon) = line[from..].find(':').map(|at| from + at) {
        let after = &line[colon + 1..];
        let key = line[..colon].trim_end().trim_end_matches(['"', '\'']);
        let start = key
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')))
            .map_or(0, |at| {
                at + key[at..].chars().next().map_or(1, char::len_utf8)
            });
        if (after.is_empty() || after.starts_with([' ', '\t', '\n', '\r', '"', '\'']))
            && start < key.len()
        {
            return Some((&key[start..], colon + 1));
        }
        from = colon + 1;
    }
    None
}

/// Up to the end of a flow item or of the line.
fn value_length(rest: &str) -> usize {
    let trimmed = rest.trim_start_matches([' ', '\t']);
    let lead = rest.len() - trimmed.len();
    if let Some(quote) = trimmed.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return trimmed[1..]
            .find(quote)
            .map_or(rest.len(), |end| lead + end + 2);
    }
    if let Some(inner) = trimmed.strip_prefix("${") {
        return inner.find('}').map_or(rest.len(), |end| lead + end + 3);
    }
    if trimmed.starts_with(['{', '[']) {
        let mut depth = 0usize;
        for (at, byte) in trimmed.bytes().enumerate() {
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return lead + at + 1;
            }
        }
        return rest.len();
    }
    rest.find([',', '}', '\n']).unwrap_or(rest.len())
}

fn mask_value(masked: &mut Vec<u8>, value: &str) {
    let trimmed = value.trim();
    if is_reference(trimmed.trim_matches(['"', '\''])) {
        masked.extend_from_slice(value.as_bytes());
        return;
    }
    let kept = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'');
    masked.extend(value.bytes().map(|b| if kept(b) { b } else { b'*' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_judged_by_their_words() {
        for key in [
            "token",
            "tokens",
            "api_key",
            "apiKey",
            "splunk_token",
            "client-secret",
            "password",
            "key_pem",
            "headers",
            "Authorization",
            "hmac_key",
        ] {
            assert!(names_a_secret(key), "{key}");
        }
        for key in [
            "input_tokens",
            "key_file",
            "key",
            "tokenizer",
            "allowed_keys",
            "scheme",
            "blocked_key_patterns",
            "secret_name",
            "compass",
        ] {
            assert!(!names_a_secret(key), "{key}");
        }
    }

    #[test]
    fn a_shown_line_hides_literal_secrets_and_keeps_references_and_places() {
        for (line, shown) in [
            ("token: hunter2", "token: *******"),
            ("token: \"hunter2\" # why", "token: \"*******\" # why"),
            ("token: ${env:T}", "token: ${env:T}"),
            ("token: ${env:T:-hunter2}", "token: *****************"),
            (
                "- {destination: x, api_key: abc, site: eu}",
                "- {destination: x, api_key: ***, site: eu}",
            ),
            ("token: $TOKEN", "token: $TOKEN"),
            (
                "endpoint: https://u:pw@h:1/x",
                "endpoint: https://u:**@h:1/x",
            ),
            (
                "key_pem: |\n  abc\n  def\nnext: 1",
                "key_pem: *\n  ***\n  ***\nnext: 1",
            ),
            (
                "url: https://h/p?api_key=abc&x=1",
                "url: https://h/p?api_key=***&x=1",
            ),
            (
                "url: \"h/p?x=1&sig=a%2Fb\" # why",
                "url: \"h/p?x=1&sig=*****\" # why",
            ),
            (
                "url: h?token=${env:T}&code=${env:C:-ab}",
                "url: h?token=${env:T}&code=************",
            ),
            ("token: $ecret!", "token: *******"),
            ("tokens:\n  - abc\n- x", "tokens:\n  * ***\n* *"),
            (
                "a: {headers: {x: ab, y: cd}, z: 1}",
                "a: {headers: *** *** ** ***, z: 1}",
            ),
            ("token: [\n  ab\n]\nx: 1", "token: *\n  **\n]\nx: 1"),
            (
                "a: {token: ${env:A}, secret: b}",
                "a: {token: ${env:A}, secret: *}",
            ),
            ("token: \"ab\n  cd\"", "token: \"**\n  **\""),
            (
                "headers:\n  X-Key: abc\nother: 1",
                "headers:\n  ****** ***\nother: 1",
            ),
        ] {
            let masked = mask_secrets(line);
            assert_eq!(masked, shown, "{line}");
            assert_eq!(masked.len(), line.len());
        }
    }

    #[test]
    fn credentials_in_urls_are_hidden_and_references_in_them_are_not() {
        for (text, shown) in [
            ("https://u:pw@h?token=abc#f", "https://u:***@h?token=***#f"),
            ("https://u:${env:P}@h?key=a", "https://u:${env:P}@h?key=***"),
            ("https://u:${env:P:-x}@h", "https://u:***@h"),
            ("h?sig=a${env:P}b", "h?sig=***${env:P}***"),
            (
                "x?page=2&keyboard=us&tokenizer=bpe&max_tokens=9",
                "x?page=2&keyboard=us&tokenizer=bpe&max_tokens=9",
            ),
            ("http://a:b?c@d:e", "http://a:b?c@d:e"),
            ("a ? b : c & d=1", "a ? b : c & d=1"),
        ] {
            assert_eq!(hide_credentials(text), shown);
        }
    }
}
