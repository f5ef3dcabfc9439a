//! Numbers with check digits: every group of digits is a possible start, every group within 19 digits a possible end.
//!
//! ```text
//!  id 12 4111 1111 1111 1111 2027        groups, parted by one of - . space or a closing bracket, cards' also by two or lines
//!        └─ start        end ┘           tried with every rule whose length it has
//! ```

use std::ops::Range;

use crate::checksum;
use crate::words::{has_context, is_inside_uuid};
use crate::{Detector, DetectorSet};

/// The most digits of any rule.
const MOST: usize = 19;

/// Digits as they stand in the text.
struct Number<'a> {
    /// Values 0 to 9.
    digits: &'a [u8],
    /// Digits a group.
    groups: &'a [usize],
    /// The separator between all groups; `None` without one, 0 for several kinds.
    separator: Option<u8>,
    /// All separators in order.
    separators: &'a [u8],
}

/// What stands in [`Number::separators`] for a line's end and for two characters: only cards are written so.
const WIDE: u8 = b'\n';

/// What a rule says of a number.
#[derive(PartialEq)]
enum Verdict {
    No,
    Yes,
    /// Only with one of the rule's words near.
    WithContext,
}
use Verdict::{No, WithContext, Yes};

struct Rule {
    detector: Detector,
    lengths: Range<usize>,
    words: &'static [&'static str],
    check: fn(&Number<'_>) -> Verdict,
}

/// `Yes` for the usual grouping, `WithContext` for bare digits or another one.
fn grouped(n: &Number<'_>, valid: bool, usual: &[usize]) -> Verdict {
    match n.separator {
        _ if !valid => No,
        Some(0) => No,
        Some(_) if n.groups == usual => Yes,
        _ => WithContext,
    }
}

fn in_context(n: &Number<'_>, valid: bool) -> Verdict {
    if valid && n.separator != Some(0) {
        WithContext
    } else {
        No
    }
}

const RULES: &[Rule] = &[
    Rule {
        detector: Detector::CreditCard,
        lengths: 13..20,
        words: &[
            "card",
            "credit",
            "debit",
            "pan",
            "visa",
            "mastercard",
            "amex",
            "cc",
            "payment",
        ],
        check: card,
    },
    Rule {
        detector: Detector::UsSsn,
        lengths: 9..10,
        words: &["ssn", "social security", "social"],
        check: |n| grouped(n, checksum::us_ssn(n.digits), &[3, 2, 4]),
    },
    Rule {
        detector: Detector::UsItin,
        lengths: 9..10,
        words: &["itin", "taxpayer", "tin"],
        check: |n| grouped(n, checksum::us_itin(n.digits), &[3, 2, 4]),
    },
    Rule {
        detector: Detector::AbaRouting,
        lengths: 9..10,
        words: &["aba", "routing", "rtn"],
        check: |n| in_context(n, checksum::aba_routing(n.digits)),
    },
    Rule {
        detector: Detector::UsNpi,
        lengths: 10..11,
        words: &["npi", "provider"],
        check: |n| in_context(n, checksum::us_npi(n.digits)),
    },
    Rule {
        detector: Detector::CaSin,
        lengths: 9..10,
        words: &["sin", "social insurance"],
        check: |n| in_context(n, checksum::ca_sin(n.digits)),
    },
    Rule {
        detector: Detector::UkNhs,
        lengths: 10..11,
        words: &["nhs", "national health"],
        check: |n| in_context(n, checksum::uk_nhs(n.digits)),
    },
    Rule {
        detector: Detector::InAadhaar,
        lengths: 12..13,
        words: &["aadhaar", "aadhar", "uidai"],
        check: aadhaar,
    },
    Rule {
        detector: Detector::BrCpf,
        lengths: 11..12,
        words: &["cpf"],
        check: cpf,
    },
    Rule {
        detector: Detector::FrNir,
        lengths: 15..16,
        words: &["nir", "insee", "social", "sécu", "securite sociale"],
        check: |n| grouped(n, checksum::fr_nir(n.digits), &[1, 2, 2, 2, 3, 3, 2]),
    },
    Rule {
        detector: Detector::DeTaxId,
        lengths: 11..12,
        words: &[
            "steuer",
            "steuerid",
            "steuernummer",
            "idnr",
            "tax id",
            "tin",
            "steueridentifikationsnummer",
        ],
        check: |n| in_context(n, checksum::de_tax_id(n.digits)),
    },
    Rule {
        detector: Detector::PlPesel,
        lengths: 11..12,
        words: &["pesel"],
        check: |n| in_context(n, checksum::pl_pesel(n.digits)),
    },
    Rule {
        detector: Detector::NlBsn,
        lengths: 9..10,
        words: &["bsn", "burgerservicenummer", "sofi"],
        check: |n| in_context(n, checksum::nl_bsn(n.digits)),
    },
    Rule {
        detector: Detector::TrTckn,
        lengths: 11..12,
        words: &["tckn", "tc", "kimlik"],
        check: |n| in_context(n, checksum::tr_tckn(n.digits)),
    },
    Rule {
        detector: Detector::AuTfn,
        lengths: 9..10,
        words: &["tfn", "tax file"],
        check: |n| in_context(n, checksum::au_tfn(n.digits)),
    },
    Rule {
        detector: Detector::AuAbn,
        lengths: 11..12,
        words: &["abn", "business number"],
        check: |n| grouped(n, checksum::au_abn(n.digits), &[2, 3, 3, 3]),
    },
    Rule {
        detector: Detector::AuMedicare,
        lengths: 10..11,
        words: &["medicare"],
        check: |n| in_context(n, checksum::au_medicare(n.digits)),
    },
    Rule {
        detector: Detector::Phone,
        lengths: 7..16,
        words: &[
            "phone",
            "tel",
            "telephone",
            "mobile",
            "cell",
            "cellphone",
            "fax",
            "msisdn",
            "whatsapp",
            "sms",
        ],
        check: phone,
    },
];

