//! Enough digits, as text or as a protobuf integer or double.

use super::runs::{Near, lowest};
use crate::number;
use crate::words::is_inside_uuid;

/// Whether the run of digits and separators that begins at `start` has at least `fewest` digits, and not all of them in a
/// UUID, a date or a time's fraction. A run of 64 bytes or more is one to look at anyway.
pub(super) fn is_number(bytes: &[u8], near: &Near<'_>, start: usize, fewest: usize) -> bool {
    let length = (!near.from(start, |m| m.digit | m.separator)).trailing_zeros() as usize;
    if length >= 64 {
        return true;
    }
    let digits = near.from(start, |m| m.digit) & lowest(length);
    if (digits.count_ones() as usize) < fewest {
        return false;
    }
    let from = start + digits.trailing_zeros() as usize;
    let to = start + 64 - digits.leading_zeros() as usize;
    !is_date(&bytes[from..to])
        && !is_inside_uuid(bytes, &(from..to))
        && number::clock_fraction_end(bytes, from).is_none_or(|end| end < to)
}

/// `2026-04-20`.
fn is_date(b: &[u8]) -> bool {
    b.len() == 10 && b[4] == b'-' && b[7] == b'-'
}

fn decimal_digits(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |n| n as usize + 1)
}

/// Whether the varint has at least `fewest` decimal digits.
pub(super) fn is_long_integer(varint: &[u8], fewest: usize) -> bool {
    // Every rule has seven digits or more, which take three bytes or more.
    if !matches!(varint, [a, b, ..] if (a & b) >= 0x80) {
        return false;
    }
    let mut value = 0u64;
    for (i, byte) in varint.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if *byte < 0x80 {
            return decimal_digits((value as i64).unsigned_abs()) >= fewest;
        }
    }
    false
}

/// Whether the eight bytes are a double without fraction and with at least `fewest` decimal digits.
pub(super) fn is_long_double(bytes: &[u8], fewest: usize) -> bool {
    // The exponents of 2^17 to 2^64.
    if !bytes
        .get(7)
        .is_some_and(|b| matches!(b & 0x7f, 0x41..=0x43))
    {
        return false;
    }
    let Some(value) = bytes.first_chunk().map(|b| f64::from_le_bytes(*b).abs()) else {
        return false;
    };
    value < 1e19 && value.fract() == 0.0 && decimal_digits(value as u64) >= fewest
}
