//! Nominates: says where, in raw bytes, one of the detectors may find something. It has no boundary conditions, so what
//! stands around a secret (message framing, other letters) cannot hide it; the exact check has the last word.
//!
//! ```text
//!  bytes ──classes, 64 bytes at a time──▶ runs ─────▶ numbers, tokens, keys, base64
//!                                      ├▶ shapes ───▶ IBANs, identifiers, addresses
//!                                      └▶ triggers ─▶ @ + % \, other scripts; in protobuf also integers and doubles
//!        └─literals' first three bytes─▶ names of secrets
//! ```
//!
//! Most blocks have nothing: what is done for every block is a few operations on its masks, and what a mask nominates is
//! judged by the masks around it before a byte is read again.

mod families;
mod literals;
mod numbers;
mod places;
mod runs;
mod secrets;
mod shapes;
mod triggers;

pub(crate) use families::Families;
use literals::Literals;
use places::{AHEAD, Places, Turn};
use runs::{Marks, Near, Runs, up};

use crate::block::{BLOCK, Masks, classify};
use crate::{Detector, DetectorSet, base64_text, number, personal};

/// Finds candidates for one set of detectors.
pub(crate) struct Prefilter {
    needed: Families,
    /// Words, looked for everywhere.
    words: Option<Literals>,
    /// Prefixes of tokens, looked for around runs.
    prefixes: Option<Literals>,
    keys_without_prefix: bool,
    private_keys: bool,
    has_shapes: bool,
    /// The fewest digits of an enabled number.
    fewest: usize,
}

/// The fewest digits of any number.
const FEWEST: usize = 7;
/// How many dashes a PEM block begins with.
const DASHES: usize = 5;

/// Runs that reach from one block into the next.
#[derive(Default)]
struct State {
    number: Runs<FEWEST>,
    base64: Runs<{ base64_text::SHORTEST }>,
    marks: Marks,
    dashes: Runs<DASHES>,
    shapes: shapes::State,
}

impl Prefilter {
    pub(crate) fn new(set: DetectorSet) -> Self {
        let needed = Families::needed(set);
        let shapes = [Families::ADDRESS, Families::MAC, Families::SHAPE];
        Self {
            needed,
            has_shapes: shapes.iter().any(|family| needed.has(*family)),
            words: Literals::words(set),
            prefixes: Literals::prefixes(set),
            keys_without_prefix: set.has_any(&[Detector::ApiKey, Detector::AwsAccessKey]),
            private_keys: set.contains(Detector::PrivateKey),
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
        if let Some(words) = &self.words {
            words.find(bytes, 0..bytes.len(), |at| {
                let family = match bytes[at] {
                    b'@' => Families::URL,
                    _ => Families::TOKEN,
                };
                found(at, family);
            });
        }
        // The block before, those of one turn, and the one behind them.
        let mut masks = [Masks::default(); AHEAD + 2];
        self.classify(bytes, &mut masks[1..]);
        let (mut state, mut places) = (State::default(), Places::default());
        let mut base = 0;
        while base < bytes.len() {
            let turn = Turn {
                bytes,
                masks: &masks,
                base,
            };
            self.turn(&turn, protobuf, &mut state, &mut places, found);
            base += AHEAD * BLOCK;
            masks.copy_within(AHEAD.., 0);
            let rest = bytes.get(base + BLOCK..).unwrap_or(&[]);
            self.classify(rest, &mut masks[2..]);
        }
    }

    fn classify(&self, bytes: &[u8], masks: &mut [Masks]) {
        let n = classify(bytes, masks);
        masks[n..].fill(Masks::default());
    }

    /// Finds what the masks nominate, and judges each. Places are collected before they are judged: a processor foresees
    /// neither where the next one is nor of which kind it is.
    fn turn(
        &self,
        turn: &Turn<'_>,
        protobuf: bool,
        state: &mut State,
        places: &mut Places,
        found: &mut impl FnMut(usize, Families),
    ) {
        let bytes = turn.bytes;
        places.collect(turn.masks[1..].windows(2).map(|pair| {
            let (m, next) = (&pair[0], &pair[1]);
            // A URL's host may begin with any of these, and be empty.
            let behind = |m: &Masks| m.base64 | m.colon | m.high;
            m.trigger | m.soft_trigger & (behind(m) >> 1 | behind(next) << 63)
        }));
        for (near, i) in places.iter(turn) {
            self.trigger(bytes, near.base + i, protobuf, found);
        }
        let (base64, marks) = (&mut state.base64, &mut state.marks);
        places.collect(turn.blocks().map(|m| {
            let marked = marks.since(m.base64, (m.digit | m.upper) & m.base64);
            base64.first_bytes(m.base64, marked)
        }));
        for (near, i) in places.iter(turn) {
            self.base64_run(bytes, &near, near.base + i, found);
        }
        // Runs and the like are known by their last byte that has to be there.
        let start = |near: &Near<'_>, i: usize, length: usize| near.base + i + 1 - length;
        if self.needed.has(Families::NUMBER) {
            let runs = &mut state.number;
            places.collect(turn.blocks().map(|m| runs.nth_bytes(m.digit | m.separator)));
            for (near, i) in places.iter(turn) {
                let start = start(&near, i, FEWEST);
                if numbers::is_number(bytes, &near, start, self.fewest) {
                    found(start, Families::NUMBER);
                }
            }
        }
        if self.private_keys {
            let runs = &mut state.dashes;
            places.collect(
                turn.blocks()
                    .map(|m| runs.nth_bytes(m.base64 & m.separator)),
            );
            for (near, i) in places.iter(turn) {
                let start = start(&near, i, DASHES);
                if secrets::begins_pem(bytes, start) {
                    found(start, Families::TOKEN);
                }
            }
        }
        if self.needed.has(Families::IBAN) {
            places.collect(turn.masks[..=AHEAD].windows(2).map(|pair| {
                let (before, m) = (&pair[0], &pair[1]);
                let digits = m.digit & up(m.digit, before.digit, 1);
                digits & up(m.letter, before.letter, 2) & up(m.letter, before.letter, 3)
            }));
            for (near, i) in places.iter(turn) {
                let start = start(&near, i, 4);
                if personal::iban_end(bytes, start).is_some() {
                    found(start, Families::IBAN);
                }
            }
        }
        if self.has_shapes {
            (0..AHEAD).for_each(|i| self.shapes(bytes, &turn.near(i), &mut state.shapes, found));
        }
    }

    fn shapes(
        &self,
        bytes: &[u8],
        near: &Near<'_>,
        state: &mut shapes::State,
        found: &mut impl FnMut(usize, Families),
    ) {
        if self.needed.has(Families::ADDRESS) {
            shapes::addresses(bytes, near, found);
        }
        if self.needed.has(Families::MAC) {
            shapes::macs(bytes, near, found);
        }
        if self.needed.has(Families::SHAPE) {
            shapes::shapes(bytes, near, state, found);
        }
    }
}

/// Calls `f` with the place of every set bit.
#[inline(always)]
fn each(mut bits: u64, mut f: impl FnMut(usize)) {
    while bits != 0 {
        f(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}
