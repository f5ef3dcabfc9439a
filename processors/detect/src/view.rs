//! What a text says once an escape layer is off, and where each byte of that stood.
//!
//! One layer takes off, all at once: backslash escapes (JSON, so a JSON document inside a string needs no parser),
//! percent-encoding, full-width and other scripts' digits, look-alike spaces and dashes, zero-width characters. JSON
//! inside JSON is one layer more for each level.

use std::borrow::Cow;
use std::ops::Range;

/// A text with the original position of each of its bytes.
pub(crate) struct View<'a> {
    pub(crate) text: Cow<'a, str>,
    /// For every byte of `text`, and one past it, the byte of the original; empty for the original itself.
    starts: Vec<u32>,
}

impl<'a> View<'a> {
    /// The text as it stands. At most 4 GiB.
    pub(crate) fn original(text: &'a str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            starts: Vec::new(),
        }
    }

    /// Where `range` of this view stands in the original.
    pub(crate) fn original_range(&self, range: &Range<usize>) -> Range<usize> {
        if self.starts.is_empty() {
            range.clone()
        } else {
            self.starts[range.start] as usize..self.starts[range.end] as usize
        }
    }

    /// The same with one layer off, or `None` when there is none.
    pub(crate) fn unescaped(&self) -> Option<View<'static>> {
        if !self
            .text
            .bytes()
            .any(|b| b == b'\\' || b == b'%' || b >= 0x80)
        {
            return None;
        }
        let mut text = String::with_capacity(self.text.len());
        let mut starts: Vec<u32> = Vec::with_capacity(self.text.len() + 1);
        let mut changed = false;
        let mut at = 0;
        while let Some(c) = self.text[at..].chars().next() {
            let (written, len) = match plain(&self.text, at, c) {
                Some((written, len)) => {
                    changed = true;
                    (written, len)
                }
                None => (Some(c), c.len_utf8()),
            };
            if let Some(written) = written {
                let origin = self.original_range(&(at..at)).start as u32;
                starts.resize(starts.len() + written.len_utf8(), origin);
                text.push(written);
            }
            at += len;
        }
        starts.push(self.original_range(&(at..at)).start as u32);
        changed.then_some(View {
            text: Cow::Owned(text),
            starts,
        })
    }
}

/// The text with every layer of escapes off, as a detector saw it: for what must not depend on how a value is written.
#[must_use]
pub fn unescaped(text: &str) -> Cow<'_, str> {
    let mut plain = Cow::Borrowed(text);
    for _ in 0..crate::MAX_LAYERS {
        match View::original(&plain).unescaped() {
            Some(view) => plain = Cow::Owned(view.text.into_owned()),
            None => break,
        }
    }
    plain
}

/// What stands at `at` when it is not itself: the character meant (`None`: nothing) and the bytes it takes.
fn plain(text: &str, at: usize, c: char) -> Option<(Option<char>, usize)> {
    match c {
        '\\' => backslash(&text.as_bytes()[at..]).map(|(c, n)| (Some(c), n)),
        '%' => percent(&text.as_bytes()[at..]).map(|(c, n)| (Some(c), n)),
        c if c.is_ascii() => None,
        c => fold(c).map(|folded| (folded, c.len_utf8())),
    }
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    let digits = digits.filter(|d| !d.is_empty() && d.iter().all(u8::is_ascii_hexdigit))?;
    Some(
        digits
            .iter()
            .fold(0, |n, d| n << 4 | (*d as char).to_digit(16).unwrap_or(0)),
    )
}

fn backslash(b: &[u8]) -> Option<(char, usize)> {
    let simple = |c: char| Some((c, 2));
    match b.get(1)? {
        b'"' => simple('"'),
        b'\\' => simple('\\'),
        b'/' => simple('/'),
        b'\'' => simple('\''),
        b'n' => simple('\n'),
        b't' => simple('\t'),
        b'r' => simple('\r'),
        b'b' | b'f' => simple(' '),
        b'x' => hex(b.get(2..4)).and_then(char::from_u32).map(|c| (c, 4)),
        b'U' => hex(b.get(2..10)).and_then(char::from_u32).map(|c| (c, 10)),
        b'u' if b.get(2) == Some(&b'{') => {
            let end = b.iter().take(10).position(|c| *c == b'}')?;
            hex(b.get(3..end))
                .and_then(char::from_u32)
                .map(|c| (c, end + 1))
        }
        b'u' => {
            let first = hex(b.get(2..6))?;
            if (0xd800..0xdc00).contains(&first) && b.get(6..8) == Some(b"\\u") {
                let second = hex(b.get(8..12)).filter(|s| (0xdc00..0xe000).contains(s));
                if let Some(second) = second {
                    return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
                        .map(|c| (c, 12));
                }
            }
            Some((char::from_u32(first).unwrap_or('\u{fffd}'), 6))
        }
        _ => None,
    }
}

/// One character of percent-encoded UTF-8. A byte that is none stands for itself as Latin-1: it is only looked at.
fn percent(b: &[u8]) -> Option<(char, usize)> {
    let byte = |i: usize| {
        (b.get(i) == Some(&b'%'))
            .then(|| hex(b.get(i + 1..i + 3)))
            .flatten()
            .map(|n| n as u8)
    };
    let first = byte(0)?;
    let len = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let bytes: Option<Vec<u8>> = (0..len).map(|i| byte(i * 3)).collect();
    let decoded = bytes
        .as_deref()
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|s| s.chars().next());
    Some(decoded.map_or((char::from(first), 3), |c| (c, 3 * len)))
}

/// The first digit of scripts whose ten digits follow one another.
const ZEROS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50,
    0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
];

/// The ASCII character that a look-alike stands for; `Some(None)` for one that is not seen at all.
fn fold(c: char) -> Option<Option<char>> {
    let code = c as u32;
    let ascii = match code {
        0xff01..=0xff5e => char::from_u32(code - 0xfee0),
        0xad | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0xfe00..=0xfe0f | 0xfeff => {
            return Some(None);
        }
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Some(' '),
        0x2028 | 0x2029 => Some('\n'),
        0x2010..=0x2015 | 0x2212 => Some('-'),
        _ => ZEROS
            .iter()
            .find(|z| (**z..**z + 10).contains(&code))
            .and_then(|z| char::from_digit(code - z, 10)),
    };
    ascii.map(Some)
}

/// Whether the bytes at `at` (a backslash, a percent sign, or the first byte of a character outside ASCII) are something
/// that [`View::unescaped`] takes off. Works on raw bytes, for the prefilter.
pub(crate) fn is_escape(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'\\' => backslash(&bytes[at..]).is_some(),
        b'%' => percent(&bytes[at..]).is_some(),
        lead => {
            let len = match lead {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => return false,
            };
            let one = bytes
                .get(at..at + len)
                .and_then(|b| std::str::from_utf8(b).ok())
                .and_then(|s| s.chars().next());
            one.is_some_and(|c| fold(c).is_some())
        }
    }
}
