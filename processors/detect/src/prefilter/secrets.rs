//! Runs of base64 characters: prefixed tokens, keys without a prefix, and text in base64.

use super::runs::{Near, has_run, lowest};
use super::{Families, Prefilter};
use crate::base64_text;

/// The shortest keys without a prefix: letters and digits, and base64.
const SHORTEST_KEY: usize = 32;
const SHORTEST_BASE64_KEY: usize = 40;

impl Prefilter {
    /// The run of base64 characters around `at`, [`base64_text::SHORTEST`] or more of them and with a digit or a capital.
    /// A prefixed token is, from somewhere in or behind its prefix, such a run: prefixes are looked for only around those.
    pub(super) fn base64_run(
        &self,
        bytes: &[u8],
        near: &Near<'_>,
        at: usize,
        found: &mut impl FnMut(usize, Families),
    ) {
        let count = |b: &mut dyn Iterator<Item = &u8>| {
            b.take_while(|b| base64_text::is_base64(**b)).count()
        };
        // The run is seldom longer than what the masks around it show.
        let before = near.up_to(at, |m| m.base64).leading_ones() as usize;
        let (start, length) = if before < 64 {
            let start = at + 1 - before;
            (
                start,
                near.from(start, |m| m.base64).trailing_ones() as usize,
            )
        } else {
            (at - count(&mut bytes[..at].iter().rev()), 64)
        };
        let is_long = length >= 64;
        let end = if is_long {
            start + count(&mut bytes[start..].iter())
        } else {
            start + length
        };
        let within = lowest(length);
        let upper = if is_long {
            u64::MAX
        } else {
            near.from(start, |m| m.upper) & within
        };
        if let Some(prefixes) = &self.prefixes {
            prefixes.find_around(bytes, start..end, |at| found(at, Families::TOKEN));
        }
        if upper != 0 && base64_text::hides_text(&bytes[start..end]) {
            found(start, Families::BASE64);
        }
        // Keys without a prefix: what their name would have to say is left to the exact check.
        if self.keys_without_prefix {
            let alnum = || near.from(start, |m| m.letter | m.digit) & within;
            let is_key = if is_long {
                is_long_key(&bytes[start..end])
            } else {
                (length >= SHORTEST_BASE64_KEY && upper != 0)
                    || (length >= SHORTEST_KEY && has_run(alnum(), SHORTEST_KEY))
            };
            if is_key {
                found(start, Families::TOKEN);
            }
        }
    }
}

fn is_long_key(run: &[u8]) -> bool {
    run.iter().any(u8::is_ascii_uppercase)
        || run
            .split(|b| !b.is_ascii_alphanumeric())
            .any(|word| word.len() >= SHORTEST_KEY)
}

/// Whether the run of dashes from `start` goes on as a PEM block.
pub(super) fn begins_pem(bytes: &[u8], start: usize) -> bool {
    let dashes = bytes[start..].iter().take_while(|b| **b == b'-').count();
    bytes[start + dashes..].starts_with(b"BEGIN ")
}
