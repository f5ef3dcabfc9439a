//! Secrets: prefixed tokens, headers, URLs, and values that a name next to them calls secret.
//!
//! A pattern takes the character before the token with it, so a refused token is passed over whole and the time stays
//! linear. Prefixed tokens have a lower bound on their length and no upper one: a longer token is masked whole.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regex::Regex;

use crate::words::{KEY_OWNERS, has_context, is_placeholder, names_a_secret};
use crate::{Detector, DetectorSet};

type Found<'f> = &'f mut dyn FnMut(Range<usize>, Detector);

fn token(alternatives: &[&str]) -> Regex {
    Regex::new(&format!("(?:^|[^A-Za-z0-9])({})", alternatives.join("|")))
        .expect("the patterns are tested")
}

static API_KEY: LazyLock<Regex> = LazyLock::new(|| {
    token(&[
        r"sk-ant-[A-Za-z0-9]+-[A-Za-z0-9_-]{40,}",
        r"sk-or-v1-[0-9a-f]{64,}",
        r"sk-(?:proj|svcacct|admin|service)-[A-Za-z0-9_-]{20,}",
        r"[sp]k-lf-[0-9a-fA-F]{8}-[0-9a-fA-F-]{27,}",
        r"sk-[A-Za-z0-9_-]{0,200}T3BlbkFJ[A-Za-z0-9_-]{20,}",
        r"sk-[A-Za-z0-9]{32,}",
        r"AIza[A-Za-z0-9_-]{35,}",
        r"ABSK[A-Za-z0-9+/]{100,}={0,2}",
        r"bedrock-api-key-[A-Za-z0-9+/=_-]{20,}",
        r"hf_[A-Za-z0-9]{34,}",
        r"api_org_[A-Za-z0-9]{34,}",
        r"gsk_[A-Za-z0-9]{48,}",
        r"xai-[A-Za-z0-9_-]{64,}",
        r"pplx-[A-Za-z0-9]{40,}",
        r"nvapi-[A-Za-z0-9_-]{60,}",
        r"r8_[A-Za-z0-9_-]{37,}",
        r"pcsk_[A-Za-z0-9]{4,8}_[A-Za-z0-9]{50,}",
        r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10,}",
        r"xox[abeoprs][-.][A-Za-z0-9.-]{12,}",
        r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
        r"hooks\.slack\.com/[a-z]+/[A-Za-z0-9+/_-]{20,}",
        r"discord(?:app)?\.com/api/webhooks/[0-9]{10,}/[A-Za-z0-9_-]{40,}",
        r"webhook\.office\.com/[A-Za-z0-9@/_-]{20,}",
        r"sig=[A-Za-z0-9%+/_-]{30,}={0,2}",
        r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{40,}={0,2}",
        r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}",
        r"gl(?:pat|rt|dt|ptt|cbt|soat|oas|ft|imt|agent)-[A-Za-z0-9_.-]{20,}",
        r"[srp]k_(?:live|test|prod)_[A-Za-z0-9]{10,}",
        r"sk_[0-9a-f]{48,}",
        r"npm_[A-Za-z0-9]{36,}",
        r"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
        r"rubygems_[0-9a-f]{48,}",
        r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,}",
        r"(?:SK|AC)[0-9a-f]{32,}",
        r"key-[0-9a-f]{32,}",
        r"dapi[0-9a-f]{32,}(?:-[0-9])?",
        r"do[opr]_v1_[0-9a-f]{64,}",
        r"glsa_[A-Za-z0-9]{32,}_[0-9A-Fa-f]{8,}",
        r"glc_[A-Za-z0-9+/]{32,}={0,3}",
        r"hv[sbr]\.[A-Za-z0-9_-]{24,}",
        r"whsec_[A-Za-z0-9+/_-]{24,}={0,2}",
    ])
});
static GITHUB: LazyLock<Regex> = LazyLock::new(|| {
    token(&[
        r"gh[opusr]_[A-Za-z0-9]{36,}",
        r"github_pat_[A-Za-z0-9_]{22,}",
    ])
});
static AWS_ID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:^|[^A-Za-z0-9])((?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})(?:$|[^A-Za-z0-9])",
    )
    .expect("the pattern is tested")
});
static AWS_SECRET: LazyLock<Regex> = LazyLock::new(|| token(&[r"[A-Za-z0-9/+]{40,}"]));
static JWT: LazyLock<Regex> = LazyLock::new(|| {
    token(&[
        r"(e(?:yJ|yI|yA|wo|w0)[A-Za-z0-9_-]{13,})\.[A-Za-z0-9_-]{2,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,2}",
    ])
});
static BEARER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^A-Za-z0-9])(?:[Bb]earer|BEARER|Splunk) +([A-Za-z0-9._~+/=-]{16,})")
        .expect("the pattern is tested")
});
static BASIC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^A-Za-z0-9])(?:[Bb]asic|BASIC) +([A-Za-z0-9+/_-]{6,}={0,2})")
        .expect("the pattern is tested")
});
static KEY_BEGIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
        .expect("the pattern is tested")
});
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    let owners = KEY_OWNERS.join("|");
    Regex::new(&format!(
        r#"(["']?)([A-Za-z0-9_. -]{{0,64}}?(?i:password|passwd|passphrase|pwd|secret|token|credential|authorization|cookie|(?:{owners})[_. -]?key)[A-Za-z0-9_.-]{{0,16}})(["']?)([ \t]*[:=][ \t]*)"#,
    ))
    .expect("the pattern is tested")
});

