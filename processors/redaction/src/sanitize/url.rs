//! URLs and paths: segments that look like words stay, all others become `*`; queries and fragments go.
//!
//! The Collector tells words from identifiers by a statistical model of letter pairs. Here a few rules do, which anybody
//! can check by hand: no digit but a last one, no long run of consonants, nothing that is not ASCII.

use super::HIDDEN;

/// Where the path ends, if it is longer, as in the Collector.
const MAX_SEGMENTS: usize = 10;
const MAX_SEGMENT: usize = 40;
/// Longest word without a vowel (`http`, `xml`, `mgmt`).
const MAX_VOWELLESS: usize = 4;
/// Most consonants in a row; `catchphrase` has six.
const MAX_CONSONANTS: usize = 6;
/// Longest word.
const MAX_WORD: usize = 20;

/// What may stay of a URL, a path, or a path behind a method.
pub(super) fn sanitised(url: &str) -> String {
    let forward;
    let url = if url.contains('\\') {
        // JSON may escape a slash, and browsers take a backslash for one.
        forward = url.replace("\\/", "/").replace('\\', "/");
        &forward
    } else {
        url
    };
    let mut out = String::new();
    let (url, query) = url.split_at(url.find(['?', '&', '#']).unwrap_or(url.len()));
    let path = match split_scheme(url) {
        Some((scheme, rest)) => {
            out.push_str(scheme);
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            // A password with a question mark in it looks like a query.
            let is_certain = !path.is_empty() || !query.contains('@');
            out.push_str(if is_certain {
                shown_authority(authority)
            } else {
                "*"
            });
            path
        }
        None => url,
    };
    for (i, segment) in path.split('/').take(MAX_SEGMENTS + 1).enumerate() {
        if i > 0 {
            out.push('/');
        }
        out.push_str(if is_words(segment) { segment } else { "*" });
    }
    if out.is_empty() {
        out.push_str(HIDDEN);
    }
    out
}

/// The text with each URL and each absolute path in it sanitised; the words around them stay.
pub(super) fn sanitised_within(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`');
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(ends) {
        let (word, end) = match word.chars().next_back().filter(|c| ends(*c)) {
            Some(c) => word.split_at(word.len() - c.len_utf8()),
            None => (word, ""),
        };
        match start_in(word) {
            Some(at) => {
                out.push_str(&word[..at]);
                out.push_str(&sanitised(&word[at..]));
            }
            None => out.push_str(word),
        }
        out.push_str(end);
    }
    out
}

/// Where a URL or an absolute path begins in a word.
fn start_in(word: &str) -> Option<usize> {
    if !word.contains('/') {
        return None;
    }
    let scheme = word
        .find("://")
        .or_else(|| word.find(":\\/\\/"))
        .map(|colon| {
            let bytes = word[..colon].bytes().rev();
            colon - bytes.take_while(|b| is_of_scheme(*b)).count()
        });
    let is_opening = |c: char| matches!(c, '\'' | '(' | '[' | '{' | '=' | ',' | ';' | ':');
    let path = word
        .match_indices(['/', '\\'])
        .map(|(at, _)| at)
        .filter(|at| word[*at..].starts_with('/') || word[*at..].starts_with("\\/"))
        .find(|at| word[..*at].chars().next_back().is_none_or(is_opening));
    scheme.into_iter().chain(path).min()
}

fn is_of_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// The scheme with its `://`, and what follows it.
fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let colon = url.find("://").filter(|at| (1..=MAX_WORD).contains(at))?;
    url[..colon]
        .bytes()
        .all(is_of_scheme)
        .then(|| url.split_at(colon + "://".len()))
}

/// Host and port. Names and passwords before an `@` go, and so does what is no host.
fn shown_authority(authority: &str) -> &str {
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (name, port) = match host
        .rfind(':')
        .filter(|colon| !host[*colon..].contains(']'))
    {
        Some(colon) => (&host[..colon], &host[colon + 1..]),
        None => (host, ""),
    };
    let is_address = name.starts_with('[')
        && name.ends_with(']')
        && name[1..name.len() - 1]
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'));
    let is_name = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    let is_port = port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    if (is_name || is_address) && is_port {
        host
    } else {
        "*"
    }
}

/// Whether a segment is words, with hyphens and the like between them.
fn is_words(segment: &str) -> bool {
    segment.len() <= MAX_SEGMENT
        && (is_version(segment) || segment.split(['-', '_', '.', ' ']).all(is_word))
}

