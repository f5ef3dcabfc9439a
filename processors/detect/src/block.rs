//! Byte classes of 64 bytes at a time, one bit a byte. The only unsafe code of the crate: the call into the AVX2 version
//! after its presence was checked, and its loads. The table version is the definition; a test compares the two.
#![allow(unsafe_code)]

/// Bytes a block.
pub(crate) const BLOCK: usize = 64;

/// Bit `i` of each mask says whether byte `i` of the block has the class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    pub(crate) digit: u64,
    pub(crate) letter: u64,
    pub(crate) upper: u64,
    /// Space, `-`, `.`, `)`.
    pub(crate) separator: u64,
    /// `@ + % ! \ ~ | ^`, 0x18, and lead bytes of characters that may need folding.
    pub(crate) trigger: u64,
    /// Letters, digits, `+ / - _`.
    pub(crate) base64: u64,
    pub(crate) dot: u64,
    pub(crate) colon: u64,
}

const DIGIT: u8 = 1;
const LETTER: u8 = 2;
const UPPER: u8 = 4;
const SEPARATOR: u8 = 8;
const TRIGGER: u8 = 16;
const BASE64: u8 = 32;
const DOT: u8 = 64;
const COLON: u8 = 128;

const fn class(b: u8) -> u8 {
    let mut class = 0;
    if b.is_ascii_digit() {
        class |= DIGIT | BASE64;
    }
    if b.is_ascii_alphabetic() {
        class |= LETTER | BASE64;
    }
    if b.is_ascii_uppercase() {
        class |= UPPER;
    }
    if matches!(b, b' ' | b'-' | b'.' | b')') {
        class |= SEPARATOR;
    }
    if matches!(
        b,
        b'@' | b'+' | b'%' | b'!' | b'\\' | b'~' | b'|' | b'^' | 0x18
    ) || (b >= 0xc0 && matches!(b & 15, 0 | 1 | 2 | 3 | 9 | 11 | 15))
    {
        class |= TRIGGER;
    }
    if matches!(b, b'+' | b'/' | b'-' | b'_') {
        class |= BASE64;
    }
    match b {
        b'.' => class | DOT,
        b':' => class | COLON,
        _ => class,
    }
}

static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = class(b as u8);
        b += 1;
    }
    table
};

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
            let class = CLASS[*b as usize];
            let bit = |c: u8| u64::from(class & c != 0) << i;
            m.digit |= bit(DIGIT);
            m.letter |= bit(LETTER);
            m.upper |= bit(UPPER);
            m.separator |= bit(SEPARATOR);
            m.trigger |= bit(TRIGGER);
            m.base64 |= bit(BASE64);
            m.dot |= bit(DOT);
            m.colon |= bit(COLON);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use core::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8,
        _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setr_epi8,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
        _mm256_sub_epi8,
    };

    use super::{BLOCK, Masks};

    // Classes that are not ranges: a byte has bit k when its low nibble has it in LOW and its high nibble in HIGH.
    // 1: separators, 2: `!%+`, 4: `@`, 8: `\^|~`, 16: 0x18, 32: `+-/`, 64: `_`, 128: lead bytes.
    const LOW: [i8; 16] = [
        1 | 4 | -128,
        2 | -128,
        -128,
        -128,
        0,
        2,
        0,
        0,
        16,
        1 | -128,
        0,
        2 | 32 | -128,
        8,
        1 | 32,
        1 | 8,
        32 | 64 | -128,
    ];
    const HIGH: [i8; 16] = [
        0,
        16,
        1 | 2 | 32,
        0,
        4,
        8 | 64,
        0,
        8,
        0,
        0,
        0,
        0,
        -128,
        -128,
        -128,
        -128,
    ];

    #[target_feature(enable = "avx2")]
    fn table(t: [i8; 16]) -> __m256i {
        _mm256_setr_epi8(
            t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12], t[13],
            t[14], t[15], t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11],
            t[12], t[13], t[14], t[15],
        )
    }

    #[target_feature(enable = "avx2")]
    fn bits(v: __m256i) -> u64 {
        u64::from(_mm256_movemask_epi8(v) as u32)
    }

    /// Where `v` is at most `most` (unsigned).
    #[target_feature(enable = "avx2")]
    fn at_most(v: __m256i, most: i8) -> u64 {
        bits(_mm256_cmpeq_epi8(
            _mm256_min_epu8(v, _mm256_set1_epi8(most)),
            v,
        ))
    }

    /// Where `v` has any bit of `any`.
    #[target_feature(enable = "avx2")]
    fn has(v: __m256i, any: i8) -> u64 {
        let none = _mm256_cmpeq_epi8(
            _mm256_and_si256(v, _mm256_set1_epi8(any)),
            _mm256_setzero_si256(),
        );
        u64::from(!(_mm256_movemask_epi8(none) as u32))
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn blocks(blocks: &[[u8; BLOCK]], masks: &mut [Masks]) {
        let (low, high) = (table(LOW), table(HIGH));
        let nibble = _mm256_set1_epi8(15);
        for (block, m) in blocks.iter().zip(masks) {
            *m = Masks::default();
            for half in 0..2 {
                let shift = half * 32;
                // SAFETY: 32 bytes from 0 or 32 are inside the 64 of the block; the load needs no alignment.
                let v = unsafe { _mm256_loadu_si256(block.as_ptr().add(shift).cast()) };
                let class = _mm256_and_si256(
                    _mm256_shuffle_epi8(low, _mm256_and_si256(v, nibble)),
                    _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16::<4>(v), nibble)),
                );
                let digit = at_most(_mm256_sub_epi8(v, _mm256_set1_epi8(b'0' as i8)), 9);
                let letter = at_most(
                    _mm256_sub_epi8(
                        _mm256_or_si256(v, _mm256_set1_epi8(0x20)),
                        _mm256_set1_epi8(b'a' as i8),
                    ),
                    25,
                );
                m.digit |= digit << shift;
                m.letter |= letter << shift;
                m.upper |= (letter & !bits(_mm256_slli_epi16::<2>(v))) << shift;
                m.separator |= bits(_mm256_slli_epi16::<7>(class)) << shift;
                m.trigger |= has(class, 2 | 4 | 8 | 16 | -128) << shift;
                m.base64 |= (digit | letter | has(class, 32 | 64)) << shift;
                m.dot |= bits(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(b'.' as i8))) << shift;
                m.colon |= bits(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(b':' as i8))) << shift;
            }
        }
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
}
