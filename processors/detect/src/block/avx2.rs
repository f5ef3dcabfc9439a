//! The vector versions. Each load stands behind a check of the length.

use core::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8,
    _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setr_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
    _mm256_sub_epi8,
};

use super::{BLOCK, Masks};

// Classes that are not ranges: a byte has bit k when its low nibble has it in LOW and its high nibble in HIGH.
// 1: separators but for a line's end, 2: `%+`, 4: `@`, 8: `\^|~`, 16: 0x18, 32: `+-/`, 64: `_`, 128: lead bytes.
const LOW: [i8; 16] = [
    1 | 4 | -128,
    -128,
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

/// The classes of 32 bytes, in the lower halves of the masks.
#[inline]
#[target_feature(enable = "avx2")]
fn half(v: __m256i, low: __m256i, high: __m256i) -> Masks {
    let nibble = _mm256_set1_epi8(15);
    let class = _mm256_and_si256(
        _mm256_shuffle_epi8(low, _mm256_and_si256(v, nibble)),
        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16::<4>(v), nibble)),
    );
    let is = |b: u8| bits(_mm256_cmpeq_epi8(v, _mm256_set1_epi8(b as i8)));
    let digit = at_most(_mm256_sub_epi8(v, _mm256_set1_epi8(b'0' as i8)), 9);
    let letter = at_most(
        _mm256_sub_epi8(
            _mm256_or_si256(v, _mm256_set1_epi8(0x20)),
            _mm256_set1_epi8(b'a' as i8),
        ),
        25,
    );
    Masks {
        digit,
        letter,
        upper: letter & !bits(_mm256_slli_epi16::<2>(v)),
        separator: bits(_mm256_slli_epi16::<7>(class)) | is(b'\n'),
        trigger: has(class, 8) | is(b'!'),
        soft_trigger: has(class, 2 | 4 | 16 | -128),
        high: bits(v),
        base64: digit | letter | has(class, 32 | 64),
        dot: is(b'.'),
        colon: is(b':'),
    }
}

#[target_feature(enable = "avx2")]
pub(super) fn blocks(blocks: &[[u8; BLOCK]], masks: &mut [Masks]) {
    let (low, high) = (table(LOW), table(HIGH));
    for (block, m) in blocks.iter().zip(masks) {
        // SAFETY: 32 bytes from 0 and from 32 are inside the 64 of the block; the loads need no alignment.
        let (a, b) = unsafe {
            let start = block.as_ptr();
            (
                _mm256_loadu_si256(start.cast()),
                _mm256_loadu_si256(start.add(32).cast()),
            )
        };
        let (a, b) = (half(a, low, high), half(b, low, high));
        *m = Masks {
            digit: a.digit | b.digit << 32,
            letter: a.letter | b.letter << 32,
            upper: a.upper | b.upper << 32,
            separator: a.separator | b.separator << 32,
            trigger: a.trigger | b.trigger << 32,
            soft_trigger: a.soft_trigger | b.soft_trigger << 32,
            high: a.high | b.high << 32,
            base64: a.base64 | b.base64 << 32,
            dot: a.dot | b.dot << 32,
            colon: a.colon | b.colon << 32,
        };
    }
}

/// See [`super::Fingerprints::mark`]: `marks.len()` blocks of `bytes`, which must reach two bytes further.
#[target_feature(enable = "avx2")]
pub(super) fn mark(low: &[[u8; 16]; 3], high: &[[u8; 16]; 3], bytes: &[u8], marks: &mut [u64]) {
    assert!(bytes.len() >= marks.len() * BLOCK + 2, "two bytes further");
    let table = |t: &[u8; 16]| table(t.map(|b| b as i8));
    let (low, high) = (low.each_ref().map(table), high.each_ref().map(table));
    let nibble = _mm256_set1_epi8(15);
    for (block, mark) in marks.iter_mut().enumerate() {
        let mut halves = [0; 2];
        for (half, bits_of_half) in halves.iter_mut().enumerate() {
            let mut class = _mm256_set1_epi8(-1);
            for (next, (low, high)) in low.iter().zip(&high).enumerate() {
                let at = block * BLOCK + half * 32 + next;
                // SAFETY: `at + 32` is at most `marks.len() * BLOCK + 2`; the load needs no alignment.
                let v = unsafe { _mm256_loadu_si256(bytes.as_ptr().add(at).cast()) };
                let one = _mm256_and_si256(
                    _mm256_shuffle_epi8(*low, _mm256_and_si256(v, nibble)),
                    _mm256_shuffle_epi8(*high, _mm256_and_si256(_mm256_srli_epi16::<4>(v), nibble)),
                );
                class = _mm256_and_si256(class, one);
            }
            *bits_of_half = has(class, -1);
        }
        *mark = halves[0] | halves[1] << 32;
    }
}
