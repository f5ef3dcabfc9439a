//! Single bytes that something may stand around.

use super::{Families, Prefilter, numbers};
use crate::view;

/// How far before an `@` the scheme of its URL may stand.
const URL_REACH: usize = 520;

impl Prefilter {
    /// Judges the trigger at `at`. `protobuf`: `bytes` are messages.
    pub(super) fn trigger(
        &self,
        bytes: &[u8],
        at: usize,
        protobuf: bool,
        found: &mut impl FnMut(usize, Families),
    ) {
        match bytes[at] {
            // The tags of `AnyValue.int_value` and `AnyValue.double_value`.
            0x18 if protobuf && numbers::is_long_integer(&bytes[at + 1..], self.fewest) => {
                found(at, Families::NUMBER);
            }
            b'!' if protobuf && numbers::is_long_double(&bytes[at + 1..], self.fewest) => {
                found(at, Families::NUMBER);
            }
            b'@' => self.at_sign(bytes, at, found),
            b'+' => {
                let digits = |b: &[u8]| b.iter().filter(|b| b.is_ascii_digit()).count();
                if self.needed.has(Families::PHONE)
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                    && digits(&bytes[at..bytes.len().min(at + 32)]) >= 8
                {
                    found(at, Families::PHONE);
                }
            }
            b'\\' | b'%' | 0x80.. if view::is_escape(bytes, at) => found(at, Families::ESCAPE),
            _ => {}
        }
    }

    fn at_sign(&self, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, Families)) {
        let before = at.checked_sub(1).map_or(0, |i| bytes[i]);
        let local = before.is_ascii_alphanumeric()
            || matches!(before, b'.' | b'_' | b'%' | b'+' | b'-')
            || before >= 0x80;
        if self.needed.has(Families::EMAIL) && local && has_domain(&bytes[at + 1..]) {
            found(at, Families::EMAIL);
        }
        if self.needed.has(Families::URL)
            && memchr::memmem::rfind(&bytes[at.saturating_sub(URL_REACH)..at], b"://").is_some()
        {
            found(at, Families::URL);
        }
    }
}

/// Whether a label and a dot follow. Any byte outside ASCII may be part of a letter.
fn has_domain(after: &[u8]) -> bool {
    let is_label = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'-' || **b >= 0x80;
    let label = after.iter().take(64).take_while(is_label).count();
    label > 0 && after.get(label) == Some(&b'.')
}
