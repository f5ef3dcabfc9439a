//! Payloads with a few bytes wrong, reproducibly.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// `count` variants of `payload`, each with one to four random faults: a flipped bit, a byte replaced, a stretch cut
/// out, doubled or zeroed, an end cut off.
#[must_use]
pub fn mutants(payload: &[u8], count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let mut mutant = payload.to_vec();
            for _ in 0..random.random_range(1..=4) {
                mutate(&mut mutant, &mut random);
            }
            mutant
        })
        .collect()
}

fn mutate(bytes: &mut Vec<u8>, random: &mut StdRng) {
    if bytes.is_empty() {
        return bytes.push(random.random());
    }
    let at = random.random_range(0..bytes.len());
    let stretch = at..(at + random.random_range(1..64)).min(bytes.len());
    match random.random_range(0..6) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 => drop(bytes.drain(stretch)),
        3 => {
            let copy = bytes[stretch].to_vec();
            drop(bytes.splice(at..at, copy));
        }
        4 => bytes[stretch].fill(0),
        _ => bytes.truncate(at),
    }
}
