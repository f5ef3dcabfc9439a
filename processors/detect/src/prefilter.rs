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
//! Most blocks have nothing: what is done for every block is a few operations on its masks, for many blocks in a row, and
//! what a mask nominates is judged by the masks around it before a byte is read again.

mod families;
mod literals;
mod nominations;
mod numbers;
mod runs;
mod secrets;
mod shapes;
mod triggers;

pub(crate) use families::Families;
use literals::Literals;
use nominations::{DASHES, Nominate, Nominations, SHORTEST_WORD};
use runs::{Near, near};

use crate::block::{self, BLOCK, Blocks, TURN};
use crate::{Detector, DetectorSet, number, personal};

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
    /// How long a run of digits and separators has to be (4 to 12 bytes) to be judged.
    run: usize,
}

impl Prefilter {
    pub(crate) fn new(set: DetectorSet) -> Self {
        let needed = Families::needed(set);
        let fewest = number::fewest_digits(set).unwrap_or(usize::MAX);
        let run = fewest.clamp(4, 12);
        let shapes = [Families::ADDRESS, Families::MAC, Families::SHAPE];
        Self {
            needed,
            has_shapes: shapes.iter().any(|family| needed.has(*family)),
            words: Literals::words(set),
            prefixes: Literals::prefixes(set),
            keys_without_prefix: set.has_any(&[Detector::ApiKey, Detector::AwsAccessKey]),
            private_keys: set.contains(Detector::PrivateKey),
            fewest,
            run,
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
        let (mut blocks, mut nominations) = (Blocks::default(), Nominations::default());
        blocks.classify(bytes, 1);
        let mut base = 0;
        loop {
            let count = (bytes.len() - base).div_ceil(BLOCK).min(TURN);
            block::run(&mut Nominate {
                prefilter: self,
                blocks: &blocks,
                count,
                protobuf,
                into: &mut nominations,
            });
            self.judge(bytes, protobuf, &blocks, base, &nominations, found);
            if self.has_shapes {
                (0..count).for_each(|i| self.shapes(bytes, &near(&blocks, base, i), found));
            }
            base += TURN * BLOCK;
            if base >= bytes.len() {
                return;
            }
            blocks.turn();
            let rest = bytes.get(base + BLOCK..).unwrap_or(&[]);
            blocks.classify(rest, 2);
        }
    }

    /// Looks closer at what is nominated in the turn that begins at `base`.
    fn judge(
        &self,
        bytes: &[u8],
        protobuf: bool,
        blocks: &Blocks,
        base: usize,
        nominated: &Nominations,
        found: &mut impl FnMut(usize, Families),
    ) {
        nominated.triggers.each(blocks, base, |_, at| {
            self.trigger(bytes, at, protobuf, found)
        });
        nominated.base64.each(blocks, base, |near, at| {
            self.base64_run(bytes, near, at, found)
        });
        nominated.numbers.each(blocks, base, |near, at| {
            let start = at + 1 - self.run;
            if numbers::is_number(bytes, near, start, self.fewest) {
                found(start, Families::NUMBER);
            }
        });
        nominated.dashes.each(blocks, base, |_, at| {
            let start = at + 1 - DASHES;
            if secrets::begins_pem(bytes, start) {
                found(start, Families::TOKEN);
            }
        });
        nominated.ibans.each(blocks, base, |_, at| {
            let start = at - 3;
            if personal::iban_end(bytes, start).is_some() {
                found(start, Families::IBAN);
            }
        });
        nominated.words.each(blocks, base, |_, at| {
            let start = at + 1 - SHORTEST_WORD;
            if shapes::begins_address(bytes, start) {
                found(start, Families::SHAPE);
            }
        });
    }

    fn shapes(&self, bytes: &[u8], near: &Near<'_>, found: &mut impl FnMut(usize, Families)) {
        if self.needed.has(Families::ADDRESS) {
            shapes::addresses(bytes, near, found);
        }
        if self.needed.has(Families::MAC) {
            shapes::macs(bytes, near, found);
        }
        if self.needed.has(Families::SHAPE) {
            shapes::shapes(bytes, near, found);
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
