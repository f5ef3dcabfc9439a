//! What the classes of some blocks nominate: all of it is found before any is judged, as a processor foresees neither
//! where the next one is nor of which kind it is.

use super::runs::{Marks, Near, down, lowest, near, pair};
use super::{Families, Prefilter, each};
use crate::base64_text;
use crate::block::{Blocks, ROOM, TURN, Words, Work};

/// How many dashes a PEM block begins with.
pub(super) const DASHES: usize = 5;
/// The shortest Bitcoin address; an Ethereum address is longer.
pub(super) const SHORTEST_WORD: usize = 26;

/// The bits of one kind.
pub(super) struct Places {
    words: Words,
    /// The words that have any.
    set: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            words: [0; TURN],
            set: 0,
        }
    }
}

impl Places {
    /// The bits of the first `count` blocks are what `word` says, which is given the block's place among all.
    #[inline(always)]
    fn put(
        &mut self,
        count: usize,
        set_words: impl Fn(&Words) -> u64,
        word: impl Fn(usize) -> u64,
    ) {
        // In fours, as vectors have them: short texts are judged often.
        for i in 0..count.next_multiple_of(4).min(TURN) {
            self.words[i] = word(i + 1);
        }
        self.set = set_words(&self.words) & lowest(count);
    }

    /// Calls `f` with the block of each place, and the place's offset. `base`: where the turn's first block starts.
    #[inline(always)]
    pub(super) fn each<'b>(
        &self,
        blocks: &'b Blocks,
        base: usize,
        mut f: impl FnMut(&Near<'b>, usize),
    ) {
        each(self.set, |word| {
            let near = near(blocks, base, word);
            each(self.words[word], |i| f(&near, near.base + i));
        });
    }
}

/// The places of each kind. Runs and the like are known by their last byte that has to be there.
#[derive(Default)]
pub(super) struct Nominations {
    pub(super) triggers: Places,
    pub(super) base64: Places,
    pub(super) numbers: Places,
    pub(super) dashes: Places,
    pub(super) ibans: Places,
    pub(super) words: Places,
    marks: Marks,
    /// The last of the turn before.
    since: u64,
}

/// Finds what `blocks` nominate.
pub(super) struct Nominate<'a> {
    pub(super) prefilter: &'a Prefilter,
    pub(super) blocks: &'a Blocks,
    /// How many of them hold something, the first and the last not counted.
    pub(super) count: usize,
    pub(super) protobuf: bool,
    pub(super) into: &'a mut Nominations,
}

impl Work for Nominate<'_> {
    #[inline(always)]
    fn run(&mut self, set_words: impl Fn(&Words) -> u64) {
        let (of, m, into) = (self.prefilter, self.blocks, &mut *self.into);
        let (n, set_words) = (self.count.min(TURN), &set_words);
        if self.protobuf {
            into.triggers
                .put(n, set_words, |i| text_trigger(m, i) | number_trigger(m, i));
        } else {
            into.triggers.put(n, set_words, |i| text_trigger(m, i));
        }
        let mut since = [0; ROOM];
        since[0] = into.since;
        for (i, since) in (1..).zip(&mut since[1..=n]) {
            let marks = (m.digit[i] | m.upper[i]) & m.base64[i];
            *since = into.marks.since(m.base64[i], marks);
        }
        into.since = since[TURN];
        into.base64.put(n, set_words, |i| {
            let long = pair(&m.base64, i).run_of(base64_text::SHORTEST);
            long.and(pair(&since, i)).first()
        });
        if of.needed.has(Families::NUMBER) {
            let (third, fourth) = (of.run.min(8) - 4, of.run.max(8) - 8);
            into.numbers.put(n, set_words, |i| {
                let class = pair(&m.digit, i).or(pair(&m.separator, i));
                class.run_of(4).longer(third).longer(fourth).first()
            });
        }
        if of.private_keys {
            into.dashes.put(n, set_words, |i| {
                let dash = pair(&m.base64, i).and(pair(&m.separator, i));
                dash.run_of(DASHES).first()
            });
        }
        if of.needed.has(Families::IBAN) {
            into.ibans.put(n, set_words, |i| {
                let letters = pair(&m.letter, i).run_of(2).up(2);
                pair(&m.digit, i).run_of(2).and(letters).now
            });
        }
        if of.needed.has(Families::SHAPE) {
            into.words.put(n, set_words, |i| {
                let word = pair(&m.letter, i).or(pair(&m.digit, i));
                word.run_of(SHORTEST_WORD).first()
            });
        }
    }
}

/// Single bytes that something may stand around, as far as the byte behind them lets it.
#[inline(always)]
fn text_trigger(m: &Blocks, i: usize) -> u64 {
    // A URL's host may begin with any of these, and be empty.
    let host = |i| m.base64[i] | m.colon[i] | m.high[i];
    m.backslash[i]
        | m.sign[i] & down(host(i), host(i + 1), 1)
        | m.lead[i] & down(m.high[i], m.high[i + 1], 1)
}

/// The tags of an integer of three bytes or more, and of a double with the exponent of a long number.
#[inline(always)]
fn number_trigger(m: &Blocks, i: usize) -> u64 {
    let high = |n| down(m.high[i], m.high[i + 1], n);
    let exponent = |i| m.upper[i] | m.high[i];
    m.tag[i] & (high(1) & high(2) | down(exponent(i), exponent(i + 1), 8))
}
