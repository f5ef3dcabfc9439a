//! Personal data that is more than digits: addresses of mail, networks and banks, and identifiers with letters.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::checksum;
use crate::words::{has_context, is_inside_uuid};
use crate::{Detector, DetectorSet};

type Found<'f> = &'f mut dyn FnMut(Range<usize>, Detector);

/// Whether no ASCII letter or digit touches `range`. Letters outside ASCII may: `写信给user@example.com` has an address.
fn stands_alone(bytes: &[u8], range: &Range<usize>) -> bool {
    let outside = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric());
    outside(range.start.checked_sub(1).and_then(|i| bytes.get(i))) && outside(bytes.get(range.end))
}

/// RFC 5321 lengths, a local part of the characters in real use, a domain of two or more labels.
pub(crate) fn emails(text: &str, found: Found<'_>) {
    for (at, _) in text.match_indices('@') {
        let (Some(start), Some(end)) = (local_start(&text[..at]), domain_end(&text[at + 1..]))
        else {
            continue;
        };
        let range = start..at + 1 + end;
        if range.len() <= 254 {
            found(range, Detector::Email);
        }
    }
}

fn local_start(before: &str) -> Option<usize> {
    let bytes = before.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes.len() - start < 64 {
        let byte = bytes[start - 1];
        let quote_inside = byte == b'\''
            && start >= 2
            && bytes[start - 2].is_ascii_alphanumeric()
            && start < bytes.len();
        if !(byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
            || quote_inside)
        {
            break;
        }
        start -= 1;
    }
    if start == bytes.len() {
        let letters = before
            .char_indices()
            .rev()
            .take(64)
            .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'));
        start = letters.last().map_or(bytes.len(), |(i, _)| i);
    }
    while bytes.get(start) == Some(&b'.') {
        start += 1;
    }
    (start < bytes.len()).then_some(start)
}

fn domain_end(after: &str) -> Option<usize> {
    labels_end(after, |c| c.is_ascii_alphanumeric())
        .or_else(|| labels_end(after, char::is_alphanumeric))
}

/// The end of the longest list of labels that ends in a top-level name.
fn labels_end(after: &str, is_label: impl Fn(char) -> bool) -> Option<usize> {
    let mut end = None;
    let mut label = 0;
    let mut labels = 0;
    for (i, c) in after.char_indices().chain([(after.len(), '\0')]).take(256) {
        if is_label(c) || c == '-' {
            continue;
        }
        let name = &after[label..i];
        if name.is_empty() || name.len() > 63 || name.starts_with('-') {
            break;
        }
        labels += 1;
        let name = name.trim_end_matches('-');
        let is_top = name.chars().count() >= 2
            && (name.chars().all(char::is_alphabetic) || name.starts_with("xn--"));
        if labels >= 2 && is_top {
            end = Some(label + name.len());
        }
        if c != '.' {
            break;
        }
        label = i + 1;
    }
    end
}

/// Country and check digits at a word's start, then as many characters as the country has, single separators between.
pub(crate) fn ibans(text: &str, found: Found<'_>) {
    let bytes = text.as_bytes();
    for start in 0..bytes.len().saturating_sub(14) {
        if let Some(end) = iban_end(bytes, start)
            && stands_alone(bytes, &(start..end))
        {
            found(start..end, Detector::Iban);
        }
    }
}

/// Where an IBAN that starts at `start` ends. No look at what is around it: also for raw bytes.
#[inline]
pub(crate) fn iban_end(bytes: &[u8], start: usize) -> Option<usize> {
    let head = bytes.get(start..start + 4)?;
    if !(head[0].is_ascii_alphabetic()
        && head[1].is_ascii_alphabetic()
        && head[2].is_ascii_digit()
        && head[3].is_ascii_digit())
    {
        return None;
    }
    let length =
        checksum::iban_length([head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()])?;
    end_of_iban(bytes, start, length)
}

/// Apart from the check of its head, which most that look like one fail.
fn end_of_iban(bytes: &[u8], start: usize, length: usize) -> Option<usize> {
    let mut compact = [0u8; 33];
    let (mut n, mut at) = (0, start);
    while n < length {
        match *bytes.get(at)? {
            byte if byte.is_ascii_alphanumeric() => {
                compact[n] = byte;
                n += 1;
            }
            b' ' | b'-' if n > 3 && bytes[at - 1].is_ascii_alphanumeric() => {}
            _ => return None,
        }
        at += 1;
    }
    checksum::iban(&compact[..length]).then_some(at)
}

