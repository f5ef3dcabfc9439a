//! Byte classes and first letters of literals, for 64 bytes at a time, one bit a byte. The only unsafe code of the crate:
//! the calls into the AVX2 versions after its presence was checked, and their loads. The versions without vectors are the
//! definition; tests compare the two.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;

/// Bytes a block.
pub(crate) const BLOCK: usize = 64;

/// Bit `i` of each mask says whether byte `i` of the block has the class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    pub(crate) digit: u64,
    pub(crate) letter: u64,
    pub(crate) upper: u64,
    /// Space, `-`, `.`, `)`, a line's end.
    pub(crate) separator: u64,
    /// `! \ ~ | ^`.
    pub(crate) trigger: u64,
    /// `@ + %`, 0x18, and lead bytes of characters that may need folding: all need a letter, a digit, one of
    /// `+ / - _ :` or a byte outside ASCII behind them.
    pub(crate) soft_trigger: u64,
    /// Bytes outside ASCII.
    pub(crate) high: u64,
    /// Letters, digits, `+ / - _`.
    pub(crate) base64: u64,
    pub(crate) dot: u64,
    pub(crate) colon: u64,
}

impl Masks {
    /// The definition of the classes.
    fn set(&mut self, i: usize, b: u8) {
        let mut set = |mask: fn(&mut Self) -> &mut u64, is: bool| *mask(self) |= u64::from(is) << i;
        let folds = b >= 0xc0 && matches!(b & 15, 0 | 1 | 2 | 3 | 9 | 11 | 15);
        set(|m| &mut m.digit, b.is_ascii_digit());
        set(|m| &mut m.letter, b.is_ascii_alphabetic());
        set(|m| &mut m.upper, b.is_ascii_uppercase());
        set(
            |m| &mut m.separator,
            matches!(b, b' ' | b'-' | b'.' | b')' | b'\n'),
        );
        set(
            |m| &mut m.trigger,
            matches!(b, b'!' | b'\\' | b'~' | b'|' | b'^'),
        );
        set(
            |m| &mut m.soft_trigger,
            folds || matches!(b, b'@' | b'+' | b'%' | 0x18),
        );
        set(|m| &mut m.high, b >= 0x80);
        set(
            |m| &mut m.base64,
            b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'),
        );
        set(|m| &mut m.dot, b == b'.');
        set(|m| &mut m.colon, b == b':');
    }
}

/// Classifies `bytes` block by block into `masks`; the bytes that the last block lacks have no class. Returns the number
/// of blocks, at most `masks.len()`.
pub(crate) fn classify(bytes: &[u8], masks: &mut [Masks]) -> usize {
    let (whole, rest) = bytes.as_chunks::<BLOCK>();
    let n = whole.len().min(masks.len());
    blocks(&whole[..n], &mut masks[..n]);
    if n == masks.len() || rest.is_empty() {
        return n;
    }
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    blocks(&[last], &mut masks[n..=n]);
    n + 1
}

fn blocks(blocks: &[[u8; BLOCK]], masks: &mut [Masks]) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only requirement of the function.
        unsafe { avx2::blocks(blocks, masks) };
        return;
    }
    by_table(blocks, masks);
}

fn by_table(blocks: &[[u8; BLOCK]], masks: &mut [Masks]) {
    for (block, m) in blocks.iter().zip(masks) {
        *m = Masks::default();
        for (i, b) in block.iter().enumerate() {
            m.set(i, *b);
        }
    }
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
        let rest = &bytes[whole * BLOCK..];
        let n = last.len().min(rest.len().div_ceil(BLOCK)).min(2);
        let mut padded = [0; 2 * BLOCK + 2];
        let length = rest.len().min(padded.len());
        padded[..length].copy_from_slice(&rest[..length]);
        self.mark_whole(&padded, &mut last[..n]);
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
        let mut expected = [Masks::default(); 4];
        by_table(all.as_chunks().0, &mut expected);
        let mut got = [Masks::default(); 4];
        assert_eq!(classify(&all, &mut got), 4);
        assert_eq!(got, expected);
    }

    #[test]
    fn a_short_last_block_has_no_class_behind_its_end() {
        let mut masks = [Masks::default(); 2];
        assert_eq!(classify(b"12a", &mut masks), 1);
        assert_eq!((masks[0].digit, masks[0].letter), (0b11, 0b100));
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
