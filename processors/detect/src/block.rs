//! Byte classes and first letters of literals, for 64 bytes at a time, one bit a byte. The only unsafe code of the crate:
//! the calls into the AVX2 versions after its presence was checked, and their loads. The versions without vectors are the
//! definition; tests compare the two.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;

/// Bytes a block.
pub(crate) const BLOCK: usize = 64;
/// Blocks that are judged together.
pub(crate) const TURN: usize = 64;
/// The same with the one before and the one behind.
pub(crate) const ROOM: usize = TURN + 2;
/// A word for each block of a turn.
pub(crate) type Words = [u64; TURN];

macro_rules! classes {
    ($($(#[$doc:meta])* $class:ident,)*) => {
        /// Bit `i` of each mask says whether byte `i` of the block has the class.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Masks {
            $($(#[$doc])* pub(crate) $class: u64,)*
        }

        /// The masks of some blocks that follow one another, class by class: what is done with one class is then the
        /// same for some words in a row.
        pub(crate) struct Blocks {
            $(pub(crate) $class: [u64; ROOM],)*
        }

        impl Default for Blocks {
            fn default() -> Self {
                Self { $($class: [0; ROOM],)* }
            }
        }

        impl Blocks {
            #[inline(always)]
            pub(crate) fn get(&self, block: usize) -> Masks {
                Masks { $($class: self.$class[block],)* }
            }

            #[inline(always)]
            fn set(&mut self, block: usize, masks: Masks) {
                $(self.$class[block] = masks.$class;)*
            }
        }
    };
}

classes! {
    digit,
    letter,
    upper,
    /// Space, `-`, `.`, `)`, a line's end.
    separator,
    backslash,
    /// `@ + %`.
    sign,
    /// Lead bytes of characters that may need folding.
    lead,
    /// 0x18 and 0x21, the tags of `AnyValue.int_value` and `AnyValue.double_value`.
    tag,
    /// Bytes outside ASCII.
    high,
    /// Letters, digits, `+ / - _`.
    base64,
    colon,
}

impl Masks {
    /// The definition of the classes.
    fn add(&mut self, i: usize, b: u8) {
        let mut set = |mask: fn(&mut Self) -> &mut u64, is: bool| *mask(self) |= u64::from(is) << i;
        let folds = b >= 0xc0 && matches!(b & 15, 0 | 1 | 2 | 3 | 9 | 11 | 15);
        set(|m| &mut m.digit, b.is_ascii_digit());
        set(|m| &mut m.letter, b.is_ascii_alphabetic());
        set(|m| &mut m.upper, b.is_ascii_uppercase());
        set(
            |m| &mut m.separator,
            matches!(b, b' ' | b'-' | b'.' | b')' | b'\n'),
        );
        set(|m| &mut m.backslash, b == b'\\');
        set(|m| &mut m.sign, matches!(b, b'@' | b'+' | b'%'));
        set(|m| &mut m.lead, folds);
        set(|m| &mut m.tag, matches!(b, 0x18 | 0x21));
        set(|m| &mut m.high, b >= 0x80);
        set(
            |m| &mut m.base64,
            b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'),
        );
        set(|m| &mut m.colon, b == b':');
    }
}

impl Blocks {
    /// Classifies `bytes` block by block from block `from` on, as far as there is room. The bytes that the last block lacks
    /// have no class, nor has the block behind it.
    pub(crate) fn classify(&mut self, bytes: &[u8], from: usize) {
        let (whole, rest) = bytes.as_chunks::<BLOCK>();
        let n = whole.len().min(ROOM - from);
        self.whole(&whole[..n], from);
        for (block, rest) in (from + n..ROOM).zip([rest, &[]]) {
            let mut last = [0; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            self.whole(&[last], block);
        }
    }

    /// Puts the last two blocks first.
    pub(crate) fn turn(&mut self) {
        self.set(0, self.get(ROOM - 2));
        self.set(1, self.get(ROOM - 1));
    }

    fn whole(&mut self, blocks: &[[u8; BLOCK]], from: usize) {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, the only requirement of the function.
            unsafe { avx2::classify(blocks, self, from) };
            return;
        }
        self.by_table(blocks, from);
    }

    fn by_table(&mut self, blocks: &[[u8; BLOCK]], from: usize) {
        for (i, block) in blocks.iter().enumerate() {
            let mut masks = Masks::default();
            for (i, b) in block.iter().enumerate() {
                masks.add(i, *b);
            }
            self.set(from + i, masks);
        }
    }
}

/// Something that is done with words in a row, and gains from being compiled for the vectors that the processor has.
/// `run` is to be inlined always, or it will not be.
pub(crate) trait Work {
    /// `set_words` does as [`set_words`].
    fn run(&mut self, set_words: impl Fn(&Words) -> u64);
}

pub(crate) fn run(work: &mut impl Work) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only requirement of the function.
        unsafe { avx2::run(work) };
        return;
    }
    work.run(set_words);
}

/// Bit `i` says whether word `i` has any bit.
fn set_words(words: &Words) -> u64 {
    (0..TURN).fold(0, |set, i| set | u64::from(words[i] != 0) << i)
}

/// Knows the first three bytes of up to some dozens of texts, and of a little more, in eight groups.
pub(crate) struct Fingerprints {
    /// Per byte of the three: the groups that have its low half, and its high half.
    low: [[u8; 16]; 3],
    high: [[u8; 16]; 3],
}

impl Fingerprints {
    /// For `texts` of at least three bytes. Those that begin alike, whatever their case, share a group.
    pub(crate) fn new(texts: &[&[u8]]) -> Self {
        let first = |text: &[u8]| [text[0].to_ascii_lowercase(), text[1].to_ascii_lowercase()];
        let mut firsts: Vec<[u8; 2]> = texts.iter().map(|t| first(t)).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let mut new = Self {
            low: [[0; 16]; 3],
            high: [[0; 16]; 3],
        };
        for text in texts {
            let group = firsts.partition_point(|f| *f < first(text)) * 8 / firsts.len();
            for (i, b) in text[..3].iter().enumerate() {
                new.low[i][usize::from(b & 15)] |= 1 << group;
                new.high[i][usize::from(b >> 4)] |= 1 << group;
            }
        }
        new
    }

    /// For every block of `bytes` that `marks` has room for: at which of its bytes one of the texts may begin.
    pub(crate) fn mark(&self, bytes: &[u8], marks: &mut [u64]) {
        marks.fill(0);
        // Whole blocks with the two bytes behind them, then the rest with zeros behind it.
        let whole = marks.len().min(bytes.len().saturating_sub(2) / BLOCK);
        let (marks, last) = marks.split_at_mut(whole);
        self.mark_whole(bytes, marks);
        if !last.is_empty() {
            let rest = &bytes[whole * BLOCK..];
            let n = last.len().min(rest.len().div_ceil(BLOCK)).min(2);
            let mut padded = [0; 2 * BLOCK + 2];
            let length = rest.len().min(padded.len());
            padded[..length].copy_from_slice(&rest[..length]);
            self.mark_whole(&padded, &mut last[..n]);
        }
    }

    /// `bytes` reach two bytes behind the blocks, unless there is none.
    fn mark_whole(&self, bytes: &[u8], marks: &mut [u64]) {
        if marks.is_empty() {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, the only requirement of the function.
            unsafe { avx2::mark(&self.low, &self.high, bytes, marks) };
            return;
        }
        self.mark_by_table(bytes, marks);
    }

    fn mark_by_table(&self, bytes: &[u8], marks: &mut [u64]) {
        for (block, mark) in marks.iter_mut().enumerate() {
            *mark = (0..BLOCK).fold(0, |mark, i| {
                let at = block * BLOCK + i;
                let three = [bytes[at], bytes[at + 1], bytes[at + 2]];
                mark | u64::from(self.may_begin(&three)) << i
            });
        }
    }

    /// Whether one of the texts may begin with `three`.
    pub(crate) fn may_begin(&self, three: &[u8; 3]) -> bool {
        let groups = (0..3).fold(0xff, |groups, i| {
            let b = usize::from(three[i]);
            groups & self.low[i][b & 15] & self.high[i][b >> 4]
        });
        groups != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_classify_every_byte_alike() {
        let all: Vec<u8> = (0..=255).collect();
        let (mut expected, mut got) = (Blocks::default(), Blocks::default());
        expected.by_table(all.as_chunks().0, 1);
        got.classify(&all, 1);
        for block in 0..ROOM {
            assert_eq!(got.get(block), expected.get(block));
        }
    }

    #[test]
    fn a_short_last_block_has_no_class_behind_its_end() {
        let mut blocks = Blocks::default();
        blocks.digit[1] = 1;
        blocks.classify(b"12a", 0);
        assert_eq!((blocks.digit[0], blocks.letter[0]), (0b11, 0b100));
        assert_eq!(blocks.get(1), Masks::default());
    }

    #[test]
    fn both_versions_know_the_words_that_have_any_bit() {
        struct Both(Words);
        impl Work for Both {
            fn run(&mut self, vectors: impl Fn(&Words) -> u64) {
                assert_eq!(vectors(&self.0), set_words(&self.0));
            }
        }
        for i in 0..TURN {
            let mut words = [0; TURN];
            words[i] = 1 << i;
            words[TURN / 2] = 1 << 63;
            assert_eq!(set_words(&words), 1 << i | 1 << (TURN / 2));
            run(&mut Both(words));
        }
    }

    #[test]
    fn both_versions_mark_alike_and_miss_no_text() {
        let fingerprints = Fingerprints::new(&[b"sk-", b"eyJhb", b"Q~.", b"pwd"]);
        for length in [0, 1, 2, 3, 63, 64, 65, 66, 67, 128, 129, 130, 200] {
            let bytes: Vec<u8> = b"x sk-eyJ Q~. PWD pwd\xff\x00_"
                .iter()
                .copied()
                .cycle()
                .take(length)
                .collect();
            let mut marks = [0; 4];
            fingerprints.mark(&bytes, &mut marks);
            let mut padded = bytes.clone();
            padded.resize(4 * BLOCK + 2, 0);
            let mut expected = [0; 4];
            fingerprints.mark_by_table(&padded, &mut expected);
            assert_eq!(marks, expected, "{length}");
            for at in 0..length {
                let starts = [&b"sk-"[..], b"eyJ", b"Q~.", b"pwd"];
                if starts.iter().any(|s| bytes[at..].starts_with(s)) {
                    assert_ne!(marks[at / BLOCK] >> (at % BLOCK) & 1, 0, "{length} {at}");
                }
            }
        }
    }
}