static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#""(?:field|name|key)"\s*:\s*"([^"\\]{1,64})"((?:\s*,\s*"(?:value|old|new|before|after|old_value|new_value|from|to)"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[0-9.eE+-]+|null))+)"#,
    )
    .expect("the pattern is tested")
});

/// Base64 of either alphabet, padded or not.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    URL_SAFE
        .decode(text.replace('+', "-").replace('/', "_"))
        .ok()
}

/// Every first group of `pattern` for which `accept` holds.
fn each<'t>(
    pattern: &Regex,
    text: &'t str,
    mut accept: impl FnMut(&Range<usize>, &'t str) -> bool,
    detector: Detector,
    found: Found<'_>,
) {
    let mut at = 0;
    while let Some(token) = pattern.captures_at(text, at).and_then(|c| c.get(1)) {
        if accept(&token.range(), token.as_str()) {
            found(token.range(), detector);
        }
        at = token.end();
    }
}

pub(crate) const TOKENS: &[Detector] = &[
    Detector::ApiKey,
    Detector::GithubToken,
    Detector::AwsAccessKey,
    Detector::Jwt,
    Detector::PrivateKey,
    Detector::BearerToken,
    Detector::BasicAuth,
    Detector::NamedSecret,
];

/// Everything in [`TOKENS`] that `set` has.
pub(crate) fn tokens(set: DetectorSet, key: &str, text: &str, found: Found<'_>) {
    if set.contains(Detector::ApiKey) {
        each(
            &API_KEY,
            text,
            |_, t| is_no_word(t),
            Detector::ApiKey,
            found,
        );
        unprefixed_key(key, text, found);
    }
    if set.contains(Detector::GithubToken) {
        each(
            &GITHUB,
            text,
            |_, t| is_no_word(t),
            Detector::GithubToken,
            found,
        );
    }
    if set.contains(Detector::AwsAccessKey) {
        aws_keys(key, text, found);
    }
    if set.contains(Detector::Jwt) {
        each(&JWT, text, |_, t| is_jwt(t), Detector::Jwt, found);
    }
    if set.contains(Detector::PrivateKey) {
        private_keys(text, found);
    }
    if set.contains(Detector::BearerToken) {
        each(
            &BEARER,
            text,
            |_, t| t.bytes().any(|b| b.is_ascii_digit()),
            Detector::BearerToken,
            found,
        );
    }
    if set.contains(Detector::BasicAuth) {
        let is_credentials = |t: &str| {
            decode(t)
                .and_then(|d| String::from_utf8(d).ok())
                .is_some_and(|d| d.contains(':') && !d.chars().any(char::is_control))
        };
        each(
            &BASIC,
            text,
            |_, t| is_credentials(t),
            Detector::BasicAuth,
            found,
        );
    }
    if set.contains(Detector::NamedSecret) {
        named(text, found);
        beside(text, found);
    }
}