fn card(n: &Number<'_>) -> Verdict {
    if !checksum::card_brand(n.digits) || !checksum::luhn(n.digits) {
        return No;
    }
    match n.separator {
        None if (14..=16).contains(&n.digits.len()) => Yes,
        None => WithContext,
        Some(_) if n.separators.contains(&b')') => No,
        Some(_)
            if matches!(
                n.groups,
                [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4] | [4, 4, 4, 4, 3] | [4, 4, 4, 1]
            ) =>
        {
            Yes
        }
        Some(b' ' | b'-') => WithContext,
        Some(_) => No,
    }
}

fn aadhaar(n: &Number<'_>) -> Verdict {
    match n.separator {
        _ if !checksum::in_aadhaar(n.digits) => No,
        Some(b' ') if n.groups == [4, 4, 4] => Yes,
        Some(0) => No,
        _ => WithContext,
    }
}

fn cpf(n: &Number<'_>) -> Verdict {
    match n.separators {
        _ if !checksum::br_cpf(n.digits) => No,
        b"..-" if n.groups == [3, 3, 3, 2] => Yes,
        b"" => WithContext,
        _ => No,
    }
}

fn phone(n: &Number<'_>) -> Verdict {
    let is_date = matches!(n.groups, [4, 2, 2] | [2, 2, 4]);
    if is_date || n.groups.len() > 6 || n.digits.iter().all(|d| *d == 0) {
        No
    } else {
        WithContext
    }
}

/// The fewest digits of any rule for `set`; `None` when no rule is for it.
pub(crate) fn fewest_digits(set: DetectorSet) -> Option<usize> {
    RULES
        .iter()
        .filter(|r| set.contains(r.detector))
        .map(|r| r.lengths.start)
        .min()
}

/// The number of bytes that part two groups of digits at `at`: one of `-`, `.`, space, or a closing bracket with or
/// without one of those. 0: none does.
fn separator_len(bytes: &[u8], at: usize) -> usize {
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    match bytes.get(at) {
        Some(b' ' | b'-' | b'.' | b')') if is_digit(at + 1) => 1,
        Some(b')') if matches!(bytes.get(at + 1), Some(b' ' | b'-' | b'.')) && is_digit(at + 2) => {
            2
        }
        _ => 0,
    }
}

/// The bytes between two groups of digits at `at`, and what stands for them in [`Number::separators`]. No bytes: the number
/// ends there.
fn gap(bytes: &[u8], at: usize) -> (usize, u8) {
    let parts = |i: usize| matches!(bytes.get(i), Some(b' ' | b'-' | b'.' | b'\n'));
    let is_digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    match separator_len(bytes, at) {
        1 => (1, bytes[at]),
        2 => (2, b')'),
        _ if parts(at) && is_digit(at + 1) => (1, WIDE),
        _ if parts(at) && parts(at + 1) && is_digit(at + 2) => (2, WIDE),
        _ => (0, 0),
    }
}

/// Where the fraction of a time ends: `12:30:05.123456789`, if its seconds begin at `start`.
pub(crate) fn clock_fraction_end(bytes: &[u8], start: usize) -> Option<usize> {
    let digit = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    let minute = start.checked_sub(3)?;
    if bytes[start - 1] != b':'
        || !digit(minute)
        || !digit(minute + 1)
        || !digit(start)
        || !digit(start + 1)
        || bytes.get(start + 2) != Some(&b'.')
    {
        return None;
    }
    let end = (start + 3..bytes.len().min(start + 13))
        .find(|i| !digit(*i))
        .unwrap_or(bytes.len().min(start + 13));
    (end > start + 3 && separator_len(bytes, end) == 0).then_some(end)
}

