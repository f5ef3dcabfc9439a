//! The rounds (FIPS 180-4, section 6.2.2) by the instructions for them.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_loadu_si128, _mm_set_epi32,
    _mm_set_epi64x, _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32,
    _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::blocks::{BLOCK, Blocks};
use crate::Hash;

/// Section 4.2.2, four words a turn.
const K: [[u32; 4]; 16] = [
    [0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5],
    [0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5],
    [0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3],
    [0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174],
    [0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc],
    [0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da],
    [0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7],
    [0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967],
    [0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13],
    [0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85],
    [0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3],
    [0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070],
    [0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5],
    [0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3],
    [0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208],
    [0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2],
];

/// Section 5.3.3.
const START: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The words a to h, in the order of the instructions.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

// AVX for its three-operand instructions: without them a third of the time goes to copies of registers.
pub(super) fn is_there() -> bool {
    is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("avx")
}

/// The hashes of two messages.
#[target_feature(enable = "sha,sse4.1,avx")]
pub(super) fn sha256(left: &Blocks<'_>, right: &Blocks<'_>) -> [Hash; 2] {
    let [a, b, c, d, e, f, g, h] = START;
    let start = State {
        abef: words([f, e, b, a]),
        cdgh: words([h, g, d, c]),
    };
    let mut states = [start; 2];
    let both = left.len().min(right.len());
    for i in 0..both {
        states = compress(states, [left.get(i), right.get(i)]);
    }
    for (state, message) in states.iter_mut().zip([left, right]) {
        for i in both..message.len() {
            [*state] = compress([*state], [message.get(i)]);
        }
    }
    states.map(|state| hash(state))
}

/// Takes a block into each state.
#[inline]
#[target_feature(enable = "sha,sse4.1,avx")]
fn compress<const N: usize>(before: [State; N], blocks: [&[u8; BLOCK]; N]) -> [State; N] {
    let mut states = before;
    let mut w = [[_mm_setzero_si128(); 4]; N];
    for lane in 0..N {
        w[lane] = load(blocks[lane]);
    }
    // In a loop, the words would go through memory: which turn it is must be known when this is compiled.
    macro_rules! turns {
        ($($turn:literal)*) => {$(
            let k = words(K[$turn]);
            for lane in 0..N {
                states[lane] = turn::<$turn>(states[lane], &mut w[lane], k);
            }
        )*};
    }
    turns!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    for lane in 0..N {
        states[lane].abef = _mm_add_epi32(states[lane].abef, before[lane].abef);
        states[lane].cdgh = _mm_add_epi32(states[lane].cdgh, before[lane].cdgh);
    }
    states
}

/// Four rounds. `w` holds the last 16 words of the schedule, and first gets the next four.
#[inline]
#[target_feature(enable = "sha,sse4.1,avx")]
fn turn<const TURN: usize>(state: State, w: &mut [__m128i; 4], k: __m128i) -> State {
    if TURN >= 4 {
        // w[t] = s1(w[t-2]) + w[t-7] + s0(w[t-15]) + w[t-16].
        let (oldest, next) = (w[TURN % 4], w[(TURN + 1) % 4]);
        let (before, last) = (w[(TURN + 2) % 4], w[(TURN + 3) % 4]);
        let sum = _mm_add_epi32(
            _mm_sha256msg1_epu32(oldest, next),
            _mm_alignr_epi8(last, before, 4),
        );
        w[TURN % 4] = _mm_sha256msg2_epu32(sum, last);
    }
    let sum = _mm_add_epi32(w[TURN % 4], k);
    let cdgh = _mm_sha256rnds2_epu32(state.cdgh, state.abef, sum);
    let abef = _mm_sha256rnds2_epu32(state.abef, cdgh, _mm_shuffle_epi32(sum, 0b1110));
    State { abef, cdgh }
}

/// Four words, the first one lowest.
#[inline]
#[target_feature(enable = "sse4.1,avx")]
fn words([a, b, c, d]: [u32; 4]) -> __m128i {
    _mm_set_epi32(d as i32, c as i32, b as i32, a as i32)
}

/// A block's words, which are big-endian.
#[inline]
#[target_feature(enable = "sse4.1,avx")]
fn load(block: &[u8; BLOCK]) -> [__m128i; 4] {
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let mut words = [_mm_setzero_si128(); 4];
    for (words, bytes) in words.iter_mut().zip(block.as_chunks::<16>().0) {
        // SAFETY: 16 bytes are read of 16.
        *words = _mm_shuffle_epi8(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }, order);
    }
    words
}

#[target_feature(enable = "sse4.1,avx")]
fn hash(State { abef, cdgh }: State) -> Hash {
    let words = [
        _mm_extract_epi32(abef, 3),
        _mm_extract_epi32(abef, 2),
        _mm_extract_epi32(cdgh, 3),
        _mm_extract_epi32(cdgh, 2),
        _mm_extract_epi32(abef, 1),
        _mm_extract_epi32(abef, 0),
        _mm_extract_epi32(cdgh, 1),
        _mm_extract_epi32(cdgh, 0),
    ];
    let mut bytes = [0; Hash::LEN];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    Hash::new(bytes)
}