/// `+`, a country code and 8 to 15 digits in all.
pub(crate) fn international_phones(text: &str, found: Found<'_>) {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('+') {
        if at > 0 && bytes[at - 1].is_ascii_alphanumeric()
            || !matches!(bytes.get(at + 1), Some(b'1'..=b'9'))
        {
            continue;
        }
        let (mut digits, mut end, mut i) = (0, at, at + 1);
        while let Some(&byte) = bytes.get(i) {
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    end = i + 1;
                }
                b' ' | b'-' | b'.' | b'(' | b')' | b'/' if i - end < 2 => {}
                _ => break,
            }
            i += 1;
            if digits > 15 {
                break;
            }
        }
        if (8..=15).contains(&digits) && bytes.get(end).is_none_or(|b| !b.is_ascii_alphanumeric()) {
            found(at..end, Detector::Phone);
        }
    }
}

/// What the standard library parses, parted from words and longer dotted numbers, and not called a version.
pub(crate) fn ip_addresses(key: &str, text: &str, found: Found<'_>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = bytes[at..]
        .iter()
        .position(|b| is_address_byte(*b))
        .map(|n| at + n)
    {
        let end = bytes[start..]
            .iter()
            .position(|b| !is_address_byte(*b))
            .map_or(bytes.len(), |n| start + n);
        at = end;
        let mut run = &text[start..end];
        if end - start > 64 || run.len() < 3 {
            continue;
        }
        run = run.trim_end_matches(['.', ':']);
        // `::` may end an IPv6 address.
        let v6 = [&text[start..end], run].into_iter().find(|r| {
            r.len() > 2 && r.bytes().any(|b| b.is_ascii_hexdigit()) && r.parse::<Ipv6Addr>().is_ok()
        });
        let range = if let Some(v6) = v6 {
            start..start + v6.len()
        } else {
            // `address:port`
            let v4 = run.split(':').next().unwrap_or(run);
            let (lead, v4) = if v4.parse::<Ipv4Addr>().is_ok() {
                (0, v4)
            } else {
                run.rsplit(':')
                    .next()
                    .map_or((0, run), |last| (run.len() - last.len(), last))
            };
            if v4.parse::<Ipv4Addr>().is_err() {
                continue;
            }
            start + lead..start + lead + v4.len()
        };
        if stands_alone(bytes, &range)
            && !has_context(
                key,
                &text[range.start..range.end],
                &(0..range.len()),
                &["version", "ver", "semver"],
            )
        {
            found(range, Detector::IpAddress);
        }
    }
}

pub(crate) fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b'.' || byte == b':'
}

/// Six pairs of hexadecimal digits with one kind of separator.
pub(crate) fn mac_addresses(text: &str, found: Found<'_>) {
    let bytes = text.as_bytes();
    for start in 0..bytes.len().saturating_sub(16) {
        let range = start..start + 17;
        let joined = |i: Option<usize>| i.and_then(|i| bytes.get(i)) == Some(&bytes[start + 2]);
        if is_mac(&bytes[range.clone()])
            && stands_alone(bytes, &range)
            && !joined(start.checked_sub(1))
            && !joined(Some(range.end))
        {
            found(range, Detector::MacAddress);
        }
    }
}

pub(crate) fn is_mac(b: &[u8]) -> bool {
    b.len() == 17
        && matches!(b[2], b':' | b'-')
        && b.iter().enumerate().all(|(i, c)| {
            if i % 3 == 2 {
                *c == b[2]
            } else {
                c.is_ascii_hexdigit()
            }
        })
}

/// A shape, and what decides on what has it.
struct Shape {
    detector: Detector,
    pattern: Regex,
    accept: fn(&str) -> bool,
    /// Needed near; none: the shape is enough.
    words: &'static [&'static str],
}

fn compact(text: &str) -> Vec<u8> {
    text.bytes()
        .filter(u8::is_ascii_alphanumeric)
        .map(|b| b.to_ascii_uppercase())
        .collect()
}

