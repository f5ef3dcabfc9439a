//! Base64 that hides text. Works at any alignment, so that neither a prefix nor message framing can shift it out of sight.

use std::ops::Range;

/// Shorter runs are words and identifiers; 12 bytes of text take 16 characters.
pub(crate) const SHORTEST: usize = 16;
const GROUPS: usize = SHORTEST / 4 - 1;

pub(crate) const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

const fn sextets() -> [u8; 256] {
    let mut table = [0xff; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut i = 0;
    while i < 64 {
        table[alphabet[i] as usize] = i as u8;
        i += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
}
static SEXTET: [u8; 256] = sextets();

/// Three bytes of printable ASCII, or nothing.
fn group(four: &[u8]) -> Option<[u8; 3]> {
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| SEXTET[four[i] as usize]);
    if (a | b | c | d) & 0xc0 != 0 {
        return None;
    }
    let bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
    let printable = |x: u8| (0x20..0x7f).contains(&x) || matches!(x, b'\n' | b'\r' | b'\t');
    bytes.iter().all(|x| printable(*x)).then_some(bytes)
}

/// Whether a run of base64 characters holds printable text at some alignment. Text has upper-case base64 characters
/// nearly always: without one the run is a word.
pub(crate) fn hides_text(run: &[u8]) -> bool {
    run.len() >= SHORTEST
        && run.iter().any(u8::is_ascii_uppercase)
        && (0..4).any(|shift| {
            let mut in_a_row = 0;
            run[shift..].chunks_exact(4).any(|four| {
                in_a_row = if group(four).is_some() {
                    in_a_row + 1
                } else {
                    0
                };
                in_a_row == GROUPS
            })
        })
}

/// Every run of base64 characters in `text` that hides text, with the texts.
pub(crate) fn hidden_texts(text: &str, found: &mut dyn FnMut(Range<usize>, &str)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = bytes[at..]
        .iter()
        .position(|b| is_base64(*b))
        .map(|n| at + n)
    {
        let end = bytes[start..]
            .iter()
            .position(|b| !is_base64(*b))
            .map_or(bytes.len(), |n| start + n);
        if hides_text(&bytes[start..end]) {
            let padded = end
                + bytes[end..]
                    .iter()
                    .take(2)
                    .take_while(|b| **b == b'=')
                    .count();
            (0..4).for_each(|shift| {
                texts_at(&bytes[start + shift..end], &mut |hidden| {
                    found(start..padded, hidden)
                })
            });
        }
        at = end;
    }
}

/// The stretches of printable text at one alignment. A last group of two or three characters counts with its stretch.
fn texts_at(run: &[u8], found: &mut dyn FnMut(&str)) {
    let mut stretch = String::new();
    let mut flush = |stretch: &mut String| {
        if stretch.len() >= GROUPS * 3 {
            found(stretch);
        }
        stretch.clear();
    };
    for four in run.chunks(4) {
        let mut whole = [b'A'; 4];
        whole[..four.len()].copy_from_slice(four);
        // The filler of a short last group decodes to zero bytes, which are cut off before they are judged.
        let kept = four.len() * 3 / 4;
        let decoded = if kept == 3 {
            group(&whole)
        } else {
            short(whole, kept)
        };
        match decoded {
            Some(bytes) => stretch.extend(bytes[..kept].iter().map(|b| char::from(*b))),
            None => flush(&mut stretch),
        }
    }
    flush(&mut stretch);
}

fn short(mut whole: [u8; 4], kept: usize) -> Option<[u8; 3]> {
    // Put printable filler into the missing bytes: `A` (0) as the last sextets leaves them zero, so use spaces.
    let b = SEXTET[whole[1] as usize];
    if kept == 0 || b == 0xff {
        return None;
    }
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if kept == 1 {
        whole[1] = ALPHABET[(b & 0x30 | 0x02) as usize];
        whole[2] = ALPHABET[0];
        whole[3] = ALPHABET[0x20];
        // Byte two is 0x20, byte three 0x20.
    } else {
        let c = SEXTET[whole[2] as usize];
        if c == 0xff {
            return None;
        }
        whole[2] = ALPHABET[(c & 0x3c) as usize];
        whole[3] = ALPHABET[0x20];
    }
    group(&whole)
}
