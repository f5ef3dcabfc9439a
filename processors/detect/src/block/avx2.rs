//! The vector versions. Each load stands behind a check of the length.

use core::arch::x86_64::{
    __m256i, _mm256_add_epi8, _mm256_and_si256, _mm256_castsi256_pd, _mm256_cmpeq_epi8,
    _mm256_cmpeq_epi64, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
    _mm256_movemask_pd, _mm256_or_si256, _mm256_set1_epi8, _mm256_setr_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
};

use super::{BLOCK, Blocks, Masks, Words, Work};

// Classes that are not ranges: a byte has bit k when its low nibble has it in LOW and its high nibble in HIGH.
// 1: separators but for a line's end, 2: `%+`, 4: `@`, 8: 0x18, 16: 0x21, 32: `+-/`, 64: `_`, 128: lead bytes.
const LOW: [i8; 16] = [
    1 | 4 | -128,
    16 | -128,
    -128,
    -128,
    0,
    2,
    0,
    0,
    8,
    1 | -128,
    0,
    2 | 32 | -128,
    0,
    1 | 32,
    1,
    32 | 64 | -128,
];
const HIGH: [i8; 16] = [
    0,
    8,
    1 | 2 | 16 | 32,
    0,
    4,
    64,
    0,
    0,
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

/// Both halves of a block.
type Block = [__m256i; 2];

/// The highest bits of the bytes.
#[target_feature(enable = "avx2")]
fn bits(v: Block) -> u64 {
    let [a, b] = v.map(|v| u64::from(_mm256_movemask_epi8(v) as u32));
    a | b << 32
}

/// Where `v` is `b`.
#[target_feature(enable = "avx2")]
fn is(v: Block, b: u8) -> u64 {
    bits(v.map(|v| _mm256_cmpeq_epi8(v, _mm256_set1_epi8(b as i8))))
}

/// Where `v` is one of the `n` bytes up to `last`.
#[target_feature(enable = "avx2")]
fn among(v: Block, n: i8, last: u8) -> u64 {
    // Moved so that these are the greatest signed bytes.
    let up = _mm256_set1_epi8(i8::MAX.wrapping_sub(last as i8));
    let below = _mm256_set1_epi8(i8::MAX - n);
    bits(v.map(|v| _mm256_cmpgt_epi8(_mm256_add_epi8(v, up), below)))
}

/// Where `v` has any bit of `any`.
#[target_feature(enable = "avx2")]
fn has(v: Block, any: i8) -> u64 {
    let (any, zero) = (_mm256_set1_epi8(any), _mm256_setzero_si256());
    !bits(v.map(|v| _mm256_cmpeq_epi8(_mm256_and_si256(v, any), zero)))
}

/// The bits that both tables have for the halves of each byte.
#[target_feature(enable = "avx2")]
fn look_up(v: __m256i, low: __m256i, high: __m256i) -> __m256i {
    let half = _mm256_set1_epi8(15);
    _mm256_and_si256(
        _mm256_shuffle_epi8(low, _mm256_and_si256(v, half)),
        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16::<4>(v), half)),
    )
}

/// See [`Blocks::classify`].
#[target_feature(enable = "avx2")]
pub(super) fn classify(blocks: &[[u8; BLOCK]], into: &mut Blocks, from: usize) {
    let (low, high) = (table(LOW), table(HIGH));
    for (i, block) in blocks.iter().enumerate() {
        // SAFETY: 32 bytes from 0 and from 32 are inside the 64 of the block; the loads need no alignment.
        let v = unsafe {
            let start = block.as_ptr();
            [
                _mm256_loadu_si256(start.cast()),
                _mm256_loadu_si256(start.add(32).cast()),
            ]
        };
        let class = v.map(|v| look_up(v, low, high));
        let digit = among(v, 10, b'9');
        let lower = v.map(|v| _mm256_or_si256(v, _mm256_set1_epi8(0x20)));
        let letter = among(lower, 26, b'z');
        into.set(
            from + i,
            Masks {
                digit,
                letter,
                upper: letter & !bits(v.map(|v| _mm256_slli_epi16::<2>(v))),
                separator: bits(class.map(|v| _mm256_slli_epi16::<7>(v))) | is(v, b'\n'),
                backslash: is(v, b'\\'),
                sign: has(class, 2 | 4),
                lead: bits(class),
                tag: has(class, 8 | 16),
                high: bits(v),
                base64: digit | letter | has(class, 32 | 64),
                colon: is(v, b':'),
            },
        );
    }
}

/// See [`super::run`].
#[target_feature(enable = "avx2")]
pub(super) fn run(work: &mut impl Work) {
    work.run(|words| set_words(words));
}

/// See [`super::set_words`].
#[target_feature(enable = "avx2")]
fn set_words(words: &Words) -> u64 {
    words
        .as_chunks()
        .0
        .iter()
        .rev()
        .fold(0, |set, four: &[u64; 4]| {
            // SAFETY: a load of 32 bytes from an array of 32; it needs no alignment.
            let four = unsafe { _mm256_loadu_si256(four.as_ptr().cast()) };
            let none = _mm256_cmpeq_epi64(four, _mm256_setzero_si256());
            set << 4 | !_mm256_movemask_pd(_mm256_castsi256_pd(none)) as u64 & 15
        })
}

/// See [`super::Fingerprints::mark`]: `marks.len()` blocks of `bytes`, which must reach two bytes further.
#[target_feature(enable = "avx2")]
pub(super) fn mark(low: &[[u8; 16]; 3], high: &[[u8; 16]; 3], bytes: &[u8], marks: &mut [u64]) {
    assert!(bytes.len() >= marks.len() * BLOCK + 2, "two bytes further");
    let table = |t: &[u8; 16]| table(t.map(|b| b as i8));
    let (low, high) = (low.each_ref().map(table), high.each_ref().map(table));
    for (block, mark) in marks.iter_mut().enumerate() {
        let halves = [0, 32].map(|half| {
            let mut class = _mm256_set1_epi8(-1);
            for (next, (low, high)) in low.iter().zip(&high).enumerate() {
                let at = block * BLOCK + half + next;
                // SAFETY: `at + 32` is at most `marks.len() * BLOCK + 2`; the load needs no alignment.
                let v = unsafe { _mm256_loadu_si256(bytes.as_ptr().add(at).cast()) };
                class = _mm256_and_si256(class, look_up(v, *low, *high));
            }
            class
        });
        *mark = has(halves, -1);
    }
}
