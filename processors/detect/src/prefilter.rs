//! Nominates: says where, in raw bytes, one of the detectors may find something. It has no boundary conditions, so what
//! stands around a secret (message framing, other letters) cannot hide it; the exact check has the last word.
//!
//! ```text
//!  bytes ──literals (one vector search)──────────────▶ prefixes of tokens, names of secrets
//!        ──byte classes, 64 at a time──▶ runs, shapes ▶ numbers, IBANs, base64 …
//!                                     └▶ triggers ────▶ @ + % \ ~, other scripts; in protobuf also integers and doubles
//! ```

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind, packed};

use crate::block::{BLOCK, Masks, classify};
use crate::words::{STEMS, ends_word, is_inside_uuid, is_uuid};
use crate::{Detector, DetectorSet, base64_text, number, personal, secret, view};

/// The kinds of exact checks, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Families(u16);

impl Families {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u16::MAX);
    pub(crate) const EMAIL: Self = Self(1);
    pub(crate) const URL: Self = Self(2);
    pub(crate) const PHONE: Self = Self(4);
    pub(crate) const NUMBER: Self = Self(8);
    pub(crate) const IBAN: Self = Self(16);
    pub(crate) const ADDRESS: Self = Self(32);
    pub(crate) const MAC: Self = Self(64);
    pub(crate) const SHAPE: Self = Self(128);
    pub(crate) const TOKEN: Self = Self(256);
    /// Something to decode first.
    pub(crate) const ESCAPE: Self = Self(512);
    pub(crate) const BASE64: Self = Self(1024);

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// What `set` needs.
    fn needed(set: DetectorSet) -> Self {
        let mut needed = if set.is_empty() {
            Self::NONE
        } else {
            Self(Self::ESCAPE.0 | Self::BASE64.0)
        };
        let mut add = |family, detectors: &[Detector]| {
            if set.has_any(detectors) {
                needed.add(family);
            }
        };
        add(Self::EMAIL, &[Detector::Email]);
        add(Self::URL, &[Detector::UrlPassword]);
        add(Self::PHONE, &[Detector::Phone]);
        add(Self::IBAN, &[Detector::Iban]);
        add(Self::ADDRESS, &[Detector::IpAddress]);
        add(Self::MAC, &[Detector::MacAddress]);
        add(Self::SHAPE, personal::SHAPED);
        add(Self::TOKEN, secret::TOKENS);
        if number::fewest_digits(set).is_some() {
            needed.add(Self::NUMBER);
        }
        needed
    }
}

/// How a literal goes on.
#[derive(Clone, Copy)]
enum Tail {
    /// At least so many characters of a token.
    Token(usize),
    /// The end of a word.
    Word,
}

