//! Texts that secrets begin with or are named by: prefixes of tokens, words.

use std::ops::Range;

use crate::block::{BLOCK, Fingerprints};
use crate::words::{STEMS, may_end_a_name};
use crate::{Detector, DetectorSet};

/// How a literal goes on.
#[derive(Clone, Copy)]
enum Tail {
    /// At least so many characters of a token.
    Token(usize),
    /// The end of a word, as [`may_end_a_name`] says.
    Word,
}

/// What the literals of `set` are, and how each goes on.
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
            ("0Q~", 31),
            ("1Q~", 31),
            ("2Q~", 31),
            ("3Q~", 31),
            ("4Q~", 31),
            ("5Q~", 31),
            ("6Q~", 31),
            ("7Q~", 31),
            ("8Q~", 31),
            ("9Q~", 31),
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
    add(
        Detector::BearerToken,
        &[("earer ", 0), ("EARER ", 0), ("plunk ", 0)],
    );
    add(Detector::BasicAuth, &[("asic ", 0), ("ASIC ", 0)]);
    add(
        Detector::BtcAddress,
        &[("bc1", 22), ("BC1", 22), ("Bc1", 22), ("bC1", 22)],
    );
    // Before an IPv6 host; what other hosts begin with is a trigger with the `@`.
    add(
        Detector::UrlPassword,
        &[
            ("@[:", 0),
            ("@[0", 0),
            ("@[1", 0),
            ("@[2", 0),
            ("@[3", 0),
            ("@[f", 0),
            ("@[F", 0),
        ],
    );
    if set.contains(Detector::NamedSecret) {
        all.extend(STEMS.iter().map(|s| (*s, Tail::Word)));
    }
    all
}

/// The longest prefix that may stand wholly before a run of base64 characters, and a little.
const REACH: usize = 24;

/// Some literals, ready to be looked for.
pub(super) struct Literals {
    fingerprints: Fingerprints,
    /// Sorted.
    list: Vec<(&'static [u8], Tail)>,
    /// Where in the list those stand that begin with a byte.
    by_first: Box<[Range<u8>; 256]>,
    /// The shortest of them with what goes on behind it.
    shortest: usize,
}

impl Literals {
    /// The prefixes of tokens, for [`Self::find_around`] runs of base64 characters; `None` without any.
    pub(super) fn prefixes(set: DetectorSet) -> Option<Self> {
        Self::new(set, |tail| matches!(tail, Tail::Token(1..)))
    }

    /// What may stand anywhere: names of secrets and of authorization schemes; `None` without any.
    pub(super) fn words(set: DetectorSet) -> Option<Self> {
        Self::new(set, |tail| matches!(tail, Tail::Token(0) | Tail::Word))
    }

    fn new(set: DetectorSet, wanted: impl Fn(&Tail) -> bool) -> Option<Self> {
        let mut list: Vec<(&[u8], Tail)> = literals(set)
            .into_iter()
            .filter(|(_, tail)| wanted(tail))
            .map(|(text, tail)| (text.as_bytes(), tail))
            .collect();
        list.sort_by_key(|(text, _)| *text);
        let texts: Vec<&[u8]> = list.iter().map(|(text, _)| *text).collect();
        let up_to = |b: usize| texts.partition_point(|t| usize::from(t[0]) < b) as u8;
        let length = |(text, tail): &(&[u8], Tail)| match tail {
            Tail::Token(least) => text.len() + least,
            Tail::Word => text.len(),
        };
        let shortest = list.iter().map(length).min()?;
        Some(Self {
            shortest,
            fingerprints: Fingerprints::new(&texts),
            by_first: Box::new(std::array::from_fn(|b| up_to(b)..up_to(b + 1))),
            list,
        })
    }

    /// [`Self::find`] for prefixes around `run`, a run of base64 characters: those that begin in it, and those that stand
    /// before it. A prefix with what goes on behind it is all characters of a token.
    pub(super) fn find_around(&self, bytes: &[u8], run: Range<usize>, found: impl FnMut(usize)) {
        let before = bytes[run.start.saturating_sub(REACH)..run.start]
            .iter()
            .rev()
            .take_while(|b| is_token(**b));
        let behind = bytes[run.end..]
            .iter()
            .take(self.shortest)
            .take_while(|b| is_token(**b));
        let last = (run.end + behind.count() + 1).saturating_sub(self.shortest);
        self.find(bytes, run.start - before.count()..last.min(run.end), found);
    }

    /// Reports where in `within` a literal begins that goes on, within or behind it, as it must.
    pub(super) fn find(&self, bytes: &[u8], within: Range<usize>, mut found: impl FnMut(usize)) {
        const FEW: usize = 8;
        if within.len() <= FEW {
            return within
                .filter(|at| {
                    let three = bytes[*at..].first_chunk();
                    three.is_some_and(|b| self.fingerprints.may_begin(b)) && self.begins(bytes, *at)
                })
                .for_each(found);
        }
        const AT_ONCE: usize = 8;
        let mut marks = [0; AT_ONCE];
        let mut base = within.start;
        while base < within.end {
            let blocks = (within.end - base).div_ceil(BLOCK).min(AT_ONCE);
            self.fingerprints.mark(&bytes[base..], &mut marks[..blocks]);
            for (block, mark) in marks[..blocks].iter().enumerate() {
                super::each(*mark, |i| {
                    let at = base + block * BLOCK + i;
                    if at < within.end && self.begins(bytes, at) {
                        found(at);
                    }
                });
            }
            base += blocks * BLOCK;
        }
    }

    fn begins(&self, bytes: &[u8], at: usize) -> bool {
        let Range { start, end } = self.by_first[usize::from(bytes[at])];
        self.list[usize::from(start)..usize::from(end)]
            .iter()
            .any(|(text, tail)| {
                let end = at + text.len();
                // Three bytes first: a call to compare all of them takes longer, and seldom is needed.
                bytes[at..].first_chunk::<3>() == text.first_chunk()
                    && bytes[at..].starts_with(text)
                    && match tail {
                        Tail::Token(least) => bytes
                            .get(end..end + least)
                            .is_some_and(|token| token.iter().all(|b| is_token(*b))),
                        Tail::Word => may_end_a_name(bytes, at, end),
                    }
            })
    }
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'-' | b'_' | b'.' | b'/' | b'+' | b'=' | b'~' | b'@' | b'%'
        )
}
