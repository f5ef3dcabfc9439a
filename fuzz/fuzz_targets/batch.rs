//! Any bytes as a request of any signal: what `prost` takes means the same here, what it refuses is refused, and
//! nothing panics, hangs or outgrows its input. Run with debug assertions, which also check that every text of a batch
//! is UTF-8.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_batch::{Signal, oracle};

fuzz_target!(|input: &[u8]| {
    let Some((first, wire)) = input.split_first() else { return };
    oracle::agrees_with_prost(Signal::ALL[usize::from(*first) % Signal::ALL.len()], wire);
});
