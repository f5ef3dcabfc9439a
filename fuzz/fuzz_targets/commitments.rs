//! Any payloads, hashed two at a time and each alone: the same commitments.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_evidence::{Commitments, commitment, salt};

fuzz_target!(|input: &[u8]| {
    let Some((seed, mut rest)) = input.split_first_chunk::<32>() else { return };
    let mut together = Commitments::with_capacity(seed, 0);
    let mut alone = Vec::new();
    // Each payload says how long it is, in two bytes.
    while let Some((len, bytes)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_le_bytes(*len)).min(bytes.len());
        let (payload, behind) = bytes.split_at(len);
        together.push(payload);
        alone.push(commitment(&salt(seed, alone.len() as u32), payload));
        rest = behind;
    }
    assert_eq!(together.finish(), alone);
});
