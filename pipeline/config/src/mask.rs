//! Which keys name secrets, and covering their values where lines of the file are shown.

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

/// Covers the password of `scheme://user:password@host`.
pub(crate) fn mask_url(text: &str) -> Option<String> {
    let authority = text.find("://")? + 3;
    let end = text[authority..]
        .find(['/', '?', '#', ' '])
        .map_or(text.len(), |at| authority + at);
    let at = authority + text[authority..end].rfind('@')?;
    let colon = authority + text[authority..at].find(':')?;
    Some(format!("{}:***{}", &text[..colon], &text[at..]))
}

/// The text with every literal under a secret's key, and every password in a URL, covered by as many `*` as it has
/// bytes, so that places stay true. References stay: they are what the reader has to mend. Works on lines, because
/// text that is not even YAML has to be shown too.
pub(crate) fn mask_secrets(text: &str) -> String {
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
    cover_url_passwords(&mut text);
    text
}

fn cover_url_passwords(text: &mut String) {
    let mut from = 0;
    while let Some(scheme) = text[from..].find("://").map(|at| from + at + 3) {
        let end = text[scheme..]
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''))
            .map_or(text.len(), |at| scheme + at);
        if let Some(at) = text[scheme..end].rfind('@').map(|at| scheme + at)
            && let Some(colon) = text[scheme..at].find(':').map(|colon| scheme + colon)
            && !text[colon..at].contains("${")
        {
            text.replace_range(colon + 1..at, &"*".repeat(at - colon - 1));
        }
        from = end;
    }
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
    let is_reference =
        trimmed.trim_matches(['"', '\'']).starts_with('$') && !trimmed.contains(":-");
    if is_reference {
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
}