/// `v1`, `v2.1`
fn is_version(segment: &str) -> bool {
    segment.strip_prefix(['v', 'V']).is_some_and(|number| {
        (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    })
}

fn is_word(part: &str) -> bool {
    // `oauth2`, `k6`, `ipv4`
    let letters = part
        .strip_suffix(|c: char| c.is_ascii_digit())
        .unwrap_or(part);
    if letters.is_empty() {
        return part.is_empty();
    }
    if letters.len() > MAX_WORD || !letters.bytes().all(|b| b.is_ascii_alphabetic()) {
        return false;
    }
    let is_vowel = |b: u8| {
        matches!(
            b.to_ascii_lowercase(),
            b'a' | b'e' | b'i' | b'o' | b'u' | b'y'
        )
    };
    let longest = letters
        .as_bytes()
        .split(|b| is_vowel(*b))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    let pairs = || letters.as_bytes().windows(2);
    let capitals = pairs()
        .filter(|p| p[0].is_ascii_lowercase() && p[1].is_ascii_uppercase())
        .count();
    (letters.len() <= MAX_VOWELLESS || letters.bytes().any(is_vowel))
        && longest <= MAX_CONSONANTS
        && capitals * 3 < letters.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_in_a_path_becomes_a_star() {
        for (url, left) in [
            ("/users/fdklsd/23993/job/2", "/users/*/*/job/*"),
            ("123/ljgdflgjf", "*/*"),
            ("/v1/products/22j", "/v1/products/*"),
            ("/v1/k6-test-runs/1", "/v1/k6-test-runs/*"),
            ("/products//org/3/", "/products//org/*/"),
            ("/api.backup/hello.world", "/api.backup/hello.world"),
            ("/user_space/", "/user_space/"),
            ("/Benutzer/getQuoteById", "/Benutzer/getQuoteById"),
            (
                "GET /api/cart?sessionId=55f4e5ea-5d6d-482a",
                "GET /api/cart",
            ),
            ("OPTIONS /attach#section-1", "OPTIONS /attach"),
            ("/users/550e8400-e29b-41d4-a716-446655440000", "/users/*"),
            ("/users/jane@example.com/%41bc", "/users/*/*"),
            ("/t/dGhpc0lzQVNlY3JldA==/x;jsessionid=A", "/t/*/*"),
            ("/files/Überweisung", "/files/*"),
            ("?q=secret", "?"),
        ] {
            assert_eq!(sanitised(url), left, "{url}");
        }
    }

    #[test]
    fn a_host_stays_and_credentials_go() {
        for (url, left) in [
            (
                "https://api.example.com:8443/users/42?token=abc",
                "https://api.example.com:8443/users/*",
            ),
            (
                "https://jane:hunter2@example.com/a@b",
                "https://example.com/*",
            ),
            ("https://jane:p@ss@example.com", "https://example.com"),
            ("https://jane:12?34@example.com/x", "https://*"),
            ("https://jane:hunter2", "https://*"),
            ("https://[::1]:80/x", "https://[::1]:80/x"),
            ("https://a b/x", "https://*/x"),
            ("mailto:jane@example.com", "*"),
            ("https:\\/\\/h\\/42", "https://h/*"),
        ] {
            assert_eq!(sanitised(url), left, "{url}");
        }
    }

    #[test]
    fn a_path_of_more_than_ten_segments_is_cut() {
        assert_eq!(sanitised(&"/a".repeat(1000)), "/a".repeat(10));
    }

    #[test]
    fn a_sentence_keeps_its_words_and_loses_what_varies_in_its_urls() {
        for (text, left) in [
            ("login of 42 failed", "login of 42 failed"),
            (
                "3d14a2b8-0000-4000-8000-000000000001",
                "3d14a2b8-0000-4000-8000-000000000001",
            ),
            (
                "see https://h.io/users/42?a=b,c for (/orders/77) now",
                "see https://h.io/users/* for (/orders/* now",
            ),
            (
                r#"{"url":"https://h.io/users/42"}"#,
                r#"{"url":"https://h.io/users/*"}"#,
            ),
            (
                r#"{"url":"https:\/\/h.io\/users\/42"}"#,
                r#"{"url":"https://h.io/users/*"}"#,
            ),
            ("path=/a/42", "path=/a/*"),
        ] {
            let shown = sanitised_within(text);
            assert_eq!(shown, left);
            assert_eq!(sanitised_within(&shown), shown);
        }
    }
}