fn digits(text: &[u8]) -> Vec<u8> {
    text.iter().map(|b| b.wrapping_sub(b'0')).collect()
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let shape = |detector, pattern: &str, accept, words| Shape {
        detector,
        pattern: Regex::new(pattern).expect("the patterns are tested"),
        accept,
        words,
    };
    vec![
        shape(
            Detector::UkNino,
            r"(?i-u)[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
            uk_nino,
            &[],
        ),
        shape(
            Detector::InPan,
            r"(?-u)[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]",
            |_| true,
            &[],
        ),
        shape(
            Detector::EsNif,
            r"(?i-u)(?:[0-9]{8}|[XYZ]-?[0-9]{7})-?[A-Z]",
            |text| {
                let mut c = compact(text);
                let letter = c.pop().unwrap_or_default();
                if let Some(first) = c.first_mut().filter(|b| b.is_ascii_alphabetic()) {
                    *first = *first - b'X' + b'0';
                }
                std::str::from_utf8(&c)
                    .ok()
                    .and_then(|n| n.parse().ok())
                    .is_some_and(|n| checksum::es_nif(n, letter))
            },
            &[],
        ),
        shape(
            Detector::UsDea,
            r"(?i-u)[A-Z][A-Z9][0-9]{7}",
            |text| {
                let d = digits(&text.as_bytes()[2..]);
                checksum::weighted(&d[..6], &[1, 2, 1, 2, 1, 2]) % 10 == u32::from(d[6])
            },
            &["dea"],
        ),
        shape(
            Detector::UsMbi,
            r"(?-u)[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9]-[AC-HJKMNP-RT-Y]{2}[0-9]{2}",
            |_| true,
            &[],
        ),
        shape(
            Detector::UsMbi,
            r"(?-u)[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9][0-9][AC-HJKMNP-RT-Y]{2}[0-9]{2}",
            |_| true,
            &["mbi", "medicare"],
        ),
        shape(
            Detector::FrNir,
            r"(?i-u)[12] ?[0-9]{2} ?[0-9]{2} ?2[AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
            |text| {
                // Corsica: the number is taken with 19 for 2A and 18 for 2B.
                let c = String::from_utf8(compact(text))
                    .unwrap_or_default()
                    .replace("2A", "19")
                    .replace("2B", "18");
                c.len() == 15 && checksum::fr_nir(&digits(c.as_bytes()))
            },
            &[],
        ),
        shape(
            Detector::BtcAddress,
            r"(?-u)[13][1-9A-HJ-NP-Za-km-z]{25,34}",
            |text| checksum::base58check(text.as_bytes()),
            &[],
        ),
        shape(
            Detector::BtcAddress,
            r"(?i-u)bc1[02-9ac-hj-np-z]{22,87}",
            |text| checksum::bech32(text.as_bytes()),
            &[],
        ),
        shape(
            Detector::EthAddress,
            r"(?-u)0x[0-9a-fA-F]{40}",
            |_| true,
            &[],
        ),
    ]
});

fn uk_nino(text: &str) -> bool {
    let c = compact(text);
    !c[..2].iter().any(|b| b"DFIQUV".contains(b))
        && c[1] != b'O'
        && !matches!(
            &c[..2],
            b"BG" | b"GB" | b"NK" | b"KN" | b"NT" | b"TN" | b"ZZ"
        )
}

/// The detectors that [`shapes`] runs.
pub(crate) const SHAPED: &[Detector] = &[
    Detector::UkNino,
    Detector::InPan,
    Detector::EsNif,
    Detector::UsDea,
    Detector::UsMbi,
    Detector::FrNir,
    Detector::BtcAddress,
    Detector::EthAddress,
];

/// Identifiers of fixed shape with letters. Every shape has a bounded length, so going on one byte behind a refused
/// match keeps the time linear.
pub(crate) fn shapes(set: DetectorSet, key: &str, text: &str, found: Found<'_>) {
    for shape in SHAPES.iter().filter(|s| set.contains(s.detector)) {
        let mut at = 0;
        while let Some(m) = shape.pattern.find_at(text, at) {
            let range = m.range();
            let taken = stands_alone(text.as_bytes(), &range)
                && (shape.accept)(m.as_str())
                && (shape.words.is_empty() || has_context(key, text, &range, shape.words))
                && !is_inside_uuid(text.as_bytes(), &range);
            at = if taken { range.end } else { range.start + 1 };
            if taken {
                found(range, shape.detector);
            }
        }
    }
}
