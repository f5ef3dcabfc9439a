//! Compression, and the buffers that a thread keeps for what it makes of one batch after another: a megabyte that was
//! used just now is in the processor's cache, a new one is not.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, compress_bound};

/// Level 1: about as quick as a memory copy is slow, at an eighth of the bytes.
const LEVEL: i32 = 1;
/// How far back a repetition may stand, as a power of two: in half of what the level takes a request of a megabyte
/// compresses 6 percent faster and to the same size, for it stays in the processor's second cache.
const WINDOW: u32 = 18;
/// What is smaller than this is compressed without a code of its own for literals: building one takes most of the time
/// then (11 us of a record of 1250 bytes, against 5 us) and saves less than a fifth.
const SMALL: usize = 4 << 10;
/// The mildest level without such a code.
const LEVEL_SMALL: i32 = -1;

/// The largest buffer that a thread keeps.
const MAX_KEPT: usize = 4 << 20;

thread_local! {
    static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static PACKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    // Making a context costs more than compressing a small request with it.
    static COMPRESSOR: RefCell<Compressor<'static>> = RefCell::new(compressor());
    static COMPRESSOR_SMALL: RefCell<Compressor<'static>> = RefCell::new(
        Compressor::new(LEVEL_SMALL).unwrap_or_default());
    static DECOMPRESSOR: RefCell<Decompressor<'static>> = RefCell::new(
        Decompressor::new().unwrap_or_default());
}

fn compressor() -> Compressor<'static> {
    let mut compressor = Compressor::new(LEVEL).unwrap_or_default();
    // Were it refused, the level's own would do.
    let _ = compressor.set_parameter(CParameter::WindowLog(WINDOW));
    compressor
}

/// Lends an empty buffer. One at a time on a thread.
pub(crate) fn with_buffer<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    PLAIN.with_borrow_mut(|buffer| {
        let done = work(buffer);
        give_back(buffer);
        done
    })
}

fn give_back(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(MAX_KEPT);
}

/// The bytes compressed, and true; or as they are when that makes them no smaller.
pub(crate) fn compress(plain: &[u8]) -> (Vec<u8>, bool) {
    let compressor = if plain.len() < SMALL {
        &COMPRESSOR_SMALL
    } else {
        &COMPRESSOR
    };
    PACKED.with_borrow_mut(|packed| {
        packed.reserve(compress_bound(plain.len()));
        let is_smaller = compressor
            .with_borrow_mut(|zstd| zstd.compress_to_buffer(plain, packed))
            .is_ok_and(|len| len < plain.len());
        let kept = if is_smaller { packed.as_slice() } else { plain };
        let kept = kept.to_vec();
        give_back(packed);
        (kept, is_smaller)
    })
}

/// What [`compress`] made smaller, if that were `len` bytes.
pub(crate) fn decompress(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let plain = DECOMPRESSOR.with_borrow_mut(|zstd| zstd.decompress(packed, len));
    plain.ok().filter(|plain| plain.len() == len)
}
