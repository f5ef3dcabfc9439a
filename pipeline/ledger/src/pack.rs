//! Compression, and the buffers that a thread keeps for what it makes of one batch after another: a megabyte that was
//! used just now is in the processor's cache, a new one is not.

use std::cell::RefCell;
use std::thread::LocalKey;

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

/// A thread keeps two buffers of at most this many bytes between batches.
const MAX_KEPT: usize = 2 << 20;

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
    lend(&PLAIN, work)
}

fn lend<T>(kept: &'static LocalKey<RefCell<Vec<u8>>>, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    kept.with_borrow_mut(|buffer| {
        // Work that panicked has left something in it, which must not stand in front of what comes now.
        buffer.clear();
        let done = work(buffer);
        buffer.clear();
        buffer.shrink_to(MAX_KEPT);
        done
    })
}

/// The bytes compressed, and true; or as they are when that makes them no smaller.
pub(crate) fn compress(plain: &[u8]) -> (Vec<u8>, bool) {
    let compressor = if plain.len() < SMALL {
        &COMPRESSOR_SMALL
    } else {
        &COMPRESSOR
    };
    lend(&PACKED, |packed| {
        packed.reserve(compress_bound(plain.len()));
        let is_smaller = compressor
            .with_borrow_mut(|zstd| zstd.compress_to_buffer(plain, packed))
            .is_ok_and(|len| len < plain.len());
        let kept = if is_smaller { packed.as_slice() } else { plain };
        (kept.to_vec(), is_smaller)
    })
}

/// What [`compress`] made smaller, if that were `len` bytes.
pub(crate) fn decompress(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let plain = DECOMPRESSOR.with_borrow_mut(|zstd| zstd.decompress(packed, len));
    plain.ok().filter(|plain| plain.len() == len)
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn what_work_that_panicked_left_in_a_buffer_is_not_in_front_of_the_next_batch() {
        let panicked = catch_unwind(|| {
            with_buffer(|buffer| {
                buffer.extend(b"half a batch");
                panic!("in the middle");
            })
        });
        assert!(panicked.is_err());
        assert!(with_buffer(|buffer| buffer.is_empty()));
    }

    #[test]
    fn a_large_batch_leaves_a_small_buffer_and_small_ones_come_back_whole_after_it() {
        let large = vec![7; 3 * MAX_KEPT];
        with_buffer(|buffer| buffer.extend(&large));
        assert!(with_buffer(|buffer| buffer.capacity()) <= MAX_KEPT);
        for plain in [
            &large[..],
            b"",
            b"short",
            &large[..SMALL],
            &large[..SMALL - 1],
        ] {
            let (packed, is_smaller) = compress(plain);
            if is_smaller {
                assert_eq!(decompress(&packed, plain.len()).as_deref(), Some(plain));
                assert_eq!(decompress(&packed, plain.len() + 1), None);
            } else {
                assert_eq!(packed, plain);
            }
        }
        assert!(PACKED.with_borrow(Vec::capacity) <= MAX_KEPT);
    }
}