fn literals(set: DetectorSet) -> Vec<(&'static str, Tail)> {
    let mut all: Vec<(&'static str, Tail)> = Vec::new();
    let mut add = |detector, list: &[(&'static str, usize)]| {
        if set.contains(detector) {
            all.extend(list.iter().map(|(l, n)| (*l, Tail::Token(*n))));
        }
    };
    add(
        Detector::ApiKey,
        &[
            ("sk-", 20),
            ("pk-lf-", 30),
            ("AIza", 35),
            ("ABSK", 100),
            ("bedrock-api-key-", 20),
            ("hf_", 34),
            ("api_org_", 34),
            ("gsk_", 48),
            ("xai-", 64),
            ("pplx-", 40),
            ("nvapi-", 60),
            ("r8_", 37),
            ("pcsk_", 50),
            ("lsv2_", 40),
            ("xox", 12),
            ("xapp-", 10),
            ("hooks.slack.com/", 20),
            ("/api/webhooks/", 40),
            ("webhook.office.com/", 20),
            ("sig=", 30),
            ("AccountKey=", 40),
            ("SharedAccessKey=", 40),
            ("glpat-", 20),
            ("glrt-", 20),
            ("gldt-", 20),
            ("glptt-", 20),
            ("glcbt-", 20),
            ("glsoat-", 20),
            ("gloas-", 20),
            ("glft-", 20),
            ("glimt-", 20),
            ("glagent-", 20),
            ("k_live_", 10),
            ("k_test_", 10),
            ("k_prod_", 10),
            ("sk_", 48),
            ("npm_", 36),
            ("pypi-AgEI", 50),
            ("rubygems_", 48),
            ("SG.", 40),
            ("key-", 32),
            ("dapi", 32),
            ("dop_v1_", 64),
            ("doo_v1_", 64),
            ("dor_v1_", 64),
            ("glsa_", 40),
            ("glc_", 32),
            ("hvs.", 24),
            ("hvb.", 24),
            ("hvr.", 24),
            ("whsec_", 24),
        ],
    );
    add(
        Detector::GithubToken,
        &[
            ("ghp_", 36),
            ("gho_", 36),
            ("ghu_", 36),
            ("ghs_", 36),
            ("ghr_", 36),
            ("github_pat_", 22),
        ],
    );
    add(
        Detector::AwsAccessKey,
        &[
            ("AKIA", 16),
            ("ASIA", 16),
            ("ABIA", 16),
            ("ACCA", 16),
            ("A3T", 17),
        ],
    );
    add(
        Detector::Jwt,
        &[
            ("eyJ", 13),
            ("eyI", 13),
            ("eyA", 13),
            ("ewo", 13),
            ("ew0", 13),
        ],
    );
    add(Detector::PrivateKey, &[("-----BEGIN ", 0)]);
    add(
        Detector::BearerToken,
        &[("earer ", 0), ("EARER ", 0), ("plunk ", 0)],
    );
    add(Detector::BasicAuth, &[("asic ", 0), ("ASIC ", 0)]);
    add(
        Detector::BtcAddress,
        &[("bc1", 22), ("BC1", 22), ("Bc1", 22), ("bC1", 22)],
    );
    if set.contains(Detector::NamedSecret) {
        all.extend(STEMS.iter().map(|s| (*s, Tail::Word)));
    }
    all
}

enum Search {
    Vector(packed::Searcher),
    Automaton(AhoCorasick),
}

struct Literals {
    search: Search,
    tails: Vec<Tail>,
}

impl Literals {
    /// `None` without any. `in_vectors`: for a search through everything; else for many literals in short stretches.
    fn new(mut list: Vec<(&'static str, Tail)>, in_vectors: bool) -> Option<Self> {
        // Leftmost-first: of two that begin alike the longer must come first.
        list.sort_by_key(|(l, _)| std::cmp::Reverse(l.len()));
        let texts: Vec<&str> = list.iter().map(|(l, _)| *l).collect();
        let vector = if in_vectors {
            packed::Config::new()
                .match_kind(packed::MatchKind::LeftmostFirst)
                .builder()
                .extend(&texts)
                .build()
        } else {
            None
        };
        let automaton = || {
            let kind = Some(aho_corasick::AhoCorasickKind::DFA);
            Search::Automaton(
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostFirst)
                    .kind(kind)
                    .prefilter(false)
                    .build(&texts)
                    .expect("some dozens of short literals fit"),
            )
        };
        (!texts.is_empty()).then(|| Self {
            search: vector.map_or_else(automaton, Search::Vector),
            tails: list.iter().map(|(_, t)| *t).collect(),
        })
    }
}

/// A prefixed token is, from somewhere in or behind its prefix, a run of so many base64 characters with a digit or a
/// capital. Prefixes are looked for only around such runs.
const TOKEN_RUN: usize = base64_text::SHORTEST;
/// The longest prefix that may stand wholly before the run, and a little.
const PREFIX_REACH: usize = 24;

/// Finds candidates for one set of detectors.
pub(crate) struct Prefilter {
    needed: Families,
    set: DetectorSet,
    /// Words, looked for everywhere.
    words: Vec<Literals>,
    /// Prefixes of tokens, looked for around runs.
    prefixes: Option<Literals>,
    /// The fewest digits of an enabled number.
    fewest: usize,
    keys_without_prefix: bool,
}

impl Prefilter {
    pub(crate) fn new(set: DetectorSet) -> Self {
        let is_prefix = |(_, tail): &(&str, Tail)| matches!(tail, Tail::Token(least) if *least > 0);
        let (prefixes, mut words): (Vec<_>, Vec<_>) =
            literals(set).into_iter().partition(is_prefix);
        // Few patterns with a long shortest one make the vector search fast.
        words.sort_by_key(|(l, _)| std::cmp::Reverse(l.len()));
        let words = words
            .chunks(32)
            .filter_map(|chunk| Literals::new(chunk.to_vec(), true))
            .collect();
        Self {
            needed: Families::needed(set),
            set,
            words,
            prefixes: Literals::new(prefixes, false),
            keys_without_prefix: set.has_any(&[Detector::ApiKey, Detector::AwsAccessKey]),
            fewest: number::fewest_digits(set).unwrap_or(usize::MAX),
        }
    }

    /// The checks that a value's text needs.
    pub(crate) fn nominate(&self, text: &[u8]) -> Families {
        let mut families = Families::NONE;
        self.scan(text, false, &mut |_, family| families.add(family));
        families
    }

    /// Reports a position in every stretch of `bytes` that may hold something. `protobuf`: `bytes` are messages, whose
    /// integers and doubles are looked at too.
    pub(crate) fn scan(
        &self,
        bytes: &[u8],
        protobuf: bool,
        found: &mut impl FnMut(usize, Families),
    ) {
        for words in &self.words {
            Self::scan_literals(words, bytes, 0..bytes.len(), found);
        }
        const AHEAD: usize = 16;
        let mut masks = [Masks::default(); AHEAD + 1];
        let mut state = State::default();
        let mut at = 0;
        while at < bytes.len() {
            let n = classify(&bytes[at..], &mut masks);
            masks[n..].fill(Masks::default());
            for i in 0..n.min(AHEAD) {
                self.block(
                    bytes,
                    at + i * BLOCK,
                    &masks[i],
                    &masks[i + 1],
                    protobuf,
                    &mut state,
                    found,
                );
            }
            at += AHEAD * BLOCK;
        }
    }

    fn scan_literals(
        literals: &Literals,
        bytes: &[u8],
        within: Range<usize>,
        found: &mut impl FnMut(usize, Families),
    ) {
        let base = within.start;
        let mut judge = |pattern: usize, start: usize, end: usize| {
            let goes_on = match literals.tails[pattern] {
                Tail::Token(least) => {
                    bytes[end..]
                        .iter()
                        .take(least)
                        .filter(|b| is_token(**b))
                        .count()
                        == least
                }
                Tail::Word => ends_word(bytes, end),
            };
            if goes_on {
                found(start, Families::TOKEN);
            }
        };
        match &literals.search {
            Search::Vector(search) => search
                .find_iter(&bytes[within])
                .for_each(|m| judge(m.pattern().as_usize(), base + m.start(), base + m.end())),
            Search::Automaton(search) => search
                .find_iter(&bytes[within])
                .for_each(|m| judge(m.pattern().as_usize(), base + m.start(), base + m.end())),
        }
    }

    /// One run of base64 characters that has a digit or a capital: a token, or text in base64.
    fn base64_run(
        &self,
        bytes: &[u8],
        run: Range<usize>,
        judged: &mut Judged,
        found: &mut impl FnMut(usize, Families),
    ) {
        let start = run.start;
        if start < judged.base64_end {
            return;
        }
        let end = start
            + bytes[run.clone()]
                .iter()
                .position(|b| run.len() > 2 * BLOCK && !base64_text::is_base64(*b))
                .unwrap_or(run.len());
        judged.base64_end = end;
        if is_lone_uuid(bytes, start, end) {
            judged.uuid = start..start + 36;
            return;
        }
        if let Some(prefixes) = &self.prefixes {
            Self::scan_literals(
                prefixes,
                bytes,
                start.saturating_sub(PREFIX_REACH)..end,
                found,
            );
        }
        if base64_text::hides_text(&bytes[start..end]) {
            found(start, Families::BASE64);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the loop's own variables")]
    fn block(
        &self,
        bytes: &[u8],
        base: usize,
        now: &Masks,
        next: &Masks,
        protobuf: bool,
        state: &mut State,
        found: &mut impl FnMut(usize, Families),
    ) {
        let mut triggers = now.trigger;
        while triggers != 0 {
            let at = base + triggers.trailing_zeros() as usize;
            triggers &= triggers - 1;
            if at < bytes.len() {
                self.trigger(bytes, at, protobuf, found);
            }
        }
        if self.needed.has(Families::BASE64) {
            let base64 = wide(now.base64, next.base64);
            let marked = wide(now.digit | now.upper, next.digit | next.upper);
            each(
                first_of_runs(run(base64, TOKEN_RUN) as u64, &mut state.in_base64),
                |i| {
                    let length = (!(base64 >> i)).trailing_zeros();
                    // A run that leaves the window is judged whole, whatever it has here.
                    let leaves = i + length as usize >= 2 * BLOCK;
                    if leaves || marked >> i & ((1 << length) - 1) != 0 {
                        let end = if leaves {
                            bytes.len()
                        } else {
                            base + i + length as usize
                        };
                        self.base64_run(bytes, base + i..end, &mut state.judged, found);
                    }
                },
            );
        }
        let digits_near = (now.digit.count_ones() + next.digit.count_ones()) as usize;
        if self.needed.has(Families::NUMBER) && (digits_near >= self.fewest || state.in_number) {
            let (digit, separator) = (
                wide(now.digit, next.digit),
                wide(now.separator, next.separator),
            );
            let starts = run(digit | (separator & (digit << 1 | digit >> 1)), self.fewest);
            each(first_of_runs(starts as u64, &mut state.in_number), |i| {
                if self.is_number(bytes, base + i, &state.judged.uuid) {
                    found(base + i, Families::NUMBER);
                }
            });
        } else {
            state.in_number = false;
        }
        // Keys without a prefix: what their name would have to say is left to the exact check.
        if self.keys_without_prefix {
            let letters = wide(now.letter, next.letter);
            let alnum = run(letters | wide(now.digit, next.digit), 32) as u64;
            let base64 = if now.upper | next.upper == 0 {
                0
            } else {
                run(wide(now.base64, next.base64), 40) as u64
            };
            each(first_of_runs(alnum | base64, &mut state.in_key), |i| {
                found(base + i, Families::TOKEN)
            });
        } else {
            state.in_key = false;
        }
        if now.upper != 0 && self.set.contains(Detector::ApiKey) {
            let (upper, alnum) = (
                wide(now.upper, next.upper),
                wide(now.digit | now.letter, next.digit | next.letter),
            );
            // Twilio's two letters are too short for the literal search.
            each((upper & upper >> 1 & run(alnum, 34)) as u64, |i| {
                if matches!(&bytes[base + i..base + i + 2], b"SK" | b"AC") {
                    found(base + i, Families::TOKEN);
                }
            });
        }
        if digits_near == 0 {
            // An address may be all letters and colons.
            if self.needed.has(Families::ADDRESS) && now.colon != 0 {
                self.addresses(bytes, base, now.colon, found);
            }
            if self.needed.has(Families::MAC) {
                self.shapes_with_letters(bytes, base, now, next, state, found);
            }
            return;
        }
        if self.needed.has(Families::IBAN) {
            let (digit, letter) = (wide(now.digit, next.digit), wide(now.letter, next.letter));
            each(
                (letter & letter >> 1 & digit >> 2 & digit >> 3) as u64,
                |i| {
                    if personal::iban_end(bytes, base + i).is_some() {
                        found(base + i, Families::IBAN);
                    }
                },
            );
        }
        if self.needed.has(Families::ADDRESS) {
            let (digit, dot) = (wide(now.digit, next.digit), wide(now.dot, next.dot));
            self.addresses(
                bytes,
                base,
                (digit & dot >> 1 & digit >> 2) as u64 | now.colon,
                found,
            );
        }
        if self.needed.has(Families::MAC) || self.needed.has(Families::SHAPE) {
            self.shapes_with_letters(bytes, base, now, next, state, found);
        }
    }

    /// Enough digits, and not all of them in a UUID or a time's fraction.
    fn is_number(&self, bytes: &[u8], start: usize, uuid: &Range<usize>) -> bool {
        let in_run = |b: &u8| b.is_ascii_digit() || matches!(b, b' ' | b'-' | b'.' | b')');
        // A longer run is one to look at anyway.
        let end = start
            + bytes[start..]
                .iter()
                .take(64)
                .take_while(|b| in_run(b))
                .count();
        let digits = bytes[start..end]
            .iter()
            .filter(|b| b.is_ascii_digit())
            .count();
        let trimmed = end
            - bytes[start..end]
                .iter()
                .rev()
                .take_while(|b| !b.is_ascii_digit())
                .count();
        let from = start
            + bytes[start..end]
                .iter()
                .take_while(|b| !b.is_ascii_digit())
                .count();
        let in_known_uuid = uuid.start <= from
            && (trimmed <= uuid.end || (trimmed == uuid.end + 1 && bytes[uuid.end] == b'2'));
        digits >= self.fewest
            && !in_known_uuid
            && !is_date(&bytes[from..trimmed])
            && !is_inside_uuid(bytes, &(from..trimmed))
            && !number::is_clock_fraction(bytes, from)
    }

    fn addresses(
        &self,
        bytes: &[u8],
        base: usize,
        candidates: u64,
        found: &mut impl FnMut(usize, Families),
    ) {
        each(candidates, |i| {
            let at = base + i;
            if at >= bytes.len() {
                return;
            }
            let start = at
                - bytes[..at]
                    .iter()
                    .rev()
                    .take(48)
                    .take_while(|b| personal::is_address_byte(**b))
                    .count();
            let end = at
                + bytes[at..]
                    .iter()
                    .take(48)
                    .take_while(|b| personal::is_address_byte(**b))
                    .count();
            let run = &bytes[start..end];
            let count = |c: u8| run.iter().filter(|b| **b == c).count();
            if count(b'.') >= 3 || count(b':') >= 6 || run.windows(2).any(|w| w == b"::") {
                found(at, Families::ADDRESS);
            }
        });
    }

    fn shapes_with_letters(
        &self,
        bytes: &[u8],
        base: usize,
        now: &Masks,
        next: &Masks,
        state: &mut State,
        found: &mut impl FnMut(usize, Families),
    ) {
        let (d, l, s) = (
            wide(now.digit, next.digit),
            wide(now.letter, next.letter),
            wide(now.separator, next.separator),
        );
        let alnum = d | l;
        if self.needed.has(Families::MAC) {
            let colon = s | wide(now.colon, next.colon);
            each(
                (alnum
                    & alnum >> 1
                    & colon >> 2
                    & alnum >> 3
                    & alnum >> 4
                    & colon >> 5
                    & colon >> 8
                    & colon >> 11
                    & colon >> 14) as u64,
                |i| {
                    let at = base + i;
                    if bytes.get(at..at + 17).is_some_and(personal::is_mac) {
                        found(at, Families::MAC);
                    }
                },
            );
        }
        if !self.needed.has(Families::SHAPE) || now.digit | next.digit == 0 {
            return;
        }
        let seven = run(d, 7);
        let pan = run(l, 5) & run(d, 4) >> 5 & l >> 9;
        let nif_or_dea = (l & seven >> 1) | (seven & (l >> 7 | (s >> 7 & l >> 8)));
        let nino = l & l >> 1 & ((d >> 2 & d >> 3) | (s >> 2 & d >> 3 & d >> 4));
        let mbi_dashes = d
            & l >> 1
            & d >> 3
            & s >> 4
            & l >> 5
            & d >> 7
            & s >> 8
            & run(l, 2) >> 9
            & run(d, 2) >> 11;
        let mbi = d & l >> 1 & d >> 3 & l >> 4 & d >> 6 & run(l, 2) >> 7 & run(d, 2) >> 9;
        let corsica = d & l >> 1 & (run(d, 3) >> 2 | (s >> 2 & run(d, 3) >> 3));
        each((pan | nif_or_dea | mbi_dashes | mbi) as u64, |i| {
            found(base + i, Families::SHAPE)
        });
        each(nino as u64, |i| {
            let shape: Vec<u8> = bytes[base + i..]
                .iter()
                .take(13)
                .filter(|b| **b != b' ')
                .copied()
                .collect();
            if shape.len() >= 9
                && shape[2..8].iter().all(u8::is_ascii_digit)
                && shape[8].is_ascii_alphabetic()
            {
                found(base + i, Families::SHAPE);
            }
        });
        each(corsica as u64, |i| {
            if bytes[base + i] == b'2' && matches!(bytes[base + i + 1] | 0x20, b'a' | b'b') {
                found(base + i, Families::SHAPE);
            }
        });
        each(
            first_of_runs(run(alnum, 26) as u64, &mut state.in_word),
            |i| {
                if bytes[base + i..]
                    .iter()
                    .take(4)
                    .any(|b| matches!(b, b'1' | b'3' | b'0'))
                {
                    found(base + i, Families::SHAPE);
                }
            },
        );
    }

    fn trigger(
        &self,
        bytes: &[u8],
        at: usize,
        protobuf: bool,
        found: &mut impl FnMut(usize, Families),
    ) {
        let before = at.checked_sub(1).map_or(0, |i| bytes[i]);
        let after = bytes.get(at + 1).copied().unwrap_or(0);
        match bytes[at] {
            b'@' => {
                let local = before.is_ascii_alphanumeric()
                    || matches!(before, b'.' | b'_' | b'%' | b'+' | b'-')
                    || before >= 0x80;
                if self.needed.has(Families::EMAIL)
                    && local
                    && (after.is_ascii_alphanumeric() || after >= 0x80)
                {
                    found(at, Families::EMAIL);
                }
                if self.needed.has(Families::URL)
                    && bytes[at.saturating_sub(520)..at]
                        .windows(3)
                        .any(|w| w == b"://")
                {
                    found(at, Families::URL);
                }
            }
            b'+' => {
                let digits = || {
                    bytes[at..]
                        .iter()
                        .take(32)
                        .filter(|b| b.is_ascii_digit())
                        .count()
                };
                if self.needed.has(Families::PHONE) && after.is_ascii_digit() && digits() >= 8 {
                    found(at, Families::PHONE);
                }
            }
            b'~' => {
                if before == b'Q'
                    && at >= 2
                    && bytes[at - 2].is_ascii_digit()
                    && self.set.contains(Detector::ApiKey)
                {
                    found(at, Families::TOKEN);
                }
            }
            0x18 => {
                if protobuf && after >= 0x80 && self.is_long_integer(&bytes[at + 1..]) {
                    found(at, Families::NUMBER);
                }
            }
            b'!' => {
                if protobuf && self.is_long_double(&bytes[at + 1..]) {
                    found(at, Families::NUMBER);
                }
            }
            b'|' | b'^' => {}
            _ => {
                if view::is_escape(bytes, at) {
                    found(at, Families::ESCAPE);
                }
            }
        }
    }

    /// Whether the varint has as many decimal digits as an enabled number.
    fn is_long_integer(&self, varint: &[u8]) -> bool {
        let mut value = 0u64;
        for (i, byte) in varint.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                return decimal_digits((value as i64).unsigned_abs()) >= self.fewest;
            }
        }
        false
    }

    fn is_long_double(&self, bytes: &[u8]) -> bool {
        let Some(value) = bytes.first_chunk().map(|b| f64::from_le_bytes(*b).abs()) else {
            return false;
        };
        value < 1e19 && value.fract() == 0.0 && decimal_digits(value as u64) >= self.fewest
    }
}

/// Runs that reach from one block into the next are reported once.
#[derive(Default)]
struct State {
    in_number: bool,
    judged: Judged,
    in_base64: bool,
    in_word: bool,
    in_key: bool,
}

/// What was said of the last run of base64 characters.
#[derive(Default)]
struct Judged {
    base64_end: usize,
    /// The last UUID that stands alone: its digits need no second look.
    uuid: Range<usize>,
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'-' | b'_' | b'.' | b'/' | b'+' | b'=' | b'~' | b'@' | b'%'
        )
}

/// Whether the run is a UUID and at most two bytes of framing, with nothing before it that could make it a token's tail.
fn is_lone_uuid(bytes: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).map_or(0, |i| bytes[i]);
    (36..=38).contains(&(end - start))
        && !matches!(before, b'=' | b'.' | b'~' | b'%' | b'@')
        && is_uuid(&bytes[start..start + 36])
}

/// `2026-04-20`.
fn is_date(b: &[u8]) -> bool {
    b.len() == 10 && b[4] == b'-' && b[7] == b'-'
}

fn decimal_digits(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |n| n as usize + 1)
}

fn wide(now: u64, next: u64) -> u128 {
    u128::from(now) | u128::from(next) << 64
}

/// The bits from which on `length` bits are set.
fn run(mut bits: u128, length: usize) -> u128 {
    let mut have = 1;
    while have * 2 <= length {
        bits &= bits >> have;
        have *= 2;
    }
    bits & bits >> (length - have)
}

/// The first bit of every group of set bits; `open`: whether the block before ended in one.
fn first_of_runs(bits: u64, open: &mut bool) -> u64 {
    let first = bits & !(bits << 1 | u64::from(*open));
    *open = bits >> 63 != 0;
    first
}

fn each(mut bits: u64, mut f: impl FnMut(usize)) {
    while bits != 0 {
        f(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}
