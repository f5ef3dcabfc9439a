//! Check digits of identifiers. Every function takes digits as values 0 to 9 (not ASCII).

/// Luhn (ISO/IEC 7812-1 annex B): cards, NPI, Canadian SIN.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| {
            u32::from(if i % 2 == 0 {
                d
            } else if d > 4 {
                2 * d - 9
            } else {
                2 * d
            })
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the leading digits and the length belong to a card brand.
pub(crate) fn card_brand(digits: &[u8]) -> bool {
    let lead = |n: usize| {
        digits
            .iter()
            .take(n)
            .fold(0u32, |sum, &d| sum * 10 + u32::from(d))
    };
    let (one, two, three, four) = (lead(1), lead(2), lead(3), lead(4));
    match digits.len() {
        13 | 16 | 19 if one == 4 => true,
        16 if (51..=55).contains(&two) || (2221..=2720).contains(&four) => true,
        15 => two == 34 || two == 37,
        14 => (300..=305).contains(&three) || [36, 38, 39].contains(&two),
        16..=19 if four == 6011 || (644..=649).contains(&three) || two == 65 || two == 62 => true,
        16..=19 if (3528..=3589).contains(&four) => true,
        _ => false,
    }
}

/// Sum of digit times weight.
pub(crate) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(&d, w)| u32::from(d) * w)
        .sum()
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |n, &d| n * 10 + u64::from(d))
}

/// Area, group and serial of a US social security number; all digits equal is a filler, not a number.
pub(crate) fn us_ssn(d: &[u8]) -> bool {
    let (area, group, serial) = (number(&d[..3]), number(&d[3..5]), number(&d[5..9]));
    (1..900).contains(&area)
        && area != 666
        && group != 0
        && serial != 0
        && d.iter().any(|x| *x != d[0])
}