/// Tokens have digits or capitals; `sk-proj-and-so-on` is a name.
fn is_no_word(token: &str) -> bool {
    token
        .bytes()
        .any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// The parts of the header must be a JSON object with `alg` (RFC 7515, 4.1.1).
fn is_jwt(token: &str) -> bool {
    let header = token.split('.').next().and_then(decode);
    let json = header.and_then(|h| serde_json::from_slice::<serde_json::Value>(&h).ok());
    json.is_some_and(|j| j.get("alg").is_some())
}

/// From BEGIN to END; a key that was cut off ends with its value.
fn private_keys(text: &str, found: Found<'_>) {
    let mut at = 0;
    while let Some(begin) = KEY_BEGIN.find_at(text, at) {
        let rest = &text[begin.end()..];
        let end = rest
            .find("-----END")
            .and_then(|e| {
                rest[e + 8..]
                    .find("-----")
                    .map(|d| begin.end() + e + 8 + d + 5)
            })
            .unwrap_or(text.len());
        found(begin.start()..end, Detector::PrivateKey);
        at = end;
    }
}

/// Whether `text` begins a PEM private key and does not end it: the lines of one may stand in values of their own.
#[must_use]
pub fn opens_private_key(text: &str) -> bool {
    // The end of a key that began earlier does not end this one.
    text.rfind("-----BEGIN ")
        .is_some_and(|at| KEY_BEGIN.is_match(&text[at..]) && !closes_private_key(&text[at..]))
}

/// Whether `text` has the last line of a PEM block.
#[must_use]
pub fn closes_private_key(text: &str) -> bool {
    text.contains("-----END ")
}

/// Key ids, and 40 base64 characters within 200 bytes of one or under the name of the secret.
fn aws_keys(key: &str, text: &str, found: Found<'_>) {
    let mut near: Vec<Range<usize>> = Vec::new();
    each(
        &AWS_ID,
        text,
        |range, _| {
            near.push(range.start.saturating_sub(200)..range.end + 200);
            true
        },
        Detector::AwsAccessKey,
        found,
    );
    let named = ["secret access key", "aws secret key", "aws secret"];
    each(
        &AWS_SECRET,
        text,
        |range, t| {
            let mixed = t.bytes().any(|b| b.is_ascii_uppercase())
                && t.bytes().any(|b| b.is_ascii_lowercase());
            // The ids ascend, so the first that ends behind the token decides.
            let next = near.partition_point(|n| n.end < range.start);
            t.len() == 40
                && mixed
                && (near.get(next).is_some_and(|n| n.start <= range.end)
                    || has_context(key, text, range, &named))
        },
        Detector::AwsAccessKey,
        found,
    );
}

/// Vendors whose keys have no prefix: 32 to 64 letters and digits, with the vendor's or the key's name before them.
fn unprefixed_key(key: &str, text: &str, found: Found<'_>) {
    static BARE: LazyLock<Regex> = LazyLock::new(|| token(&["[A-Za-z0-9]{32,}"]));
    const NAMES: &[&str] = &[
        "api key",
        "apikey",
        "dd api key",
        "dd application key",
        "xi api key",
        "wandb",
        "cohere",
        "datadog",
    ];
    each(
        &BARE,
        text,
        |range, t| {
            t.len() <= 64
                && t.bytes().any(|b| b.is_ascii_digit())
                && has_context(key, &text[..range.end], range, NAMES)
        },
        Detector::ApiKey,
        found,
    );
}

/// The password in `scheme://user:password@host`.
pub(crate) fn url_passwords(text: &str, found: Found<'_>) {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let ends =
            |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'<' | b'>' | b'\\');
        let reach = &bytes[start..bytes.len().min(start + 512)];
        let whole = &reach[..reach.iter().position(ends).unwrap_or(reach.len())];
        let authority = &whole[..whole
            .iter()
            .position(|b| matches!(b, b'/' | b'?' | b'#'))
            .unwrap_or(whole.len())];
        let colon_at = |part: &[u8]| {
            let at_sign = part.iter().rposition(|b| *b == b'@')?;
            let colon = part[..at_sign].iter().position(|b| *b == b':')?;
            (colon + 1 < at_sign).then_some((colon + 1, at_sign))
        };
        // A password with a raw `/`, `?` or `#` pushes the `@` out of the authority; a port does not.
        let beyond = || {
            let after_colon = &authority[authority.iter().position(|b| *b == b':')? + 1..];
            (!after_colon.iter().all(u8::is_ascii_digit))
                .then(|| colon_at(whole))
                .flatten()
        };
        if let Some((from, to)) = colon_at(authority).or_else(beyond)
            && text.is_char_boundary(start + to)
        {
            found(start + from..start + to, Detector::UrlPassword);
        }
    }
}

/// What has no end within so many bytes is masked without a closer look.
const LONGEST_WORD: usize = 1024;

/// `password=x`, `"password": "x"`, `Authorization: x`: values after a name that [`names_a_secret`].
fn named(text: &str, found: Found<'_>) {
    let mut at = 0;
    while let Some(m) = NAMED.captures_at(text, at) {
        let (Some(whole), Some(name), Some(quote), Some(operator)) =
            (m.get(0), m.get(2), m.get(3), m.get(4))
        else {
            break;
        };
        at = whole.end();
        // Of `see the password` only the last word is the name.
        let name = name.as_str().rsplit(' ').next().unwrap_or_default();
        let spaced = m.get(2).is_some_and(|n| names_a_secret(n.as_str()));
        if !names_a_secret(name) && !spaced {
            continue;
        }
        // A longer word is no word, and to look for its end once for every name in it would take quadratic time.
        let endless = !text[at..]
            .bytes()
            .take(LONGEST_WORD)
            .any(|b| b.is_ascii_whitespace() || b"\"'&;,})<>{".contains(&b))
            && text.len() - at > LONGEST_WORD;
        let is_json = !quote.is_empty() && operator.as_str().contains(':');
        let rest = &text[at..];
        if is_json && rest.starts_with(['{', '[']) && !rest.starts_with("[REDACTED:") {
            at += scalars(rest, |range| {
                found(at + range.start..at + range.end, Detector::NamedSecret);
            });
            continue;
        }
        let (lead, value) = value_after(rest, name);
        let is_secret = if value.is_empty()
            || is_placeholder(value)
            || matches!(value, "true" | "false" | "null")
        {
            false
        } else if endless || is_json || operator.as_str().contains('=') || lead == 1 {
            true
        } else if is_header(name) {
            value.bytes().any(|b| b.is_ascii_digit() || b == b'=')
        } else if name.to_ascii_lowercase().contains("pass")
            || name.to_ascii_lowercase().contains("pwd")
        {
            value.len() >= 4 && value.bytes().any(|b| b.is_ascii_digit())
        } else {
            is_random(value)
        };
        if is_secret {
            let range = at + lead..at + lead + value.len();
            found(range.clone(), Detector::NamedSecret);
            at = range.end;
        }
    }
}

