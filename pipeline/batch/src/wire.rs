//! Protobuf primitives: a bounds-checked reader and the few writers that everything above shares.
//!
//! What the reader accepts is what `prost` accepts, no more and no less; the property tests hold them side by side.

use crate::words::is_ascii;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Where in the buffer.
    pub(crate) offset: usize,
    pub(crate) what: &'static str,
}

/// Protobuf wire types, by number.
pub(crate) mod kind {
    pub(crate) const VARINT: u32 = 0;
    pub(crate) const I64: u32 = 1;
    pub(crate) const LEN: u32 = 2;
    pub(crate) const START_GROUP: u32 = 3;
    pub(crate) const END_GROUP: u32 = 4;
    pub(crate) const I32: u32 = 5;
}

/// How many messages may lie inside one another below the request, as in `prost`.
pub(crate) const DEPTH_LIMIT: u32 = 100;

/// Reads `buf[pos..end]`. Offsets are absolute in `buf`, so that rows can point into it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) buf: &'a [u8],
    pub(crate) pos: usize,
}

impl<'a> Reader<'a> {
    /// A reader over `buf[start..end]`; positions count from the start of `buf`.
    #[inline]
    pub(crate) fn new(buf: &'a [u8], start: usize, end: usize) -> Self {
        Self {
            buf: &buf[..end],
            pos: start,
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.pos >= self.buf.len()
    }

    #[cold]
    pub(crate) fn malformed(&self, what: &'static str) -> Malformed {
        Malformed {
            offset: self.pos,
            what,
        }
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        match self.buf.get(self.pos) {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (i, &byte) in self.buf[self.pos..].iter().take(10).enumerate() {
            if i == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.pos += i + 1;
                return Ok(value);
            }
        }
        Err(self.malformed("a varint that is cut off or longer than 64 bits"))
    }

    /// A field's tag and wire type.
    #[inline]
    pub(crate) fn key(&mut self) -> Result<(u32, u32), Malformed> {
        let start = self.pos;
        let key = self.varint()?;
        let Ok(key) = u32::try_from(key) else {
            return Err(Malformed {
                offset: start,
                what: "a field key above 32 bits",
            });
        };
        let (tag, wire) = (key >> 3, key & 7);
        if wire > 5 {
            return Err(Malformed {
                offset: start,
                what: "an unknown wire type",
            });
        }
        if tag == 0 {
            return Err(Malformed {
                offset: start,
                what: "field number 0",
            });
        }
        Ok((tag, wire))
    }

    /// The start and end of a length-delimited field's content; the position moves past it.
    #[inline]
    pub(crate) fn delimited(&mut self) -> Result<(usize, usize), Malformed> {
        let len = self.varint()?;
        let start = self.pos;
        if len > (self.buf.len() - start) as u64 {
            return Err(self.malformed("a length that runs past the end"));
        }
        let end = start + len as usize;
        self.pos = end;
        Ok((start, end))
    }

    /// The content of a length-delimited field.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let (start, end) = self.delimited()?;
        Ok(&self.buf[start..end])
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Malformed> {
        match self
            .buf
            .get(self.pos..self.pos + 8)
            .and_then(|b| <[u8; 8]>::try_from(b).ok())
        {
            Some(bytes) => {
                self.pos += 8;
                Ok(u64::from_le_bytes(bytes))
            }
            None => Err(self.malformed("a 64-bit number that is cut off")),
        }
    }

    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Malformed> {
        match self
            .buf
            .get(self.pos..self.pos + 4)
            .and_then(|b| <[u8; 4]>::try_from(b).ok())
        {
            Some(bytes) => {
                self.pos += 4;
                Ok(u32::from_le_bytes(bytes))
            }
            None => Err(self.malformed("a 32-bit number that is cut off")),
        }
    }

    /// Moves past an unknown field. `depth`: how many messages may still open.
    pub(crate) fn skip(&mut self, tag: u32, wire: u32, depth: u32) -> Result<(), Malformed> {
        if depth == 0 {
            return Err(self.malformed("messages nested more than 100 deep"));
        }
        match wire {
            kind::VARINT => self.varint().map(drop),
            kind::I64 => self.fixed64().map(drop),
            kind::I32 => self.fixed32().map(drop),
            kind::LEN => self.delimited().map(drop),
            kind::START_GROUP => loop {
                let (inner, wire) = self.key()?;
                if wire == kind::END_GROUP {
                    if inner != tag {
                        return Err(self.malformed("a group that ends with another number"));
                    }
                    return Ok(());
                }
                self.skip(inner, wire, depth - 1)?;
            },
            _ => Err(self.malformed("the end of a group that never began")),
        }
    }
}

/// How many bytes `value` takes as a varint.
#[inline]
pub(crate) const fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub(crate) fn put_key(out: &mut Vec<u8>, tag: u32, wire: u32) {
    put_varint(out, u64::from(tag << 3 | wire));
}

/// A length-delimited field.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, tag: u32, content: &[u8]) {
    put_key(out, tag, kind::LEN);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// A length-delimited field whose content `write` appends. `hint` is the expected length: when the varint of the real
/// length is as wide, nothing moves.
pub(crate) fn put_nested(
    out: &mut Vec<u8>,
    tag: u32,
    hint: usize,
    write: impl FnOnce(&mut Vec<u8>),
) {
    put_key(out, tag, kind::LEN);
    let guess = varint_len(hint as u64);
    let at = out.len();
    out.resize(at + guess, 0);
    let start = out.len();
    write(out);
    let len = out.len() - start;
    let width = varint_len(len as u64);
    match width.cmp(&guess) {
        std::cmp::Ordering::Greater => {
            out.resize(out.len() + width - guess, 0);
            out.copy_within(start..start + len, at + width);
        }
        std::cmp::Ordering::Less => {
            out.copy_within(start..start + len, at + width);
            out.truncate(at + width + len);
        }
        std::cmp::Ordering::Equal => {}
    }
    let mut value = len as u64;
    for byte in &mut out[at..at + width] {
        *byte = value as u8 & 0x7f | if value >= 0x80 { 0x80 } else { 0 };
        value >>= 7;
    }
}

/// Whether bytes are UTF-8; most are short and ASCII.
#[inline]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    is_ascii(bytes) || simdutf8::basic::from_utf8(bytes).is_ok()
}