/// Whether the word that ends with the digits up to `end` goes on with letters as a card with a note does: it is too short
/// for a hash, and is not as long as a span's identifier.
fn has_letters_behind(bytes: &[u8], end: usize) -> bool {
    const SHORTEST_HASH: usize = 24;
    let is_word = |b: &&u8| b.is_ascii_alphanumeric();
    let digits = bytes[..end].iter().rev().take(MOST);
    let before = digits.take_while(|b| b.is_ascii_digit()).count();
    let word = bytes[end - before..].iter().take(SHORTEST_HASH);
    let length = word.take_while(is_word).count();
    length > before && length < SHORTEST_HASH && length != 16
}

/// Reports every number in `text` that a rule of `set` takes.
pub(crate) fn find(
    set: DetectorSet,
    key: &str,
    text: &str,
    found: &mut dyn FnMut(Range<usize>, Detector),
) {
    let bytes = text.as_bytes();
    let Some(fewest) = fewest_digits(set) else {
        return;
    };
    let mut at = 0;
    while let Some(start) = bytes[at..]
        .iter()
        .position(u8::is_ascii_digit)
        .map(|n| at + n)
    {
        let end = bytes[start..]
            .iter()
            .position(|b| !b.is_ascii_digit())
            .map_or(bytes.len(), |n| start + n);
        let before = start.checked_sub(1).map(|i| bytes[i]);
        if before.is_none_or(|b| !b.is_ascii_alphanumeric())
            && end - start <= MOST
            && clock_fraction_end(bytes, start).is_none()
        {
            from(set, fewest, key, text, start, found);
        }
        at = end;
    }
}

/// Tries the numbers that start at `start`.
fn from(
    set: DetectorSet,
    fewest: usize,
    key: &str,
    text: &str,
    start: usize,
    found: &mut dyn FnMut(Range<usize>, Detector),
) {
    let bytes = text.as_bytes();
    // The separator that joins the number to digits before it: `1.` makes it a fraction, `12-` part of a longer code.
    let joined = start
        .checked_sub(2)
        .filter(|i| bytes[*i].is_ascii_digit())
        .map(|i| bytes[i + 1]);
    if joined == Some(b'.') {
        return;
    }
    let (mut digits, mut groups, mut separators) = ([0u8; MOST], [0usize; MOST], [0u8; MOST]);
    let (mut n, mut g) = (0, 0);
    let mut at = start;
    loop {
        let group = bytes[at..]
            .iter()
            .take(MOST + 1)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if n + group > MOST {
            return;
        }
        for i in 0..group {
            digits[n + i] = bytes[at + i] - b'0';
        }
        n += group;
        groups[g] = group;
        g += 1;
        let end = at + group;
        let (gap, between) = gap(bytes, end);
        let separator = match &separators[..g - 1] {
            [] => None,
            [first, rest @ ..] => Some(if rest.iter().all(|s| s == first) {
                *first
            } else {
                0
            }),
        };
        let clean_end = bytes.get(end).is_none_or(|b| !b.is_ascii_alphanumeric());
        // A longer code with the same dashes or dots is another kind of number.
        let continues = |with: Option<u8>| matches!(with, Some(b'-' | b'.')) && with == separator;
        if n >= fewest
            && (clean_end || has_letters_behind(bytes, end))
            && !continues(joined)
            && !(gap == 1 && continues(Some(bytes[end])))
        {
            let number = Number {
                digits: &digits[..n],
                groups: &groups[..g],
                separator,
                separators: &separators[..g - 1],
            };
            let bracketed =
                separators[..g - 1].contains(&b')') && start > 0 && bytes[start - 1] == b'(';
            let range = start - usize::from(bracketed)..end;
            let only_card = !clean_end || separators[..g - 1].contains(&WIDE);
            for rule in RULES.iter().filter(|r| {
                set.contains(r.detector)
                    && r.lengths.contains(&n)
                    && (!only_card || r.detector == Detector::CreditCard)
            }) {
                let taken = match (rule.check)(&number) {
                    No => false,
                    Yes => true,
                    WithContext => has_context(key, text, &range, rule.words),
                };
                if taken && !is_inside_uuid(bytes, &range) {
                    found(range.clone(), rule.detector);
                }
            }
        }
        if gap == 0 || g == MOST {
            return;
        }
        separators[g - 1] = between;
        at = end + gap;
    }
}