/// `"field": "api_key", "value": "x"`: values right behind an entry whose text [`names_a_secret`].
fn beside(text: &str, found: Found<'_>) {
    for entry in BESIDE.captures_iter(text) {
        if let (Some(name), Some(values)) = (entry.get(1), entry.get(2))
            && names_a_secret(name.as_str())
        {
            scalars(values.as_str(), |range| {
                let start = values.start();
                found(
                    start + range.start..start + range.end,
                    Detector::NamedSecret,
                );
            });
        }
    }
}

/// Reports the scalars of the JSON array or object that `json` begins with (or of entries without braces), but for truths, nulls, placeholders and what
/// is empty. Returns where it ends: `json`'s end if nothing closes it.
fn scalars(json: &str, mut found: impl FnMut(Range<usize>)) -> usize {
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            // A masked number stands there without quotes.
            b'[' if json[at..].starts_with("[REDACTED:") => {
                at += json[at..].find(']').unwrap_or(bytes.len() - at);
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b':' => {}
            b if b.is_ascii_whitespace() => {}
            quote @ (b'"' | b'\'') => {
                let (_, value) = value_after(&json[at..], "");
                let range = at + 1..at + 1 + value.len();
                at = range.end;
                let behind = json[at..]
                    .trim_start_matches(char::from(quote))
                    .trim_start();
                if !behind.starts_with(':') && !value.trim().is_empty() && !is_placeholder(value) {
                    found(range);
                }
            }
            _ => {
                let ends = |c: char| c.is_ascii_whitespace() || "{}[],\"'".contains(c);
                let end = json[at..].find(ends).map_or(json.len(), |n| at + n);
                let value = &json[at..end];
                if !matches!(value, "true" | "false" | "null") && !is_placeholder(value) {
                    found(at..end);
                }
                at = end;
                continue;
            }
        }
        at += 1;
    }
    bytes.len()
}

fn is_header(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with("authorization") || lower.ends_with("cookie")
}

/// The value, and 1 if a quote stands before it: a quoted text, a header's line, or everything to the next delimiter.
fn value_after<'t>(rest: &'t str, name: &str) -> (usize, &'t str) {
    let bytes = rest.as_bytes();
    if let Some(quote @ (b'"' | b'\'')) = bytes.first() {
        let mut end = 1;
        while end < bytes.len() && bytes[end] != *quote {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = crate::words::floor_char(rest, end.min(rest.len()));
        return (1, &rest[1..end.max(1)]);
    }
    let delimiter: fn(char) -> bool = if is_header(name) {
        |c| matches!(c, '\n' | '\r' | '"' | '\'')
    } else {
        |c| {
            c.is_whitespace()
                || matches!(
                    c,
                    '"' | '\'' | '&' | ';' | ',' | '}' | ')' | '<' | '>' | '{'
                )
        }
    };
    let value = &rest[..rest.find(delimiter).unwrap_or(rest.len())];
    // `[1, 2]` is a list, not a scalar.
    if value.starts_with('[') && !value.starts_with("[REDACTED:") {
        (0, "")
    } else {
        (0, value.trim_end())
    }
}

/// 20 or more characters of several classes with the entropy of a key; words and templates have less.
fn is_random(value: &str) -> bool {
    let template =
        value.starts_with(['<', '$', '%']) || value.to_ascii_lowercase().contains("example");
    let mut counts = [0f64; 256];
    value.bytes().for_each(|b| counts[b as usize] += 1.0);
    let length = value.len() as f64;
    let entropy: f64 = counts
        .iter()
        .filter(|c| **c > 0.0)
        .map(|c| -(c / length) * (c / length).log2())
        .sum();
    value.len() >= 20
        && !template
        && entropy >= 3.5
        && value.bytes().any(|b| b.is_ascii_digit())
        && value.bytes().any(|b| b.is_ascii_alphabetic())
}