pub(crate) fn us_itin(d: &[u8]) -> bool {
    d[0] == 9 && matches!(number(&d[3..5]), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

pub(crate) fn aba_routing(d: &[u8]) -> bool {
    matches!(number(&d[..2]), 0..=12 | 21..=32 | 61..=72 | 80)
        && weighted(d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && d.iter().any(|x| *x != 0)
}

pub(crate) fn us_npi(d: &[u8]) -> bool {
    let prefixed: Vec<u8> = [8, 0, 8, 4, 0].iter().chain(d).copied().collect();
    (d[0] == 1 || d[0] == 2) && luhn(&prefixed)
}

pub(crate) fn ca_sin(d: &[u8]) -> bool {
    d[0] != 0 && d[0] != 8 && luhn(d)
}

pub(crate) fn uk_nhs(d: &[u8]) -> bool {
    weighted(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11) && d.iter().any(|x| *x != d[0])
}

/// Verhoeff's dihedral check, with the first digit's range.
pub(crate) fn in_aadhaar(d: &[u8]) -> bool {
    const PERMUTE: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    // Multiplication in the dihedral group of order ten.
    let multiply = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let check = d
        .iter()
        .rev()
        .enumerate()
        .fold(0, |c, (i, &x)| multiply(c, PERMUTE[i % 8][x as usize]));
    d[0] >= 2 && check == 0
}

pub(crate) fn br_cpf(d: &[u8]) -> bool {
    let digit = |n: usize| {
        let sum: u32 = (0..n).map(|i| u32::from(d[i]) * (n + 1 - i) as u32).sum();
        (sum * 10 % 11 % 10) as u8
    };
    d.iter().any(|x| *x != d[0]) && digit(9) == d[9] && digit(10) == d[10]
}

/// 13 digits and a key of 2: 97 less the rest by 97. Corsica's 2A and 2B stand as 19 and 18 in the digits.
pub(crate) fn fr_nir(d: &[u8]) -> bool {
    matches!(d[0], 1 | 2) && number(&d[13..15]) == 97 - number(&d[..13]) % 97
}

/// ISO 7064 mod 11,10; exactly one digit of the first ten stands two or three times.
pub(crate) fn de_tax_id(d: &[u8]) -> bool {
    let mut product = 10;
    for &x in &d[..10] {
        let sum = (u32::from(x) + product) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    let repeats = (0..10u8)
        .map(|x| d[..10].iter().filter(|y| **y == x).count())
        .filter(|n| *n > 1)
        .count();
    d[0] != 0 && repeats == 1 && (11 - product) % 10 == u32::from(d[10])
}

pub(crate) fn pl_pesel(d: &[u8]) -> bool {
    let (month, day) = (number(&d[2..4]) % 20, number(&d[4..6]));
    let check = (10 - weighted(&d[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
    (1..=12).contains(&month) && (1..=31).contains(&day) && check == u32::from(d[10])
}

pub(crate) fn nl_bsn(d: &[u8]) -> bool {
    let sum = weighted(&d[..8], &[9, 8, 7, 6, 5, 4, 3, 2]);
    sum > 0 && sum % 11 == u32::from(d[8])
}

pub(crate) fn tr_tckn(d: &[u8]) -> bool {
    let odd: u32 = (0..9).step_by(2).map(|i| u32::from(d[i])).sum();
    let even: u32 = (1..8).step_by(2).map(|i| u32::from(d[i])).sum();
    let all: u32 = d[..10].iter().map(|x| u32::from(*x)).sum();
    d[0] != 0 && (odd * 7 + 90 - even) % 10 == u32::from(d[9]) && all % 10 == u32::from(d[10])
}

pub(crate) fn au_tfn(d: &[u8]) -> bool {
    weighted(d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && d.iter().any(|x| *x != 0)
}

pub(crate) fn au_abn(d: &[u8]) -> bool {
    d[0] != 0 && (weighted(d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10).is_multiple_of(89)
}

pub(crate) fn au_medicare(d: &[u8]) -> bool {
    (2..=6).contains(&d[0]) && weighted(&d[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(d[8])
}

/// ISO 13616: mod 97 of the account part, then country and check digits, letters as 10 to 35, is 1.
pub(crate) fn iban(compact: &[u8]) -> bool {
    let (head, tail) = compact.split_at(4);
    let rest = tail.iter().chain(head).try_fold(0u32, |rest, byte| {
        let value = (*byte as char).to_digit(36)?;
        Some((rest * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    rest == Some(1)
}

/// Length of an IBAN by country (SWIFT IBAN registry); `country` in upper case.
const fn length_of_iban(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FO" | b"FI" | b"GL" | b"NL" | b"SD" | b"FK" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"XK" | b"MN" => 20,
        b"HR" | b"LV" | b"LI" | b"CH" => 21,
        b"BH" | b"BG" | b"CR" | b"GE" | b"DE" | b"IE" | b"ME" | b"RS" | b"GB" | b"VA" => 22,
        b"GI" | b"IQ" | b"IL" | b"TL" | b"AE" | b"OM" | b"SO" => 23,
        b"AD" | b"CZ" | b"MD" | b"PK" | b"RO" | b"SA" | b"SK" | b"ES" | b"SE" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HU" | b"LB" | b"PL" | b"SV" | b"NI" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}

/// The same by `26 * first + second`; 0: no such country.
static IBAN_LENGTHS: [u8; 26 * 26] = {
    let mut lengths = [0; 26 * 26];
    let mut i = 0;
    while i < lengths.len() {
        if let Some(length) = length_of_iban([b'A' + (i / 26) as u8, b'A' + (i % 26) as u8]) {
            lengths[i] = length as u8;
        }
        i += 1;
    }
    lengths
};

/// How long the IBANs of a country are; `country` is two ASCII letters.
#[inline]
pub(crate) fn iban_length(country: [u8; 2]) -> Option<usize> {
    let [first, second] = country.map(|b| usize::from(b.to_ascii_uppercase().wrapping_sub(b'A')));
    let length = IBAN_LENGTHS.get(26 * first + second)?;
    (*length > 0 && second < 26).then_some(usize::from(*length))
}

/// Spain: the letter is the number mod 23.
pub(crate) fn es_nif(number: u32, letter: u8) -> bool {
    b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize] == letter.to_ascii_uppercase()
}

/// Bech32 and bech32m (BIP 173, BIP 350) for the human-readable part `bc`.
pub(crate) fn bech32(address: &[u8]) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = address.to_ascii_lowercase();
    // "bc" expanded: high bits, zero, low bits.
    let prefix = [3u32, 3, 0, 2, 3];
    let mut check = 1u32;
    let mut step = |value: u32| {
        let top = check >> 25;
        check = (check & 0x1ff_ffff) << 5 ^ value;
        for (bit, generator) in [
            0x3b6a_57b2,
            0x2650_8e6d,
            0x1ea1_19fa,
            0x3d42_33dd,
            0x2a14_62b3u32,
        ]
        .iter()
        .enumerate()
        {
            if top >> bit & 1 == 1 {
                check ^= generator;
            }
        }
    };
    prefix.iter().for_each(|v| step(*v));
    for byte in &lower[3..] {
        match ALPHABET.iter().position(|a| a == byte) {
            Some(value) => step(value as u32),
            None => return false,
        }
    }
    check == 1 || check == 0x2bc8_30a3
}

/// Base58check of 25 bytes: the last four are a double SHA-256.
pub(crate) fn base58check(address: &[u8]) -> bool {
    use sha2::{Digest as _, Sha256};
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0u8; 25];
    for character in address {
        let Some(mut carry) = ALPHABET.iter().position(|a| a == character) else {
            return false;
        };
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry % 256) as u8;
            carry /= 256;
        }
        if carry != 0 {
            return false;
        }
    }
    let hash = Sha256::digest(Sha256::digest(&bytes[..21]));
    hash[..4] == bytes[21..]
}
