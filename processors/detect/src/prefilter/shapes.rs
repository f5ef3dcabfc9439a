//! Identifiers and addresses with letters, by the classes of their characters.

use super::runs::Near;
use super::{Families, each};
use crate::block::Masks;
use crate::personal;
use crate::words::stays_inside_uuid;

fn wide(near: &Near<'_>, class: impl Fn(&Masks) -> u64) -> u128 {
    u128::from(class(&near.now())) | u128::from(class(&near.next())) << 64
}

/// The bits from which on `length` bits are set.
fn run(mut bits: u128, length: usize) -> u128 {
    let mut have = 1;
    while have * 2 <= length {
        bits &= bits >> have;
        have *= 2;
    }
    bits & bits >> (length - have)
}

/// Where an address may be: digits around a dot, or a colon.
pub(super) fn addresses(bytes: &[u8], near: &Near<'_>, found: &mut impl FnMut(usize, Families)) {
    let (digit, separator) = (wide(near, |m| m.digit), wide(near, |m| m.separator));
    let candidates = (digit & separator >> 1 & digit >> 2) as u64 | near.now().colon;
    each(candidates, |i| {
        let at = near.base + i;
        if bytes[at] != b':' && bytes[at + 1] != b'.' {
            return;
        }
        let is_address = |b: &&u8| personal::is_address_byte(**b);
        let before = bytes[..at].iter().rev().take(48).take_while(is_address);
        let behind = bytes[at..].iter().take(48).take_while(is_address);
        let run = &bytes[at - before.count()..at + behind.count()];
        let count = |c: u8| run.iter().filter(|b| **b == c).count();
        if count(b'.') >= 3 || count(b':') >= 6 || run.windows(2).any(|w| w == b"::") {
            found(at, Families::ADDRESS);
        }
    });
}

/// Six pairs with the same separator between them.
pub(super) fn macs(bytes: &[u8], near: &Near<'_>, found: &mut impl FnMut(usize, Families)) {
    let parts = |m: Masks| m.colon | m.separator;
    if parts(near.now()) | parts(near.next()) == 0 {
        return;
    }
    let pair = wide(near, |m| m.digit | m.letter);
    let part = wide(near, |m| m.colon | m.separator);
    let shape = pair
        & pair >> 1
        & part >> 2
        & pair >> 3
        & pair >> 4
        & part >> 5
        & part >> 8
        & part >> 11
        & part >> 14;
    each(shape as u64, |i| {
        let at = near.base + i;
        if bytes.get(at..at + 17).is_some_and(personal::is_mac) {
            found(at, Families::MAC);
        }
    });
}

/// Whether a cryptocurrency's address may begin with the word at `start`: `bc1`, `1`, `3`, `0x`, and up to two bytes of
/// framing before them.
pub(super) fn begins_address(bytes: &[u8], start: usize) -> bool {
    let head = bytes[start..].iter().take(4);
    head.into_iter().any(|b| matches!(b, b'1' | b'3' | b'0'))
}

/// What else [`personal::shapes`] knows.
pub(super) fn shapes(bytes: &[u8], near: &Near<'_>, found: &mut impl FnMut(usize, Families)) {
    let d = wide(near, |m| m.digit);
    // Every other shape has two digits in a row.
    if d & d >> 1 == 0 {
        return;
    }
    let (l, s) = (wide(near, |m| m.letter), wide(near, |m| m.separator));
    let seven = run(d, 7);
    let pan = run(l, 5) & run(d, 4) >> 5 & l >> 9;
    let nif_or_dea = (l & seven >> 1) | (seven & (l >> 7 | (s >> 7 & l >> 8)));
    let nino = l & l >> 1 & ((d >> 2 & d >> 3) | (s >> 2 & d >> 3 & d >> 4));
    let mbi_dashes =
        d & l >> 1 & d >> 3 & s >> 4 & l >> 5 & d >> 7 & s >> 8 & run(l, 2) >> 9 & run(d, 2) >> 11;
    let mbi = d & l >> 1 & d >> 3 & l >> 4 & d >> 6 & run(l, 2) >> 7 & run(d, 2) >> 9;
    let corsica = d & l >> 1 & (run(d, 3) >> 2 | (s >> 2 & run(d, 3) >> 3));
    each((pan | nif_or_dea | mbi_dashes | mbi) as u64, |i| {
        if !stays_inside_uuid(bytes, near.base + i) {
            found(near.base + i, Families::SHAPE);
        }
    });
    each(nino as u64, |i| {
        let mut shape = bytes[near.base + i..]
            .iter()
            .take(13)
            .filter(|b| **b != b' ')
            .skip(2);
        if shape
            .by_ref()
            .take(6)
            .filter(|b| b.is_ascii_digit())
            .count()
            == 6
            && shape.next().is_some_and(u8::is_ascii_alphabetic)
            && !stays_inside_uuid(bytes, near.base + i)
        {
            found(near.base + i, Families::SHAPE);
        }
    });
    each(corsica as u64, |i| {
        let two = &bytes[near.base + i..near.base + i + 2];
        if two[0] == b'2'
            && matches!(two[1] | 0x20, b'a' | b'b')
            && !stays_inside_uuid(bytes, near.base + i)
        {
            found(near.base + i, Families::SHAPE);
        }
    });
}
