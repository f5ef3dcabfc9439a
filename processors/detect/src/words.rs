//! Words of keys and of the text around a find: which keys name a secret, and what counts as context.

use std::ops::Range;

/// How far from a find a context word may stand, in bytes of normalised text.
pub(crate) const CONTEXT_BYTES: usize = 40;

/// Splits `api-key`, `api_key`, `apiKey`, `API_KEY` and `HTTPToken` into lower-case words.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let bytes = text.as_bytes();
    for (i, c) in text.char_indices() {
        let before = i.checked_sub(1).map_or(b' ', |j| bytes[j]);
        let after = bytes.get(i + 1).copied().unwrap_or(b' ');
        let starts = c.is_ascii_uppercase()
            && (before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || after.is_ascii_lowercase());
        if (starts || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whose keys are secrets: kinds of keys, and vendors. `policy_key`, `primary_key` and other keys of maps and tables are not.
pub(crate) const KEY_OWNERS: &[&str] = &[
    "api",
    "private",
    "secret",
    "access",
    "signing",
    "encryption",
    "decryption",
    "hmac",
    "auth",
    "service",
    "ssh",
    "gpg",
    "pgp",
    "rsa",
    "aes",
    "jwt",
    "oauth",
    "master",
    "deploy",
    "webhook",
    "openai",
    "anthropic",
    "claude",
    "gemini",
    "google",
    "gcp",
    "azure",
    "aws",
    "bedrock",
    "mistral",
    "cohere",
    "groq",
    "xai",
    "deepseek",
    "perplexity",
    "openrouter",
    "huggingface",
    "replicate",
    "pinecone",
    "langsmith",
    "langfuse",
    "litellm",
    "helicone",
    "nvidia",
    "elevenlabs",
    "wandb",
    "stripe",
    "slack",
    "discord",
    "github",
    "gitlab",
    "twilio",
    "sendgrid",
    "mailgun",
    "datadog",
    "splunk",
    "elastic",
    "databricks",
    "snowflake",
    "cloudflare",
];

/// Whose tokens are secrets also when there are several; other tokens in the plural are counted ones.
const TOKEN_OWNERS: &[&str] = &[
    "access", "refresh", "auth", "api", "bearer", "oauth", "id", "secret", "security", "csrf",
    "jwt", "personal", "deploy", "github", "gitlab", "slack",
];

/// Words before a token, or before any secret in the plural, that make it a number of them.
fn counts(word: &str) -> bool {
    matches!(
        word,
        "max"
            | "min"
            | "num"
            | "per"
            | "count"
            | "total"
            | "input"
            | "output"
            | "prompt"
            | "completion"
            | "reasoning"
            | "cached"
    )
}

/// Whether a key names a secret: its last words say so. `token` and `passwords` name one, `input_tokens`, `token_type`,
/// `max_token` and `cache_key` do not.
pub fn names_a_secret(key: &str) -> bool {
    let key = behind_placeholders(key);
    // Most keys hold none of the stems; no allocation for them.
    if key.len() > 256 || !has_stem(key) {
        return false;
    }
    let all = words(key);
    let mut words: &[String] = &all;
    while let [rest @ .., last] = words {
        let decoration = matches!(
            last.as_str(),
            "value" | "text" | "plain" | "plaintext" | "raw" | "new" | "old" | "current"
        ) || last.bytes().all(|b| b.is_ascii_digit());
        if !decoration {
            break;
        }
        words = rest;
    }
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    let previous = before.last().map_or("", String::as_str);
    let last = last.trim_end_matches(|c: char| c.is_ascii_digit());
    let one = last.strip_suffix('s').unwrap_or(last);
    let is_plural = one != last;
    if is_plural && before.iter().any(|w| counts(w)) {
        return false;
    }
    match one {
        "password" | "passwd" | "passphrase" | "pwd" | "secret" | "credential"
        | "authorization" | "cookie" | "accesstoken" | "authtoken" => true,
        "token" if is_plural => TOKEN_OWNERS.contains(&previous),
        "token" => !counts(previous),
        "key" => KEY_OWNERS.contains(&previous),
        _ => one
            .strip_suffix("key")
            .is_some_and(|owner| KEY_OWNERS.contains(&owner)),
    }
}

/// Stems of secret names in every case they are written in. The prefilter looks for these in raw bytes, so a key in which
/// none of them [`may_end_a_name`] names no secret.
pub(crate) const STEMS: &[&str] = &[
    "assword",
    "ASSWORD",
    "asswd",
    "ASSWD",
    "assphrase",
    "ASSPHRASE",
    "pwd",
    "Pwd",
    "PWD",
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "redential",
    "REDENTIAL",
    "uthorization",
    "UTHORIZATION",
    "ookie",
    "OOKIE",
    "key",
    "Key",
    "KEY",
];

/// Whether the stem `bytes[at..end]` ends as a word ends, or with one `s` more; and for keys and for tokens in the plural,
/// whether an owner stands before it that makes them secrets.
pub(crate) fn may_end_a_name(bytes: &[u8], at: usize, end: usize) -> bool {
    let is_one = ends_word(bytes, end);
    let is_plural = matches!(bytes.get(end), Some(b's' | b'S')) && ends_word(bytes, end + 1);
    match bytes[at..end].first() {
        Some(b'k' | b'K') => (is_one || is_plural) && is_owned(&bytes[..at], KEY_OWNERS),
        Some(b'o' | b'O') if end - at == 4 => {
            is_one || (is_plural && is_owned(&bytes[..at.saturating_sub(1)], TOKEN_OWNERS))
        }
        // `secretkey` in one word ends with another stem.
        _ => is_one || is_plural,
    }
}

/// Whether one of `owners` ends `before`, or stands with up to three bytes of punctuation before its end.
fn is_owned(before: &[u8], owners: &[&str]) -> bool {
    let gap = before
        .iter()
        .rev()
        .take(3)
        .take_while(|b| !b.is_ascii_alphanumeric())
        .count();
    let before = &before[..before.len() - gap];
    owners.iter().any(|owner| {
        before
            .len()
            .checked_sub(owner.len())
            .is_some_and(|at| before[at..].eq_ignore_ascii_case(owner.as_bytes()))
    })
}

/// Whether `bytes[..end]` ends a stem as a word ends: `token` does in `token_value`, not in `tokens`. In a message the
/// next field's tag may follow, and some tags are letters: any capital, and the others' of records' fields.
fn ends_word(bytes: &[u8], end: usize) -> bool {
    const TAGS: &[u8] = b"abijpqz";
    bytes
        .get(end)
        .is_none_or(|b| !b.is_ascii_lowercase() || TAGS.contains(b))
}

fn has_stem(key: &str) -> bool {
    let cheap = key.as_bytes().windows(3).any(|w| {
        let w = [w[0] | 0x20, w[1] | 0x20, w[2] | 0x20];
        matches!(
            &w,
            b"ass" | b"pwd" | b"ecr" | b"oke" | b"ede" | b"uth" | b"ook" | b"key"
        )
    });
    cheap
        && STEMS.iter().any(|stem| {
            key.match_indices(stem)
                .any(|(at, _)| may_end_a_name(key.as_bytes(), at, at + stem.len()))
        })
}

/// Whether one of `wanted` (lower case, words parted by one space) stands in the key or within [`CONTEXT_BYTES`] of
/// `range`. What a placeholder says is not context: it would make a second pass find more than the first.
pub(crate) fn has_context(key: &str, text: &str, range: &Range<usize>, wanted: &[&str]) -> bool {
    says(behind_placeholders(key), wanted) || {
        let start = floor_char(text, range.start.saturating_sub(CONTEXT_BYTES));
        let end = floor_char(text, (range.end + CONTEXT_BYTES).min(text.len()));
        says(without_placeholders(text, start, range.start), wanted)
            || says(&text[range.end..end.max(range.end)], wanted)
    }
}

/// What a placeholder in a key says is no word of the key.
fn behind_placeholders(key: &str) -> &str {
    key.rfind("[REDACTED:").map_or(key, |at| {
        key[at..].find(']').map_or("", |close| &key[at + close..])
    })
}

/// `text[start..end]` from behind the last placeholder in it or reaching into it.
fn without_placeholders(text: &str, start: usize, end: usize) -> &str {
    let from = floor_char(text, start.saturating_sub(CONTEXT_BYTES));
    let Some(open) = text[from..end].rfind("[REDACTED:") else {
        return &text[start..end];
    };
    match text[from + open..end].find(']') {
        Some(close) => &text[start.max(from + open + close)..end],
        None => &text[start..end],
    }
}

/// Whether `text` has one of `wanted` as whole words.
fn says(text: &str, wanted: &[&str]) -> bool {
    if text.is_empty() {
        return false;
    }
    let joined = words(text).join(" ");
    wanted.iter().any(|w| {
        joined.match_indices(w).any(|(at, _)| {
            let before = joined[..at].bytes().next_back();
            let after = joined.as_bytes().get(at + w.len());
            before.is_none_or(|b| b == b' ')
                && after.is_none_or(|b| *b == b' ' || b.is_ascii_digit() || *b == b's')
        })
    })
}

pub(crate) fn floor_char(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Whether the value's shape, under a key that announces it, proves an identifier, a hash or a time: never scanned.
/// The shape alone is not enough, nor is the name.
pub(crate) fn is_proven_identifier(key: &str, text: &str) -> bool {
    let b = text.as_bytes();
    let hex = || b.iter().all(u8::is_ascii_hexdigit);
    match b.len() {
        36 if is_uuid(b) => ends_in(key, &["id", "uid", "uuid", "guid", "span", "trace"]),
        16 if hex() => ends_in(key, &["span_id", "spanid", "span.id"]),
        32 | 40 | 64 | 128 if hex() => ends_in(
            key,
            &[
                "id",
                "uid",
                "uuid",
                "hash",
                "sha1",
                "sha256",
                "sha512",
                "md5",
                "digest",
                "checksum",
                "fingerprint",
                "commit",
                "chain_head",
                "etag",
            ],
        ),
        10 | 13 | 16 | 19 if b.iter().all(u8::is_ascii_digit) => is_epoch(b) && is_time_key(key),
        20..=35 => is_rfc3339(b) && (is_time_key(key) || ends_in(key, &["at", "on"])),
        _ => false,
    }
}

fn ends_in(key: &str, endings: &[&str]) -> bool {
    let key = key.as_bytes();
    endings.iter().any(|e| {
        let Some(at) = key.len().checked_sub(e.len()) else {
            return false;
        };
        let before = at.checked_sub(1).map(|i| key[i]);
        key[at..].eq_ignore_ascii_case(e.as_bytes())
            && before.is_none_or(|b| {
                !b.is_ascii_alphanumeric()
                    || (b.is_ascii_lowercase() && key[at].is_ascii_uppercase())
            })
    })
}

fn is_time_key(key: &str) -> bool {
    ends_in(
        key,
        &[
            "time",
            "timestamp",
            "ts",
            "at",
            "date",
            "epoch",
            "ms",
            "us",
            "ns",
            "nanos",
            "millis",
            "unix",
            "nano",
            "expires",
            "exp",
            "iat",
            "created",
            "updated",
        ],
    )
}

/// 2001 to 2100 in seconds, milliseconds, microseconds or nanoseconds.
fn is_epoch(digits: &[u8]) -> bool {
    let seconds = digits[..10]
        .iter()
        .fold(0u64, |n, d| n * 10 + u64::from(d - b'0'));
    (1_000_000_000..4_102_444_800).contains(&seconds)
}

fn is_rfc3339(b: &[u8]) -> bool {
    let digits = |r: Range<usize>| b[r].iter().all(u8::is_ascii_digit);
    digits(0..4)
        && b[4] == b'-'
        && digits(5..7)
        && b[7] == b'-'
        && digits(8..10)
        && matches!(b[10], b'T' | b't' | b' ')
        && digits(11..13)
        && b[13] == b':'
        && digits(14..16)
        && b[16] == b':'
        && digits(17..19)
        && {
            let mut rest = &b[19..];
            if rest.first() == Some(&b'.') {
                let end = rest[1..]
                    .iter()
                    .position(|c| !c.is_ascii_digit())
                    .map_or(rest.len(), |n| n + 1);
                if !(2..=10).contains(&end) {
                    return false;
                }
                rest = &rest[end..];
            }
            matches!(rest, b"Z" | b"z")
                || (rest.len() == 6
                    && matches!(rest[0], b'+' | b'-')
                    && rest[1..3].iter().all(u8::is_ascii_digit)
                    && rest[3] == b':'
                    && rest[4..].iter().all(u8::is_ascii_digit))
        }
}

/// 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_uuid(b: &[u8]) -> bool {
    let Ok(b) = <&[u8; 36]>::try_from(b) else {
        return false;
    };
    // Without an early end the loop compiles to vector code.
    let dashes_stand = b[8] == b'-' && b[13] == b'-' && b[18] == b'-' && b[23] == b'-';
    let (hex, dashes) = b.iter().fold((0u8, 0u8), |(hex, dashes), c| {
        (
            hex + u8::from(c.is_ascii_digit() | matches!(c | 0x20, b'a'..=b'f')),
            dashes + u8::from(*c == b'-'),
        )
    });
    dashes_stand && dashes == 4 && hex == 32
}

/// Whether the digits at `range` are part of a UUID. One `2` right behind counts as part: in a protobuf message that is
/// the tag of the next attribute, and nomination must judge as the exact check does.
pub(crate) fn is_inside_uuid(bytes: &[u8], range: &Range<usize>) -> bool {
    uuids_around(bytes, range.start)
        .any(|uuid| uuid.end >= range.end || (uuid.end + 1 == range.end && bytes[uuid.end] == b'2'))
}

/// The UUIDs that the byte at `at` is in.
fn uuids_around(bytes: &[u8], at: usize) -> impl Iterator<Item = Range<usize>> {
    (at.saturating_sub(35)..=at)
        .filter(move |start| {
            bytes.len() >= start + 36
                && bytes[start + 8] == b'-'
                && bytes[start + 13] == b'-'
                && is_uuid(&bytes[*start..start + 36])
        })
        .map(|start| start..start + 36)
}

/// Whether everything of letters, digits, spaces and dashes that begins at `at` is inside a UUID as [`is_inside_uuid`] says.
pub(crate) fn stays_inside_uuid(bytes: &[u8], at: usize) -> bool {
    let ends = |i: usize| {
        bytes
            .get(i)
            .is_none_or(|b| !(b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-')))
    };
    uuids_around(bytes, at)
        .any(|uuid| ends(uuid.end) || (bytes[uuid.end] == b'2' && ends(uuid.end + 1)))
}

/// What a redaction wrote: no detector may find it again.
#[must_use]
pub fn is_placeholder(text: &str) -> bool {
    if let Some(name) = text
        .strip_prefix("[REDACTED:")
        .and_then(|t| t.strip_suffix(']'))
    {
        return name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    }
    if let Some(hash) = text.strip_prefix("sha256:") {
        return hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if let Some(rest) = text.strip_prefix("tok_") {
        let digest = rest.rsplit('_').next().unwrap_or_default();
        return digest.len() == 24
            && digest
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
    }
    text.len() >= 4 && text.bytes().all(|b| b == b'*')
}
